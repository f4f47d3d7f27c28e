//! Data that applications leave unread, as walks find it.

use netwhy_abi::{EdgeStats, MIN_UNREAD, Reading};

use crate::{
    atomic,
    kernel::{Ptr, load},
    offsets::*,
    socket::{TCP_CLOSE_WAIT, TCP_ESTABLISHED},
    storage::{READING, SocketState},
};

/// A walk comes to a connection for the first time.
#[inline(always)]
pub(super) unsafe fn visit(tp: Ptr, state: *mut SocketState, row: *mut EdgeStats) {
    // SAFETY: `tp` is a TCP socket held by its file; live map values.
    unsafe {
        let expected: u32 = load(tp, NW_TP_RCV_NXT.load());
        let now = Reading { expected, taken: load(tp, NW_TP_COPIED_SEQ.load()) };
        if is_full(tp, now) {
            atomic::add(&raw mut (*row).unread_full, 1);
        }
        // Before, the cell may hold the time of a SYN.
        if !matches!(load::<u8>(tp, NW_SK_STATE.load()), TCP_ESTABLISHED | TCP_CLOSE_WAIT) {
            return;
        }
        let before = (*state).syn_ns_or_reading;
        (*state).syn_ns_or_reading = now.pack();
        if (*state).flags & READING == 0 {
            (*state).flags |= READING;
        } else if let Some(bytes) = now.late_since(Reading::unpack(before)) {
            atomic::add(&raw mut (*row).late_readers, 1);
            atomic::add(&raw mut (*row).late_bytes, u64::from(bytes));
        }
    }
}

/// Whether at least four fifths of what the socket offered to take wait to be read.
#[inline(always)]
unsafe fn is_full(tp: Ptr, now: Reading) -> bool {
    // SAFETY: `tp` is a TCP socket held by its file.
    unsafe {
        let unread = now.expected.wrapping_sub(now.taken);
        let end = load::<u32>(tp, NW_TP_RCV_WUP.load()).wrapping_add(load(tp, NW_TP_RCV_WND.load()));
        // Below zero when the window shrank.
        let room = end.wrapping_sub(now.expected) as i32;
        let room = if room < 0 { 0 } else { room as u32 };
        // Read without the socket's lock: a difference that wrapped is none.
        (MIN_UNREAD..1 << 30).contains(&unread) && unread / 4 >= room
    }
}
