//! Where counts are kept. Sizes are defaults that the configuration overrides at load time.
//!
//! All hash maps are shared between CPUs (rows are added to atomically), so memory does not grow with the CPU count,
//! and allocate rows as they appear. None evicts: a row that does not fit is counted and goes elsewhere, because an
//! evicted row would make counters fall.

use aya_ebpf::{EbpfContext, bindings::BPF_F_NO_PREALLOC, btf_maps::HashMap, programs::BtfTracePointContext};
use netwhy_abi::Family;

mod cgroups;
mod close_ups;
mod counters;
mod dns;
mod edges;
mod handshakes;
mod histograms;
mod names;
mod ports;
mod steering;
mod storage_room;
mod subflows;

pub(crate) use cgroups::{cgroup, dropped};
pub(crate) use close_ups::is_close_up;
pub(crate) use counters::{count, count_asked, count_ended, count_timed, count_times, count_won};
pub(crate) use dns::{Lookup, answered_with, forget_lookup, looked_up, lookup, set_lookup};
pub(crate) use edges::{edge, folded, has_edge};
pub(crate) use handshakes::{Handshake, is_deferred, set_deferred, set_handshake, take_handshake};
pub(crate) use histograms::{add_duration, add_durations, add_rtt, add_smoothed_rtt};
pub(crate) use names::add_answer;
pub(crate) use steering::{control, is_churn_high, may_restart, start, started, walk};
pub(crate) use storage_room::{
    Need, add_older_at, add_shed, add_state, has_shed_storage, highest_without_base, is_older_at, remove_older_at,
    remove_state, sockets, state_at, take_storage,
};
pub(crate) use subflows::{
    add_older_subflow, add_subflow, is_older_subflow, remove_older_subflow, remove_subflow, subflow, subflow_marks,
    take_older_subflow,
};

const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// The hash map of a family. The agent sets the number of rows when it loads the object.
type Table<F, const ROWS: usize> = HashMap<<F as Family>::Key, <F as Family>::Row, ROWS, ON_DEMAND>;

/// The context of a program that counts for edges.
pub(crate) trait Caller: EbpfContext {
    /// Whether it visits sockets whether or not anything happens there.
    const IS_WALK: bool;
}

impl Caller for BtfTracePointContext {
    const IS_WALK: bool = false;
}
