//! Response times on a busy machine: which exchanges of a busy connection are counted.
//!
//! An exchange that ends a whole pace or more after the one before it always counts. One that ends after the n-th part
//! of a pace counts with probability 1/n, and then n times. So each exchange counts once on average, whatever its
//! duration: counts, sums and buckets are unbiased. A connection adds about one count per pace at most, and an exchange
//! that lasts a pace is never left out.

/// The most exchanges of its connection that one stands for.
pub const MOST: u32 = 64;

/// Times that an exchange counts; 0: not at all. `since_us`: from the end of the one before it to its own end.
/// `pace_us`: 0 to count each. `random`: evenly distributed, and independent of the exchange's duration.
#[inline(always)]
pub const fn times(since_us: u64, pace_us: u32, random: u32) -> u32 {
    if pace_us == 0 {
        return 1;
    }
    // A program of the kernel can't panic, as a plain division might.
    let n = match (pace_us as u64).checked_div(since_us) {
        Some(parts) if parts < MOST as u64 => parts + 1,
        _ => MOST as u64,
    };
    if (random as u64 * n) >> 32 == 0 { n as u32 } else { 0 }
}

#[cfg(test)]
mod tests;
