//! Handshakes: how long, and how many.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Durations, HANDSHAKE_DUTY_CYCLE, Role};

use super::attempts;
use crate::{
    atomic,
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{
        Figures, TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, cgroup_id, edge_key, edge_of,
        seen, state, step32, tcp,
    },
    storage::LISTENER,
};

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`; 4.16 and later. Under high
/// churn it runs on a duty cycle, and each handshake has the cycle's weight.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn nw_state(ctx: BtfTracePointContext) -> i32 {
    let old = ctx.arg::<i32>(1) as u8;
    let new = ctx.arg::<i32>(2) as u8;
    let role = match (old, new) {
        (TCP_SYN_SENT, TCP_ESTABLISHED) => Role::Client,
        (TCP_SYN_RECV, TCP_ESTABLISHED) => Role::Server,
        (TCP_SYN_SENT | TCP_ESTABLISHED, TCP_CLOSE) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { end(&ctx, ctx.arg(0), old == TCP_SYN_SENT) };
            return 0;
        }
        (TCP_CLOSE, TCP_SYN_SENT) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { begin_again(ctx.arg(0)) };
            return 0;
        }
        (TCP_LISTEN, TCP_CLOSE) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { end_listening(&ctx, ctx.arg(0)) };
            return 0;
        }
        _ => return 0,
    };
    // SAFETY: argument 0 is a full socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let tp = tcp(sk);
        if tp.is_null() {
            return 0;
        }
        let Some(cgroup) = cgroup_id(sk) else { return 0 };
        let key = edge_key(cgroup, sk);
        let Some(row) = maps::edge(&ctx, &key) else { return 0 };
        let retransmitted = load::<u32>(tp, NW_TP_TOTAL_RETRANS.load());
        if let Role::Server = role
            && retransmitted != 0
            && let Some(storage) = state(&ctx, sk, tp, 0)
        {
            // An accepted socket begins with its SYN-ACK's retransmissions, which were counted as they happened.
            (*storage.as_ptr()).total_retrans = u64::from(retransmitted);
        }
        let times = if maps::is_churn_high() { u64::from(HANDSHAKE_DUTY_CYCLE.weight()) } else { 1 };
        atomic::add((&raw mut (*row).connects).cast::<u64>().add(role as usize), times);
        // The handshake's RTT is the socket's first: srtt_us, stored times eight.
        let rtt_us = load::<u32>(tp, NW_TP_SRTT.load()) >> 3;
        let now = bpf_ktime_get_ns();
        if rtt_us != 0 {
            maps::add_rtt(row, rtt_us, now);
        }
        let us = duration_us(sk, role, rtt_us, retransmitted, now);
        if let Some(row) = maps::cgroup(&ctx, cgroup) {
            maps::add_duration((&raw mut (*row).durations).cast::<Durations>().add(role as usize), us);
        }
    }
    0
}

/// A failed attempt, or an aborted connection. A failed `connect(2)`, and a `connect(2)` to no address, then reset the
/// socket's counters to zero. On a duty cycle `nw_error` and `nw_destroy` count these instead.
#[inline(always)]
unsafe fn end(ctx: &BtfTracePointContext, sk: Ptr, failed: bool) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let tp = tcp(sk);
        if tp.is_null() || maps::is_churn_high() {
            return;
        }
        let Some(row) = edge_of(ctx, sk) else { return };
        if failed {
            attempts::fail(ctx, sk, tp, row);
        } else if let Some(storage) = state(ctx, sk, tp, 0) {
            Figures::read(tp, true).harvest(storage.as_ptr(), row, true);
        }
    }
}

/// A socket that connects, perhaps not for the first time: its figures are back at zero (`tcp_disconnect`), so what was
/// taken of them must be too. The limited times go on.
#[inline(always)]
unsafe fn begin_again(sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        if let Some(storage) = seen(sk) {
            let storage = storage.as_ptr();
            (*storage).data_segs_out = 0;
            (*storage).segs_out = 0;
            (*storage).bytes_acked = 0;
            (*storage).bytes_received = 0;
            (*storage).total_retrans = 0;
            (*storage).dsack_dups = 0;
            (*storage).rtt_mstamp = 0;
            (*storage).syn_ns = 0;
            (*storage).flags = 0;
        }
    }
}

/// A listener that closes. It may be younger than the last walk, so that nobody knows yet what it turned away, or even
/// that it is a listener: when the socket is destroyed, nothing tells any more.
#[inline(always)]
unsafe fn end_listening(ctx: &BtfTracePointContext, sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let drops = load::<u32>(sk, NW_SK_DROPS.load());
        if drops == 0 || NW_ACCEPT_QUEUES.load() == 0 {
            return;
        }
        let tp = tcp(sk);
        if tp.is_null() {
            return;
        }
        let Some(cgroup) = cgroup_id(sk) else { return };
        let Some(storage) = state(ctx, sk, tp, 0) else { return };
        let storage = storage.as_ptr();
        (*storage).flags |= LISTENER;
        if let Some(row) = maps::cgroup(ctx, cgroup) {
            step32(&raw mut (*storage).drops, drops, &raw mut (*row).accept_drops);
        }
    }
}

/// From the first SYN (client) or SYN-ACK (server) to ESTABLISHED, µs. Without retransmission that is the RTT.
#[inline(always)]
unsafe fn duration_us(sk: Ptr, role: Role, rtt_us: u32, retransmitted: u32, now: u64) -> u32 {
    if retransmitted == 0 {
        return rtt_us;
    }
    if let Role::Client = role {
        // SAFETY: a full socket; its storage is a live map value.
        let since = unsafe { seen(sk).map_or(0, |storage| (*storage.as_ptr()).syn_ns) };
        if since != 0 {
            return ((now - since) / 1_000) as u32;
        }
    }
    // Timeouts double from one second: 1, 3, 7, 15 … s after n retransmissions.
    let doublings = if retransmitted > 6 { 6 } else { retransmitted };
    rtt_us + ((1u32 << doublings) - 1) * 1_000_000
}
