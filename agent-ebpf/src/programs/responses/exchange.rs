//! Exchanges, as segments and reads show them, and how they are counted.

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_ns},
};
use core::hint::cold_path;
use netwhy_abi::{
    Counter, End, Incoming, Outgoing, Turn, pace, pick, random_bits,
    turn::{EXEMPT, UNANSWERED_US, UNSEEN},
};

use super::{connection::outgoing, followed, heads, rows};
use crate::{
    kernel::{Ptr, forget, load},
    kfunc, maps,
    offsets::*,
};

/// Flags of a segment that take a sequence number: FIN and SYN.
const NUMBERED: u32 = 3;

/// Looks at what a socket sent: a client's request, or a server's answer. `weight`: answers that this one stands for.
#[inline(always)]
pub(super) unsafe fn look<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, weight: u32) {
    // SAFETY: a live map value and a TCP socket.
    unsafe { look_at(ctx, turn, tp, (&outgoing(tp), load(tp, NW_TP_RCV_NXT.load())), weight) }
}

/// The same with the socket's progress: what it `sent`, and what it has `expected` to receive next.
#[inline(always)]
unsafe fn look_at<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, (sent, expected): (&Outgoing, u32), weight: u32) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        followed::sent(turn, tp);
        if (*turn).is_server() {
            let told_us = (*turn).told_us;
            if let Some(end) = (*turn).reply(sent, expected) {
                heads::replied(turn, tp, sent, &end);
                count(ctx, turn, tp, end, weight * lot(turn, told_us));
            }
        } else {
            let has_waited = (*turn).sent_us != 0;
            (*turn).ask(sent, expected);
            heads::asked(turn, tp, sent, has_waited);
        }
    }
}

/// A segment arrives.
#[inline(always)]
pub(super) unsafe fn receive<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, skb: Ptr) {
    // SAFETY: a live map value, a TCP socket, and the packet that it receives.
    unsafe {
        // Read once: the socket is locked.
        let (sent, expected) = (outgoing(tp), load(tp, NW_TP_RCV_NXT.load()));
        look_at(ctx, turn, tp, (&sent, expected), 1);
        let (begin, end): (u32, u32) = (load(skb, NW_SKB_SEQ.load()), load(skb, NW_SKB_END_SEQ.load()));
        let numbered = u32::from(load::<u8>(skb, NW_SKB_FLAGS.load())) & NUMBERED;
        let bytes = end.wrapping_sub(begin).wrapping_sub((numbered != 0) as u32);
        if bytes == 0 || end.wrapping_sub(expected) as i32 <= 0 {
            return;
        }
        (*turn).hear(end);
        followed::received(turn, tp, skb, bytes);
        let is_server = (*turn).is_server();
        let begins = (*turn).looks == 0 || if is_server { (*turn).received_ns == 0 } else { (*turn).sent_us != 0 };
        if begins && (*turn).is_content_wanted() {
            cold_path();
            let head = kfunc::head(skb, bytes);
            if !(*turn).learn(head.as_ref()) {
                return;
            }
        }
        let data = Incoming { begin, bytes, ack: load(skb, NW_SKB_ACK.load()), now_ns: bpf_ktime_get_ns() };
        if heads::is_on() && begins && (is_server || (*turn).sent_us != 0) {
            heads::arrived(turn, tp, skb, &data);
        }
        if is_server {
            // Before a request begins there is none to check.
            if (*turn).is_read_awaited() {
                (*turn).check_read(load(tp, NW_TP_COPIED_SEQ.load()));
            }
            (*turn).request(&sent, &data);
        } else {
            let told_us = (*turn).told_us;
            if let Some(end) = (*turn).answer(&sent, &data) {
                count(ctx, turn, tp, end, lot(turn, told_us));
            }
        }
    }
}

/// The application reads: a server's the request, or a client's the answer after it said all that it has to say, when
/// `tcp_probe` is silent already.
#[inline(always)]
pub(super) unsafe fn read<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        let (taken, now): (u32, u64) = (load(tp, NW_TP_COPIED_SEQ.load()), bpf_ktime_get_ns());
        if (*turn).is_server() {
            (*turn).read(taken, rows::read_weight() == 1, now);
        } else if taken.wrapping_sub((*turn).heard) as i32 > 0 {
            let end = (*turn).answered(&outgoing(tp), now / 1_000);
            count(ctx, turn, tp, end, rows::read_weight());
        }
    }
}

/// Times that an exchange of a connection counts.
#[inline(always)]
pub(super) fn times(weight: u32) -> u64 {
    if weight.is_multiple_of(pick::WEIGHT) {
        return u64::from(weight / pick::WEIGHT);
    }
    // SAFETY: the helper takes nothing.
    pick::times(weight, unsafe { bpf_get_prandom_u32() })
}

/// Times that the exchange which just ended counts, because a busy connection's are sampled; 0: not at all. `told_us`:
/// when the exchange before it ended.
#[inline(always)]
unsafe fn lot(turn: *const Turn, told_us: u64) -> u32 {
    // SAFETY: a live map value.
    unsafe {
        // Those whose bytes were looked at stand for others by another lot.
        let is_exempt = (*turn).flags & EXEMPT != 0 || (heads::is_on() && (*turn).is_taken());
        let pace_us = if is_exempt { 0 } else { rows::pace_us() };
        // Where the messages lie in their streams differs by exchange, and tells nothing of its duration.
        let (random, _) = random_bits((*turn).mark, (*turn).begun);
        let times = pace::times((*turn).told_us.wrapping_sub(told_us), pace_us, random);
        forget(times.into(), (*turn).mark) as u32
    }
}

/// Counts an exchange that ended. `weight`: exchanges of the connection that it stands for; 0: it is not counted.
#[inline(always)]
unsafe fn count<C: EbpfContext>(ctx: &C, turn: *mut Turn, tp: Ptr, end: End, weight: u32) {
    let response = match end {
        End::Answered(response) => response,
        End::LeftOut => {
            cold_path();
            maps::count(Counter::ResponsesLeftOut);
            return;
        }
        End::Overlapped => {
            cold_path();
            maps::count(Counter::ResponsesOverlapped);
            return;
        }
    };
    if weight == 0 {
        return;
    }
    maps::count_timed();
    // SAFETY: live map values and a TCP socket.
    unsafe {
        let Some(row) = rows::row(ctx, &(*turn).key) else { return };
        let (us, times) = (rows::micros(response.us), times((*turn).weight) * u64::from(weight));
        rows::add_duration(row, us, times);
        if heads::is_on() && (*turn).is_taken() {
            cold_path();
            rows::add(&raw mut (*row).sampled, 1, times);
            rows::add(&raw mut (*row).readable, u64::from((*turn).is_readable()), times);
            rows::add(&raw mut (*row).http2, u64::from((*turn).is_http2()), times);
        }
        let us = u64::from(us);
        if (*turn).is_server() {
            if response.part_us != UNSEEN {
                rows::add_division(row, us, response.part_us, times * u64::from(rows::read_weight()));
            }
            return;
        }
        let min: u32 = load(tp, NW_TP_MIN_RTT.load());
        let network = if min == u32::MAX { 0 } else { u64::from(min) };
        let network = if network < us { network } else { us };
        let (rest, stalled) = (us - network, response.part_us);
        rows::add(&raw mut (*row).network_us, network, times);
        rows::add(&raw mut (*row).retransmission_us, if stalled < rest { stalled } else { rest }, times);
    }
}

/// Counts a request that ends without an answer.
#[inline(always)]
pub(super) unsafe fn unanswered(turn: *mut Turn, tp: Ptr, age_us: u64) {
    // SAFETY: live map values and a TCP socket.
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
            // That nobody read it is certain, whoever observes reads.
            let weight = if (*turn).is_read_awaited() { 1 } else { rows::read_weight() };
            let unread_us = (*turn).unread_us(load(tp, NW_TP_COPIED_SEQ.load()), age_us);
            if unread_us != UNSEEN {
                rows::add_division(row, age_us, unread_us, times * u64::from(weight));
            }
            return;
        }
        let stalled = u64::from((*turn).stalled_us);
        rows::add(&raw mut (*row).retransmission_us, if stalled < age_us { stalled } else { age_us }, times);
    }
}
