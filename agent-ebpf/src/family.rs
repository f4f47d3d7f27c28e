//! The families of rows: each is one hash map of the kernel programs, declared once in [`families!`](crate::families).

use crate::{
    counters::PeerClass,
    keys::{DropKey, EdgeKey, OverflowKey},
    memory::Limits,
    row::{Plain, Zero},
};
use core::{fmt::Debug, hash::Hash};

/// Key of a family: it begins with a cgroup.
pub trait Key: Plain + Eq + Hash + Ord + Debug {
    /// cgroup v2 id; 0 where the row belongs to no cgroup.
    fn cgroup(&self) -> u64;
}

impl Key for u64 {
    fn cgroup(&self) -> u64 {
        *self
    }
}

impl Key for EdgeKey {
    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

impl Key for OverflowKey {
    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

impl Key for DropKey {
    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

impl OverflowKey {
    /// The row of one cgroup and class.
    pub const fn new(cgroup: u64, class: PeerClass) -> Self {
        Self { cgroup, class: class as u32, pad: 0 }
    }

    /// The class that the row counts.
    pub const fn peer_class(&self) -> PeerClass {
        PeerClass::from_index(self.class)
    }
}

/// The object that holds a map. Each is loaded by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// `netwhy-bpf`: always loaded.
    Main,
    /// `netwhy-run-queue`: loaded where the kernel can run it and the configuration wants it.
    RunQueue,
}

/// One hash map and its rows.
pub trait Family: Copy + Debug + Default + 'static {
    /// Key of a row.
    type Key: Key;
    /// A row.
    type Row: Plain + Eq + Hash + Zero + Debug;
    /// Name in metrics, JSON and recordings.
    const NAME: &'static str;
    /// Name of the map.
    const MAP: &'static str;
    /// Where the map is.
    const OBJECT: Object;

    /// Rows that the map has room for.
    fn capacity(limits: &Limits) -> usize;
}

/// Lists all families to another macro: `families!(then! { anything })` becomes `then! { { anything } families }`.
///
/// A line reads: field in the agent's tables, type of the family, map and its object, key and row, and the limit that
/// is the map's capacity. The comment says why the limit suffices.
#[macro_export]
macro_rules! families {
    ($then:ident! { $($with:tt)* }) => {
        $then! {
            { $($with)* }
            /// Connections of one cgroup and remote address. 16,384 rows are 65 peers for each of 250 Pods.
            edges: Edges = EDGES in Main, $crate::EdgeKey => $crate::EdgeStats, limits.edges;
            /// Edges that did not fit. At most five classes per cgroup, and most cgroups have traffic of one or two.
            overflow: Overflow = OVERFLOW in Main, $crate::OverflowKey => $crate::EdgeStats, limits.cgroups;
            /// Handshakes and accept queues. 4096 rows are 250 Pods with a pause container and a few containers each,
            /// and restarts in flight.
            cgroups: Cgroups = CGROUPS in Main, u64 => $crate::CgroupStats, limits.cgroups;
            /// Dropped packets by cgroup and kernel reason: a handful of reasons per cgroup.
            drops: Drops = DROPS in Main, $crate::DropKey => u64, limits.drops;
            /// DNS lookups by cgroup and server: most cgroups ask one or two servers.
            dns: Dns = DNS in Main, $crate::EdgeKey => $crate::DnsStats, limits.cgroups;
            /// Response times by edge: at most one row per edge.
            responses: ResponseTimes = RESPONSES in Main, $crate::EdgeKey => $crate::ResponseStats, limits.edges;
            /// Waits for a CPU by cgroup: one row per cgroup.
            run_queue: RunQueue = RUN_QUEUE in RunQueue, u64 => $crate::RunQueueStats, limits.cgroups;
        }
    };
}

/// Declares the types of listed families, in the form of [`families!`](crate::families).
#[macro_export]
macro_rules! declare_families {
    (
        {}
        $($(#[$doc:meta])* $field:ident: $family:ident = $map:ident in $object:ident, $key:ty => $row:ty, limits.$limit:ident;)+
    ) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default)]
            pub struct $family;

            impl $crate::Family for $family {
                type Key = $key;
                type Row = $row;
                const NAME: &'static str = stringify!($field);
                const MAP: &'static str = stringify!($map);
                const OBJECT: $crate::Object = $crate::Object::$object;

                fn capacity(limits: &$crate::memory::Limits) -> usize {
                    limits.$limit
                }
            }
        )+
    };
}

families!(declare_families! {});
