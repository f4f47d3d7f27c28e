//! Histogram buckets for durations: one table of upper bounds, used by the kernel to count and by user space to
//! interpolate and export.

/// Number of finite upper bounds.
pub const BOUNDS: usize = 97;
/// Number of buckets: one per bound, one above the last bound, rounded up so that the array's size divides by 8.
pub const BUCKETS: usize = 98;

/// Number of finite upper bounds of fine histograms.
pub const FINE_BOUNDS: usize = 197;
/// Number of their buckets: one per bound, one above the last bound.
pub const FINE_BUCKETS: usize = 198;

/// Steps within one decade. The largest ratio of neighbours is 1.2, so the geometric middle of a bucket is within
/// 9.6 % of every value in it; 1, 2 and 5 are among them, so that coarser export buckets stay exact.
const DECADE: [u32; 16] = [10, 12, 14, 16, 18, 20, 24, 28, 33, 39, 44, 50, 60, 70, 80, 90];

/// The same of fine histograms from 100 µs on: ratios up to 1.072, values within 3.6 %.
const FINE_DECADE: [u32; 36] = [
    100, 107, 113, 121, 129, 137, 146, 155, 166, 176, 188, 200, 214, 228, 243, 260, 277, 296, 316, 338, 360, 385, 411,
    439, 468, 500, 533, 567, 604, 643, 685, 730, 777, 828, 882, 939,
];

/// Inclusive upper bounds in microseconds, ascending, 10 µs … 10 s.
pub const BOUNDS_US: [u32; BOUNDS] = {
    let mut out = [0; BOUNDS];
    fill(&mut out, 0, &DECADE);
    out
};

/// Those of fine histograms: up to 100 µs the same.
pub const FINE_BOUNDS_US: [u32; FINE_BOUNDS] = {
    let mut out = [0; FINE_BOUNDS];
    let mut i = 0;
    while i < DECADE.len() {
        out[i] = DECADE[i];
        i += 1;
    }
    fill(&mut out, i, &FINE_DECADE);
    out
};

/// Fills bounds from an index on: decades of these steps, and the first step of the next.
const fn fill(out: &mut [u32], from: usize, decade: &[u32]) {
    let (mut scale, mut i) = (1, 0);
    while from + i < out.len() {
        out[from + i] = decade[i % decade.len()] * scale;
        i += 1;
        if i % decade.len() == 0 {
            scale *= 10;
        }
    }
}

/// Upper bounds of histograms with this many buckets, µs.
#[cfg(not(target_arch = "bpf"))]
pub const fn bounds_us(buckets: usize) -> &'static [u32] {
    if buckets == FINE_BUCKETS { &FINE_BOUNDS_US } else { &BOUNDS_US }
}

/// [`BOUNDS_US`] padded with `u32::MAX` to a power of two, so that a search has a fixed number of steps, which is what
/// the kernel's verifier can follow.
pub static SEARCH_US: [u32; 128] = padded(&BOUNDS_US);
/// The same of [`FINE_BOUNDS_US`].
pub static FINE_SEARCH_US: [u32; 256] = padded(&FINE_BOUNDS_US);

const fn padded<const LENGTH: usize>(bounds: &[u32]) -> [u32; LENGTH] {
    let mut out = [u32::MAX; LENGTH];
    let mut i = 0;
    while i < bounds.len() {
        out[i] = bounds[i];
        i += 1;
    }
    out
}

/// Index of the bucket that holds `us` microseconds: the first whose upper bound is ≥ `us`, else the last bucket.
#[inline(always)]
pub fn bucket_index(us: u32) -> usize {
    bounded::<BUCKETS>(search(&SEARCH_US, us)) as usize
}

/// The same in a fine histogram.
#[inline(always)]
pub fn fine_bucket_index(us: u32) -> usize {
    bounded::<FINE_BUCKETS>(search(&FINE_SEARCH_US, us)) as usize
}

/// Number of bounds below `us` in a table whose length is a power of two. Each step takes one of four quarters by three
/// comparisons that don't wait for each other: a search by halves waits for twice as many reads in a row.
#[inline(always)]
fn search<const LENGTH: usize>(bounds: &[u32; LENGTH], us: u32) -> u64 {
    // Positions stay below the length; the mask tells the verifier so.
    let bound = |at: u64| i64::from(bounds[(at & (LENGTH as u64 - 1)) as usize]);
    let part = |at: u64, shift: u32| sign_bit(bound(at) - i64::from(us)) << shift;
    let (mut low, mut shift) = (0u64, LENGTH.ilog2());
    if !shift.is_multiple_of(2) {
        shift -= 1;
        low = part((1 << shift) - 1, shift);
    }
    while shift > 0 {
        shift -= 2;
        let step = 1 << shift;
        let first = part(low + step - 1, shift);
        let second = part(low + 2 * step - 1, shift);
        let third = part(low + 3 * step - 1, shift);
        low = sum(low, sum(first, sum(second, third)));
    }
    low
}

/// `index`, or the last index of an array of `COUNT` if it is beyond. The compiler would test one register and use
/// another, of which the kernel's verifier then knows no bound.
#[inline(always)]
fn bounded<const COUNT: usize>(index: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut index = index;
        // SAFETY: a comparison and an assignment of one register.
        unsafe {
            core::arch::asm!(
                "if {index} < {count} goto +1",
                "{index} = {last}",
                index = inout(reg) index,
                count = const COUNT,
                last = const COUNT - 1,
                options(pure, nomem, nostack)
            );
        }
        index
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        index.min(COUNT as u64 - 1)
    }
}

/// The sum of two numbers. The compiler would make an `or` of it where no bit is in both, of which verifiers before
/// Linux 6.10 know no bound.
#[inline(always)]
fn sum(one: u64, other: u64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut sum = one;
        // SAFETY: an addition of registers.
        unsafe {
            core::arch::asm!(
                "{sum} += {other}",
                sum = inout(reg) sum,
                other = in(reg) other,
                options(pure, nomem, nostack)
            );
        }
        sum
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        one + other
    }
}

/// 1 when `difference` is negative, else 0. The compiler must not make a branch of it: the kernel's verifier would
/// follow twice as many paths for every step of a search, and count them towards its limit of 1,000,000 instructions.
/// Newer verifiers (6.18.44) do so for a mask too: `s>>= 63` and an `and` make two paths (`maybe_fork_scalars`).
#[inline(always)]
fn sign_bit(difference: i64) -> u64 {
    #[cfg(target_arch = "bpf")]
    {
        let mut bit = difference;
        // SAFETY: a shift of a register.
        unsafe { core::arch::asm!("{bit} >>= 63", bit = inout(reg) bit, options(pure, nomem, nostack)) };
        bit as u64
    }
    #[cfg(not(target_arch = "bpf"))]
    {
        (difference as u64) >> 63
    }
}

/// Buckets of reply times: 0 jiffies, then one per power of two.
pub const REPLY_BUCKETS: usize = 16;

/// Index of the bucket that holds a reply time: 0 for less than one jiffy, `n` for 2ⁿ⁻¹ … 2ⁿ − 1 jiffies, 15 for more.
#[inline(always)]
pub fn reply_bucket(jiffies: u32) -> usize {
    bounded::<REPLY_BUCKETS>(u64::from(u32::BITS - jiffies.leading_zeros())) as usize
}

#[cfg(test)]
mod tests;
