//! Dropped packets by the kernel's reason.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Counter, DropKey};

use super::listeners;
use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{AF_INET, AF_INET6, TCP_NEW_SYN_RECV, TCP_TIME_WAIT, cgroup_id},
};

/// `SKB_CONSUMED`: the end of a packet that was used.
const SKB_CONSUMED: u32 = 1;

/// `kfree_skb(struct sk_buff *skb, void *location, enum skb_drop_reason reason[, struct sock *rx_sk])`; the reason
/// since 5.17, the receiving socket since 6.11. Packets on their way out carry their own socket. Sockets of other
/// families, such as Unix, netlink and packet sockets, have no packets of the network: theirs are left alone.
#[btf_tracepoint(function = "kfree_skb")]
pub(crate) fn nw_drop(ctx: BtfTracePointContext) -> i32 {
    let reason = ctx.arg::<u32>(2);
    if reason <= SKB_CONSUMED || reason == NW_REASON_QUEUE_PURGE.load() {
        return 0;
    }
    // SAFETY: argument 0 is the packet, argument 3, where it exists, null or a socket.
    unsafe {
        let skb: Ptr = ctx.arg(0);
        let mut sk: Ptr = load(skb, NW_SKB_SK.load());
        if sk.is_null() && NW_KFREE_HAS_SK.load() != 0 {
            sk = ctx.arg(3);
        }
        if sk.is_null() || matches!(load::<u8>(sk, NW_SK_STATE.load()), TCP_TIME_WAIT | TCP_NEW_SYN_RECV) {
            maps::count(Counter::DropsWithoutSocket);
            maps::dropped(&ctx, &DropKey { cgroup: 0, reason, pad: 0 });
        } else if is_network(sk)
            && let Some(cgroup) = cgroup_id(sk)
        {
            maps::dropped(&ctx, &DropKey { cgroup, reason, pad: 0 });
            if reason == NW_REASON_LISTEN_OVERFLOW.load()
                && let Some(row) = maps::cgroup(&ctx, cgroup)
            {
                listeners::overflow(row, sk);
            }
            if listeners::knows_discards() && reason == NW_REASON_NOT_SPECIFIED.load() {
                listeners::discard(sk);
            }
        }
    }
    0
}

/// Whether a socket is of IPv4 or IPv6.
#[inline(always)]
unsafe fn is_network(sk: Ptr) -> bool {
    // SAFETY: a socket.
    unsafe { matches!(load::<u16>(sk, NW_SK_FAMILY.load()), AF_INET | AF_INET6) }
}
