//! Resets.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::Counter;

use crate::{
    atomic,
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_NEW_SYN_RECV, TCP_TIME_WAIT, edge_of},
};

/// `tcp_send_reset(const struct sock *sk, const struct sk_buff *skb[, reason])`; 4.15 and later. `sk` is null for a
/// segment to a closed port, and a TIME_WAIT or request socket belongs to nobody: both count for the Node.
#[btf_tracepoint(function = "tcp_send_reset")]
pub(crate) fn nw_reset_sent(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is null or begins with `sock_common`.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if sk.is_null() || matches!(load::<u8>(sk, NW_SK_STATE.load()), TCP_TIME_WAIT | TCP_NEW_SYN_RECV) {
            maps::count(Counter::ResetsWithoutSocket);
            return 0;
        }
        if let Some(row) = edge_of(&ctx, sk) {
            atomic::add(&raw mut (*row).resets_sent, 1);
        }
    }
    0
}

/// `tcp_receive_reset(struct sock *sk)`, called by `tcp_reset`; 4.15 and later.
#[btf_tracepoint(function = "tcp_receive_reset")]
pub(crate) fn nw_reset_received(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if let Some(row) = edge_of(&ctx, sk) {
            atomic::add(&raw mut (*row).resets_received, 1);
        }
    }
    0
}
