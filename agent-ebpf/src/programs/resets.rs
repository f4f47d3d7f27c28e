//! Resets.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Counter, Cut, EdgeKey, EdgeStats};

use crate::{
    atomic, identity,
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
    socket::{TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_TIME_WAIT, cgroup_id, edge_of, tcp},
};

/// Offset of the source address in an IPv4 header (RFC 791).
const IPV4_SOURCE: u32 = 12;
/// The same in an IPv6 header (RFC 8200).
const IPV6_SOURCE: u32 = 8;

/// `tcp_send_reset(const struct sock *sk, const struct sk_buff *skb[, reason])`; 4.15 and later. `sk` is null for a
/// segment to a closed port, and a TIME_WAIT or request socket belongs to nobody: both count for the Node. A listener
/// has no peer: the packet that it answers names it.
#[btf_tracepoint(function = "tcp_send_reset")]
pub(crate) fn nw_reset_sent(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is null or begins with `sock_common`.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let state = if sk.is_null() { TCP_TIME_WAIT } else { load::<u8>(sk, NW_SK_STATE.load()) };
        let row = match state {
            TCP_TIME_WAIT | TCP_NEW_SYN_RECV => {
                maps::count(Counter::ResetsWithoutSocket);
                None
            }
            TCP_LISTEN => edge_of_sender(&ctx, sk, ctx.arg(1)),
            _ => edge_of(&ctx, sk),
        };
        if let Some(row) = row {
            atomic::add(&raw mut (*row).resets_sent, 1);
        }
    }
    0
}

/// Row of the edge between a listener and the sender of a packet.
#[inline(always)]
unsafe fn edge_of_sender(ctx: &BtfTracePointContext, sk: Ptr, skb: Ptr) -> Option<*mut EdgeStats> {
    // SAFETY: a full socket; the packet is read by copying alone.
    unsafe {
        let cgroup = cgroup_id(sk)?;
        let mut key = EdgeKey::new(cgroup, [0; 16]);
        if sender(skb, &mut key).is_none() {
            maps::count(Counter::ResetsWithoutSocket);
            return None;
        }
        identity::identify_accepted(&mut key, sk);
        maps::edge(ctx, &key)
    }
}

/// Writes the source address of a received packet.
#[inline(always)]
unsafe fn sender(skb: Ptr, key: &mut EdgeKey) -> Option<()> {
    // Null where no packet is answered; the verifier wants to be sure.
    if skb.is_null() || NW_SKB_HEAD.load() == NONE || NW_SKB_NETWORK.load() == NONE {
        return None;
    }
    let words = (&raw mut key.addr).cast::<u32>();
    // SAFETY: probing reads; four words make the address.
    unsafe {
        let head: Ptr = probe(skb, NW_SKB_HEAD.load())?;
        let at = u32::from(probe::<u16>(skb, NW_SKB_NETWORK.load())?);
        match probe::<u8>(head, at)? >> 4 {
            4 => {
                *words.add(2) = 0xffff_u32.to_be();
                *words.add(3) = probe(head, at + IPV4_SOURCE)?;
            }
            6 => {
                *words = probe(head, at + IPV6_SOURCE)?;
                *words.add(1) = probe(head, at + IPV6_SOURCE + 4)?;
                *words.add(2) = probe(head, at + IPV6_SOURCE + 8)?;
                *words.add(3) = probe(head, at + IPV6_SOURCE + 12)?;
            }
            _ => return None,
        }
    }
    Some(())
}

/// `tcp_receive_reset(struct sock *sk)`, called by `tcp_reset` before the state changes; 4.15 and later.
///
/// In `CLOSE_WAIT` the other end had closed before: its kernel answers with a reset what was sent later or crossed the
/// FIN. So it does for servers that close idle connections. A socket that sent a FIN itself has nothing to be cut: data
/// that arrives after its owner closed it comes here as well (`TCPABORTONDATA`).
#[btf_tracepoint(function = "tcp_receive_reset")]
pub(crate) fn nw_reset_received(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if let Some(row) = edge_of(&ctx, sk) {
            atomic::add(&raw mut (*row).resets_received, 1);
            let state: u8 = load(sk, NW_SK_STATE.load());
            if state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT {
                let cut = if state == TCP_ESTABLISHED && is_busy(tcp(sk)) { Cut::Busy } else { Cut::Idle };
                atomic::add((&raw mut (*row).cuts).cast::<u64>().add(cut as usize), 1);
            }
        }
    }
    0
}

/// Whether something of this end is under way: data that was not acknowledged, or the last data sent, after which
/// nothing was received.
#[inline(always)]
unsafe fn is_busy(tp: Ptr) -> bool {
    if tp.is_null() {
        return false;
    }
    // SAFETY: a full TCP socket.
    unsafe {
        if load::<u32>(tp, NW_TP_SND_UNA.load()) != load::<u32>(tp, NW_TP_WRITE_SEQ.load()) {
            return true;
        }
        if NW_TP_LSNDTIME.load() == NONE || NW_TP_LRCVTIME.load() == NONE {
            return false;
        }
        let (sent, received) = (load::<u32>(tp, NW_TP_LSNDTIME.load()), load::<u32>(tp, NW_TP_LRCVTIME.load()));
        received.wrapping_sub(sent).cast_signed() < 0
    }
}
