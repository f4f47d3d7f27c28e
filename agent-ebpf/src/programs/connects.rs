//! Handshakes: how long, how many, and why they failed.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{BUCKETS, Failure, Role, bucket_index};

use crate::{
    atomic,
    kernel::{Ptr, load},
    maps,
    offsets::*,
    socket::{TCP_CLOSE, TCP_ESTABLISHED, TCP_SYN_RECV, TCP_SYN_SENT, cgroup_id, edge_key, seen, tcp},
};

const EPIPE: i32 = 32;
const ENETUNREACH: i32 = 101;
const ECONNRESET: i32 = 104;
const ETIMEDOUT: i32 = 110;
const ECONNREFUSED: i32 = 111;
const EHOSTUNREACH: i32 = 113;

/// `inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate)`; 4.16 and later.
#[btf_tracepoint(function = "inet_sock_set_state")]
pub(crate) fn nw_state(ctx: BtfTracePointContext) -> i32 {
    let old = ctx.arg::<i32>(1) as u8;
    let new = ctx.arg::<i32>(2) as u8;
    let role = match (old, new) {
        (TCP_SYN_SENT, TCP_ESTABLISHED) => Some(Role::Client),
        (TCP_SYN_RECV, TCP_ESTABLISHED) => Some(Role::Server),
        (TCP_SYN_SENT, TCP_CLOSE) => None,
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
        let Some(role) = role else {
            let slot = (&raw mut (*row).connect_failures).cast::<u64>();
            atomic::add(slot.add(failure(sk, retransmitted) as usize), 1);
            return 0;
        };
        atomic::add((&raw mut (*row).connects).cast::<u64>().add(role as usize), 1);
        // The handshake's RTT is the socket's first: srtt_us, stored times eight.
        let rtt_us = load::<u32>(tp, NW_TP_SRTT.load()) >> 3;
        let now = bpf_ktime_get_ns();
        if rtt_us != 0 {
            maps::add_rtt(row, rtt_us, now);
        }
        let us = duration_us(sk, role, rtt_us, retransmitted, now);
        if let Some(row) = maps::cgroup(&ctx, cgroup) {
            let buckets = (&raw mut (*row).connect_buckets).cast::<u32>();
            atomic::add32(buckets.add(role as usize * BUCKETS + bucket_index(us)), 1);
            atomic::add((&raw mut (*row).connect_sum_us).cast::<u64>().add(role as usize), u64::from(us));
        }
    }
    0
}

/// From the first SYN (client) or SYN-ACK (server) to ESTABLISHED, µs. Without retransmission that is the RTT.
#[inline(always)]
unsafe fn duration_us(sk: Ptr, role: Role, rtt_us: u32, retransmitted: u32, now: u64) -> u32 {
    if retransmitted == 0 {
        return rtt_us;
    }
    if let Role::Client = role {
        // SAFETY: a full socket; its storage is a live map value.
        let since = unsafe { seen(sk).map_or(0, |state| (*state).syn_ns) };
        if since != 0 {
            return ((now - since) / 1_000) as u32;
        }
    }
    // Timeouts double from one second: 1, 3, 7, 15 … s after n retransmissions.
    let doublings = if retransmitted > 6 { 6 } else { retransmitted };
    rtt_us + ((1u32 << doublings) - 1) * 1_000_000
}

/// Why an attempt ended, from `sk_err`, which the kernel sets before the state.
#[inline(always)]
unsafe fn failure(sk: Ptr, retransmitted: u32) -> Failure {
    // SAFETY: a full socket.
    match unsafe { load::<i32>(sk, NW_SK_ERR.load()) } {
        ECONNREFUSED => Failure::Refused,
        ECONNRESET | EPIPE => Failure::Reset,
        ETIMEDOUT => Failure::TimedOut,
        EHOSTUNREACH => Failure::HostUnreachable,
        ENETUNREACH => Failure::NetUnreachable,
        0 if retransmitted > 0 => Failure::TimedOut,
        _ => Failure::Other,
    }
}
