//! Whole sockets: when they close, and all living ones in a walk.

use aya_ebpf::{
    EbpfContext,
    bindings::seq_file,
    helpers::generated::{bpf_get_socket_cookie, bpf_jiffies64, bpf_ktime_get_ns, bpf_seq_write, bpf_sock_from_file},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use core::ffi::c_void;
use netwhy_abi::{Counter, PART_OBJECTS, SHORT_SOCKET_WEIGHT, WalkSummary, is_socket_sampled};

use super::{attempts, listeners, readers, responses, rtt::newest_rtt};
use crate::{
    atomic,
    kernel::{Ptr, Typed, load, probe},
    maps::{self, Need},
    offsets::*,
    sock::{is_by_address, may_be_seen, readable_tcp},
    socket::{
        Figures, Storage, TCP_LISTEN, cgroup_id, edge_key, edge_of, is_older, lacks_base, seen, state, state_for, tcp,
    },
    storage::{LISTENER, LOSSY_NS},
    subflows,
};

/// `tcp_destroy_sock(struct sock *sk)`, called by `tcp_v4_destroy_sock` for every TCP socket, listeners and failed
/// attempts among them; 4.16 and later. Only this hook counts short connections. Under high churn it
/// samples them.
#[btf_tracepoint(function = "tcp_destroy_sock")]
pub(crate) fn nw_destroy(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        let tp = tcp(sk);
        if !tp.is_null() {
            end(&ctx, sk, tp);
            if is_by_address() {
                maps::remove_state(sk as u64);
                maps::remove_older_at(sk as u64);
                responses::forget(sk);
            }
        }
    }
    0
}

/// The end of a TCP socket.
#[inline(always)]
unsafe fn end(ctx: &BtfTracePointContext, sk: Ptr, tp: Ptr) {
    // SAFETY: a full TCP socket.
    unsafe {
        if subflows::is_subflow(tp) {
            end_subflow(ctx, sk, tp);
        }
        if may_be_seen(sk) {
            responses::end(ctx, sk, tp);
        }
        let is_churn_high = maps::is_churn_high();
        let mut times = 1;
        if is_churn_high && is_plain(sk, tp) {
            if !is_socket_sampled(load(sk, NW_SK_HASH.load()), bpf_jiffies64() as u32) {
                return;
            }
            times = u64::from(SHORT_SOCKET_WEIGHT);
        }
        maps::count_ended(times);
        let storage = seen(sk);
        let sent = load::<u32>(tp, NW_TP_SEGS_OUT.load()) != 0;
        // Without churn `nw_state` tells of all attempts but those that find no route.
        if (is_churn_high || !sent) && !attempts::was_answered(tp) {
            attempts::end(ctx, sk, tp, storage, is_churn_high);
        }
        if let Some(storage) = storage
            && (*storage.as_ptr()).flags & LISTENER != 0
        {
            listeners::credit(ctx, tp, tp, storage);
            return;
        }
        if !sent {
            return;
        }
        if storage.is_none() && is_older(tp) {
            if lacks_base(tp) {
                maps::count(Counter::BaseShed);
            }
            return;
        }
        let Some(row) = edge_of(ctx, sk) else { return };
        let figures = Figures::read(&Typed(tp), true);
        if figures.sent_data()
            && let Some(sample) = newest_rtt(tp, storage)
        {
            sample.add(row);
        }
        match storage {
            Some(storage) => figures.harvest(storage.as_ptr(), row, true),
            None => figures.add_all(row, times),
        }
    }
}

/// The end of a subflow, whatever it was.
#[inline(always)]
unsafe fn end_subflow(ctx: &BtfTracePointContext, sk: Ptr, tp: Ptr) {
    // SAFETY: a full TCP socket.
    unsafe {
        // On a duty cycle the end of a listener is not always seen.
        listeners::end(ctx, sk, tp);
        if maps::is_older_subflow(tp as u64) {
            // Gives it its base, if it has none.
            let _ = state(ctx, sk, tp, 0);
            maps::remove_older_subflow(tp as u64);
        }
    }
}

/// Whether nothing is remarkable about a socket that ends: it had its connection, and no program keeps anything of it,
/// so that it resent nothing and was too short for a walk.
#[inline(always)]
unsafe fn is_plain(sk: Ptr, tp: Ptr) -> bool {
    // SAFETY: a full TCP socket.
    unsafe {
        let is_kept = if is_by_address() { seen(sk).is_some() || responses::is_seen(sk) } else { may_be_seen(sk) };
        !is_kept && attempts::was_answered(tp)
    }
}

/// `struct bpf_iter_meta`.
#[repr(C)]
struct IterMeta {
    seq: *mut seq_file,
    session_id: u64,
    /// Number of the object within the walk.
    seq_num: u64,
}

/// `struct bpf_iter__task_file`.
#[repr(C)]
struct TaskFile {
    meta: *mut IterMeta,
    task: *mut c_void,
    fd: u32,
    pad: u32,
    file: *mut c_void,
}

/// The iterator's context, for logging.
struct IterContext(*mut c_void);

impl EbpfContext for IterContext {
    fn as_ptr(&self) -> *mut c_void {
        self.0
    }
}

impl maps::Caller for IterContext {
    const IS_WALK: bool = true;
}

/// `iter/task_file`: every descriptor of every task, so every network namespace in one pass; sockets from files
/// (`bpf_sock_from_file`) since 5.11. Makes quiet sockets visible, harvests long-lived ones, and reads listeners.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub(crate) extern "C" fn nw_walk(ctx: *mut c_void) -> i32 {
    // SAFETY: the kernel passes a `bpf_iter__task_file`.
    unsafe {
        let item = ctx.cast::<TaskFile>();
        let meta = (*item).meta;
        let file = (*item).file;
        if file.is_null() {
            if (*item).task.is_null() {
                report((*meta).seq, true);
            }
            return 0;
        }
        if (*meta).seq_num % PART_OBJECTS == PART_OBJECTS - 1 {
            report((*meta).seq, false);
        }
        let socket = bpf_sock_from_file(file.cast());
        if socket.is_null() {
            return 0;
        }
        let sk: Ptr = load(socket.cast(), NW_SOCKET_SK.load());
        if sk.is_null() {
            return 0;
        }
        let tp = readable_tcp(sk);
        if !tp.is_null() {
            visit(&IterContext(ctx), tp);
        } else if subflows::is_mptcp(sk) {
            if load::<u8>(sk, NW_SK_STATE.load()) == TCP_LISTEN {
                visit_mptcp_listener(&IterContext(ctx), sk);
            } else if maps::control().baseline != 0 {
                subflows::note_older(sk);
            }
        }
    }
    0
}

/// `struct bpf_iter__bpf_sk_storage_map`.
#[repr(C)]
struct StoredSocket {
    meta: *mut IterMeta,
    map: *mut c_void,
    sk: *mut c_void,
    value: *mut c_void,
}

/// `iter/bpf_sk_storage_map`: every socket with storage in one map, in all network namespaces; 5.9 and later. Does for
/// the subflows of MPTCP connections what `nw_walk` does for sockets with descriptors.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
pub(crate) extern "C" fn nw_walk_subflows(ctx: *mut c_void) -> i32 {
    // SAFETY: the kernel passes a `bpf_iter__bpf_sk_storage_map`.
    unsafe {
        let sk: Ptr = (*ctx.cast::<StoredSocket>()).sk;
        if sk.is_null() {
            return 0;
        }
        let tp = tcp(sk);
        // Those that listen are visited with their MPTCP sockets.
        if !tp.is_null() && load::<u8>(tp, NW_SK_STATE.load()) != TCP_LISTEN {
            visit(&IterContext(ctx), tp);
        }
    }
    0
}

/// Whether this walk comes to a socket for the first time; counts it then.
#[inline(always)]
unsafe fn is_first_visit(storage: Storage, is_listener: bool) -> bool {
    let (walk, storage) = (maps::control().walk, storage.as_ptr());
    // SAFETY: live map values.
    unsafe {
        if (*storage).walk == walk {
            return false;
        }
        (*storage).walk = walk;
        if let Some(totals) = maps::walk() {
            (*totals)[0] += 1;
            (*totals)[1] += is_listener as u64;
        }
    }
    true
}

/// An MPTCP socket that listens. Accepted connections of plain TCP have descriptors of their own.
#[inline(always)]
unsafe fn visit_mptcp_listener(ctx: &IterContext, sk: Ptr) {
    // SAFETY: `sk` is an MPTCP socket held by its file; its subflow is read by probing.
    unsafe {
        let Some(tp) = probe::<Ptr>(sk, NW_MSK_FIRST.load()) else { return };
        if tp.is_null() {
            return;
        }
        if let Some(stored) = listeners::subflow(tp)
            && is_first_visit(stored, true)
        {
            listeners::visit(ctx, sk, tp, stored);
        }
    }
}

#[inline(always)]
unsafe fn visit(ctx: &IterContext, tp: Ptr) {
    // SAFETY: `tp` is a TCP socket held by its file.
    unsafe {
        let control = maps::control();
        let listening = load::<u8>(tp, NW_SK_STATE.load()) == TCP_LISTEN;
        let need = if listening { Need::Exact } else { Need::Timely };
        let Some(stored) = state_for(ctx, tp, tp, 0, need) else {
            // The cookie marks an older socket: its close must not count what came before the agent.
            maps::add_shed(if control.baseline != 0 { cookie(tp) } else { 0 });
            return;
        };
        let storage = stored.as_ptr();
        if !is_first_visit(stored, listening) {
            return;
        }
        if listening {
            listeners::visit(ctx, tp, tp, stored);
            return;
        }
        if load::<u32>(tp, NW_TP_SEGS_OUT.load()) == 0 {
            return;
        }
        let Some(cgroup) = cgroup_id(tp) else { return };
        let key = edge_key(cgroup, tp);
        let Some(row) = maps::edge(ctx, &key) else { return };
        responses::visit(tp, &key, row);
        let figures = Figures::read(&Typed(tp), true);
        let rtt = newest_rtt(tp, Some(stored));
        if let Some(sample) = rtt
            && control.baseline == 0
            && figures.sent_data()
        {
            sample.add(row);
        }
        listeners::end_unseen(storage);
        figures.harvest_unlocked(storage, row, true);
        let episode_ns = (*storage).episode_ns;
        if episode_ns != 0 {
            if bpf_ktime_get_ns() - episode_ns > LOSSY_NS {
                (*storage).episode_ns = 0;
            } else {
                atomic::add(&raw mut (*row).lossy_sockets, 1);
            }
        }
        let unsent = load::<u32>(tp, NW_TP_WRITE_SEQ.load()) != load::<u32>(tp, NW_TP_SND_UNA.load());
        if unsent && load::<u32>(tp, NW_TP_SND_WND.load()) == 0 {
            atomic::add(&raw mut (*row).zero_window, 1);
        }
        readers::visit(tp, storage, row);
    }
}

/// Marks an older socket for which there is no room, and gives its cookie; 1 where walks can't make one.
#[inline(always)]
unsafe fn cookie(tp: Ptr) -> u64 {
    if is_by_address() {
        maps::add_older_at(tp as u64);
        return 1;
    }
    // SAFETY: a TCP socket held by its file.
    unsafe { bpf_get_socket_cookie(tp.cast_mut().cast()) }
}

/// Writes the walk's summary into its file.
#[inline(always)]
unsafe fn report(seq: *mut seq_file, is_end: bool) {
    // SAFETY: `seq` is the iterator's own file.
    unsafe {
        let (sockets, listeners) = match maps::walk() {
            Some(totals) => ((*totals)[0], (*totals)[1]),
            None => (0, 0),
        };
        if is_end && maps::control().baseline != 0 {
            maps::start(bpf_jiffies64());
        }
        let (ktime_ns, jiffies) = (bpf_ktime_get_ns(), bpf_jiffies64());
        let summary = WalkSummary { ktime_ns, jiffies, sockets, listeners, is_end: u64::from(is_end) };
        bpf_seq_write(seq, (&raw const summary).cast_mut().cast(), size_of::<WalkSummary>() as u32);
    }
}
