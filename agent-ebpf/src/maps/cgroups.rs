//! One row per cgroup, and one per cgroup and reason of dropped packets.

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap},
    macros::btf_map,
};
use aya_log_ebpf::warn;
use netwhy_abi::{CgroupStats, Cgroups, Counter, DropKey, Drops};

use super::{Table, count};
use crate::atomic;

#[btf_map]
static CGROUPS: Table<Cgroups, 4096> = HashMap::new();
#[btf_map]
static DROPS: Table<Drops, 4096> = HashMap::new();
#[btf_map]
static ZERO_CGROUP: Array<CgroupStats, 1> = Array::new();

/// The row of a cgroup, made when missing.
#[inline(always)]
pub(crate) fn cgroup<C: EbpfContext>(ctx: &C, id: u64) -> Option<*mut CgroupStats> {
    if let Some(row) = CGROUPS.get_ptr_mut(id) {
        return Some(row);
    }
    let _ = CGROUPS.insert(id, ZERO_CGROUP.get(0)?, u64::from(BPF_NOEXIST));
    let row = CGROUPS.get_ptr_mut(id);
    if row.is_none() && count(Counter::CgroupsFull) {
        warn!(ctx, "cgroup map full: samples of cgroup {} are lost", id);
    }
    row
}

/// Counts one dropped packet.
#[inline(always)]
pub(crate) fn dropped<C: EbpfContext>(ctx: &C, key: &DropKey) {
    if let Some(row) = DROPS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        unsafe { atomic::add(row, 1) };
        return;
    }
    let _ = DROPS.insert(key, 0, u64::from(BPF_NOEXIST));
    match DROPS.get_ptr_mut(key) {
        // SAFETY: a live map value.
        Some(row) => unsafe { atomic::add(row, 1) },
        None => {
            if count(Counter::DropsFull) {
                warn!(ctx, "drop map full: drops of cgroup {} are lost", key.cgroup);
            }
        }
    }
}
