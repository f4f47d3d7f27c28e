//! RTT samples of busy sockets.

use aya_ebpf::{
    helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use netwhy_abi::{Duty, EdgeStats, Role, Sampling, is_after_pause, is_thinned_out, random_bits, reply_bucket};

use super::responses;
use crate::{
    atomic,
    kernel::{Ptr, Typed, load, probe},
    maps::{self, Need},
    offsets::*,
    socket::{Figures, Storage, cgroup_id, edge_key, seen, state_for, tcp},
};

/// `tcp_probe(struct sock *sk, struct sk_buff *skb)`, called by `tcp_rcv_established` for every segment that an
/// established socket receives, before it is processed; 4.16 and later. Without it: samples at handshake, close and
/// walks only.
#[btf_tracepoint(function = "tcp_probe")]
pub(crate) fn nw_rtt(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is the socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let tp = tcp(sk);
        if tp.is_null() {
            return 0;
        }
        let control = maps::control();
        let sampling = Sampling { threshold: control.rtt_threshold, is_sparse: control.rtt_sparse };
        // The number differs by segment and by socket, so that sampling is not in lockstep with the traffic. TCP has
        // just written its inputs, so they are in the CPU's cache. A counter of our own would cost three cache misses a
        // segment.
        let segments: u32 = load(tp, NW_TP_SEGS_IN.load());
        let (draw, second) = random_bits(segments, load(tp, NW_TP_RCV_NXT.load()));
        let is_reduced = control.rtt_duty == Duty::Reduced as u32;
        let is_close_up = responses::is_close_up(sk);
        if draw <= sampling.threshold_for(is_reduced, false) {
            maps::count_won();
        } else if !is_close_up && (draw > sampling.threshold_for(is_reduced, true) || !is_after_pause(idle_jiffies(tp)))
        {
            return 0;
        }
        // A socket with few segments may not have storage yet. Thinning out would delay it, and lose counts.
        let may_be_thinned_out = !is_close_up && sampling.is_sparse != 0 && segments > control.unseen_segments;
        if may_be_thinned_out && is_thinned_out(idle_jiffies(tp), is_reduced, second) {
            return 0;
        }
        // 1 sample in 8 also harvests counters: of sockets that no walk visits, and between rare walks.
        let harvest = sampling.is_sparse == 0 || second & 7 == 0;
        let Some(cgroup) = cgroup_id(sk) else { return 0 };
        let key = edge_key(cgroup, sk);
        let Some(row) = maps::edge(&ctx, &key) else { return 0 };
        // Without storage there is no memory of the samples that were taken.
        let young = segments < YOUNG_SEGMENTS && !is_close_up;
        let storage = if young { seen(sk) } else { state_for(&ctx, sk, tp, 0, Need::Timely) };
        if let Some(sample) = newest_rtt(tp, storage) {
            sample.add(row);
        }
        if harvest && let Some(storage) = storage {
            Figures::read(&Typed(tp), false).harvest(storage.as_ptr(), row, false);
        }
        if let Some(Role::Client) = key.role()
            && let Some(jiffies) = reply_time(tp, ctx.arg(1))
        {
            let slot = (&raw mut (*row).replies).cast::<u32>();
            atomic::add32(slot.add(reply_bucket(jiffies)), 1);
        }
    }
    0
}

/// Jiffies since the socket received an acknowledgement or data; many when this kernel doesn't tell.
#[inline(always)]
unsafe fn idle_jiffies(tp: Ptr) -> u32 {
    if NW_TP_RCV_TSTAMP.load() == NONE || NW_TP_LRCVTIME.load() == NONE {
        return u32::MAX;
    }
    // SAFETY: a TCP socket, to which the kernel has not yet shown the segment that just arrived.
    unsafe {
        let now = bpf_jiffies64() as u32;
        let (acked, data): (u32, u32) = (load(tp, NW_TP_RCV_TSTAMP.load()), load(tp, NW_TP_LRCVTIME.load()));
        now.wrapping_sub(acked).min(now.wrapping_sub(data))
    }
}

/// Segments received up to which a socket gets no storage here: most sockets close before, and are counted whole then.
const YOUNG_SEGMENTS: u32 = 32;

/// How long a client waited for the data that just arrived, jiffies: since it last sent data. `None`: no data, or not
/// the first since then.
#[inline(always)]
unsafe fn reply_time(tp: Ptr, skb: Ptr) -> Option<u32> {
    if NW_TP_LSNDTIME.load() == NONE || NW_TP_LRCVTIME.load() == NONE {
        return None;
    }
    // SAFETY: a TCP socket and the packet that it receives.
    unsafe {
        let sent: u32 = load(tp, NW_TP_LSNDTIME.load());
        let received: u32 = load(tp, NW_TP_LRCVTIME.load());
        if sent == 0 || (sent.wrapping_sub(received) as i32) < 0 {
            return None;
        }
        // A FIN takes one sequence number; data takes more.
        let begin = probe::<u32>(skb, NW_SKB_SEQ.load())?;
        let end = probe::<u32>(skb, NW_SKB_END_SEQ.load())?;
        if end.wrapping_sub(begin) <= 1 {
            return None;
        }
        Some((bpf_jiffies64() as u32).wrapping_sub(sent))
    }
}

/// An RTT sample, µs.
#[derive(Clone, Copy)]
pub(super) enum Sample {
    /// Of one segment.
    Measured(u32),
    /// A moving average, for want of that.
    Smoothed(u32),
}

impl Sample {
    /// Adds it to an edge.
    #[inline(always)]
    pub(super) unsafe fn add(self, row: *mut EdgeStats) {
        // SAFETY: a live value of an edge map.
        unsafe {
            match self {
                Self::Measured(us) => maps::add_rtt(row, us, bpf_ktime_get_ns()),
                Self::Smoothed(us) => maps::add_smoothed_rtt(row, us),
            }
        }
    }
}

/// The newest RTT sample of a socket, if it was not taken before. `None` also before the first ACK of data.
/// Without storage there is no memory of what was taken: the sample counts again.
#[inline(always)]
pub(super) unsafe fn newest_rtt(tp: Ptr, storage: Option<Storage>) -> Option<Sample> {
    // SAFETY: `tp` is a TCP socket; the storage is a live map value.
    unsafe {
        let measured: u32 = load(tp, NW_TP_RACK_RTT.load());
        let (sample, mark) = if measured != 0 {
            (Sample::Measured(measured), load::<u64>(tp, NW_TP_RACK_MSTAMP.load()))
        } else if has_no_sack(tp) {
            // RACK, which keeps the newest, needs selective acknowledgements. Stored times eight; new when data was
            // acknowledged since.
            (Sample::Smoothed(load::<u32>(tp, NW_TP_SRTT.load()) >> 3), load::<u64>(tp, NW_TP_BYTES_ACKED.load()))
        } else {
            return None;
        };
        if let Some(storage) = storage {
            let storage = storage.as_ptr();
            if (*storage).rtt_mstamp == mark {
                return None;
            }
            (*storage).rtt_mstamp = mark;
        }
        Some(sample)
    }
}

/// Whether the peer doesn't acknowledge selectively.
#[inline(always)]
unsafe fn has_no_sack(tp: Ptr) -> bool {
    // SAFETY: a TCP socket.
    NW_TP_SACK.load() != NONE && unsafe { (load::<u8>(tp, NW_TP_SACK.load()) >> NW_TP_SACK_SHIFT.load()) & 7 == 0 }
}
