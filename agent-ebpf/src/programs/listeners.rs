//! Connections that listeners turn away.
//!
//! `sk_drops` of a listener counts every packet that it lets go: for a full accept queue, but also the bare ACK that
//! TCP_DEFER_ACCEPT ignores, a reset to a request, and SYNs without room. Only the first is an overflow.
//!
//! An MPTCP socket listens through a subflow, a TCP socket that no descriptor leads to. A walk finds the MPTCP socket
//! and reads the subflow by probing, which gives no way to its storage. Other hooks see the subflow alone. A map by the
//! subflow's address holds the state that both share.

use aya_ebpf::{EbpfContext, helpers::generated::bpf_ktime_get_ns};
use netwhy_abi::{CgroupStats, ListenDrop, fill_parts, growth};

use crate::{
    atomic,
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
    socket::{Storage, TCP_LISTEN, cgroup_id, seen, state},
    storage::{FULL, LISTENER, SocketState},
    subflows,
};

/// An overflow at the handshake's last packet raises `sk_drops` twice: in `tcp_v4_syn_recv_sock`, and where the packet
/// is discarded (`tcp_v4_rcv`).
const RAISES: u64 = 2;

/// Whether a socket, perhaps known by its address alone, is a subflow of an MPTCP socket.
#[inline(always)]
unsafe fn is_subflow(tp: Ptr) -> bool {
    // SAFETY: a TCP socket; the probing helper reads it.
    NW_MSK_FIRST.load() != NONE && NW_TP_MPTCP.load() != NONE && unsafe { read::<u8>(tp, NW_TP_MPTCP.load()) } != 0
}

/// A listener's state: of a subflow what walks share, else its storage.
#[inline(always)]
unsafe fn state_of(sk: Ptr) -> Option<Storage> {
    // SAFETY: a full TCP socket.
    unsafe {
        if is_subflow(sk)
            && let Some(shared) = maps::subflow(sk as u64)
        {
            return Some(shared);
        }
        seen(sk)
    }
}

/// A TCP socket that begins to listen.
#[inline(always)]
pub(super) unsafe fn begin<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr) {
    // SAFETY: a full TCP socket; storage is a live map value.
    unsafe {
        let Some(own) = state(ctx, sk, tp, 0) else { return };
        become_listener(own.as_ptr());
        if subflows::is_subflow(tp) {
            let drops = (*own.as_ptr()).drops;
            maps::add_subflow(sk as u64, &SocketState { drops, flags: LISTENER, ..SocketState::NEW });
        }
    }
}

/// Marks a socket as a listener. It may have been a connection before, whose reorderings are no overflows.
#[inline(always)]
unsafe fn become_listener(state: *mut SocketState) {
    // SAFETY: a live map value.
    unsafe {
        if (*state).flags & LISTENER == 0 {
            (*state).flags |= LISTENER;
            (*state).overflows_or_reorderings = 0;
        }
    }
}

/// A socket that has connected after it had listened, while its start was not seen: what it turned away are no
/// reorderings.
#[inline(always)]
pub(super) unsafe fn end_unseen(state: *mut SocketState) {
    // SAFETY: a live map value.
    unsafe {
        if (*state).flags & LISTENER != 0 {
            (*state).flags &= !(LISTENER | FULL);
            (*state).overflows_or_reorderings = 0;
        }
    }
}

/// A TCP socket that stops listening.
#[inline(always)]
pub(super) unsafe fn end<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr) {
    // SAFETY: a full TCP socket; storage is a live map value.
    unsafe {
        // One that nobody saw may be older than the agent, and what it turned away too.
        let Some(storage) = state_of(sk) else { return };
        if (*storage.as_ptr()).flags & LISTENER == 0 {
            return;
        }
        credit(ctx, sk, tp, storage);
        if subflows::is_subflow(tp) {
            // No walk comes to it any more: from now on its own storage counts.
            let SocketState { drops, overflows_or_reorderings: overflows, .. } = *storage.as_ptr();
            if let Some(own) = seen(sk) {
                ((*own.as_ptr()).drops, (*own.as_ptr()).overflows_or_reorderings) = (drops, overflows);
            }
            maps::remove_subflow(sk as u64);
        }
    }
}

/// State of the subflow through which an MPTCP socket listens, made when missing. `None`: no room.
#[inline(always)]
pub(super) unsafe fn subflow(tp: Ptr) -> Option<Storage> {
    let known = maps::subflow(tp as u64);
    if known.is_none() {
        maps::add_subflow(tp as u64, &SocketState::NEW);
        return maps::subflow(tp as u64);
    }
    known
}

/// Reads a listener; `tp` is `sk`, or the subflow of an MPTCP socket.
#[inline(always)]
pub(super) unsafe fn visit<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr, storage: Storage) {
    // SAFETY: `sk` is held by its file, `tp` is read by probing, `storage` is a live map value.
    unsafe {
        let state = storage.as_ptr();
        if (*state).flags & LISTENER == 0 {
            // It began to listen unseen: what it turned away until now may be of any time.
            become_listener(state);
            (*state).drops = read::<u32>(tp, NW_SK_DROPS.load()).into();
        }
        note_deferral(sk, tp);
        note_fill(ctx, sk, tp);
        credit(ctx, sk, tp, storage);
    }
}

/// Notes how full an accept queue is. An empty one needs no row, and leaves a row as it is: it would count as changed.
#[inline(always)]
unsafe fn note_fill<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr) {
    if NW_ACCEPT_QUEUES.load() == 0 {
        return;
    }
    // SAFETY: a TCP socket that listens; its row is a live map value.
    unsafe {
        let waiting: u32 = read(tp, NW_SK_BACKLOG.load());
        if waiting == 0 {
            return;
        }
        let parts = fill_parts(waiting, read(tp, NW_SK_MAX_BACKLOG.load()));
        let Some(cgroup) = cgroup_id(sk) else { return };
        let Some(row) = maps::cgroup(ctx, cgroup) else { return };
        (*row).accept_fill.raise(maps::control().walk, bpf_ktime_get_ns(), parts);
    }
}

/// A member of a TCP socket that may be known by its address alone.
#[inline(always)]
unsafe fn read<T: Copy + Default>(tp: Ptr, offset: u32) -> T {
    // SAFETY: a probing read.
    unsafe { probe(tp, offset) }.unwrap_or_default()
}

/// Attributes what a listener dropped since the last reading. `sk`: the socket that has a cgroup; `tp`: the TCP socket
/// that listens, perhaps known by its address alone.
#[inline(always)]
pub(super) unsafe fn credit<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr, storage: Storage) {
    if NW_ACCEPT_QUEUES.load() == 0 {
        return;
    }
    // SAFETY: a TCP socket that listens, or did until now, and its storage.
    unsafe {
        let storage = storage.as_ptr();
        let drops: u32 = read(tp, NW_SK_DROPS.load());
        let is_full = read::<u32>(tp, NW_SK_BACKLOG.load()) > read::<u32>(tp, NW_SK_MAX_BACKLOG.load());
        let was_full = (*storage).flags & FULL != 0;
        if u64::from(drops) == (*storage).drops && !is_full && !was_full {
            return;
        }
        if is_full {
            (*storage).flags |= FULL;
        } else {
            (*storage).flags &= !FULL;
        }
        let before = atomic::swap(&raw mut (*storage).drops, drops.into()) as u32;
        let mut news = growth(before, drops, false);
        // Two readings at once may step back.
        if news > u64::from(u32::MAX) {
            news = 0;
        }
        let overflows = (*storage).overflows_or_reorderings;
        let known = if overflows < news { overflows } else { news };
        (*storage).overflows_or_reorderings -= known;
        // While the queue has room, what the kernel discarded is no overflow's second raise.
        if is_full || was_full || !knows_discards() {
            news -= known;
        }
        if news == 0 && !is_full {
            return;
        }
        let Some(cgroup) = cgroup_id(sk) else { return };
        let Some(row) = maps::cgroup(ctx, cgroup) else { return };
        if is_full {
            atomic::add(&raw mut (*row).accept_full, 1);
        }
        if is_full || was_full {
            atomic::add(&raw mut (*row).accept_drops, news);
        } else {
            atomic::add((&raw mut (*row).listen_drops).cast::<u64>().add(reason(tp) as usize), news);
        }
    }
}

/// Counts a connection that the kernel says an accept queue had no room for.
#[inline(always)]
pub(super) unsafe fn overflow(row: *mut CgroupStats, sk: Ptr) {
    // SAFETY: a full socket that listens; its row and storage are live map values.
    unsafe {
        // Without storage its drops are not read either.
        if NW_ACCEPT_QUEUES.load() != 0
            && let Some(storage) = state_of(sk).map(Storage::as_ptr)
            && (*storage).flags & LISTENER != 0
        {
            atomic::add(&raw mut (*storage).overflows_or_reorderings, RAISES);
            atomic::add(&raw mut (*row).accept_drops, 1);
        }
    }
}

/// Whether the kernel tells what is discarded at a listener, but not that it is for an overflow (6.11 and later, until
/// it tells both). Then overflows are what is left of the drops.
#[inline(always)]
pub(super) fn knows_discards() -> bool {
    NW_REASON_LISTEN_OVERFLOW.load() == NONE && NW_KFREE_HAS_SK.load() != 0
}

/// Remembers a packet that was discarded at a listener: a raise of its drops.
#[inline(always)]
pub(super) unsafe fn discard(sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        if NW_ACCEPT_QUEUES.load() != 0
            && load::<u8>(sk, NW_SK_STATE.load()) == TCP_LISTEN
            && let Some(storage) = state_of(sk).map(Storage::as_ptr)
            && (*storage).flags & LISTENER != 0
        {
            atomic::add(&raw mut (*storage).overflows_or_reorderings, 1);
        }
    }
}

/// Why a listener drops whose accept queue has room.
#[inline(always)]
unsafe fn reason(tp: Ptr) -> ListenDrop {
    // SAFETY: a TCP socket that listens.
    unsafe {
        if NW_TP_SYN_QUEUE.load() != NONE {
            let (requests, room) = (read::<u32>(tp, NW_TP_SYN_QUEUE.load()), read::<u32>(tp, NW_SK_MAX_BACKLOG.load()));
            // `inet_csk_reqsk_queue_is_full`; without cookies a quarter of `tcp_max_syn_backlog`, which may be less, is
            // kept for known peers (`tcp_conn_request`).
            let most = syn_backlog(tp);
            if requests != 0 && (requests >= room || requests > most - (most >> 2)) {
                return ListenDrop::SynQueueFull;
            }
        }
        if is_deferred(tp) { ListenDrop::Deferred } else { ListenDrop::Aborted }
    }
}

/// Whether a listener waits for data (TCP_DEFER_ACCEPT).
#[inline(always)]
unsafe fn is_deferred(tp: Ptr) -> bool {
    // SAFETY: a TCP socket that listens.
    NW_TP_DEFER_ACCEPT.load() != NONE && unsafe { read::<u8>(tp, NW_TP_DEFER_ACCEPT.load()) != 0 }
}

/// Remembers for its accepted sockets whether a listener waits for data: their own copy of that is cleared.
#[inline(always)]
pub(super) unsafe fn note_deferral(sk: Ptr, tp: Ptr) {
    // SAFETY: a TCP socket that listens.
    unsafe {
        if let Some(cgroup) = cgroup_id(sk) {
            maps::set_deferred(cgroup, read(tp, NW_SK_NUM.load()), is_deferred(tp));
        }
    }
}

/// `net.ipv4.tcp_max_syn_backlog` of a socket's network namespace.
#[inline(always)]
unsafe fn syn_backlog(tp: Ptr) -> u32 {
    if NW_SK_NET.load() == NONE || NW_NET_SYN_BACKLOG.load() == NONE {
        return u32::MAX;
    }
    // SAFETY: probing reads.
    unsafe {
        probe::<Ptr>(tp, NW_SK_NET.load()).and_then(|net| probe(net, NW_NET_SYN_BACKLOG.load())).unwrap_or(u32::MAX)
    }
}
