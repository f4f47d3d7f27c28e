//! Map values: cumulative counters of one edge and of one cgroup.

use crate::buckets::{BUCKETS, REPLY_BUCKETS};

/// Slots of the rotating minimum; see [`EdgeStats::min_slots`].
pub const MIN_SLOTS: usize = 4;
/// log2 of a slot's length in nanoseconds: 2³² ns ≈ 4.29 s, so four slots cover the last 12.9 … 17.2 s.
pub const MIN_SLOT_SHIFT: u32 = 32;

/// Counters of one edge. Cumulative since the row was made, except where said. What every connection counts is side by side,
/// in two or three cache lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EdgeStats {
    /// RTT samples per bucket of [`BOUNDS_US`](crate::BOUNDS_US). Wraps at 2³².
    pub rtt_buckets: [u32; BUCKETS],
    /// Sum of the RTT samples, µs.
    pub rtt_sum_us: u64,
    /// Lowest RTT per slot of 4.3 s: upper half the slot's number (`ktime_ns >> 32`, low 32 bits), lower half µs.
    pub min_slots: [u64; MIN_SLOTS],
    /// Data segments sent, retransmissions included (`tcp_sock.data_segs_out`, RFC 4898).
    pub data_segs_out: u64,
    /// All segments sent, pure ACKs included (`tcp_sock.segs_out`).
    pub segs_out: u64,
    /// Payload bytes that the peer acknowledged (`tcp_sock.bytes_acked`).
    pub bytes_acked: u64,
    /// Payload bytes received (`tcp_sock.bytes_received`).
    pub bytes_received: u64,
    /// Completed handshakes by [`Role`](crate::Role).
    pub connects: [u64; 2],
    /// Retransmitted segments by [`Retransmit`](crate::Retransmit).
    pub retransmits: [u64; 7],
    /// Bursts of retransmission of data: at most one per smoothed RTT (and per millisecond) and socket.
    pub loss_episodes: u64,
    /// Failed connection attempts by [`Failure`](crate::Failure).
    pub connect_failures: [u64; 7],
    /// Resets sent on a socket.
    pub resets_sent: u64,
    /// Resets received.
    pub resets_received: u64,
    /// Time with data to send, jiffies (`tcp_sock.chrono_stat`, all kinds). Two's complement: may step back briefly.
    pub busy_jiffies: u64,
    /// Time held back by the peer's receive window, jiffies.
    pub rwnd_jiffies: u64,
    /// Time held back by the local send buffer, jiffies.
    pub sndbuf_jiffies: u64,
    /// Times that a walk found the peer's window closed with data waiting.
    pub zero_window: u64,
    /// Timeouts in a row on one full-size segment, from the second on: nothing of that size gets through.
    pub full_size_timeouts: u64,
    /// Times that a walk found a socket's own receive window filled with data that nobody reads.
    pub unread_full: u64,
    /// Sampled reply times of clients per [`reply_bucket`](crate::reply_bucket): from the last data sent to the first data
    /// received after it. Wraps at 2³².
    pub reply_buckets: [u32; REPLY_BUCKETS],
}

/// Counters of one cgroup that no edge holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CgroupStats {
    /// Handshake durations per bucket by [`Role`](crate::Role). Wraps at 2³².
    pub connect_buckets: [[u32; BUCKETS]; 2],
    /// Sum of the handshake durations by role, µs.
    pub connect_sum_us: [u64; 2],
    /// Connections that a listener turned away (`sock.sk_drops` of its listening sockets).
    pub accept_drops: u64,
    /// Times that a walk found a listener's accept queue full.
    pub accept_full: u64,
}

const _: () = assert!(BUCKETS.is_multiple_of(2));
const _: () = assert!(
    size_of::<EdgeStats>() == (BUCKETS + REPLY_BUCKETS) * 4 + 8 * (1 + MIN_SLOTS + 4 + 7 + 1 + 2 + 7 + 2 + 3 + 3)
);
const _: () = assert!(size_of::<CgroupStats>() == BUCKETS * 8 + 8 * 4);

impl EdgeStats {
    /// A row in which nothing was counted yet.
    pub const ZERO: Self = Self {
        rtt_buckets: [0; BUCKETS],
        rtt_sum_us: 0,
        min_slots: [0; MIN_SLOTS],
        data_segs_out: 0,
        segs_out: 0,
        bytes_acked: 0,
        bytes_received: 0,
        retransmits: [0; 7],
        loss_episodes: 0,
        connects: [0; 2],
        connect_failures: [0; 7],
        resets_sent: 0,
        resets_received: 0,
        busy_jiffies: 0,
        rwnd_jiffies: 0,
        sndbuf_jiffies: 0,
        zero_window: 0,
        full_size_timeouts: 0,
        unread_full: 0,
        reply_buckets: [0; REPLY_BUCKETS],
    };
}

impl CgroupStats {
    /// A row in which nothing was counted yet.
    pub const ZERO: Self =
        Self { connect_buckets: [[0; BUCKETS]; 2], connect_sum_us: [0; 2], accept_drops: 0, accept_full: 0 };
}

/// Number of the slot that a kernel time (`CLOCK_MONOTONIC`, ns) falls into.
#[inline(always)]
pub const fn min_slot_epoch(ktime_ns: u64) -> u32 {
    (ktime_ns >> MIN_SLOT_SHIFT) as u32
}

/// One slot's word.
#[inline(always)]
pub const fn min_slot_pack(epoch: u32, us: u32) -> u64 {
    ((epoch as u64) << 32) | us as u64
}

/// Epoch and lowest RTT (µs) of one slot's word.
#[inline(always)]
pub const fn min_slot_unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_words_round_trip() {
        assert_eq!(min_slot_unpack(min_slot_pack(7, 123)), (7, 123));
        assert_eq!(min_slot_epoch(3 << 32), 3);
    }
}
