//! First bytes of sampled exchanges, for user space: clear-text HTTP only. [`netwhy_abi::heads`] has the rules.
//!
//! A received packet is at hand. A sent one is the socket's oldest without acknowledgement, until the segment that
//! acknowledges it is processed.

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_skb_output};
use core::hint::cold_path;
use netwhy_abi::{
    Counter, End, HeadEvent, Incoming, Outgoing, Turn,
    heads::{ANSWER, ANSWER_BYTES, REQUEST, REQUEST_BYTES, SPEAKS_HTTP1},
    random_bits,
};

use super::rows;
use crate::{
    kernel::{Ptr, load},
    kfunc, maps,
    offsets::*,
};

/// `BPF_F_CURRENT_CPU`.
const CURRENT_CPU: u64 = 0xffff_ffff;

/// Whether exchanges may be sampled. The verifier leaves out what is done for them, unless so.
#[inline(always)]
pub(super) fn is_on() -> bool {
    NW_HTTP.load() != 0
}

/// A client may have sent a request: `waited` before.
#[inline(always)]
pub(super) unsafe fn asked(turn: *mut Turn, tp: Ptr, sent: &Outgoing, waited: bool) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        if !is_on() || waited || (*turn).sent_us == 0 {
            return;
        }
        let lots = random_bits(sent.next, sent.first_us as u32);
        let is_taken = (*turn).take_sent(lots, rows::http_share());
        if !is_taken {
            return;
        }
        cold_path();
        // Elsewhere the answer tells whether it is HTTP.
        if (*turn).is_checked() || (*turn).is_fresh() && rows::speaks(&(*turn).key, SPEAKS_HTTP1) {
            copy_request(turn, tp);
        }
    }
}

/// A server sent an answer, or the first bytes of it.
#[inline(always)]
pub(super) unsafe fn replied(turn: *mut Turn, tp: Ptr, sent: &Outgoing, end: &End) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        if is_on() && (*turn).is_readable() && matches!(end, End::Answered(_)) {
            cold_path();
            copy_sent(turn, tp, ANSWER, sent.first_us.wrapping_mul(1_000));
            (*turn).note_answer(sent.next.wrapping_sub((*turn).mark));
        }
    }
}

/// A message begins to arrive: a server's request, or a client's answer. Most are not sampled, and nothing of them is
/// read.
#[inline(always)]
pub(super) unsafe fn arrived(turn: *mut Turn, tp: Ptr, skb: Ptr, data: &Incoming) {
    let threshold = rows::http_share();
    // SAFETY: a live map value, a TCP socket, and the packet that it receives.
    unsafe {
        if (*turn).is_server() {
            let lots = random_bits(data.begin, data.now_ns as u32);
            if !(*turn).is_start_wanted(lots, threshold) {
                (*turn).pass_request();
                return;
            }
            cold_path();
            let start = kfunc::start(skb, data.bytes);
            if (*turn).take_request(lots, threshold, &start) && has_room(turn) {
                copy_received(turn, tp, skb, data, REQUEST);
            }
            return;
        }
        // Lots of a client's answers were drawn at their requests.
        if !(*turn).is_start_wanted((0, 0), threshold) {
            return;
        }
        cold_path();
        let start = kfunc::start(skb, data.bytes);
        if (*turn).check_answer(&start) {
            rows::note_speaker(&(*turn).key, SPEAKS_HTTP1);
            if (*turn).lacks_request() {
                copy_request(turn, tp);
            }
            if (*turn).is_readable() {
                copy_received(turn, tp, skb, data, ANSWER);
                (*turn).note_answer(data.bytes);
            }
        }
    }
}

/// Whether the cgroup may have one more sample now; else the sample is given up.
#[inline(always)]
unsafe fn has_room(turn: *mut Turn) -> bool {
    // SAFETY: a live map value.
    unsafe {
        let has_room = rows::take_head_room((*turn).key.cgroup, bpf_ktime_get_ns());
        if !has_room {
            maps::count(Counter::HeadsLimited);
            (*turn).leave();
        }
        has_room
    }
}

/// Copies a client's request, if its first packet is still there.
#[inline(always)]
unsafe fn copy_request(turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket.
    unsafe {
        if has_room(turn) {
            (*turn).note_copied();
            copy_sent(turn, tp, REQUEST, (*turn).sent_us.wrapping_mul(1_000));
        }
    }
}

/// Copies the first bytes of the message that a socket sends. It begins where the exchange's mark is.
#[inline(always)]
unsafe fn copy_sent(turn: *mut Turn, tp: Ptr, part: u32, at_ns: u64) {
    // SAFETY: a live map value and a TCP socket; a packet of its queue while the socket is locked.
    unsafe {
        let packet: Ptr = load(tp, NW_TP_HIGHEST_SACK.load());
        if packet.is_null() || load::<u32>(packet, NW_SKB_SEQ.load()) != (*turn).mark {
            maps::count(Counter::HeadsGone);
            return;
        }
        copy(turn, tp, packet, u64::from(part), at_ns);
    }
}

/// Copies the first bytes of a message that arrives.
#[inline(always)]
unsafe fn copy_received(turn: *mut Turn, tp: Ptr, skb: Ptr, data: &Incoming, part: u32) {
    // SAFETY: a live map value, a TCP socket, and the packet that it receives.
    unsafe {
        let skip = load::<u32>(skb, NW_SKB_LEN.load()).wrapping_sub(data.bytes);
        copy(turn, tp, skb, u64::from(part) | u64::from(skip) << 32, data.now_ns);
    }
}

/// Copies bytes of a packet, those to skip included. `part_and_skip`: the part of the exchange, and in the upper half
/// the bytes to skip.
#[inline(never)]
unsafe fn copy(turn: *mut Turn, tp: Ptr, packet: Ptr, part_and_skip: u64, at_ns: u64) {
    // SAFETY: a live map value, a TCP socket, and a packet.
    unsafe {
        let (part, skip) = (part_and_skip as u32, (part_and_skip >> 32) as u32);
        let most = skip.wrapping_add(if part == REQUEST { REQUEST_BYTES } else { ANSWER_BYTES });
        let have: u32 = load(packet, NW_SKB_LEN.load());
        let length = if have < most { have } else { most };
        let mut event = HeadEvent {
            key: (*turn).key,
            cookie: bpf_get_socket_cookie(tp.cast_mut()),
            at_ns,
            exchange: (*turn).exchange,
            weight: (*turn).weight,
            part,
            skip,
            length,
            bytes: 0,
        };
        let flags = CURRENT_CPU | u64::from(length) << 32;
        let event_size = size_of::<HeadEvent>() as u64;
        if bpf_skb_output(packet.cast_mut(), rows::heads(), flags, (&raw mut event).cast(), event_size) != 0 {
            maps::count(Counter::HeadsLost);
        }
    }
}
