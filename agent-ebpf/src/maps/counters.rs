//! The programs' own counters.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use netwhy_abi::Counter;

/// The programs' own counters.
#[btf_map]
static COUNTERS: PerCpuArray<u64, { Counter::COUNT as usize }> = PerCpuArray::new();

/// Bumps one of the programs' own counters; true when this was its first time on this CPU, so that the caller can
/// log it without flooding.
#[inline(always)]
pub(crate) fn count(counter: Counter) -> bool {
    count_slot(counter as u32, 1)
}

/// The same for as many samples as one stands for.
#[inline(always)]
pub(crate) fn count_times(counter: Counter, times: u64) -> bool {
    count_slot(counter as u32, times)
}

/// Counts a sampled segment.
#[inline(always)]
pub(crate) fn count_won() {
    count_slot(Counter::WON_SLOT, 1);
}

/// Counts a DNS lookup that begins.
#[inline(always)]
pub(crate) fn count_asked() {
    count_slot(Counter::ASKED_SLOT, 1);
}

/// Counts an exchange that is added to response times.
#[inline(always)]
pub(crate) fn count_timed() {
    count_slot(Counter::TIMED_SLOT, 1);
}

/// Counts TCP sockets that ended.
#[inline(always)]
pub(crate) fn count_ended(sockets: u64) {
    count_slot(Counter::ENDED_SLOT, sockets);
}

#[inline(always)]
fn count_slot(slot: u32, n: u64) -> bool {
    match COUNTERS.get_ptr_mut(slot) {
        Some(slot) => {
            // SAFETY: a per-CPU slot; a lost race with an interrupting program costs one count of a diagnostic.
            unsafe {
                *slot += n;
                *slot == n
            }
        }
        None => false,
    }
}
