//! Random sampling: segments of busy sockets for RTT samples, and short sockets under high churn.

use crate::duty::RTT_DUTY_CYCLE;

/// Short sockets are sampled 1 in this many under high churn, and a sampled socket has this weight.
pub const SHORT_SOCKET_WEIGHT: u32 = 8;

/// Whether a short socket is sampled. `hash` is the kernel's secret, evenly distributed hash of the addresses and
/// ports. The time goes in as well, so that a client with a constant port is not always or never sampled.
#[inline(always)]
pub const fn is_socket_sampled(hash: u32, jiffies: u32) -> bool {
    random_bits(hash, jiffies).0 <= u32::MAX / SHORT_SOCKET_WEIGHT
}

/// RTT sampling of busy sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// A segment is sampled when its random number is at most this.
    pub threshold: u32,
    /// 1 when samples are sparse: 1 sample in 8 also harvests the socket's counters, and segments that arrive closely
    /// spaced are [thinned out](is_thinned_out).
    pub is_sparse: u32,
}

impl Sampling {
    /// Samples 1 in `every` segments on average while the probe is attached all the time; 0 is taken as 1.
    #[inline(always)]
    pub const fn new(every: u32) -> Self {
        let every = if every == 0 { 1 } else { every };
        Self { threshold: ((1u64 << 32) / every as u64 - 1) as u32, is_sparse: (every > 4) as u32 }
    }

    /// Threshold for one segment. On a duty cycle, and [after a pause](is_after_pause), segments are sampled more
    /// often.
    #[inline(always)]
    pub const fn threshold_for(&self, is_duty_reduced: bool, is_after_pause: bool) -> u32 {
        let duty = if is_duty_reduced { RTT_DUTY_CYCLE.weight() } else { 1 };
        let times = duty * if is_after_pause { PAUSE_FACTOR } else { 1 };
        // The share of 2³² numbers that pass, multiplied and capped at all of them.
        if self.threshold >= u32::MAX / times { u32::MAX } else { (self.threshold + 1) * times - 1 }
    }
}

/// Two independent pseudo-random numbers: a hash (the finaliser of splitmix64) of the socket's segment count and of the
/// next expected sequence number. Both change with every segment, and TCP has just written them.
#[inline(always)]
pub const fn random_bits(segments: u32, expected: u32) -> (u32, u32) {
    let mut x = ((expected as u64) << 32 | segments as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x >> 32) as u32, x as u32)
}

/// Jiffies (1 to 10 ms each) without a segment from which no sample is thinned out: while the probe is attached all the
/// time, and on a duty cycle. The machine is busy then, also with many sockets of some ten segments a second each.
const SHORT_PAUSE: u32 = 4;
const SHORT_PAUSE_REDUCED: u32 = 16;

/// Jiffies without a segment from which sampling is more frequent, and by which factor.
const LONG_PAUSE: u32 = 8;
const PAUSE_FACTOR: u32 = 4;

/// Whether a segment arrives after a long pause and is sampled more often. A peer that answers slowly sends few
/// segments, just when samples matter most. `idle_jiffies`: time since the last segment.
#[inline(always)]
pub const fn is_after_pause(idle_jiffies: u32) -> bool {
    idle_jiffies >= LONG_PAUSE
}

/// Whether a sampled segment is skipped because others arrived just before it: a socket with thousands of segments a
/// second needs few samples. Without a full jiffy of pause 1 in 16 stays, with each jiffy 4 more, or on a duty cycle 1
/// more. `idle_jiffies`: time since the last segment; `bits`: the second of [`random_bits`].
#[inline(always)]
pub const fn is_thinned_out(idle_jiffies: u32, is_duty_reduced: bool, bits: u32) -> bool {
    let pause = if is_duty_reduced { SHORT_PAUSE_REDUCED } else { SHORT_PAUSE };
    idle_jiffies < pause && (bits >> 8) & 15 > idle_jiffies * (16 / pause)
}

#[cfg(test)]
mod tests;
