//! Response times: the turns of a connection's two ends, for any protocol. [`netwhy_abi::turn`] has the rules.
//!
//! | hook | sees |
//! |---|---|
//! | `tcp_probe` | a segment that an established socket receives, and what the socket sent before |
//! | `tcp_rcv_space_adjust` | the application reads |
//! | `tcp_retransmit_skb` | a request is sent again |
//! | `inet_sock_set_state` (`nw_state`) | a socket that closes: `tcp_probe` is silent from here on |
//! | `tcp_destroy_sock` (`nw_destroy`) | a request that nobody answered any more |
//!
//! A walk tells ages of what is unanswered, and keeps a connection of each edge on a busy machine.
//!
//! All but the last and the walk run under the socket's lock. Nothing hooks the way of what is sent. The last two are
//! parts of programs that other signals have there, so that no state change calls two programs.
//!
//! On a busy machine most sockets are not observed: each program tests that first, with two loads. The hook of reads is
//! attached on a duty cycle then. Where many connections begin and end, `nw_state` is too: an answer that is sent just
//! before its connection closes counts for those whose end was not seen.
//!
//! ```text
//! connection  which connections are observed, and their states
//! exchange    what a segment or a read says, and what is counted
//! heads       first bytes of sampled exchanges, for HTTP
//! followed    segments of sampled connections, for HTTP/2
//! walk        ages, and the connections that a busy machine keeps
//! rows        the maps
//! ```

use aya_ebpf::{
    EbpfContext, helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use core::ptr::NonNull;
use netwhy_abi::{
    Counter, HANDSHAKE_DUTY_CYCLE,
    turn::{CLOSING, IGNORED},
};

use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_ESTABLISHED, tcp},
};

mod connection;
mod exchange;
mod followed;
mod heads;
mod rows;
mod walk;

pub(super) use connection::is_close_up;
use connection::{is_chosen, is_supported, outgoing, seen, turn};
use exchange::{look, read, receive, unanswered};
pub(super) use walk::visit;

/// `tcp_probe(struct sock *sk, struct sk_buff *skb)`, called by `tcp_rcv_established` for every segment that an
/// established socket receives, before it is processed; 4.16 and later.
#[btf_tracepoint(function = "tcp_probe")]
pub(crate) fn nw_response(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is the socket, argument 1 the packet.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if is_chosen(sk) {
            let tp = tcp(sk);
            if !tp.is_null()
                && let Some(turn) = turn(sk, tp)
            {
                receive(&ctx, turn.as_ptr(), tp, ctx.arg(1));
            }
        }
    }
    0
}

/// `tcp_rcv_space_adjust(struct sock *sk)`, called by `tcp_recvmsg` and `tcp_read_sock` for what they copied; 4.15 and
/// later. Without it, nothing tells unread requests from slow applications.
#[btf_tracepoint(function = "tcp_rcv_space_adjust")]
pub(crate) fn nw_response_read(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is the socket; its state is a live map value.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if is_chosen(sk)
            && let Some(turn) = seen(sk).map(NonNull::as_ptr)
        {
            let is_awaited = if (*turn).is_server() {
                (*turn).is_read_awaited()
            } else {
                (*turn).sent_us != 0 && load::<u8>(sk, NW_SK_STATE.load()) != TCP_ESTABLISHED
            };
            if is_awaited {
                let tp = tcp(sk);
                if !tp.is_null() {
                    read(&ctx, turn, tp);
                }
            }
        }
    }
    0
}

/// `tcp_retransmit_skb(const struct sock *sk, const struct sk_buff *skb[, int err])`, called by `__tcp_retransmit_skb`;
/// 4.15 and later. Without it, waits for retransmissions count as the peer's.
#[btf_tracepoint(function = "tcp_retransmit_skb")]
pub(crate) fn nw_response_again(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is the socket; its state is a live map value.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if is_chosen(sk) && load::<u8>(sk, NW_SK_STATE.load()) == TCP_ESTABLISHED {
            let tp = tcp(sk);
            // The first request of a connection may be lost before anything arrives.
            if !tp.is_null()
                && let Some(turn) = turn(sk, tp).map(NonNull::as_ptr)
                && !(*turn).is_server()
            {
                (*turn).retransmit(&outgoing(tp), bpf_ktime_get_ns());
            }
        }
    }
    0
}

/// A socket says that it sends no more (`inet_sock_set_state` to FIN_WAIT1 or LAST_ACK). An end that sends and closes at
/// once is acknowledged when `tcp_probe` is silent already.
///
/// # Safety
/// A full socket.
#[inline(always)]
pub(super) unsafe fn close<C: EbpfContext>(ctx: &C, sk: Ptr) {
    if !is_supported() || !rows::is_on() {
        return;
    }
    // SAFETY: as the caller says; its state is a live map value.
    unsafe {
        if is_chosen(sk) {
            let tp = tcp(sk);
            if !tp.is_null()
                && let Some(turn) = turn(sk, tp).map(NonNull::as_ptr)
            {
                (*turn).flags |= CLOSING;
                if !maps::is_churn_high() {
                    look(ctx, turn, tp, 1);
                } else if (*turn).is_server() {
                    // Of others nobody sees that they close.
                    look(ctx, turn, tp, HANDSHAKE_DUTY_CYCLE.weight());
                }
            }
        }
    }
}

/// Whether a socket's turns are kept, where that is by address.
///
/// # Safety
/// A full socket.
#[inline(always)]
pub(super) unsafe fn is_seen(sk: Ptr) -> bool {
    // SAFETY: as the caller says.
    is_supported() && unsafe { seen(sk) }.is_some()
}

/// Forgets a socket that ended, where its turns are kept by address.
#[inline(always)]
pub(super) fn forget(sk: Ptr) {
    if is_supported() {
        rows::remove_turn(sk as u64);
    }
}

/// A socket ends (`tcp_destroy_sock`).
///
/// # Safety
/// A full TCP socket.
#[inline(always)]
pub(super) unsafe fn end<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr) {
    if !is_supported() || !rows::is_on() {
        return;
    }
    // SAFETY: as the caller says; its state is a live map value.
    unsafe {
        if is_chosen(sk)
            && let Some(turn) = seen(sk).map(NonNull::as_ptr)
            && (*turn).flags & IGNORED == 0
            && (*turn).generation == rows::generation()
        {
            if (*turn).flags & CLOSING == 0 {
                if !maps::is_churn_high() {
                    look(ctx, turn, tp, 1);
                } else if (*turn).is_reply_unseen(&outgoing(tp)) {
                    // Those that were seen to close stand for it.
                    return;
                }
            }
            let Some(age_us) = (*turn).age_us(bpf_ktime_get_ns()) else { return };
            if (*turn).is_answer_unseen(load(tp, NW_TP_RCV_NXT.load())) {
                maps::count(Counter::ResponsesLeftOut);
            } else {
                unanswered(turn, tp, age_us);
            }
        }
    }
}
