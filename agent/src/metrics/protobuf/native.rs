//! Native histograms: buckets whose upper bounds are the powers of 2^(2^-schema).
//!
//! The kernel's bounds are decimal, so few of them are such powers. Each of its buckets moves as a whole into the one
//! that holds its geometric middle, and the same one always: no count ever falls. The schema is the coarsest in which
//! no two buckets of the kernel share one.

use netwhy_abi::{BOUNDS_US, FINE_BOUNDS_US, FINE_BUCKETS};
use std::sync::LazyLock;

/// Schema of the kernel's histograms: 8 buckets to a power of two.
const SCHEMA: i32 = 3;
/// Schema of its fine ones: 16.
const FINE_SCHEMA: i32 = 4;
/// Most empty buckets that are written rather than skipped. Buckets that are neighbours in the kernel are no farther
/// apart.
const MAX_GAP: i32 = 3;

static COARSE: LazyLock<Schema> = LazyLock::new(|| Schema::new(SCHEMA, &BOUNDS_US));
static FINE: LazyLock<Schema> = LazyLock::new(|| Schema::new(FINE_SCHEMA, &FINE_BOUNDS_US));

/// Where the kernel's buckets go.
pub(super) struct Schema {
    /// Number of the schema.
    pub(super) number: i32,
    /// Upper bound of the zero bucket, s: the kernel's first bound, so that its first bucket stays exact.
    pub(super) zero_threshold: f64,
    /// Bucket of each of the kernel's from the second on.
    indices: Vec<i32>,
}

/// The counts of one histogram.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Sparse {
    /// Samples in the zero bucket.
    pub(super) zero: u64,
    /// Runs of buckets: those skipped before it (of the first: its first bucket), and its length.
    pub(super) spans: Vec<(i32, u32)>,
    /// Count of each bucket of the runs, less that of the one before.
    pub(super) deltas: Vec<i64>,
}

impl Schema {
    /// That of kernel histograms with so many buckets.
    pub(super) fn of(buckets: usize) -> &'static Self {
        if buckets == FINE_BUCKETS { &FINE } else { &COARSE }
    }

    fn new(number: i32, kernel_us: &[u32]) -> Self {
        let seconds = |us: u32| f64::from(us) / 1e6;
        let index = |value: f64| (value.log2() * f64::from(1 << number)).ceil() as i32;
        let middles = kernel_us.windows(2).map(|pair| (seconds(pair[0]) * seconds(pair[1])).sqrt());
        // Samples above the last bound lie in the first bucket that is wholly above it.
        let above = kernel_us.last().map(|last| index(seconds(*last)) + 1);
        let zero_threshold = kernel_us.first().map_or(0.0, |first| seconds(*first));
        Self { number, zero_threshold, indices: middles.map(index).chain(above).collect() }
    }

    /// From (kernel bucket, count), ascending.
    pub(super) fn sparse(&self, counts: &[(u8, u64)]) -> Sparse {
        let mut out = Sparse::default();
        // The bucket after the last one written, and the count of that one.
        let (mut next, mut last) = (0, 0);
        for (kernel, count) in counts {
            let Some(place) = usize::from(*kernel).checked_sub(1) else {
                out.zero += count;
                continue;
            };
            let Some(index) = self.indices.get(place).or(self.indices.last()) else { continue };
            let count = *count as i64;
            let gap = index - next;
            if let Some((_, length)) = out.spans.last_mut().filter(|_| gap <= MAX_GAP) {
                // A recording may have buckets beyond the last.
                if gap < 0 {
                    last += count;
                    out.deltas.last_mut().into_iter().for_each(|delta| *delta += count);
                    continue;
                }
                for _ in 0..gap {
                    out.deltas.push(-last);
                    last = 0;
                }
                *length += gap.unsigned_abs() + 1;
            } else {
                out.spans.push((gap, 1));
            }
            out.deltas.push(count - last);
            (next, last) = (index + 1, count);
        }
        out
    }
}

#[cfg(test)]
mod tests;
