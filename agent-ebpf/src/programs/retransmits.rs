//! Retransmissions, in segments, by kind, and the episodes that they make.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Counter, EdgeStats, Retransmit};

use crate::{
    atomic,
    handshake::{first_syn_ns, handshake},
    identity,
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
    socket::{self, Storage, TCP_SYN_RECV, TCP_SYN_SENT, address_key, cgroup_id, edge_of, state, tcp},
    storage::SocketState,
};

const CA_RECOVERY: u8 = 3;
const CA_LOSS: u8 = 4;

/// Episodes of one socket are at least this far apart, µs: RTTs inside one machine are shorter than the bursts in
/// which a single loss is repaired.
const EPISODE_FLOOR_US: u64 = 1_000;

/// Distance of two episodes, as a multiple of the least one, from which the second is a new loss rather than more of
/// the same burst.
const NEW_LOSS: u64 = 8;

/// Timeouts in a row from which a segment counts as one that never arrives: the first may be any loss.
const REPEATED: u8 = 2;
/// Options that a segment may carry besides those that `mss_cache` allows for (`MAX_TCP_OPTION_SPACE`), bytes.
const MAX_OPTIONS: u32 = 40;

/// `tcp_retransmit_skb(const struct sock *sk, const struct sk_buff *skb[, int err])`, called by `__tcp_retransmit_skb`;
/// 4.15 and later, `err` since 6.18 (before it, failed ones are not seen here and are counted as unclassified at the
/// next look). One that failed before anything was made to be sent does not raise `total_retrans`, and is none.
/// Segments are the growth of `total_retrans`, which the kernel raises together with `TcpRetransSegs`; without socket
/// storage they are the packet's `tcp_gso_segs`.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub(crate) fn nw_retransmit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket, argument 1 the packet.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let skb: Ptr = ctx.arg(1);
        let tp = tcp(sk);
        if tp.is_null() {
            return 0;
        }
        let failed = NW_RETRANSMIT_HAS_ERR.load() != 0 && ctx.arg::<i32>(2) != 0;
        if failed {
            maps::count(Counter::RetransmitFailed);
        }
        let Some(row) = edge_of(&ctx, sk) else { return 0 };
        let kind = kind(sk, tp);
        let in_packet = match probe::<u16>(skb, NW_SKB_GSO_SEGS.load()) {
            Some(0) | None => 1,
            Some(n) => u32::from(n),
        };
        // The kernel may not have counted one that failed either: most still wait in the host's own queue
        // (`skb_still_in_host_queue`).
        let now_retrans = if failed { 0 } else { in_packet };
        let storage = state(&ctx, sk, tp, now_retrans).map(Storage::as_ptr);
        let slot = socket::retransmits(row, kind);
        match storage {
            Some(storage) => {
                let total = load::<u32>(tp, NW_TP_TOTAL_RETRANS.load());
                if u64::from(total) == (*storage).total_retrans {
                    return 0;
                }
                socket::step32(&raw mut (*storage).total_retrans, total, slot);
                // The verdict on earlier ones, at once: whoever reads both must not find them all needed until
                // the next walk.
                if NW_TP_DSACK_DUPS.load() != NONE {
                    let duplicates = load::<u32>(tp, NW_TP_DSACK_DUPS.load());
                    let spurious = socket::retransmits(row, Retransmit::Spurious);
                    socket::step32(&raw mut (*storage).dsack_dups, duplicates, spurious);
                }
            }
            None => atomic::add(slot, in_packet.into()),
        }
        if let Retransmit::Timeout = kind
            && load::<u8>(tp, NW_TP_TIMEOUTS.load()) >= REPEATED
            && is_full_size(tp, skb)
        {
            atomic::add(&raw mut (*row).full_size_timeouts, 1);
        }
        if let Some(storage) = storage {
            note(storage, row, kind, tp);
        } else if !matches!(kind, Retransmit::Syn | Retransmit::SynAck) {
            // Without storage there is no telling bursts apart: one packet, one episode.
            atomic::add(&raw mut (*row).loss_episodes, 1);
        }
    }
    0
}

/// Kind of a retransmission that a socket makes now.
#[inline(always)]
unsafe fn kind(sk: Ptr, tp: Ptr) -> Retransmit {
    // SAFETY: a TCP socket.
    unsafe {
        match load::<u8>(sk, NW_SK_STATE.load()) {
            TCP_SYN_SENT => Retransmit::Syn,
            TCP_SYN_RECV => Retransmit::SynAck,
            _ => match load::<u8>(tp, NW_TP_CA_STATE.load()) & 0x1f {
                CA_RECOVERY => Retransmit::Fast,
                CA_LOSS => Retransmit::Timeout,
                _ => Retransmit::TailLossProbe,
            },
        }
    }
}

/// Whether a packet carries as much as the path is thought to take.
#[inline(always)]
unsafe fn is_full_size(tp: Ptr, skb: Ptr) -> bool {
    // SAFETY: a TCP socket, and the packet that it sends again.
    unsafe {
        let (begin, end) = (probe::<u32>(skb, NW_SKB_SEQ.load()), probe::<u32>(skb, NW_SKB_END_SEQ.load()));
        let (Some(begin), Some(end)) = (begin, end) else { return false };
        end.wrapping_sub(begin) + MAX_OPTIONS >= load::<u32>(tp, NW_TP_MSS.load())
    }
}

/// Remembers when a handshake began, and counts a data retransmission that begins a new episode.
#[inline(always)]
unsafe fn note(storage: *mut SocketState, row: *mut EdgeStats, kind: Retransmit, tp: Ptr) {
    // SAFETY: live map values and a TCP socket.
    unsafe {
        let now = bpf_ktime_get_ns();
        match kind {
            Retransmit::Syn => {
                if (*storage).syn_ns_or_reading == 0 {
                    (*storage).syn_ns_or_reading = first_syn_ns(tp, now);
                }
            }
            Retransmit::SynAck => {}
            _ => {
                // srtt_us is stored times eight.
                let srtt_us = u64::from(load::<u32>(tp, NW_TP_SRTT.load()) >> 3);
                let gap_us = if srtt_us > EPISODE_FLOOR_US { srtt_us } else { EPISODE_FLOOR_US };
                let since = now - (*storage).episode_ns;
                if since > gap_us * 1_000 {
                    // A segment that times out again and again is one loss.
                    let has_progress = load::<u8>(tp, NW_TP_TIMEOUTS.load()) < REPEATED;
                    let is_lossy = (*storage).episode_ns != 0;
                    // Its segments up to now came before this episode.
                    socket::step_segments(storage, load(tp, NW_TP_DATA_SEGS_OUT.load()), row);
                    (*storage).episode_ns = now;
                    atomic::add(&raw mut (*row).loss_episodes, 1);
                    if is_lossy && has_progress && since > NEW_LOSS * gap_us * 1_000 {
                        atomic::add(&raw mut (*row).repeated_episodes, 1);
                    }
                }
            }
        }
    }
}

/// `tcp_retransmit_synack(const struct sock *sk, const struct request_sock *req)`, called by `tcp_rtx_synack`; 4.15
/// and later. `sk` is the listener, the peer is the request's.
#[btf_tracepoint(function = "tcp_retransmit_synack")]
pub(crate) fn nw_synack(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket, argument 1 begins with `sock_common`.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let request: Ptr = ctx.arg(1);
        let Some(cgroup) = cgroup_id(sk) else { return 0 };
        let mut key = address_key(cgroup, request);
        identity::identify_accepted(&mut key, sk);
        if let Some(row) = maps::edge(&ctx, &key) {
            atomic::add(socket::retransmits(row, Retransmit::SynAck), 1);
        }
        if NW_REQUEST_SYNACK.load() != NONE
            && let Some(us) = probe::<u64>(request, NW_REQUEST_SYNACK.load()).filter(|us| *us != 0)
        {
            maps::set_handshake(&handshake(key, request), us * 1_000);
        }
    }
    0
}
