//! Which connections are observed, and their states.

use aya_ebpf::helpers::generated::bpf_sk_storage_get;
use core::{hint::cold_path, ptr::NonNull};
use netwhy_abi::{
    Choice, Counter, EdgeKey, Outgoing, Role, Turn, pick,
    turn::{EXEMPT, IGNORED, SERVER},
};

use super::rows;
use crate::{
    close_ups,
    kernel::{Ptr, load},
    maps::{self, Need},
    offsets::*,
    sock::{is_by_address, is_gone},
    socket::{cgroup_id, edge_key},
};

/// Whether response times are wanted, and this kernel tells enough. Without socket storage there is no memory of turns.
/// The verifier leaves out what programs of other signals do for response times, unless so.
#[inline(always)]
pub(super) fn is_supported() -> bool {
    NW_RESPONSES.load() != 0 && NW_HAS_STORAGE.load() != 0 && NW_TP_FIRST_TX.load() != NONE && NW_SKB_ACK.load() != NONE
}

/// Whether a connection is observed, or may be: its state tells. Comes before all else, because it says no to most
/// connections of a busy machine.
#[inline(always)]
pub(super) unsafe fn is_chosen(sk: Ptr) -> bool {
    // SAFETY: a full socket.
    unsafe {
        let hash: u32 = load(sk, NW_SK_HASH.load());
        hash & rows::mask() == 0 || rows::may_be_kept(hash) || is_close_up(sk)
    }
}

/// Whether a full socket's cgroup is under a close-up. One load while none is.
#[inline(always)]
pub(in crate::programs) unsafe fn is_close_up(sk: Ptr) -> bool {
    // SAFETY: as the caller says.
    rows::has_close_ups() && unsafe { close_ups::has(sk) }
}

/// Weight of a connection that is observed whatever walks keep: all of a cgroup under a close-up, and those that their
/// hash chooses; 0: of none of these.
#[inline(always)]
unsafe fn weight(choice: &Choice, sk: Ptr) -> u32 {
    // SAFETY: a full socket.
    unsafe {
        if choice.mask != 0 && is_close_up(sk) {
            return pick::WEIGHT;
        }
        let is_by_hash = load::<u32>(sk, NW_SK_HASH.load()) & choice.mask == 0;
        if is_by_hash { (choice.mask + 1) * pick::WEIGHT } else { 0 }
    }
}

/// State of a connection that has one.
#[inline(always)]
pub(super) unsafe fn seen(sk: Ptr) -> Option<NonNull<Turn>> {
    if is_by_address() {
        return rows::turn_at(sk as u64);
    }
    // SAFETY: `sk` is a trusted socket pointer.
    NonNull::new(unsafe { bpf_sk_storage_get(rows::turns(), sk.cast_mut(), core::ptr::null_mut(), 0) }.cast())
}

/// State of a connection, made when missing. `None`: it is of no use, or not observed.
#[inline(always)]
pub(super) unsafe fn turn(sk: Ptr, tp: Ptr) -> Option<NonNull<Turn>> {
    // SAFETY: `sk` and `tp` are the same trusted socket; its state is a live map value.
    unsafe {
        let known = seen(sk);
        let turn = match known {
            Some(turn) if (*turn.as_ptr()).generation == rows::generation() => turn,
            _ => {
                cold_path();
                renewed(known, sk, tp)?
            }
        };
        if (*turn.as_ptr()).flags & IGNORED != 0 { None } else { Some(turn) }
    }
}

/// State of a connection that has none of this period of observation.
#[inline(always)]
unsafe fn renewed(known: Option<NonNull<Turn>>, sk: Ptr, tp: Ptr) -> Option<NonNull<Turn>> {
    let choice = rows::choice();
    // SAFETY: `sk` and `tp` are the same trusted socket; its state is a live map value.
    unsafe {
        let weight = weight(&choice, sk);
        if weight == 0 {
            return None;
        }
        let turn = match known {
            None => first_seen(&choice, sk, tp, weight)?,
            Some(known) => {
                if (*known.as_ptr()).flags & IGNORED == 0 {
                    (*known.as_ptr()).join(&outgoing(tp), load(tp, NW_TP_RCV_NXT.load()), choice.generation, weight);
                }
                known
            }
        };
        // On a busy machine only a close-up gives this weight here, and on others each exchange counts anyway.
        if weight == pick::WEIGHT {
            (*turn.as_ptr()).flags |= EXEMPT;
        }
        Some(turn)
    }
}

/// Makes the state of a connection.
#[inline(always)]
pub(super) unsafe fn first_seen(choice: &Choice, sk: Ptr, tp: Ptr, weight: u32) -> Option<NonNull<Turn>> {
    // SAFETY: `sk` and `tp` are the same trusted socket.
    unsafe {
        if is_gone(sk) {
            return None;
        }
        if !maps::take_storage(Need::Timely) {
            maps::count(Counter::StorageShed);
            return None;
        }
        let mut turn = Turn::new(EdgeKey::new(0, [0; 16]), choice.generation, weight);
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
            turn.join(&outgoing(tp), expected, choice.generation, weight);
        }
        let made = if is_by_address() {
            rows::add_turn(sk as u64, &turn)
        } else {
            NonNull::new(bpf_sk_storage_get(rows::turns(), sk.cast_mut(), (&raw mut turn).cast(), 1).cast())
        };
        if made.is_none() {
            maps::count(Counter::NoStorage);
        }
        made
    }
}

/// Progress of a socket's sending.
#[inline(always)]
pub(super) unsafe fn outgoing(tp: Ptr) -> Outgoing {
    // SAFETY: a TCP socket.
    unsafe {
        Outgoing {
            next: load(tp, NW_TP_SND_NXT.load()),
            written: load(tp, NW_TP_WRITE_SEQ.load()),
            first_us: load(tp, NW_TP_FIRST_TX.load()),
        }
    }
}
