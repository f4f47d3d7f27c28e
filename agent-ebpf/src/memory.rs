//! Kernel memory as a function of the limits.

use crate::{
    counters::Counter,
    dns::Exchange,
    heads::{HEAD_ROOMS, SPEAKERS},
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

/// cgroups that may be under a close-up at once: few, so allocated at once.
pub const CLOSE_UPS: usize = 256;

/// Listening subflows of MPTCP sockets.
pub const SUBFLOWS: usize = 1024;
/// Subflows older than the agent whose base is kept.
pub const OLDER_SUBFLOWS: usize = 4096;
/// Bytes of the state of one.
const SUBFLOW: usize = 120;

/// Bytes of one socket's storage: the element and the socket's own table of elements. Measured as the growth of an
/// agent's charge (`memory.kmem.usage_in_bytes`) over 38,000 sockets, Linux 6.18: 402.
pub const SOCKET_STORAGE: usize = 408;
/// Bytes of the storage that a connection takes besides while its response times are observed: one element more.
/// Measured as the growth of the charge over 18,000 sockets, Linux 6.18: 598 with response times, 400 without.
pub const TURN_STORAGE: usize = 200;
/// Sockets whose states fit where they are kept by address. More count when they close.
pub const ADDRESSES: usize = 1 << 17;
/// The same where memory is short.
pub const FEW_ADDRESSES: usize = 1 << 16;
/// log2 of the bits by which sockets are known whose base found no room, where states are kept by address: 1 MiB.
pub const OLDER_BITS: u32 = 23;
/// Bytes that the kernel charges for an object beside its own: a pointer to the cgroup (`obj_full_size` in mm/slub.c).
const CHARGE: usize = size_of::<u64>();
/// Bytes of the buffers for first bytes of HTTP, together, as far as their smallest size allows.
const HEAD_BUFFERS: usize = 1 << 20;
/// Bytes of one buffer, at least and at most. A request and its answer take some 600.
const HEAD_BUFFER: (usize, usize) = (64 << 10, 256 << 10);

/// Bytes of each CPU's buffer for first bytes of HTTP: a power of two.
pub fn head_buffer(cpus: usize) -> usize {
    let (low, high) = HEAD_BUFFER;
    (HEAD_BUFFERS / cpus.max(1)).next_power_of_two().clamp(low, high)
}

/// Room for socket storage without a bound.
pub const UNBOUNDED: u64 = i64::MAX.cast_unsigned();

/// How the kernel keeps the states of sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum States {
    /// In storage of theirs.
    #[default]
    InStorage,
    /// In hash maps by their addresses.
    ByAddress {
        /// Sockets whose states fit: [`ADDRESSES`] or [`FEW_ADDRESSES`].
        rows: usize,
        /// Whether there is room for turns, which response times need.
        has_turns: bool,
    },
}

impl States {
    /// Bytes that a socket takes.
    pub fn of_socket(self) -> usize {
        match self {
            Self::InStorage => SOCKET_STORAGE,
            Self::ByAddress { .. } => element(8, SUBFLOW) + CHARGE,
        }
    }

    /// Bytes that a connection takes besides while its response times are observed.
    pub fn of_turns(self) -> usize {
        match self {
            Self::InStorage => TURN_STORAGE,
            Self::ByAddress { has_turns: true, .. } => element(8, size_of::<crate::Turn>()) + CHARGE,
            Self::ByAddress { has_turns: false, .. } => 0,
        }
    }

    /// Sockets that fit, whatever memory there is.
    pub fn most(self) -> usize {
        match self {
            Self::InStorage => usize::MAX,
            Self::ByAddress { rows, .. } => rows,
        }
    }

    /// Rows of the maps by address: of states, of turns, and of words of [`OLDER_BITS`].
    pub fn rows(self) -> [usize; 3] {
        match self {
            Self::InStorage => [1; 3],
            Self::ByAddress { rows, has_turns } => [rows, if has_turns { rows } else { 1 }, 1 << (OLDER_BITS - 6)],
        }
    }

    /// Bytes that the maps by address take while they are empty.
    pub fn empty(self, cpus: usize) -> usize {
        let Self::ByAddress { rows, has_turns } = self else { return 0 };
        let of = |value: usize| hash(0, rows, 8, value) + free_lists(cpus, 8, value);
        (1 << OLDER_BITS) / 8 + of(SUBFLOW) + if has_turns { of(size_of::<crate::Turn>()) } else { 0 }
    }

    /// Bytes that they take when every row is used.
    pub fn full(self, cpus: usize) -> usize {
        match self {
            Self::InStorage => 0,
            Self::ByAddress { rows, .. } => self.empty(cpus) + rows * (self.of_socket() + self.of_turns()),
        }
    }
}

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

/// Bytes of a hash map with `rows` in use.
fn hash(rows: usize, capacity: usize, key: usize, value: usize) -> usize {
    // One 16-byte bucket head per row that fits, rounded up to a power of two.
    rows.min(capacity) * element(key, value) + capacity.next_power_of_two() * 16
}

/// Bytes of a hash map's free elements: per CPU up to 96 of small classes and 2 … 4 of large ones.
fn free_lists(cpus: usize, key: usize, value: usize) -> usize {
    let element = element(key, value);
    cpus * if element > 256 { 4 * element } else { 96 * element }
}

macro_rules! each_family {
    (
        { $rows:ident $capacity:ident $cpus:ident $each:ident }
        $($(#[$doc:meta])* $field:ident: $family:ident = $map:ident in $object:ident, $key:ty => $row:ty, limits.$limit:ident;)+
    ) => {
        $({
            let (key, row) = (size_of::<$key>(), size_of::<$row>());
            $each(stringify!($field), hash($rows.$limit, $capacity.$limit, key, row) + free_lists($cpus, key, row));
        })+
    };
}

/// Calls `each` with the name and the bytes of every map with these rows in use. Rows are allocated as they appear.
/// `cpus` multiplies the programs' own counters and the allocator's free lists only.
pub fn each_map(rows: Limits, capacity: Limits, cpus: usize, mut each: impl FnMut(&'static str, usize)) {
    let edge = size_of::<EdgeKey>();
    crate::families!(each_family! { rows capacity cpus each });
    each("lookups", hash(rows.cgroups, capacity.cgroups, 8, LOOKUP) + free_lists(cpus, 8, LOOKUP));
    each("ports", hash(rows.edges, capacity.edges, edge, PORTS) + free_lists(cpus, edge, PORTS));
    each("handshakes", hash(HANDSHAKES, HANDSHAKES, HANDSHAKE, 8));
    each("subflows", hash(SUBFLOWS, SUBFLOWS, 8, SUBFLOW) + free_lists(cpus, 8, SUBFLOW));
    each("older_subflows", hash(OLDER_SUBFLOWS, OLDER_SUBFLOWS, 8, SUBFLOW) + free_lists(cpus, 8, SUBFLOW));
    each("folded_ports", hash(FOLDED_PORTS, FOLDED_PORTS, edge, 8));
    each("picks", hash(rows.edges, if capacity.edges < PICKS { capacity.edges } else { PICKS }, edge, PICK));
    each("peers", rows.prefixes.min(capacity.prefixes) * (ELEMENT + size_of::<PeerPrefix>() + 8));
    each("close_ups", hash(CLOSE_UPS, CLOSE_UPS, 8, 4));
    each("counters", cpus * Counter::COUNT as usize * 8);
}

/// Bytes of the maps and buffers that HTTP takes besides, while it is on.
pub fn http(cpus: usize) -> usize {
    let maps = hash(HEAD_ROOMS, HEAD_ROOMS, 8, 8) + hash(SPEAKERS, SPEAKERS, size_of::<EdgeKey>(), 8);
    maps + cpus * head_buffer(cpus)
}

/// Bytes of the buffer for DNS answers, while their names are read.
pub const fn names() -> usize {
    crate::dns::ANSWERS_BYTES
}

/// Bytes that the maps take when every row is used. An idle machine takes a fraction.
pub fn upper_bound(limits: Limits, cpus: usize) -> usize {
    let mut sum = 0;
    each_map(limits, limits, cpus, |_, bytes| sum += bytes);
    sum
}

#[cfg(test)]
mod tests;
