//! Kernel memory as a function of the limits.

use crate::{
    counters::Counter,
    dns::Exchange,
    keys::{EdgeKey, PeerPrefix},
};

/// Size of a hash element's header in the kernel (`struct htab_elem`), rounded up.
const ELEMENT: usize = 48;
/// Allocation classes of the kernel's `bpf_mem_alloc`, bytes.
const CLASSES: [usize; 11] = [16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096];

/// A DNS lookup under way.
const LOOKUP: usize = size_of::<EdgeKey>() + size_of::<Exchange>();

/// Rows of handshakes at servers that took more than one SYN-ACK: evicted, so allocated at once.
pub const HANDSHAKES: usize = 1024;
/// Bytes of one: an edge, two ports and padding.
const HANDSHAKE: usize = size_of::<EdgeKey>() + 8;
/// Edges of a busy machine whose connections are counted, at most: evicted, so allocated at once.
pub const PICKS: usize = 4_096;
/// Bytes of one.
const PICK: usize = size_of::<crate::Pick>();
/// Number of an address's ports that have edges of their own.
const PORTS: usize = size_of::<u64>();

/// Ports without edges of their own whose events are counted: evicted, so allocated at once.
pub const FOLDED_PORTS: usize = 1024;

/// Listening subflows of MPTCP sockets.
pub const SUBFLOWS: usize = 1024;
/// Subflows older than the agent whose base is kept.
pub const OLDER_SUBFLOWS: usize = 4096;
/// Bytes of the state of one.
const SUBFLOW: usize = 120;

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

/// Bytes of one hash element with this key and value.
fn element(key: usize, value: usize) -> usize {
    let need = ELEMENT + key + value;
    CLASSES.iter().copied().find(|class| *class >= need).unwrap_or(need)
}

/// Bytes of a hash map whose rows are all in use.
fn hash(rows: usize, key: usize, value: usize) -> usize {
    // One 16-byte bucket head per row, rounded up to a power of two.
    rows * element(key, value) + rows.next_power_of_two() * 16
}

/// Bytes of a hash map's free elements: per CPU up to 96 of small classes and 2 … 4 of large ones.
fn free_lists(cpus: usize, key: usize, value: usize) -> usize {
    let element = element(key, value);
    cpus * if element > 256 { 4 * element } else { 96 * element }
}

macro_rules! sum_of_families {
    (
        { $limits:ident $cpus:ident }
        $($(#[$doc:meta])* $field:ident: $family:ident = $map:ident in $object:ident, $key:ty => $row:ty, limits.$limit:ident;)+
    ) => {
        0 $(+ hash($limits.$limit, size_of::<$key>(), size_of::<$row>())
            + free_lists($cpus, size_of::<$key>(), size_of::<$row>()))+
    };
}

/// Bytes that the maps take when every row is used. Rows are allocated as they appear, so an idle machine takes a
/// fraction. `cpus` multiplies the programs' own counters and the allocator's free lists only.
pub fn upper_bound(limits: Limits, cpus: usize) -> usize {
    crate::families!(sum_of_families! { limits cpus })
        + hash(limits.cgroups, 8, LOOKUP)
        + hash(limits.edges, size_of::<EdgeKey>(), PORTS)
        + free_lists(cpus, size_of::<EdgeKey>(), PORTS)
        + free_lists(cpus, 8, LOOKUP)
        + hash(HANDSHAKES, HANDSHAKE, 8)
        + hash(FOLDED_PORTS, size_of::<EdgeKey>(), 8)
        + hash(if limits.edges < PICKS { limits.edges } else { PICKS }, size_of::<EdgeKey>(), PICK)
        + hash(SUBFLOWS, 8, SUBFLOW)
        + hash(OLDER_SUBFLOWS, 8, SUBFLOW)
        + 2 * free_lists(cpus, 8, SUBFLOW)
        + limits.prefixes * (ELEMENT + size_of::<PeerPrefix>() + 8)
        + cpus * Counter::COUNT as usize * 8
}

#[cfg(test)]
mod tests;
