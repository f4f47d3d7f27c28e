//! The maps of response times.

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
    btf_maps::{Array, HashMap, SkStorage},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use netwhy_abi::{BUCKETS, Choice, Counter, Durations, EdgeKey, ResponseStats, Turn, bucket_index};

use crate::{atomic, maps};

/// One row where response times are not observed.
#[btf_map]
static RESPONSES: HashMap<EdgeKey, ResponseStats, 1, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();
/// The turns of each observed connection; live and die with its socket.
#[btf_map]
static TURNS: SkStorage<Turn> = SkStorage::new();
/// Which connections are observed.
#[btf_map]
static CHOICE: Array<Choice, 1> = Array::new();
/// A row of zeros to insert from: too large for the stack.
#[btf_map]
static ZERO_RESPONSES: Array<ResponseStats, 1> = Array::new();

/// Which connections are observed now.
#[inline(always)]
pub(super) fn choice() -> Choice {
    CHOICE.get(0).copied().unwrap_or(Choice { mask: 0, generation: 0 })
}

/// Address of the socket storage map, for the helper.
#[inline(always)]
pub(super) fn turns() -> *mut core::ffi::c_void {
    (&raw const TURNS).cast_mut().cast()
}

/// The row of an edge. `None`: there is none.
#[inline(always)]
pub(super) fn known(key: &EdgeKey) -> Option<*mut ResponseStats> {
    RESPONSES.get_ptr_mut(key)
}

/// The row of an edge, made when missing.
#[inline(always)]
pub(super) fn row<C: EbpfContext>(ctx: &C, key: &EdgeKey) -> Option<*mut ResponseStats> {
    if let Some(row) = known(key) {
        return Some(row);
    }
    let _ = RESPONSES.insert(key, ZERO_RESPONSES.get(0)?, u64::from(BPF_NOEXIST));
    let row = known(key);
    if row.is_none() && maps::count(Counter::ResponsesFull) {
        warn!(ctx, "response map full: response times of cgroup {} are lost", key.cgroup);
    }
    row
}

/// A duration as histograms take it, µs.
#[inline(always)]
pub(super) fn micros(us: u64) -> u32 {
    if us > u64::from(u32::MAX) { u32::MAX } else { us as u32 }
}

/// Adds a response time for this many exchanges.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_duration(row: *mut ResponseStats, us: u32, times: u64) {
    // SAFETY: as the caller says; the index is below BUCKETS.
    unsafe { add_to(&raw mut (*row).durations, bucket_index(us), u64::from(us), times) }
}

/// Adds requests that were never answered: to the last bucket, with their age.
///
/// # Safety
/// A live map value.
#[inline(always)]
pub(super) unsafe fn add_unanswered(row: *mut ResponseStats, age_us: u64, times: u64) {
    // SAFETY: as the caller says.
    unsafe {
        add_to(&raw mut (*row).durations, BUCKETS - 1, age_us, times);
        atomic::add(&raw mut (*row).unanswered, times);
    }
}

#[inline(always)]
unsafe fn add_to(durations: *mut Durations, bucket: usize, us: u64, times: u64) {
    // SAFETY: a field of a live map value; the index is below BUCKETS.
    unsafe {
        atomic::add32((&raw mut (*durations).buckets).cast::<u32>().add(bucket), times);
        atomic::add(&raw mut (*durations).sum, us * times);
    }
}

/// Adds a part of a response time for this many exchanges.
///
/// # Safety
/// A field of a live map value.
#[inline(always)]
pub(super) unsafe fn add(part: *mut u64, us: u64, times: u64) {
    if us != 0 {
        // SAFETY: as the caller says.
        unsafe { atomic::add(part, us * times) }
    }
}
