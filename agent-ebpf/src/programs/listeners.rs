//! What listeners turn away.
//!
//! `sk_drops` of a listener counts every packet that it lets go: for a full accept queue, but also the bare ACK that
//! TCP_DEFER_ACCEPT ignores, a reset to a request, and SYNs without room. Only the first is an overflow.

use aya_ebpf::EbpfContext;
use netwhy_abi::{CgroupStats, ListenDrop, growth};

use crate::{
    atomic,
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
    socket::{Storage, cgroup_id, seen},
    storage::{FULL, LISTENER},
};

/// An overflow at the handshake's last packet raises `sk_drops` twice: in `tcp_v4_syn_recv_sock`, and where the packet is
/// discarded (`tcp_v4_rcv`).
const RAISES: u64 = 2;

/// Attributes what a listener dropped since the last reading.
#[inline(always)]
pub(super) unsafe fn credit<C: EbpfContext>(ctx: &C, tp: Ptr, storage: Storage) {
    if NW_ACCEPT_QUEUES.load() == 0 {
        return;
    }
    // SAFETY: a TCP socket that listens, or did until now, and its storage.
    unsafe {
        let storage = storage.as_ptr();
        let drops: u32 = load(tp, NW_SK_DROPS.load());
        let is_full = load::<u32>(tp, NW_SK_BACKLOG.load()) > load::<u32>(tp, NW_SK_MAX_BACKLOG.load());
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
        let counted = if (*storage).overflows < news { (*storage).overflows } else { news };
        (*storage).overflows -= counted;
        news -= counted;
        if news == 0 && !is_full {
            return;
        }
        let Some(cgroup) = cgroup_id(tp) else { return };
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
            && let Some(storage) = seen(sk).map(Storage::as_ptr)
            && (*storage).flags & LISTENER != 0
        {
            atomic::add(&raw mut (*storage).overflows, RAISES);
            atomic::add(&raw mut (*row).accept_drops, 1);
        }
    }
}

/// Why a listener drops whose accept queue has room.
#[inline(always)]
unsafe fn reason(tp: Ptr) -> ListenDrop {
    // SAFETY: a TCP socket that listens.
    unsafe {
        if NW_TP_SYN_QUEUE.load() != NONE {
            let (requests, room) = (load::<u32>(tp, NW_TP_SYN_QUEUE.load()), load::<u32>(tp, NW_SK_MAX_BACKLOG.load()));
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
    NW_TP_DEFER_ACCEPT.load() != NONE && unsafe { load::<u8>(tp, NW_TP_DEFER_ACCEPT.load()) != 0 }
}

/// Remembers for its accepted sockets whether a listener waits for data: their own copy of that is cleared.
#[inline(always)]
pub(super) unsafe fn note_deferral(tp: Ptr) {
    // SAFETY: a TCP socket that listens.
    unsafe {
        if let Some(cgroup) = cgroup_id(tp) {
            maps::set_deferred(cgroup, load(tp, NW_SK_NUM.load()), is_deferred(tp));
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
