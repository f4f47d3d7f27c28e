//! How long tasks wait for a CPU. Nothing here counts by itself: the scheduler's own clock (`sched_info`, what
//! /proc/PID/schedstat shows) is read whenever a task leaves its CPU.

use aya_ebpf::{
    Global,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST, bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE, task_struct},
    btf_maps::{Array, HashMap},
    helpers::generated::{bpf_get_current_ancestor_cgroup_id, bpf_get_current_cgroup_id, bpf_task_storage_get},
    macros::{btf_map, btf_tracepoint},
    programs::BtfTracePointContext,
};
use netwhy_abi::{BUCKETS, RunQueueStats, bucket_index};

use crate::{
    atomic,
    kernel::{Ptr, load},
};

/// `PF_IDLE` and `PF_KTHREAD` (include/linux/sched.h): tasks of nobody.
const OF_NOBODY: u32 = 0x0000_0002 | 0x0020_0000;
/// `BPF_LOCAL_STORAGE_GET_F_CREATE`.
const CREATE: u64 = 1;

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        $( $(#[$doc])* #[unsafe(no_mangle)] static $name: Global<$type> = Global::new(0); )*
    };
}

globals! {
    /// `task_struct.flags`.
    NW_TASK_FLAGS: u32;
    /// `task_struct.sched_info.run_delay`, ns.
    NW_TASK_RUN_DELAY: u32;
    /// `task_struct.sched_info.pcount`: times that the task ran.
    NW_TASK_PCOUNT: u32;
    /// Level of the subtree's root below the mount; 0: all cgroups.
    NW_ROOT_LEVEL: u32;
    /// cgroup id of the subtree's root.
    NW_ROOT_ID: u64;
}

/// Counts of one task so far.
#[derive(Clone, Copy)]
#[repr(C)]
struct Seen {
    /// `run_delay` at its last look, ns.
    run_delay: u64,
    /// Number of the period of watching in which that was.
    period: u64,
}

/// A task storage map, as `aya_ebpf::btf_maps` describes others.
#[repr(C)]
struct TaskStorage {
    r#type: *const [i32; BPF_MAP_TYPE_TASK_STORAGE as usize],
    key: *const i32,
    value: *const Seen,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: a description for the loader, never read here.
unsafe impl Sync for TaskStorage {}

/// Lives and dies with the task.
#[btf_map]
static TASKS: TaskStorage = TaskStorage {
    r#type: core::ptr::null(),
    key: core::ptr::null(),
    value: core::ptr::null(),
    max_entries: core::ptr::null(),
    map_flags: core::ptr::null(),
};
/// By cgroup; as many as others.
#[btf_map]
static RUN_QUEUE: HashMap<u64, RunQueueStats, 4096, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// Number of the present period of watching (attached, not attached, attached again …), from 1; and waits that were
/// lost because [`RUN_QUEUE`] or [`TASKS`] had no room.
#[btf_map]
static PERIOD: Array<[u64; 2], 1> = Array::new();
/// A row of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO: Array<RunQueueStats, 1> = Array::new();

/// `sched_switch(bool preempt, struct task_struct *prev, struct task_struct *next, …)`, called by `__schedule` while
/// `prev` is still current; 2.6 and later, task storage for tracing programs since 5.11. `prev`'s `run_delay` then
/// holds the wait before the run that ends now, also what it waited on CPUs that it was moved away from.
#[btf_tracepoint(function = "sched_switch")]
pub(crate) fn nw_run_queue(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 1 is a task, offsets are BTF's, pointers are live map values.
    unsafe {
        let task: Ptr = ctx.arg(1);
        if load::<u32>(task, NW_TASK_FLAGS.load()) & OF_NOBODY != 0 {
            return 0;
        }
        let level = NW_ROOT_LEVEL.load();
        if level != 0 && bpf_get_current_ancestor_cgroup_id(level as i32) != NW_ROOT_ID.load() {
            return 0;
        }
        let Some(period) = PERIOD.get_ptr_mut(0) else { return 0 };
        let lost = period.cast::<u64>().add(1);
        let run_delay: u64 = load(task, NW_TASK_RUN_DELAY.load());
        let now = Seen { run_delay, period: (*period)[0] };
        let mut seen = storage(task, core::ptr::null_mut(), 0);
        if seen.is_null() {
            // All that a new task waited is news; an older one's is its base.
            let is_new = load::<u64>(task, NW_TASK_PCOUNT.load()) <= 1;
            let mut first = Seen { run_delay: if is_new { 0 } else { run_delay }, ..now };
            seen = storage(task, &raw mut first, CREATE);
            if seen.is_null() {
                atomic::add(lost, 1);
                return 0;
            }
            if !is_new {
                return 0;
            }
        } else if (*seen).period != now.period {
            *seen = now;
            return 0;
        }
        let waited_ns = run_delay.wrapping_sub((*seen).run_delay);
        (*seen).run_delay = run_delay;
        match row(bpf_get_current_cgroup_id()) {
            Some(row) => {
                let us = waited_ns / 1_000;
                let us = if us > u64::from(u32::MAX) { u32::MAX } else { us as u32 };
                let index = bucket_index(us);
                if index < BUCKETS {
                    atomic::add32((&raw mut (*row).buckets).cast::<u32>().add(index), 1);
                }
                atomic::add(&raw mut (*row).sum, waited_ns);
            }
            None => atomic::add(lost, 1),
        }
    }
    0
}

#[inline(always)]
unsafe fn storage(task: Ptr, value: *mut Seen, flags: u64) -> *mut Seen {
    let map = (&raw const TASKS).cast_mut().cast();
    // SAFETY: `task` is a trusted pointer to a task; the helper checks the rest.
    unsafe { bpf_task_storage_get(map, task.cast_mut().cast::<task_struct>(), value.cast(), flags).cast() }
}

#[inline(always)]
fn row(cgroup: u64) -> Option<*mut RunQueueStats> {
    if let Some(row) = RUN_QUEUE.get_ptr_mut(cgroup) {
        return Some(row);
    }
    // A failed insert may mean that another CPU was faster: then the look-up finds its row.
    let _ = RUN_QUEUE.insert(cgroup, ZERO.get(0)?, u64::from(BPF_NOEXIST));
    RUN_QUEUE.get_ptr_mut(cgroup)
}
