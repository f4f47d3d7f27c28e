//! Attempts to connect that failed: how many, and why.

use aya_ebpf::{EbpfContext, macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{EdgeStats, Failure};

use crate::{
    atomic,
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{Figures, Storage, cgroup_id, edge_key, edge_of, state, tcp},
    storage::FAILED,
};

const EPIPE: i32 = 32;
const ENETUNREACH: i32 = 101;
const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

/// `inet_sk_error_report(const struct sock *sk)`; 5.14 and later. Called for every attempt that the peer, the
/// network or a timeout ended. It counts all of them while the handshake probe runs on a duty cycle.
#[btf_tracepoint(function = "inet_sk_error_report")]
pub(crate) fn nw_error(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        // Otherwise `nw_state` tells.
        if !maps::is_churn_high() {
            return 0;
        }
        let tp = tcp(sk);
        if tp.is_null() || was_answered(tp) {
            return 0;
        }
        // An ICMP error that doesn't end the attempt is reported without `sk_err` (`ip_icmp_error`). `tcp_disconnect`
        // reports as well, when the figures are back at zero: the attempt was counted before.
        if load::<i32>(sk, NW_SK_ERR.load()) == 0 || load::<u32>(tp, NW_TP_SEGS_OUT.load()) == 0 {
            return 0;
        }
        if let Some(row) = edge_of(&ctx, sk) {
            fail(&ctx, sk, tp, row);
        }
    }
    0
}

/// Counts an attempt that failed, and remembers that it was.
#[inline(always)]
pub(super) unsafe fn fail<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr, row: *mut EdgeStats) {
    // SAFETY: a full socket and its edge's live row.
    unsafe {
        count(sk, tp, row);
        if let Some(storage) = state(ctx, sk, tp, 0) {
            let storage = storage.as_ptr();
            Figures::read(tp, true).harvest(storage, row, true);
            (*storage).flags |= FAILED;
        }
    }
}

/// Counts the attempt of a socket that ends without an answer, if it made one that nobody counted yet: its owner gave
/// it up, or no local port was free.
#[inline(always)]
pub(super) unsafe fn end<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr, storage: Option<Storage>) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        if storage.is_some_and(|storage| (*storage.as_ptr()).flags & FAILED != 0) {
            return;
        }
        let Some(cgroup) = cgroup_id(sk) else { return };
        let key = edge_key(cgroup, sk);
        // A socket that never connected has no peer; one whose attempt ended earlier has a port.
        let has_peer = key.addr[12] | key.addr[13] | key.addr[14] | key.addr[15] != 0;
        let sent = load::<u32>(tp, NW_TP_SEGS_OUT.load()) != 0;
        if has_peer
            && (sent || has_no_port(tp))
            && let Some(row) = maps::edge(ctx, &key)
        {
            count(sk, tp, row);
        }
    }
}

/// Whether the peer ever answered a SYN: the first answer sets what is expected next.
#[inline(always)]
pub(super) unsafe fn was_answered(tp: Ptr) -> bool {
    // SAFETY: a full TCP socket.
    unsafe { load::<u32>(tp, NW_TP_RCV_NXT.load()) != 0 }
}

#[inline(always)]
unsafe fn count(sk: Ptr, tp: Ptr, row: *mut EdgeStats) {
    // SAFETY: a full socket and its edge's live row; the reason is below the array's length.
    unsafe {
        let retransmitted = load::<u32>(tp, NW_TP_TOTAL_RETRANS.load());
        let slot = (&raw mut (*row).connect_failures).cast::<u64>();
        atomic::add(slot.add(failure(sk, tp, retransmitted) as usize), 1);
    }
}

/// Why an attempt ended, from `sk_err`, which the kernel sets before the state.
#[inline(always)]
unsafe fn failure(sk: Ptr, tp: Ptr, retransmitted: u32) -> Failure {
    // SAFETY: a full socket.
    match unsafe { load::<i32>(sk, NW_SK_ERR.load()) } {
        ECONNREFUSED => Failure::Refused,
        ECONNRESET | EPIPE => Failure::Reset,
        ETIMEDOUT => Failure::TimedOut,
        EHOSTUNREACH => Failure::HostUnreachable,
        ENETUNREACH => Failure::NetUnreachable,
        0 if retransmitted > 0 => Failure::TimedOut,
        // SAFETY: as above.
        0 if unsafe { has_no_port(tp) } => Failure::NoLocalPort,
        _ => Failure::Other,
    }
}

/// No port was ever found for it: a port that is given back leaves its trace in `inet_sport`, and `connect(2)` that
/// finds none sends no SYN.
#[inline(always)]
unsafe fn has_no_port(tp: Ptr) -> bool {
    let at = NW_TP_SPORT.load();
    // SAFETY: a full TCP socket.
    at != NONE && unsafe { load::<u16>(tp, at) } == 0
}
