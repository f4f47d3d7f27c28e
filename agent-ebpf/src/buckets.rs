//! Histogram buckets for durations: one table of upper bounds, used by the kernel to count and by user space to
//! interpolate and export.

/// Number of finite upper bounds.
pub const BOUNDS: usize = 97;
/// Number of buckets: one per bound, one above the last bound, rounded up so that the array's size divides by 8.
pub const BUCKETS: usize = 98;

/// Steps within one decade. The largest ratio of neighbours is 1.2, so the geometric middle of a bucket is within
/// 9.6 % of every value in it; 1, 2 and 5 are among them, so that coarser export buckets stay exact.
const DECADE: [u32; 16] = [10, 12, 14, 16, 18, 20, 24, 28, 33, 39, 44, 50, 60, 70, 80, 90];

/// Inclusive upper bounds in microseconds, ascending, 10 µs … 10 s.
pub const BOUNDS_US: [u32; BOUNDS] = bounds();

const fn bounds() -> [u32; BOUNDS] {
    let mut out = [0; BOUNDS];
    let mut scale = 1;
    let mut i = 0;
    while i < BOUNDS - 1 {
        out[i] = DECADE[i % 16] * scale;
        i += 1;
        if i % 16 == 0 {
            scale *= 10;
        }
    }
    out[BOUNDS - 1] = 10 * scale;
    out
}

/// [`BOUNDS_US`] padded with `u32::MAX` to a power of two, so that a binary search has seven fixed steps, which is
/// what the kernel's verifier can follow.
pub static SEARCH_US: [u32; 128] = search();

const fn search() -> [u32; 128] {
    let mut out = [u32::MAX; 128];
    let mut i = 0;
    while i < BOUNDS {
        out[i] = BOUNDS_US[i];
        i += 1;
    }
    out
}

/// Index of the bucket that holds `us` microseconds: the first whose upper bound is ≥ `us`, else the last bucket.
#[inline(always)]
pub fn bucket_index(us: u32) -> usize {
    let mut low = 0usize;
    let mut step = 64usize;
    while step > 0 {
        // `low + step - 1` stays below 128; the mask tells the verifier so.
        let probe = (low + step - 1) & 127;
        if SEARCH_US[probe] < us {
            low += step;
        }
        step >>= 1;
    }
    if low >= BUCKETS { BUCKETS - 1 } else { low }
}

/// Buckets of reply times: 0 jiffies, then one per power of two.
pub const REPLY_BUCKETS: usize = 16;

/// Index of the bucket that holds a reply time: 0 for less than one jiffy, `n` for 2ⁿ⁻¹ … 2ⁿ − 1 jiffies, 15 for more.
#[inline(always)]
pub fn reply_bucket(jiffies: u32) -> usize {
    let mut bits = 0;
    let mut rest = jiffies;
    while rest > 0 && bits < REPLY_BUCKETS - 1 {
        rest >>= 1;
        bits += 1;
    }
    bits
}

#[cfg(test)]
mod tests;
