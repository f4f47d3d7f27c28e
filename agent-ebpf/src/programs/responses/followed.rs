//! Segments of sampled connections that carry HTTP/2 in clear text, for user space. [`netwhy_abi::turn`] has the rules.
//!
//! Each segment that arrives is copied. Of what is sent, the oldest packet without acknowledgement is at hand whenever a
//! segment arrives: one that is acknowledged together with an older one is missed.

use aya_ebpf::helpers::generated::{bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_skb_output};
use core::hint::cold_path;
use netwhy_abi::{
    Counter, HeadEvent, Turn,
    heads::{RECEIVED, SEGMENT_BYTES, SENT, SPEAKS_HTTP2},
    turn::is_drawn,
};

use super::{heads, rows};
use crate::{
    kernel::{Ptr, load},
    kfunc, maps,
    offsets::*,
};

/// `BPF_F_CURRENT_CPU`.
const CURRENT_CPU: u64 = 0xffff_ffff;

/// Whether this connection is one of the sample.
#[inline(always)]
unsafe fn is_sampled(tp: Ptr) -> bool {
    // SAFETY: a TCP socket.
    is_drawn(unsafe { load(tp, NW_SK_HASH.load()) }, rows::grpc_share())
}

/// A socket may have sent something.
#[inline(always)]
pub(super) unsafe fn sent(turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket; a packet of its queue while the socket is locked.
    unsafe {
        if !heads::is_on() {
            return;
        }
        if !(*turn).is_followed() {
            // Many clients send requests before anything arrives.
            let is_first = !(*turn).is_server() && (*turn).is_fresh() && is_sampled(tp);
            if !is_first {
                return;
            }
            cold_path();
            if !rows::speaks(&(*turn).key, SPEAKS_HTTP2) {
                return;
            }
            (*turn).follow(load(tp, NW_TP_SND_UNA.load()));
        }
        cold_path();
        copy_sent(turn, tp);
    }
}

/// Data arrives.
#[inline(always)]
pub(super) unsafe fn received(turn: *mut Turn, tp: Ptr, skb: Ptr, bytes: u32) {
    // SAFETY: a live map value, a TCP socket, and the packet that it receives.
    unsafe {
        if !heads::is_on() {
            return;
        }
        if !(*turn).is_followed() {
            if !(*turn).is_follow_undecided() || !is_sampled(tp) {
                return;
            }
            cold_path();
            let start = kfunc::start(skb, bytes);
            if !(*turn).follow_if_http2(&start, load(tp, NW_TP_SND_UNA.load())) {
                return;
            }
            if !(*turn).is_server() {
                rows::note_speaker(&(*turn).key, SPEAKS_HTTP2);
            }
            copy_sent(turn, tp);
        }
        cold_path();
        let skip = load::<u32>(skb, NW_SKB_LEN.load()).wrapping_sub(bytes);
        copy(turn, tp, skb, u64::from(RECEIVED) | u64::from(skip) << 32);
    }
}

/// Copies the oldest packet that was sent, if that has not been done.
#[inline(always)]
unsafe fn copy_sent(turn: *mut Turn, tp: Ptr) {
    // SAFETY: a live map value and a TCP socket; a packet of its queue while the socket is locked.
    unsafe {
        let packet: Ptr = load(tp, NW_TP_HIGHEST_SACK.load());
        if packet.is_null() || !(*turn).take_sent_packet(load(packet, NW_SKB_END_SEQ.load())) {
            return;
        }
        copy(turn, tp, packet, u64::from(SENT));
    }
}

/// Copies a segment. `part_and_skip`: what it is, and in the upper half the bytes before its data.
#[inline(never)]
unsafe fn copy(turn: *mut Turn, tp: Ptr, packet: Ptr, part_and_skip: u64) {
    // SAFETY: a live map value, a TCP socket, and a packet.
    unsafe {
        let (part, skip) = (part_and_skip as u32, (part_and_skip >> 32) as u32);
        let have: u32 = load(packet, NW_SKB_LEN.load());
        let most = skip.wrapping_add(SEGMENT_BYTES);
        let length = if have < most { have } else { most };
        if have <= skip {
            return;
        }
        let now_ns = bpf_ktime_get_ns();
        let event_size = size_of::<HeadEvent>() as u64;
        if !rows::take_segment_room((*turn).key.cgroup, length + event_size as u32, now_ns) {
            maps::count(Counter::HeadsLimited);
            return;
        }
        let at_ns = if part == SENT { load(packet, NW_SKB_SENT.load()) } else { now_ns };
        let mut event = HeadEvent {
            key: (*turn).key,
            cookie: bpf_get_socket_cookie(tp.cast_mut()),
            at_ns,
            exchange: load(packet, NW_SKB_SEQ.load()),
            weight: (*turn).weight,
            part,
            skip,
            length,
            bytes: have - skip,
        };
        let flags = CURRENT_CPU | u64::from(length) << 32;
        if bpf_skb_output(packet.cast_mut(), rows::heads(), flags, (&raw mut event).cast(), event_size) != 0 {
            maps::count(Counter::HeadsLost);
        }
    }
}
