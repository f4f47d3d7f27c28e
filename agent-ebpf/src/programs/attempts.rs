//! Attempts to connect that failed: how many, and why.

use aya_ebpf::{
    EbpfContext, helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use netwhy_abi::{EdgeKey, EdgeStats, Failure, LEAST_PATIENCE_MS, RACE_NS};

use crate::{
    atomic,
    handshake::since_first_syn_ms,
    identity,
    kernel::{Ptr, Typed, load, probe},
    maps,
    offsets::*,
    socket::{Figures, Storage, address_key, cgroup_id, edge_of, state, tcp},
    storage::{FAILED, LISTENER, OLDER},
    subflows,
};

const EACCES: i32 = 13;
const EPIPE: i32 = 32;
const ENONET: i32 = 64;
const ENOPROTOOPT: i32 = 92;
const ENETUNREACH: i32 = 101;
const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTDOWN: i32 = 112;
const EHOSTUNREACH: i32 = 113;

/// `sk_buff_head` and `sk_buff` begin with two pointers: next, and this one.
const PREVIOUS: u32 = 8;
/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of `include/uapi/linux/errqueue.h`.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// Begin of `struct sock_extended_err`.
#[derive(Clone, Copy)]
#[repr(C)]
struct QueuedError {
    errno: i32,
    origin: u8,
}

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
        // The connection of a further path goes on without it.
        if !subflows::is_joined(tp) {
            let reason = failure(sk, tp, load(tp, NW_TP_TOTAL_RETRANS.load()));
            match patience_ms(sk, tp, reason) {
                0 => add(row, reason),
                ms => {
                    atomic::add(&raw mut (*row).given_up_ms, ms.into());
                    add(row, if has_lost_race(ctx, sk) { Failure::Raced } else { Failure::GivenUp });
                }
            }
        }
        if let Some(storage) = state(ctx, sk, tp, 0) {
            let storage = storage.as_ptr();
            Figures::read(&Typed(tp), true).harvest(storage, row, true);
            (*storage).flags |= FAILED;
        }
    }
}

/// Time for which its owner waited for an answer before it gave an attempt up, ms. 0: it ended in another way, or at
/// once. On a duty cycle `nw_state` doesn't come here, so that all of these are `Other`.
#[inline(always)]
unsafe fn patience_ms(sk: Ptr, tp: Ptr, reason: Failure) -> u32 {
    // SAFETY: a full socket.
    unsafe {
        if reason as usize != Failure::Other as usize || load::<i32>(sk, NW_SK_ERR.load()) != 0 {
            return 0;
        }
        match since_first_syn_ms(tp, bpf_ktime_get_ns()) {
            Some(ms) if ms >= LEAST_PATIENCE_MS => ms,
            _ => 0,
        }
    }
}

/// Whether another handshake of the same cgroup was completed a moment ago.
#[inline(always)]
unsafe fn has_lost_race<C: EbpfContext>(ctx: &C, sk: Ptr) -> bool {
    // SAFETY: a full socket; the row is a live map value.
    unsafe {
        let Some(row) = cgroup_id(sk).and_then(|cgroup| maps::cgroup(ctx, cgroup)) else { return false };
        bpf_ktime_get_ns().wrapping_sub((*row).connected.0) <= RACE_NS
    }
}

/// Counts the attempt of a socket that ends without an answer, if it made one that nobody counted yet: its owner gave
/// it up, or it failed before the first SYN, because it found no local port or no route. `is_churn`: sockets' states
/// are not always seen, which tell of all but those without a route.
#[inline(always)]
pub(super) unsafe fn end<C: maps::Caller>(ctx: &C, sk: Ptr, tp: Ptr, storage: Option<Storage>, is_churn: bool) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let flags = storage.map_or(0, |storage| (*storage.as_ptr()).flags);
        if flags & (FAILED | LISTENER) != 0 || subflows::is_joined(tp) {
            return;
        }
        let sent = load::<u32>(tp, NW_TP_SEGS_OUT.load()) != 0;
        // The attempt may be older too, and without storage nobody knows that it was counted.
        if !sent && (flags & OLDER != 0 || NW_HAS_STORAGE.load() == 0 || maps::control().baseline != 0) {
            return;
        }
        let Some(cgroup) = cgroup_id(sk) else { return };
        let mut key = address_key(cgroup, sk);
        let has_route = sent || has_route(sk, &key);
        if !has_route && !is_addressed(&key) {
            set_destination(tp, &mut key);
        }
        if !is_addressed(&key) || (has_route && !is_churn) || (has_route && !sent && !has_no_port(tp)) {
            return;
        }
        identity::identify(&mut key, sk);
        if let Some(row) = maps::edge(ctx, &key) {
            let reason =
                if has_route { failure(sk, tp, load(tp, NW_TP_TOTAL_RETRANS.load())) } else { Failure::NetUnreachable };
            add(row, reason);
        }
    }
}

/// Words of an address.
#[inline(always)]
fn words(key: &EdgeKey) -> [u32; 4] {
    let addr = (&raw const key.addr).cast::<u32>();
    // SAFETY: four words make the 16 bytes of the address, which follows a u64 and is aligned.
    unsafe { [*addr, *addr.add(1), *addr.add(2), *addr.add(3)] }
}

/// Whether an address is of IPv4.
#[inline(always)]
fn is_v4(key: &EdgeKey) -> bool {
    let [a, b, c, _] = words(key);
    a | b == 0 && c == 0xffff_u32.to_be()
}

/// Whether there is an address at all: neither `::` nor `0.0.0.0`.
#[inline(always)]
fn is_addressed(key: &EdgeKey) -> bool {
    let [a, b, c, d] = words(key);
    if is_v4(key) { d != 0 } else { a | b | c | d != 0 }
}

/// Whether a socket that sent nothing found a route: `connect(2)` then notes the IPv4 address, or keeps the route.
#[inline(always)]
unsafe fn has_route(sk: Ptr, key: &EdgeKey) -> bool {
    if NW_SK_DST.load() == NONE || NW_TP_FLOW_DADDR.load() == NONE {
        return true;
    }
    // SAFETY: a full socket.
    unsafe {
        if is_v4(key) { load::<u32>(sk, NW_SK_DADDR.load()) != 0 } else { !load::<Ptr>(sk, NW_SK_DST.load()).is_null() }
    }
}

/// Writes the IPv4 destination for which a route was looked up.
#[inline(always)]
unsafe fn set_destination(tp: Ptr, key: &mut EdgeKey) {
    // SAFETY: a full TCP socket; the address has four words.
    unsafe {
        let addr = (&raw mut key.addr).cast::<u32>();
        *addr.add(2) = 0xffff_u32.to_be();
        *addr.add(3) = load(tp, NW_TP_FLOW_DADDR.load());
    }
}

/// Whether the peer ever answered a SYN: the first answer sets what is expected next.
#[inline(always)]
pub(super) unsafe fn was_answered(tp: Ptr) -> bool {
    // SAFETY: a full TCP socket.
    unsafe { load::<u32>(tp, NW_TP_RCV_NXT.load()) != 0 }
}

#[inline(always)]
unsafe fn add(row: *mut EdgeStats, reason: Failure) {
    // SAFETY: the edge's live row; the reason is below the array's length.
    unsafe { atomic::add((&raw mut (*row).connect_failures).cast::<u64>().add(reason as usize), 1) }
}

/// Why an attempt ended. The codes of ICMP's destination unreachable are in `icmp_err_convert` and `tab_unreach`: a
/// filter rejects with `EHOSTUNREACH` or, for IPv6, `EACCES`.
#[inline(always)]
unsafe fn failure(sk: Ptr, tp: Ptr, retransmitted: u32) -> Failure {
    // SAFETY: a full socket.
    match unsafe { error(sk) } {
        ECONNREFUSED => Failure::Refused,
        ECONNRESET | EPIPE => Failure::Reset,
        ETIMEDOUT => Failure::TimedOut,
        EHOSTUNREACH | EHOSTDOWN | EACCES | ENOPROTOOPT => Failure::HostUnreachable,
        ENETUNREACH | ENONET => Failure::NetUnreachable,
        0 if retransmitted > 0 => Failure::TimedOut,
        // SAFETY: as above.
        0 if unsafe { has_no_port(tp) } => Failure::NoLocalPort,
        _ => Failure::Other,
    }
}

/// The error of an attempt; 0: none. The kernel sets `sk_err` before the state. An ICMP error that arrives while
/// `connect(2)` still holds the socket ends nothing (`tcp_v4_err`): it stays in `sk_err_soft` until the owner asks for
/// it (`SO_ERROR`) and gives the attempt up, and in the queue of errors after that.
#[inline(always)]
unsafe fn error(sk: Ptr) -> i32 {
    // SAFETY: a full socket.
    unsafe {
        let hard: i32 = load(sk, NW_SK_ERR.load());
        if hard != 0 {
            return hard;
        }
        let soft: i32 = load(sk, NW_SK_ERR_SOFT.load());
        if soft != 0 { soft } else { icmp_error(sk) }
    }
}

/// The newest error in the socket's queue, if ICMP brought it; 0: none. The kernel fills the queue of a socket that
/// connects over IPv4 without being asked (5.8 and later).
#[inline(always)]
unsafe fn icmp_error(sk: Ptr) -> i32 {
    if NW_SK_ERROR_QUEUE.load() == NONE || NW_SKB_ERRNO.load() == NONE {
        return 0;
    }
    let queue: Ptr = sk.cast::<u8>().wrapping_add(NW_SK_ERROR_QUEUE.load() as usize).cast();
    // SAFETY: probing reads.
    unsafe {
        let newest = probe::<Ptr>(queue, PREVIOUS).unwrap_or(queue);
        if newest == queue || newest.is_null() {
            return 0;
        }
        match probe(newest, NW_SKB_ERRNO.load()) {
            Some(QueuedError { errno, origin: ORIGIN_ICMP | ORIGIN_ICMP6 }) => errno,
            _ => 0,
        }
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
