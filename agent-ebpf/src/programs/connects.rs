//! Handshakes: how long, and how many.

use aya_ebpf::{helpers::generated::bpf_ktime_get_ns, macros::btf_tracepoint, programs::BtfTracePointContext};
use netwhy_abi::{Durations, EdgeKey, HANDSHAKE_DUTY_CYCLE, Role};

use super::{attempts, listeners, responses, rtt::newest_rtt};
use crate::{
    atomic,
    handshake::handshake,
    identity,
    kernel::{Ptr, Typed, load},
    maps,
    offsets::*,
    sock::SOCK_DEAD,
    socket::{
        self, Figures, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
        TCP_LAST_ACK, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT, cgroup_id, edge_key, edge_of, seen, state, tcp,
    },
    subflows,
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
        (TCP_FIN_WAIT1 | TCP_FIN_WAIT2 | TCP_CLOSE_WAIT | TCP_LAST_ACK | TCP_CLOSING, TCP_CLOSE) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { end_held(&ctx, ctx.arg(0)) };
            return 0;
        }
        (_, TCP_FIN_WAIT1 | TCP_LAST_ACK) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { responses::close(&ctx, ctx.arg(0)) };
            return 0;
        }
        (TCP_CLOSE, TCP_SYN_SENT) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { begin_again(ctx.arg(0)) };
            return 0;
        }
        (TCP_CLOSE, TCP_LISTEN) => {
            // SAFETY: argument 0 is a full socket.
            unsafe { begin_listening(&ctx, ctx.arg(0)) };
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
    unsafe { begin_connected(&ctx, ctx.arg(0), role) };
    0
}

/// A handshake that ended well.
#[inline(always)]
unsafe fn begin_connected(ctx: &BtfTracePointContext, sk: Ptr, role: Role) {
    // SAFETY: a full socket, and live map values.
    unsafe {
        let tp = tcp(sk);
        if tp.is_null() {
            return;
        }
        let Some(cgroup) = cgroup_id(sk) else { return };
        let key = edge_key(cgroup, sk);
        let Some(row) = maps::edge(ctx, &key) else { return };
        let is_subflow = subflows::is_subflow(tp);
        if maps::control().baseline != 0 || is_subflow {
            // Without storage it would be taken for one that is older than the agent, or no walk would come to it.
            let _ = socket::new_state(sk);
        }
        if is_subflow {
            subflows::mark(sk);
        }
        if let Role::Server = role {
            skip_synacks(ctx, sk, tp);
            identity::note_role(sk, Role::Server);
        }
        let times = if maps::is_churn_high() { u64::from(HANDSHAKE_DUTY_CYCLE.weight()) } else { 1 };
        let now = bpf_ktime_get_ns();
        let rtt_us = handshake_rtt_us(sk, tp, role, cgroup);
        if rtt_us != 0 {
            maps::add_rtt(row, rtt_us, now);
        }
        if subflows::is_joined(tp) {
            // Its connection was counted with its first path.
            return;
        }
        atomic::add((&raw mut (*row).connects).cast::<u64>().add(role as usize), times);
        let us = if rtt_us != 0 { rtt_us } else { duration_us(sk, tp, role, &key, now) };
        if let Some(row) = maps::cgroup(ctx, cgroup) {
            if let Role::Client = role {
                (*row).connected.0 = now;
            }
            if us != 0 {
                maps::add_duration((&raw mut (*row).durations).cast::<Durations>().add(role as usize), us);
            } else {
                atomic::add((&raw mut (*row).untimed_handshakes).cast::<u64>().add(role as usize), 1);
            }
        }
    }
}

/// An accepted socket begins with its SYN-ACK's retransmissions, which were counted as they happened.
#[inline(always)]
unsafe fn skip_synacks(ctx: &BtfTracePointContext, sk: Ptr, tp: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let retransmitted = load::<u32>(tp, NW_TP_TOTAL_RETRANS.load());
        if retransmitted != 0
            && let Some(storage) = state(ctx, sk, tp, 0)
        {
            (*storage.as_ptr()).total_retrans = retransmitted.into();
        }
    }
}

/// A socket that begins to listen: from here on it turns connections away.
#[inline(always)]
unsafe fn begin_listening(ctx: &BtfTracePointContext, sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let tp = tcp(sk);
        if !tp.is_null() {
            listeners::begin(ctx, sk, tp);
        }
    }
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
            let figures = Figures::read(&Typed(tp), true);
            if figures.sent_data()
                && let Some(sample) = newest_rtt(tp, Some(storage))
            {
                sample.add(row);
            }
            figures.harvest(storage.as_ptr(), row, true);
        }
    }
}

/// The end of a connection whose socket somebody holds: it may connect again, or be a subflow that is emptied before it
/// is destroyed (`tcp_disconnect`). One that nobody holds is destroyed as it is.
#[inline(always)]
unsafe fn end_held(ctx: &BtfTracePointContext, sk: Ptr) {
    // SAFETY: a full socket.
    unsafe {
        if load::<u64>(sk, NW_SK_FLAGS.load()) & SOCK_DEAD == 0 {
            end(ctx, sk, false);
        }
    }
}

/// A socket that connects, perhaps not for the first time: its figures are back at zero (`tcp_disconnect`), so what was
/// taken of them must be too. The limited times go on.
#[inline(always)]
unsafe fn begin_again(sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        if maps::control().baseline != 0 {
            let _ = socket::new_state(sk);
        }
        if let Some(storage) = seen(sk) {
            let storage = storage.as_ptr();
            (*storage).data_segs_out = 0;
            (*storage).segs_out = 0;
            (*storage).bytes_acked = 0;
            (*storage).bytes_received = 0;
            (*storage).total_retrans = 0;
            (*storage).dsack_dups = 0;
            (*storage).overflows_or_reorderings = 0;
            (*storage).rtt_mstamp = 0;
            (*storage).episode_ns = 0;
            (*storage).syn_ns_or_reading = 0;
            (*storage).flags = 0;
        }
        identity::note_role(sk, Role::Client);
    }
}

/// A listener that closes: when the socket is destroyed, nothing tells any more that it was one.
#[inline(always)]
unsafe fn end_listening(ctx: &BtfTracePointContext, sk: Ptr) {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        let tp = tcp(sk);
        if !tp.is_null() {
            listeners::end(ctx, sk, tp);
        }
    }
}

/// The handshake's RTT, which is the socket's first and, without retransmission, the handshake's duration, µs. 0:
/// unknown.
///
/// The kernel takes it from its own clock, save for what it forgot: of a retransmitted SYN or SYN-ACK, and of a SYN
/// cookie, it knows the echoed timestamp, which has whole milliseconds, and lacks the low bits in a cookie. A listener
/// with TCP_DEFER_ACCEPT adds the client's think time.
#[inline(always)]
unsafe fn handshake_rtt_us(sk: Ptr, tp: Ptr, role: Role, cgroup: u64) -> u32 {
    // SAFETY: a full socket.
    unsafe {
        if load::<u32>(tp, NW_TP_TOTAL_RETRANS.load()) != 0 {
            return 0;
        }
        // Stored times eight.
        let us = load::<u32>(tp, NW_TP_SRTT.load()) >> 3;
        let is_known = match role {
            Role::Client => true,
            Role::Server => !us.is_multiple_of(1_000) && !maps::is_deferred(cgroup, load(sk, NW_SK_NUM.load())),
        };
        if is_known { us } else { 0 }
    }
}

/// From the first SYN (client) or SYN-ACK (server) to ESTABLISHED after a retransmission, µs. 0: unknown.
#[inline(always)]
unsafe fn duration_us(sk: Ptr, tp: Ptr, role: Role, key: &EdgeKey, now: u64) -> u32 {
    // SAFETY: a full socket; its storage is a live map value.
    unsafe {
        if load::<u32>(tp, NW_TP_TOTAL_RETRANS.load()) == 0 {
            return 0;
        }
        let since = match role {
            Role::Client => seen(sk).map_or(0, |storage| (*storage.as_ptr()).syn_ns_or_reading),
            Role::Server if maps::is_deferred(key.cgroup, load(sk, NW_SK_NUM.load())) => 0,
            Role::Server => maps::take_handshake(&handshake(*key, sk)),
        };
        if since == 0 { 0 } else { ((now - since) / 1_000) as u32 }
    }
}
