//! Sums of kernel counters in user space: of a Pod's life, of a window, of an edge.

use super::Histogram;
use netwhy_abi::{EdgeStats, Failure, REPLY_BUCKETS, Retransmit, Role, min_slot_unpack};

/// Sums of [`EdgeStats`] over rows and time; same units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// RTT samples.
    pub rtt: Histogram,
    /// Lowest RTT of the last 10 … 17 s, µs. `None`: no sample in that time. Not a sum: the lower of two.
    pub min_rtt_us: Option<u32>,
    /// Data segments sent, retransmissions included.
    pub data_segs_out: u64,
    /// All segments sent.
    pub segs_out: u64,
    /// Payload bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Retransmitted segments by [`Retransmit`].
    pub retransmits: [u64; 7],
    /// Loss episodes.
    pub loss_episodes: u64,
    /// Completed handshakes by [`Role`].
    pub connects: [u64; 2],
    /// Failed attempts by [`Failure`].
    pub connect_failures: [u64; 7],
    /// Resets sent.
    pub resets_sent: u64,
    /// Resets received.
    pub resets_received: u64,
    /// Jiffies with data to send.
    pub busy_jiffies: u64,
    /// Jiffies held back by the peer's window.
    pub rwnd_jiffies: u64,
    /// Jiffies held back by the local send buffer.
    pub sndbuf_jiffies: u64,
    /// Busy jiffies held back by neither: the network. Summed per read, never below zero, because the difference of
    /// the three sums may step back, and a counter must not.
    pub network_jiffies: u64,
    /// Walks that found the peer's window closed with data waiting.
    pub zero_window: u64,
    /// Timeouts in a row on one full-size segment, from the second on.
    pub full_size_timeouts: u64,
    /// Walks that found a socket's own receive window filled with data that nobody reads.
    pub unread_full: u64,
    /// Sampled reply times of clients per [`netwhy_abi::reply_bucket`].
    pub replies: [u64; REPLY_BUCKETS],
}

impl Tally {
    /// The peer acknowledged or sent data, or shook hands.
    pub fn has_answer(&self) -> bool {
        self.bytes_acked > 0 || self.bytes_received > 0 || self.connects.iter().sum::<u64>() > 0
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rtt,
            min_rtt_us,
            data_segs_out,
            segs_out,
            bytes_acked,
            bytes_received,
            retransmits,
            loss_episodes,
            connects,
            connect_failures,
            resets_sent,
            resets_received,
            busy_jiffies,
            rwnd_jiffies,
            sndbuf_jiffies,
            network_jiffies,
            zero_window,
            full_size_timeouts,
            unread_full,
            replies,
        } = other;
        self.rtt.add(rtt);
        self.min_rtt_us = [self.min_rtt_us, *min_rtt_us].into_iter().flatten().min();
        self.data_segs_out += data_segs_out;
        self.segs_out += segs_out;
        self.bytes_acked += bytes_acked;
        self.bytes_received += bytes_received;
        add_each(&mut self.retransmits, retransmits);
        self.loss_episodes += loss_episodes;
        add_each(&mut self.connects, connects);
        add_each(&mut self.connect_failures, connect_failures);
        self.resets_sent += resets_sent;
        self.resets_received += resets_received;
        self.busy_jiffies += busy_jiffies;
        self.rwnd_jiffies += rwnd_jiffies;
        self.sndbuf_jiffies += sndbuf_jiffies;
        self.network_jiffies += network_jiffies;
        self.zero_window += zero_window;
        self.full_size_timeouts += full_size_timeouts;
        self.unread_full += unread_full;
        add_each(&mut self.replies, replies);
    }

    /// Takes away a sum that was added before; the minimum, which is no sum, stays.
    pub fn subtract(&mut self, other: &Self) {
        let Self {
            rtt,
            min_rtt_us: _,
            data_segs_out,
            segs_out,
            bytes_acked,
            bytes_received,
            retransmits,
            loss_episodes,
            connects,
            connect_failures,
            resets_sent,
            resets_received,
            busy_jiffies,
            rwnd_jiffies,
            sndbuf_jiffies,
            network_jiffies,
            zero_window,
            full_size_timeouts,
            unread_full,
            replies,
        } = other;
        let less = |a: &mut u64, b: &u64| *a = a.saturating_sub(*b);
        self.rtt.subtract(rtt);
        less(&mut self.data_segs_out, data_segs_out);
        less(&mut self.segs_out, segs_out);
        less(&mut self.bytes_acked, bytes_acked);
        less(&mut self.bytes_received, bytes_received);
        self.retransmits.iter_mut().zip(retransmits).for_each(|(a, b)| less(a, b));
        less(&mut self.loss_episodes, loss_episodes);
        self.connects.iter_mut().zip(connects).for_each(|(a, b)| less(a, b));
        self.connect_failures.iter_mut().zip(connect_failures).for_each(|(a, b)| less(a, b));
        less(&mut self.resets_sent, resets_sent);
        less(&mut self.resets_received, resets_received);
        less(&mut self.busy_jiffies, busy_jiffies);
        less(&mut self.rwnd_jiffies, rwnd_jiffies);
        less(&mut self.sndbuf_jiffies, sndbuf_jiffies);
        less(&mut self.network_jiffies, network_jiffies);
        less(&mut self.zero_window, zero_window);
        less(&mut self.full_size_timeouts, full_size_timeouts);
        less(&mut self.unread_full, unread_full);
        self.replies.iter_mut().zip(replies).for_each(|(a, b)| less(a, b));
    }

    /// What was counted between two reads of one row. Sums may step back for a moment (two CPUs harvesting one
    /// socket): such a step counts as zero here and is made up for by the next, because `high` keeps the highest value
    /// seen; see [`raise`].
    pub fn between(high: &EdgeStats, now: &EdgeStats) -> Self {
        let d = |a: u64, b: u64| not_below_zero(b).saturating_sub(a);
        let counts = high.rtt_buckets.iter().zip(&now.rtt_buckets).enumerate();
        Self {
            rtt: Histogram::from_counts(
                counts.map(|(i, (a, b))| (i as u8, u64::from(b.wrapping_sub(*a)))),
                d(high.rtt_sum_us, now.rtt_sum_us),
            ),
            min_rtt_us: None,
            data_segs_out: d(high.data_segs_out, now.data_segs_out),
            segs_out: d(high.segs_out, now.segs_out),
            bytes_acked: d(high.bytes_acked, now.bytes_acked),
            bytes_received: d(high.bytes_received, now.bytes_received),
            retransmits: std::array::from_fn(|i| d(high.retransmits[i], now.retransmits[i])),
            loss_episodes: d(high.loss_episodes, now.loss_episodes),
            connects: std::array::from_fn(|i| d(high.connects[i], now.connects[i])),
            connect_failures: std::array::from_fn(|i| d(high.connect_failures[i], now.connect_failures[i])),
            resets_sent: d(high.resets_sent, now.resets_sent),
            resets_received: d(high.resets_received, now.resets_received),
            busy_jiffies: d(high.busy_jiffies, now.busy_jiffies),
            rwnd_jiffies: d(high.rwnd_jiffies, now.rwnd_jiffies),
            sndbuf_jiffies: d(high.sndbuf_jiffies, now.sndbuf_jiffies),
            network_jiffies: d(high.busy_jiffies, now.busy_jiffies)
                .saturating_sub(d(high.rwnd_jiffies, now.rwnd_jiffies))
                .saturating_sub(d(high.sndbuf_jiffies, now.sndbuf_jiffies)),
            zero_window: d(high.zero_window, now.zero_window),
            full_size_timeouts: d(high.full_size_timeouts, now.full_size_timeouts),
            unread_full: d(high.unread_full, now.unread_full),
            replies: std::array::from_fn(|i| u64::from(now.reply_buckets[i].wrapping_sub(high.reply_buckets[i]))),
        }
    }

    /// True when nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self { min_rtt_us: self.min_rtt_us, ..Self::default() }
    }

    /// Retransmitted segments without the spurious ones, which are a subset of the rest.
    pub fn retransmitted(&self) -> u64 {
        let all: u64 = self.retransmits.iter().sum();
        all - self.retransmits[Retransmit::Spurious as usize]
    }

    /// Tail loss probes and timeouts that were not needed (the peer said that it had the data already): what they stood for
    /// was late, not lost.
    pub fn needless(&self) -> u64 {
        let of = |kind: Retransmit| self.retransmits[kind as usize];
        // What nobody classified begins no episode, and may have been as needless.
        let timers = of(Retransmit::TailLossProbe) + of(Retransmit::Timeout);
        of(Retransmit::Spurious).saturating_sub(of(Retransmit::Unclassified)).min(timers)
    }

    /// The same without the episodes that [`Tally::needless`] began: for windows. Sums since the start keep them, as
    /// the kernel tells of a needless one only after it was counted, and counters never fall.
    #[must_use]
    pub fn without_needless(self) -> Self {
        Self { loss_episodes: self.loss_episodes.saturating_sub(self.needless()), ..self }
    }

    /// Retransmitted data segments (no SYN, no SYN-ACK).
    pub fn retransmitted_data(&self) -> u64 {
        self.retransmitted()
            - self.retransmits[Retransmit::Syn as usize]
            - self.retransmits[Retransmit::SynAck as usize]
    }

    /// Retransmitted data segments per data segment sent, 0 … 1. `None` when no data was sent.
    pub fn retransmit_ratio(&self) -> Option<f64> {
        ratio(self.retransmitted_data(), self.data_segs_out)
    }

    /// Loss episodes per data segment sent. `None` when no data was sent.
    pub fn episode_ratio(&self) -> Option<f64> {
        ratio(self.loss_episodes, self.data_segs_out)
    }

    /// Share of the busy time that the peer's window held senders back, 0 … 1. `None` without busy time.
    pub fn receiver_limited_share(&self) -> Option<f64> {
        ratio(self.rwnd_jiffies, self.busy_jiffies)
    }

    /// Share of the busy time that the local send buffer held senders back, 0 … 1. `None` without busy time.
    pub fn send_buffer_limited_share(&self) -> Option<f64> {
        ratio(self.sndbuf_jiffies, self.busy_jiffies)
    }

    /// Share of the busy time that neither window nor buffer held senders back, 0 … 1. `None` without busy time.
    pub fn network_limited_share(&self) -> Option<f64> {
        ratio(self.network_jiffies, self.busy_jiffies)
    }

    /// Number of sampled reply times.
    pub fn reply_count(&self) -> u64 {
        self.replies.iter().sum()
    }

    /// The `q` quantile of the sampled reply times, s, 0 ≤ q ≤ 1, to the nearest power of two of a jiffy: from a client's
    /// last data sent to the first data received after it. `None` without samples.
    pub fn reply_quantile_seconds(&self, q: f64, hz: u32) -> Option<f64> {
        let rank = (q * self.reply_count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.replies.iter().position(|n| {
            seen += n;
            seen >= rank
        })?;
        // The geometric middle of 2ⁿ⁻¹ … 2ⁿ jiffies; half a jiffy for less than one.
        let jiffies = if bucket == 0 { 0.5 } else { 2f64.powi(bucket as i32 - 1) * std::f64::consts::SQRT_2 };
        Some(jiffies / f64::from(hz.max(1)))
    }

    /// Completed handshakes of one role.
    pub fn connects(&self, role: Role) -> u64 {
        self.connects[role as usize]
    }

    /// Failed attempts for one reason.
    pub fn failures(&self, reason: Failure) -> u64 {
        self.connect_failures[reason as usize]
    }
}

/// Raises every counter of `high` to `now` where `now` is higher; bucket counts, which wrap, are taken as they are.
pub(super) fn raise(high: &mut EdgeStats, now: &EdgeStats) {
    let kept = *high;
    *high = *now;
    let up = |a: &mut u64, b: u64| *a = not_below_zero(*a).max(b);
    up(&mut high.data_segs_out, kept.data_segs_out);
    up(&mut high.segs_out, kept.segs_out);
    up(&mut high.bytes_acked, kept.bytes_acked);
    up(&mut high.bytes_received, kept.bytes_received);
    up(&mut high.busy_jiffies, kept.busy_jiffies);
    up(&mut high.rwnd_jiffies, kept.rwnd_jiffies);
    up(&mut high.sndbuf_jiffies, kept.sndbuf_jiffies);
    for (a, b) in high.retransmits.iter_mut().zip(kept.retransmits) {
        up(a, b);
    }
}

/// A row that is new, or was taken out and came back, may step back from zero: two's complement shows it as a count
/// that nothing could have reached.
const fn not_below_zero(count: u64) -> u64 {
    if count > i64::MAX as u64 { 0 } else { count }
}

/// Lowest RTT (µs) in the slots not older than `newest − back` epochs. `None`: no sample in that time.
pub(super) fn min_rtt_us(row: &EdgeStats, newest: u32, back: u32) -> Option<u32> {
    let live = row.min_slots.iter().map(|w| min_slot_unpack(*w));
    live.filter(|(epoch, us)| *us > 0 && newest.wrapping_sub(*epoch) <= back).map(|(_, us)| us).min()
}

/// Handshake durations by [`Role`], and what a cgroup's listeners turned away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connects {
    /// By role.
    pub durations: [Histogram; 2],
    /// Connections turned away by a full accept queue.
    pub accept_drops: u64,
    /// Walks that found an accept queue full.
    pub accept_full: u64,
}

impl Connects {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        let Self { durations, accept_drops, accept_full } = other;
        self.durations[0].add(&durations[0]);
        self.durations[1].add(&durations[1]);
        self.accept_drops += accept_drops;
        self.accept_full += accept_full;
    }

    /// True when nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

fn add_each<const N: usize>(a: &mut [u64; N], b: &[u64; N]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x += y;
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
