//! cgroups under a close-up.

use aya_ebpf::{btf_maps::HashMap, macros::btf_map};

/// cgroup id → 1. Rows as many as [`netwhy_abi::memory::CLOSE_UPS`].
#[btf_map]
static CLOSE_UPS: HashMap<u64, u32, { netwhy_abi::memory::CLOSE_UPS }, 0> = HashMap::new();

/// Whether a cgroup is under a close-up.
#[inline(always)]
pub(crate) fn is_close_up(cgroup: u64) -> bool {
    CLOSE_UPS.get_ptr(cgroup).is_some()
}
