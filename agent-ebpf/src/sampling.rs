//! Which segments of busy sockets give an RTT sample, and which sockets are counted where very many end.

/// In windows, segments are looked at in one part in so many of the time, and win so many times more often.
pub const WINDOWS_PART: u32 = 8;

/// Where very many sockets end, one in so many of the plain ones is counted, that many times; and successful handshakes are
/// looked at in one part in so many of the time.
pub const CHURN_PART: u32 = 8;

/// Whether a plain socket is one of those that are counted: a hash of the kernel's own of its addresses and ports, which is
/// secret and even, and of the time, so that a client whose port never changes isn't always the one, or never.
#[inline(always)]
pub const fn is_counted(hash: u32, jiffies: u32) -> bool {
    lot(hash, jiffies).0 <= u32::MAX / CHURN_PART
}

/// What the choice needs, side by side in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sampling {
    /// Highest lot that wins.
    pub threshold: u32,
    /// Offset of `tcp_sock.segs_in`.
    pub segs_in: u32,
    /// Offset of `tcp_sock.rcv_nxt`.
    pub rcv_nxt: u32,
    /// 1: samples are rare enough that only one in eight harvests the socket's figures too, and that segments which
    /// follow closely win less often (`is_spared`).
    pub thrifty: u32,
}

const _: () = assert!(size_of::<Sampling>() == 16);

impl Sampling {
    /// One sample in `every` segments of a socket that is not in a hurry, on average; at least 1.
    pub const fn new(every: u32, segs_in: u32, rcv_nxt: u32) -> Self {
        let every = if every == 0 { 1 } else { every };
        Self { threshold: ((1u64 << 32) / every as u64 - 1) as u32, segs_in, rcv_nxt, thrifty: (every > 4) as u32 }
    }

    /// Highest lot that wins: in windows, and after a [long rest](is_rested), as many times more often as there are more.
    #[inline(always)]
    pub const fn threshold_of(&self, in_windows: bool, rested: bool) -> u32 {
        let times = if in_windows { WINDOWS_PART } else { 1 } * if rested { RESTED_MORE } else { 1 };
        // Sums of shares of 2³²: as many as there are numbers up to the threshold, that many times.
        if self.threshold >= u32::MAX / times { u32::MAX } else { (self.threshold + 1) * times - 1 }
    }

    /// As the loader takes it.
    pub const fn words(self) -> [u32; 4] {
        [self.threshold, self.segs_in, self.rcv_nxt, self.thrifty]
    }
}

/// The lot that a segment draws, 0 … 2³² − 1, and independent bits for further choices: a hash (the finaliser of
/// splitmix64) of the socket's count of segments and of the sequence number that it waits for.
#[inline(always)]
pub const fn lot(segments: u32, expected: u32) -> (u32, u32) {
    let mut x = ((expected as u64) << 32 | segments as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x >> 32) as u32, x as u32)
}

/// Jiffies of rest before a segment (1 to 10 ms each) from which it keeps what it won.
const REST: u32 = 4;

/// Jiffies of rest before a segment from which it wins so many times as often.
const LONG_REST: u32 = 8;
const RESTED_MORE: u32 = 4;

/// Whether a segment came so long after the others that it wins more often: of a peer that answers slowly there are few, and
/// the slower it gets the fewer, when they are wanted most. `rest`: jiffies since a segment came.
#[inline(always)]
pub const fn is_rested(rest: u32) -> bool {
    rest >= LONG_REST
}

/// Whether a segment that won gives no sample after all, because others came just before: a socket that carries thousands
/// of segments a second is known well from a few samples. Of those without a whole jiffy of rest one in 16 keeps what it
/// won, with each jiffy four more. `rest`: jiffies since a segment came; `bits`: of a lot.
#[inline(always)]
pub const fn is_spared(rest: u32, bits: u32) -> bool {
    rest < REST && (bits >> 8) & 15 > rest * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busier_a_socket_the_rarer_its_samples_but_never_too_few() {
        let sampling = Sampling::new(16, 0, 0);
        // Segments a second with jiffies of 4 ms, and samples that 20 s of them give.
        for (rate, least, most) in [(20u32, 15, 40), (60, 45, 110), (1_000, 60, 260), (10_000, 500, 1_500)] {
            let segments = 20 * rate;
            let jiffy = |n: u32| (u64::from(n) * 250 / u64::from(rate)) as u32;
            let samples = (1..segments).filter(|n| {
                let (first, second) = lot(*n, n.wrapping_mul(100));
                first <= sampling.threshold && !is_spared(jiffy(*n) - jiffy(n - 1), second)
            });
            let samples = samples.count();
            assert!((least..=most).contains(&samples), "{rate}/s: {samples}");
        }
    }

    #[test]
    fn in_windows_and_after_a_long_rest_more_segments_win_as_far_as_there_are_more() {
        let share = |every, in_windows, rested| {
            (f64::from(Sampling::new(every, 0, 0).threshold_of(in_windows, rested)) + 1.0) / 4_294_967_296.0
        };
        for every in [1, 2, 4, 8, 16, 1024] {
            for (in_windows, rested, times) in [(false, false, 1), (true, false, 8), (false, true, 4), (true, true, 32)]
            {
                let want = (f64::from(times) / f64::from(every)).min(1.0);
                let got = share(every, in_windows, rested);
                assert!((got / want - 1.0).abs() < 1e-6, "{every} {in_windows} {rested}: {got}");
            }
        }
        assert!(is_rested(u32::MAX) && is_rested(8) && !is_rested(7));
    }

    #[test]
    fn one_segment_in_so_many_wins_whatever_the_rhythm() {
        for every in [1, 2, 16, 64, 1000] {
            let sampling = Sampling::new(every, 0, 0);
            // Pure ACKs, requests of one size, full segments; each on several sockets.
            for step in [0u32, 64, 1448] {
                let (mut won, mut longest) = (0u32, 0u32);
                for socket in 0..8u32 {
                    let (mut expected, mut since) = (socket.wrapping_mul(0x1234_5671), 0);
                    for segment in 0..20_000u32 {
                        expected = expected.wrapping_add(step);
                        since += 1;
                        if lot(segment, expected).0 <= sampling.threshold {
                            won += 1;
                            longest = longest.max(since);
                            since = 0;
                        }
                    }
                }
                let mean = 160_000.0 / f64::from(won);
                assert!((mean / f64::from(every) - 1.0).abs() < 0.15, "{every} {step}: {mean}");
                assert!(longest <= every * 14, "{every} {step}: a gap of {longest}");
            }
        }
    }

    #[test]
    fn one_socket_in_so_many_is_counted_also_of_a_single_port() {
        for (hashes, times) in [(80_000u32, 1u32), (1, 80_000), (400, 200)] {
            let each = (0..hashes).flat_map(|hash| (0..times).map(move |time| (hash.wrapping_mul(0x9e37_79b1), time)));
            let counted = each.filter(|(hash, time)| is_counted(*hash, 4_294_900_000 + *time)).count() as f64;
            let share = counted / (f64::from(hashes) * f64::from(times));
            assert!((share * f64::from(CHURN_PART) - 1.0).abs() < 0.06, "{hashes} × {times}: {share}");
        }
    }

    #[test]
    fn the_second_half_is_independent_of_the_first() {
        let sampling = Sampling::new(16, 0, 0);
        let winners: Vec<u32> =
            (0..64_000).map(|i| lot(i, 7)).filter(|l| l.0 <= sampling.threshold).map(|l| l.1 & 7).collect();
        for value in 0..8 {
            let n = winners.iter().filter(|v| **v == value).count() as f64;
            assert!((n / (winners.len() as f64 / 8.0) - 1.0).abs() < 0.2, "{value}: {n} of {}", winners.len());
        }
    }
}
