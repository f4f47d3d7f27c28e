//! A log-linear histogram of durations that many threads fill without locks.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Sub-buckets per power of two: a bucket is at most 1/64 of its value wide, so that a quantile errs by under 1.6 %.
const SUB: u64 = 64;
const SUB_BITS: u32 = SUB.trailing_zeros();
/// Covers 1 µs … 2^32 µs (over an hour).
const BUCKETS: usize = (32 - SUB_BITS as usize + 1) * SUB as usize;

/// Durations counted in µs.
#[derive(Debug)]
pub struct Histogram {
    buckets: Vec<AtomicU64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect() }
    }
}

/// Index of the bucket that holds `us`.
fn index(us: u64) -> usize {
    let us = us.min(u64::from(u32::MAX));
    if us < SUB {
        return us as usize;
    }
    let shift = us.ilog2() - SUB_BITS;
    ((u64::from(shift) + 1) * SUB + (us >> shift) - SUB) as usize
}

/// Middle of bucket `index`, µs.
fn middle(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((index % SUB + SUB) << shift) + ((1 << shift) >> 1)
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.buckets[index(us)].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes what was counted since the last call.
    pub fn drain(&self) -> Counted {
        Counted { buckets: self.buckets.iter().map(|bucket| bucket.swap(0, Ordering::Relaxed)).collect() }
    }
}

/// Summary of a [`Histogram`].
#[derive(Clone, Debug)]
pub struct Counted {
    buckets: Vec<u64>,
}

impl Counted {
    /// The `q` quantile (0 … 1) in µs. `None`: nothing was counted.
    pub fn quantile_us(&self, q: f64) -> Option<u64> {
        let total: u64 = self.buckets.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64 * q).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(middle(index));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
