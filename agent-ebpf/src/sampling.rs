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

/// Load-time constants of RTT sampling, side by side in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sampling {
    /// A segment is sampled when its random number is at most this.
    pub threshold: u32,
    /// Offset of `tcp_sock.segs_in`.
    pub segs_in: u32,
    /// Offset of `tcp_sock.rcv_nxt`.
    pub rcv_nxt: u32,
    /// 1 when samples are sparse: 1 sample in 8 also harvests the socket's counters, and segments that arrive closely
    /// spaced are [thinned out](is_thinned_out).
    pub is_sparse: u32,
}

const _: () = assert!(size_of::<Sampling>() == 16);

impl Sampling {
    /// Samples 1 in `every` segments on average while the probe is attached all the time; 0 is taken as 1.
    pub const fn new(every: u32, segs_in: u32, rcv_nxt: u32) -> Self {
        let every = if every == 0 { 1 } else { every };
        Self { threshold: ((1u64 << 32) / every as u64 - 1) as u32, segs_in, rcv_nxt, is_sparse: (every > 4) as u32 }
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

    /// The fields in order, as the loader sets them.
    pub const fn words(self) -> [u32; 4] {
        [self.threshold, self.segs_in, self.rcv_nxt, self.is_sparse]
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

/// Jiffies (1 to 10 ms each) without a segment from which no sample is thinned out.
const SHORT_PAUSE: u32 = 4;

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
/// second needs few samples. Without a full jiffy of pause 1 in 16 stays, with each jiffy 4 more. `idle_jiffies`: time
/// since the last segment; `bits`: the second of [`random_bits`].
#[inline(always)]
pub const fn is_thinned_out(idle_jiffies: u32, bits: u32) -> bool {
    idle_jiffies < SHORT_PAUSE && (bits >> 8) & 15 > idle_jiffies * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busier_sockets_are_sampled_less_often_but_never_too_little() {
        let sampling = Sampling::new(16, 0, 0);
        // Segments a second with jiffies of 4 ms, and samples that 20 s of them give.
        for (rate, least, most) in [(20u32, 15, 40), (60, 45, 110), (1_000, 60, 260), (10_000, 500, 1_500)] {
            let segments = 20 * rate;
            let jiffy = |n: u32| (u64::from(n) * 250 / u64::from(rate)) as u32;
            let samples = (1..segments).filter(|n| {
                let (first, second) = random_bits(*n, n.wrapping_mul(100));
                first <= sampling.threshold && !is_thinned_out(jiffy(*n) - jiffy(n - 1), second)
            });
            let samples = samples.count();
            assert!((least..=most).contains(&samples), "{rate}/s: {samples}");
        }
    }

    #[test]
    fn sampling_is_more_frequent_on_a_duty_cycle_and_after_a_pause_up_to_every_segment() {
        let share = |every, reduced, pause| {
            (f64::from(Sampling::new(every, 0, 0).threshold_for(reduced, pause)) + 1.0) / 4_294_967_296.0
        };
        for every in [1, 2, 4, 8, 16, 1024] {
            for (reduced, pause, times) in [(false, false, 1), (true, false, 8), (false, true, 4), (true, true, 32)] {
                let want = (f64::from(times) / f64::from(every)).min(1.0);
                let got = share(every, reduced, pause);
                assert!((got / want - 1.0).abs() < 1e-6, "{every} {reduced} {pause}: {got}");
            }
        }
        assert!(is_after_pause(u32::MAX) && is_after_pause(8) && !is_after_pause(7));
    }

    #[test]
    fn one_segment_in_n_is_sampled_whatever_the_traffic_pattern() {
        for every in [1, 2, 16, 64, 1000] {
            let sampling = Sampling::new(every, 0, 0);
            // Pure ACKs, requests of one size, full segments; each on several sockets.
            for step in [0u32, 64, 1448] {
                let (mut sampled, mut longest) = (0u32, 0u32);
                for socket in 0..8u32 {
                    let (mut expected, mut since) = (socket.wrapping_mul(0x1234_5671), 0);
                    for segment in 0..20_000u32 {
                        expected = expected.wrapping_add(step);
                        since += 1;
                        if random_bits(segment, expected).0 <= sampling.threshold {
                            sampled += 1;
                            longest = longest.max(since);
                            since = 0;
                        }
                    }
                }
                let mean = 160_000.0 / f64::from(sampled);
                assert!((mean / f64::from(every) - 1.0).abs() < 0.15, "{every} {step}: {mean}");
                assert!(longest <= every * 14, "{every} {step}: a gap of {longest}");
            }
        }
    }

    #[test]
    fn one_short_socket_in_n_is_sampled_also_with_a_single_port() {
        for (hashes, times) in [(80_000u32, 1u32), (1, 80_000), (400, 200)] {
            let each = (0..hashes).flat_map(|hash| (0..times).map(move |time| (hash.wrapping_mul(0x9e37_79b1), time)));
            let sampled = each.filter(|(hash, time)| is_socket_sampled(*hash, 4_294_900_000 + *time)).count() as f64;
            let share = sampled / (f64::from(hashes) * f64::from(times));
            assert!((share * f64::from(SHORT_SOCKET_WEIGHT) - 1.0).abs() < 0.06, "{hashes} × {times}: {share}");
        }
    }

    #[test]
    fn the_second_number_is_independent_of_the_first() {
        let sampling = Sampling::new(16, 0, 0);
        let drawn = (0..64_000).map(|i| random_bits(i, 7)).filter(|(first, _)| *first <= sampling.threshold);
        let sampled: Vec<u32> = drawn.map(|(_, second)| second & 7).collect();
        for value in 0..8 {
            let n = sampled.iter().filter(|v| **v == value).count() as f64;
            assert!((n / (sampled.len() as f64 / 8.0) - 1.0).abs() < 0.2, "{value}: {n} of {}", sampled.len());
        }
    }
}
