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

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_prandom_u32, bpf_jiffies64, bpf_ktime_get_ns, bpf_sk_storage_get},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use core::ptr::NonNull;
use netwhy_abi::{
    Choice, Counter, EdgeKey, EdgeStats, End, Incoming, Outgoing, Role, Turn, pick,
    turn::{CLOSING, IGNORED, KEPT, SERVER, UNANSWERED_US},
};

mod rows;

use crate::{
    kernel::{Ptr, load},
    kfunc, maps,
    offsets::*,
    socket::{TCP_ESTABLISHED, cgroup_id, edge_key, tcp},
};

/// States of `include/net/tcp_states.h`.
const TCP_FIN_WAIT1: u8 = 4;
const TCP_LAST_ACK: u8 = 9;
/// Flags of a segment that take a sequence number: FIN and SYN.
const NUMBERED: u32 = 3;

/// `tcp_probe(struct sock *sk, struct sk_buff *skb)`, called by `tcp_rcv_established` for every segment that an
/// established socket receives, before it is processed; 4.16 and later.
#[btf_tracepoint(function = "tcp_probe")]
pub(crate) fn nw_response(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is the socket, argument 1 the packet.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let choice = rows::choice();
        if is_chosen(sk, &choice) {
            let tp = tcp(sk);
            if !tp.is_null()
                && let Some(turn) = turn(&choice, sk, tp)
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
        if is_chosen(sk, &rows::choice())
            && let Some(turn) = seen(sk)
        {
            let turn = turn.as_ptr();
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
        let choice = rows::choice();
        if is_chosen(sk, &choice) && load::<u8>(sk, NW_SK_STATE.load()) == TCP_ESTABLISHED {
            let tp = tcp(sk);
            // The first request of a connection may be lost before anything arrives.
            if !tp.is_null()
                && let Some(turn) = turn(&choice, sk, tp).map(NonNull::as_ptr)
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
        let choice = rows::choice();
        if is_chosen(sk, &choice) {
            let tp = tcp(sk);
            if !tp.is_null()
                && let Some(turn) = turn(&choice, sk, tp).map(NonNull::as_ptr)
            {
                look(&ctx, turn, tp);
                (*turn).flags |= CLOSING;
                // Data that arrives later may be the answer to a half-closed client.
                (*turn).begun = load(tp, NW_TP_RCV_NXT.load());
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
        let choice = rows::choice();
        if is_chosen(sk, &choice)
            && let Some(turn) = seen(sk).map(NonNull::as_ptr)
            && (*turn).flags & IGNORED == 0
            && (*turn).generation == choice.generation
        {
            let tp = tcp(sk);
            if !tp.is_null() && (*turn).flags & CLOSING == 0 {
                look(&ctx, turn, tp);
            }
            if let Some(age_us) = (*turn).age_us(bpf_ktime_get_ns()) {
                unanswered(turn, age_us);
            }
        }
    }
    0
}

/// Whether this kernel tells enough. Without socket storage there is no memory of turns.
#[inline(always)]
fn is_supported() -> bool {
    NW_HAS_STORAGE.load() != 0 && NW_TP_FIRST_TX.load() != NONE && NW_SKB_ACK.load() != NONE
}

/// Whether a connection is observed, or may be: its state tells.
#[inline(always)]
unsafe fn is_chosen(sk: Ptr, choice: &Choice) -> bool {
    if !is_supported() {
        return false;
    }
    // SAFETY: a full socket.
    let hash = unsafe { load::<u32>(sk, NW_SK_HASH.load()) };
    hash & choice.mask == 0 || rows::may_be_kept(hash)
}

/// Weight of a connection that its hash chooses.
#[inline(always)]
const fn weight(choice: &Choice) -> u32 {
    (choice.mask + 1) * pick::WEIGHT
}

/// State of a connection that has one.
#[inline(always)]
unsafe fn seen(sk: Ptr) -> Option<NonNull<Turn>> {
    // SAFETY: `sk` is a trusted socket pointer.
    NonNull::new(unsafe { bpf_sk_storage_get(rows::turns(), sk.cast_mut(), core::ptr::null_mut(), 0) }.cast())
}

/// State of a connection, made when missing. `None`: it is of no use, or not observed.
#[inline(always)]
unsafe fn turn(choice: &Choice, sk: Ptr, tp: Ptr) -> Option<NonNull<Turn>> {
    // SAFETY: `sk` and `tp` are the same trusted socket; its state is a live map value.
    unsafe {
        let by_hash = load::<u32>(sk, NW_SK_HASH.load()) & choice.mask == 0;
        let known = match seen(sk) {
            Some(known) => known,
            None if by_hash => first_seen(choice, sk, tp)?,
            None => return None,
        };
        let turn = known.as_ptr();
        if (*turn).flags & IGNORED != 0 {
            return None;
        }
        if (*turn).generation != choice.generation {
            if !by_hash {
                return None;
            }
            (*turn).join(&outgoing(tp), load(tp, NW_TP_RCV_NXT.load()), choice.generation, weight(choice));
        }
        Some(known)
    }
}

/// Makes the state of a connection.
#[inline(always)]
unsafe fn first_seen(choice: &Choice, sk: Ptr, tp: Ptr) -> Option<NonNull<Turn>> {
    // SAFETY: `sk` and `tp` are the same trusted socket.
    unsafe {
        let mut turn = Turn::new(EdgeKey::new(0, [0; 16]), choice.generation, weight(choice));
        turn.flags = IGNORED;
        if let Some(cgroup) = cgroup_id(sk) {
            let key = edge_key(cgroup, sk);
            turn.key = maps::folded(&key);
            match key.role() {
                Some(Role::Client) => turn.flags = 0,
                Some(Role::Server) => turn.flags = SERVER,
                None => {}
            }
        }
        let expected: u32 = load(tp, NW_TP_RCV_NXT.load());
        // The handshake acknowledges one byte of a client.
        if load::<u64>(tp, NW_TP_BYTES_RECEIVED.load()) == 0 && load::<u64>(tp, NW_TP_BYTES_ACKED.load()) <= 1 {
            turn.begin(load(tp, NW_TP_SND_UNA.load()), expected);
        } else {
            turn.join(&outgoing(tp), expected, choice.generation, weight(choice));
        }
        let made = bpf_sk_storage_get(rows::turns(), sk.cast_mut(), (&raw mut turn).cast(), 1);
        if made.is_null() {
            maps::count(Counter::NoStorage);
        }
        NonNull::new(made.cast())
    }
}

/// Progress of a socket's sending.
#[inline(always)]
unsafe fn outgoing(tp: Ptr) -> Outgoing {
    // SAFETY: a TCP socket.
    unsafe {
        Outgoing {
            next: load(tp, NW_TP_SND_NXT.load()),
            written: load(tp, NW_TP_WRITE_SEQ.load()),
            first_us: load(tp, NW_TP_FIRST_TX.load()),
        }
    }
}

/// Looks at what a socket sent: a client's request, or a server's answer.
#[inline(always)]
unsafe fn look<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        let (sent, expected) = (outgoing(tp), load(tp, NW_TP_RCV_NXT.load()));
        if (*turn).is_server() {
            if let Some(end) = (*turn).reply(&sent, expected) {
                count(ctx, turn, tp, end);
            }
        } else {
            (*turn).ask(&sent, expected);
        }
    }
}

/// A segment arrives.
#[inline(always)]
unsafe fn receive<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, skb: Ptr) {
    // SAFETY: a live map value, a TCP socket, and the packet that it receives.
    unsafe {
        look(ctx, turn, tp);
        let (begin, end): (u32, u32) = (load(skb, NW_SKB_SEQ.load()), load(skb, NW_SKB_END_SEQ.load()));
        let numbered = u32::from(load::<u8>(skb, NW_SKB_FLAGS.load())) & NUMBERED;
        let bytes = end.wrapping_sub(begin).wrapping_sub((numbered != 0) as u32);
        let expected: u32 = load(tp, NW_TP_RCV_NXT.load());
        if bytes == 0 || end.wrapping_sub(expected) as i32 <= 0 {
            return;
        }
        let is_server = (*turn).is_server();
        let begins = (*turn).looks == 0 || if is_server { (*turn).received_ns == 0 } else { (*turn).sent_us != 0 };
        if begins && (*turn).is_content_wanted() {
            let head = kfunc::head(skb, bytes);
            if !(*turn).learn(head.as_ref()) {
                return;
            }
        }
        let sent = outgoing(tp);
        let data = Incoming { begin, bytes, ack: load(skb, NW_SKB_ACK.load()), now_ns: bpf_ktime_get_ns() };
        if is_server {
            (*turn).request(&sent, &data);
        } else if let Some(end) = (*turn).answer(&sent, &data) {
            count(ctx, turn, tp, end);
        }
    }
}

/// The application reads: a server's the request, or a client's the answer after it said all that it has to say, when
/// `tcp_probe` is silent already.
#[inline(always)]
unsafe fn read<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        // A look at the data (MSG_PEEK) takes nothing.
        let taken: u32 = load(tp, NW_TP_COPIED_SEQ.load());
        if taken.wrapping_sub((*turn).begun) as i32 <= 0 {
            return;
        }
        let now = bpf_ktime_get_ns();
        if (*turn).is_server() {
            (*turn).read_ns = now;
        } else {
            let end = (*turn).answered(&outgoing(tp), now / 1_000);
            count(ctx, turn, tp, end);
        }
    }
}

/// Times that an exchange of a connection counts.
#[inline(always)]
fn times(weight: u32) -> u64 {
    if weight == pick::WEIGHT {
        return 1;
    }
    // SAFETY: the helper takes nothing.
    pick::times(weight, unsafe { bpf_get_prandom_u32() })
}

/// A walk comes to a connection. `key` and `row`: its edge.
#[inline(always)]
pub(super) unsafe fn visit(tp: Ptr, key: &EdgeKey, row: *mut EdgeStats) {
    let choice = rows::choice();
    if !is_supported() || choice.generation == 0 {
        return;
    }
    // SAFETY: a TCP socket held by its file, whose state is a live map value; a live row.
    unsafe {
        let is_current = |turn: &NonNull<Turn>| (*turn.as_ptr()).generation == choice.generation;
        let turn = seen(tp).filter(is_current).map_or(core::ptr::null_mut(), NonNull::as_ptr);
        let walk = maps::control().walk;
        if choice.mask != 0 && is_active(tp) {
            choose(&choice, tp, key, turn, walk);
        }
        if turn.is_null() || (*turn).flags & IGNORED != 0 {
            return;
        }
        let now = bpf_ktime_get_ns();
        // Some protocols never answer.
        if let Some(age_us) = (*turn).waiting_us(&outgoing(tp), now)
            && age_us >= UNANSWERED_US
            && rows::known(&(*turn).key).is_some_and(|row| (*row).durations.sum != 0)
        {
            (*row).unanswered_now.add(walk, now, times((*turn).weight) as u32);
        }
    }
}

/// Jiffies since the last data, up to which a connection counts as active: 1 to 10 s.
const ACTIVE: u32 = 1_000;

/// Whether a connection carried data of late.
#[inline(always)]
unsafe fn is_active(tp: Ptr) -> bool {
    if NW_TP_LSNDTIME.load() == NONE || NW_TP_LRCVTIME.load() == NONE {
        return true;
    }
    // SAFETY: a TCP socket.
    unsafe {
        let since = |at: u32| (bpf_jiffies64() as u32).wrapping_sub(load(tp, at));
        since(NW_TP_LSNDTIME.load()) < ACTIVE || since(NW_TP_LRCVTIME.load()) < ACTIVE
    }
}

/// Counts an active connection of a busy machine, and keeps it where its edge would have none. `turn`: its state of now,
/// or null.
#[inline(always)]
unsafe fn choose(choice: &Choice, tp: Ptr, key: &EdgeKey, turn: *mut Turn, walk: u32) {
    // SAFETY: a TCP socket held by its file, whose state is a live map value; a live row.
    unsafe {
        let hash: u32 = load(tp, NW_SK_HASH.load());
        let is_kept = !turn.is_null() && (*turn).flags & KEPT != 0;
        let is_chosen = hash & choice.mask == 0 || is_kept;
        let Some(pick) = rows::pick(key) else { return };
        let weight = (*pick).visit(walk, is_chosen);
        if !turn.is_null() && (*turn).flags & KEPT != 0 {
            // While it was quiet no walk kept it, and what it began to do since was not seen.
            if !rows::may_be_kept(hash) {
                keep(choice, tp, turn, (*turn).weight);
            }
            rows::keep(hash, walk);
        }
        let Some(weight) = weight else { return };
        if is_chosen {
            if !turn.is_null() {
                (*turn).weight = weight;
            }
            return;
        }
        let turn = match seen(tp) {
            Some(older) => older,
            None => match first_seen(choice, tp, tp) {
                Some(made) => made,
                None => return,
            },
        };
        keep(choice, tp, turn.as_ptr(), weight);
        rows::keep(hash, walk);
    }
}

/// Observes a connection from now on, whatever its hash.
#[inline(always)]
unsafe fn keep(choice: &Choice, tp: Ptr, turn: *mut Turn, weight: u32) {
    // SAFETY: a TCP socket, and its state, a live map value.
    unsafe {
        (*turn).join(&outgoing(tp), load(tp, NW_TP_RCV_NXT.load()), choice.generation, weight);
        (*turn).flags |= KEPT;
    }
}

/// Counts an exchange that ended.
#[inline(always)]
unsafe fn count<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, end: End) {
    let response = match end {
        End::Answered(response) => response,
        End::LeftOut => {
            maps::count(Counter::ResponsesLeftOut);
            return;
        }
        End::Overlapped => {
            maps::count(Counter::ResponsesOverlapped);
            return;
        }
    };
    // SAFETY: live map values and a TCP socket.
    unsafe {
        let Some(row) = rows::row(ctx, &(*turn).key) else { return };
        let (us, times) = (rows::micros(response.us), times((*turn).weight));
        rows::add_duration(row, us, times);
        let us = u64::from(us);
        if (*turn).is_server() {
            rows::add(&raw mut (*row).unread_us, response.part_us, times);
            return;
        }
        let min: u32 = load(tp, NW_TP_MIN_RTT.load());
        let network = if min == u32::MAX { 0 } else { u64::from(min) };
        let network = if network < us { network } else { us };
        let rest = us - network;
        rows::add(&raw mut (*row).network_us, network, times);
        rows::add(
            &raw mut (*row).retransmission_us,
            if response.part_us < rest { response.part_us } else { rest },
            times,
        );
    }
}

/// Counts a request that ends without an answer.
#[inline(always)]
unsafe fn unanswered(turn: *mut Turn, age_us: u64) {
    // SAFETY: live map values.
    unsafe {
        // Some protocols never answer.
        let Some(row) = rows::known(&(*turn).key).filter(|row| age_us >= UNANSWERED_US && (**row).durations.sum != 0)
        else {
            maps::count(Counter::ResponsesUnfinished);
            return;
        };
        let times = times((*turn).weight);
        rows::add_unanswered(row, age_us, times);
        if (*turn).is_server() {
            if (*turn).is_read_awaited() {
                rows::add(&raw mut (*row).unread_us, age_us, times);
            }
            return;
        }
        let stalled = (*turn).stalled_us;
        rows::add(&raw mut (*row).retransmission_us, if stalled < age_us { stalled } else { age_us }, times);
    }
}
