//! Walks tell ages of what is unanswered, and keep a connection of each edge on a busy machine.

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};
use core::ptr::NonNull;
use netwhy_abi::{
    Choice, EdgeKey, EdgeStats, Turn,
    turn::{IGNORED, KEPT, READ_IN_PARTS, UNANSWERED_US},
};

use super::{
    connection::{first_seen, is_close_up, is_supported, outgoing, seen},
    exchange::times,
    rows,
};
use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_CLOSE_WAIT, TCP_ESTABLISHED},
};

/// A walk comes to a connection. `key` and `row`: its edge.
#[inline(always)]
pub(in crate::programs) unsafe fn visit(tp: Ptr, key: &EdgeKey, row: *mut EdgeStats) {
    let choice = rows::choice();
    if !is_supported() || choice.generation == 0 {
        return;
    }
    // SAFETY: a TCP socket held by its file, whose state is a live map value; a live row.
    unsafe {
        let is_current = |turn: &NonNull<Turn>| (*turn.as_ptr()).generation == choice.generation;
        let turn = seen(tp).filter(is_current).map_or(core::ptr::null_mut(), NonNull::as_ptr);
        let walk = maps::control().walk;
        if choice.mask != 0 && is_active(tp) && !is_close_up(tp) {
            choose(&choice, tp, key, turn, walk);
        }
        if turn.is_null() || (*turn).flags & IGNORED != 0 {
            return;
        }
        let now = bpf_ktime_get_ns();
        let (taken, expected): (u32, u32) = (load(tp, NW_TP_COPIED_SEQ.load()), load(tp, NW_TP_RCV_NXT.load()));
        if (*turn).flags & READ_IN_PARTS == 0 && (*turn).is_read_in_part(taken, expected) {
            (*turn).flags |= READ_IN_PARTS;
        }
        let may_ask = matches!(load::<u8>(tp, NW_SK_STATE.load()), TCP_ESTABLISHED | TCP_CLOSE_WAIT);
        // Some protocols never answer.
        if let Some(age_us) = (*turn).waiting_us(&outgoing(tp), may_ask, now)
            && age_us >= UNANSWERED_US
            && !(*turn).is_answer_unseen(expected)
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
            None => match first_seen(choice, tp, tp, weight) {
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
