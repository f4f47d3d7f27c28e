//! Kernel memory as a function of the limits.

use crate::{
    counters::Counter,
    dns::{DnsStats, Exchange},
    keys::{DropKey, EdgeKey, OverflowKey, PeerPrefix},
    run_queue::RunQueueStats,
    stats::{CgroupStats, EdgeStats},
};

/// Size of a hash element's header in the kernel (`struct htab_elem`), rounded up.
const ELEMENT: usize = 48;
/// Allocation classes of the kernel's `bpf_mem_alloc`, bytes.
const CLASSES: [usize; 11] = [16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096];

/// A DNS lookup under way.
const LOOKUP: usize = size_of::<EdgeKey>() + size_of::<Exchange>();

/// Map sizes; the defaults of the configuration's `limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the cgroup map.
    pub cgroups: usize,
    /// Rows of the edge map.
    pub edges: usize,
    /// Rows of the drop-reason map.
    pub drops: usize,
    /// Prefixes.
    pub prefixes: usize,
}

/// Bytes that the maps take when every row is used. Rows are allocated as they appear, so an idle machine takes
/// a fraction. `cpus` only multiplies the programs' own failure counters and the allocator's free lists.
pub fn upper_bound(limits: Limits, cpus: usize) -> usize {
    let row = |key: usize, value: usize| {
        let need = ELEMENT + key + value;
        CLASSES.iter().copied().find(|c| *c >= need).unwrap_or(need)
    };
    let hash = |rows: usize, key: usize, value: usize| {
        // One 16-byte bucket head per row, rounded up to a power of two.
        rows * row(key, value) + rows.next_power_of_two() * 16
    };
    // The allocator keeps up to 96 free elements of small classes and 2 … 4 of large ones per CPU and map.
    let free_lists = |value: usize| cpus * if value > 256 { 4 * value } else { 96 * value };
    hash(limits.edges, size_of::<EdgeKey>(), size_of::<EdgeStats>())
        + hash(limits.cgroups, size_of::<OverflowKey>(), size_of::<EdgeStats>())
        + hash(limits.cgroups, 8, size_of::<CgroupStats>())
        + hash(limits.drops, size_of::<DropKey>(), 8)
        + hash(limits.cgroups, size_of::<EdgeKey>(), size_of::<DnsStats>())
        + hash(limits.cgroups, 8, LOOKUP)
        + hash(limits.cgroups, 8, size_of::<RunQueueStats>())
        + limits.prefixes * (ELEMENT + size_of::<PeerPrefix>() + 8)
        + free_lists(row(size_of::<EdgeKey>(), size_of::<EdgeStats>())) * 2
        + free_lists(row(8, size_of::<CgroupStats>()))
        + free_lists(row(size_of::<DropKey>(), 8))
        + free_lists(row(size_of::<EdgeKey>(), size_of::<DnsStats>()))
        + free_lists(row(8, LOOKUP))
        + free_lists(row(8, size_of::<RunQueueStats>()))
        + cpus * Counter::COUNT as usize * 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_limits_stay_under_64_mib_at_128_cpus() {
        let limits = Limits { cgroups: 4096, edges: 16_384, drops: 4096, prefixes: 16_384 };
        let bytes = upper_bound(limits, 128);
        assert!(bytes <= 64 << 20, "{bytes}");
        assert!(upper_bound(limits, 2) <= bytes);
    }
}
