//! Dropped packets by the kernel's reason.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Counter, DropKey};

use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_NEW_SYN_RECV, TCP_TIME_WAIT, cgroup_id},
};

/// `SKB_CONSUMED`: the end of a packet that was used.
const SKB_CONSUMED: u32 = 1;

/// `kfree_skb(struct sk_buff *skb, void *location, enum skb_drop_reason reason[, struct sock *rx_sk])`; the reason
/// since 5.17, the receiving socket since 6.11. Packets on their way out carry their own socket.
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
        } else if let Some(cgroup) = cgroup_id(sk) {
            maps::dropped(&ctx, &DropKey { cgroup, reason, pad: 0 });
        }
    }
    0
}
