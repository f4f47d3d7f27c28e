//! Growth of the kernel's 32-bit figures, which wrap: segments after 14 hours at 1 Gbit/s, jiffies after 49 days.

/// Two programs may read one socket at once, and the older reading may be stored last: then a figure falls by less than
/// this, some seconds of the fastest link. A larger fall is a wrap.
const RACE: u32 = 1 << 24;
/// A figure above this that falls has wrapped. Below, it may have begun anew.
const HALF: u32 = 1 << 31;

/// How much a figure grew between two readings, to be added to a 64-bit sum; a small fall is negative in two's
/// complement. `may_restart`: the socket may have connected anew unseen, with its figures back at zero. Wrong when a
/// figure grows by more than 2³² − 2²⁴ between two readings.
#[inline(always)]
pub const fn growth(before: u32, now: u32, may_restart: bool) -> u64 {
    if may_restart && before < HALF && now < before / 2 {
        return now as u64;
    }
    let fall = before.wrapping_sub(now);
    if fall < RACE { (fall as u64).wrapping_neg() } else { now.wrapping_sub(before) as u64 }
}

#[cfg(test)]
mod tests;
