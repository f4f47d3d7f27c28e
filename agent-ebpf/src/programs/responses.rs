//! Response times: the turns of a connection's two ends, for any protocol. [`netwhy_abi::turn`] has the rules.
//!
//! | hook | sees |
//! |---|---|
//! | `tcp_probe` | a segment that an established socket receives, and what the socket sent before |
//! | `tcp_rcv_space_adjust` | the application reads |
//! | `tcp_retransmit_skb` | a request is sent again |
//! | `inet_sock_set_state` | a socket that closes: `tcp_probe` is silent from here on |
//! | `tcp_destroy_sock` | a request that nobody answered any more |
//!
//! A walk tells ages of what is unanswered, and keeps a connection of each edge on a busy machine.
//!
//! All but the last and the walk run under the socket's lock. Nothing hooks the way of what is sent.
//!
//! On a busy machine most sockets are not observed: each program tests that first, with two loads. The hook of reads is
//! attached on a duty cycle then.
//!
//! ```text
//! connection  which connections are observed, and their states
//! exchange    what a segment or a read says, and what is counted
//! heads       first bytes of sampled exchanges, for HTTP
//! walk        ages, and the connections that a busy machine keeps
//! rows        the maps
//! ```

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use core::ptr::NonNull;
use netwhy_abi::{
    Counter,
    turn::{CLOSING, IGNORED},
};

use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_LAST_ACK, tcp},
};

mod connection;
mod exchange;
mod heads;
mod rows;
mod walk;

use connection::{is_chosen, outgoing, seen, turn};
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
                && let Some(turn) = turn(&rows::choice(), sk, tp)
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
                (*turn).flags & CLOSING != 0 && (*turn).sent_us != 0
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
                && let Some(turn) = turn(&rows::choice(), sk, tp).map(NonNull::as_ptr)
                && !(*turn).is_server()
            {
                (*turn).retransmit(&outgoing(tp), bpf_ktime_get_ns());
            }
        }
    }
    0
}

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`; 4.16 and later. An end that
/// sends and closes at once is acknowledged when `tcp_probe` is silent already.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn nw_response_close(ctx: BtfTracePointContext) -> i32 {
    let new = ctx.arg::<i32>(2) as u8;
    if new != TCP_FIN_WAIT1 && new != TCP_LAST_ACK {
        return 0;
    }
    // SAFETY: argument 0 is a full socket; its state is a live map value.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if is_chosen(sk) {
            let tp = tcp(sk);
            if !tp.is_null()
                && let Some(turn) = turn(&rows::choice(), sk, tp).map(NonNull::as_ptr)
            {
                look(&ctx, turn, tp);
                (*turn).flags |= CLOSING;
                if !(*turn).is_server() {
                    // Data that arrives later may be the answer to a half-closed client.
                    (*turn).begun = load(tp, NW_TP_RCV_NXT.load());
                }
            }
        }
    }
    0
}

/// `tcp_destroy_sock(struct sock *sk)`, called by `tcp_v4_destroy_sock`; 4.16 and later.
#[btf_tracepoint(function = "tcp_destroy_sock")]
pub(crate) fn nw_response_end(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket; its state is a live map value.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if is_chosen(sk)
            && let Some(turn) = seen(sk).map(NonNull::as_ptr)
            && (*turn).flags & IGNORED == 0
            && (*turn).generation == rows::choice().generation
        {
            let tp = tcp(sk);
            if tp.is_null() {
                return 0;
            }
            if (*turn).flags & CLOSING == 0 {
                look(&ctx, turn, tp);
            }
            let Some(age_us) = (*turn).age_us(bpf_ktime_get_ns()) else { return 0 };
            if (*turn).is_answer_unseen(load(tp, NW_TP_RCV_NXT.load())) {
                maps::count(Counter::ResponsesLeftOut);
            } else {
                unanswered(turn, tp, age_us);
            }
        }
    }
    0
}
