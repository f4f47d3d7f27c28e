//! The published view of this Node: one writer (the tick) makes it, everyone else reads the latest `Arc`.

use crate::{
    api,
    peers::PeerKind,
    pods::PodInfo,
    sample::{Connects, CpuStat, Pressure, Tally},
};
use netwhy_abi::{Counter, PeerClass};
use serde::Serialize;
use std::{collections::BTreeMap, net::Ipv6Addr, sync::Arc, time::Duration};

/// Everything that scrapes, look-ups and hints are made from.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// Name of this Node.
    pub node: String,
    /// Monotonic time of the newest snapshot.
    pub at: Duration,
    /// Wall clock of the newest snapshot, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Time that `window` values cover; shorter than configured until enough snapshots were taken.
    pub window: Duration,
    /// True once a first window was computed; `window` says how long it is.
    pub window_complete: bool,
    /// Jiffies per second. `None`: not measured yet, so limited times are absent.
    pub hz: Option<u32>,
    /// Pods, or units where there is no Kubernetes. Sorted by (namespace, name).
    pub subjects: Vec<SubjectView>,
    /// Edges active in the window, busiest first.
    pub edges: Vec<EdgeView>,
    /// Sums since the agent started by Node at the other end, of a bounded number of Nodes; see [`PeerNodeView`].
    pub peer_nodes: Vec<PeerNodeView>,
    /// Firing and recently resolved hints.
    pub hints: Vec<api::Hint>,
    /// Hints that began, by cause.
    pub hints_total: BTreeMap<String, u64>,
    /// Samples (rows' deltas) that no subject could be found for, by reason.
    pub unattributed: BTreeMap<&'static str, u64>,
    /// Drops that belong to no socket, by kernel reason number.
    pub node_drops: BTreeMap<u32, u64>,
    /// Names of the kernel's drop reasons; index = number. Empty where the kernel has none.
    pub drop_reasons: Arc<Vec<String>>,
    /// The kernel programs' own counters.
    pub counters: [u64; Counter::ALL.len()],
}

/// Who something is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SubjectId {
    /// Pod, container or unit.
    pub kind: SubjectKind,
    /// Kubernetes namespace; without Kubernetes the parent cgroup, such as `system.slice` or `/`.
    pub namespace: String,
    /// Pod name; without Kubernetes the unit, container or cgroup name.
    pub name: String,
    /// `Deployment/payment`; without Kubernetes `Unit/nginx.service` or `Container/3f…`.
    pub workload: String,
}

/// Kinds of subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum SubjectKind {
    /// A systemd unit, or any cgroup that is neither a container nor a Pod.
    #[default]
    Unit,
    /// A container outside Kubernetes.
    Container,
    /// A Pod.
    Pod,
}

/// One subject: sums since the agent started, and over the window.
#[derive(Clone, Debug, Default)]
pub struct SubjectView {
    /// Who.
    pub id: SubjectId,
    /// What the API server says of it. `None`: no Pod, or without Kubernetes.
    pub pod: Option<Arc<PodInfo>>,
    /// Paths of its living cgroups.
    pub cgroups: Vec<String>,
    /// When its last cgroup went, monotonic. `None`: alive.
    pub gone_since: Option<Duration>,
    /// Sums since the agent started by [`PeerClass`]; `None`: no traffic of that class yet.
    pub totals: [Option<Box<Tally>>; PeerClass::ALL.len()],
    /// Sums over the window, all classes.
    pub window: Tally,
    /// Lowest RTT of the window by class, µs.
    pub min_rtt_us: [Option<u32>; PeerClass::ALL.len()],
    /// Handshakes and accept queues since the agent started.
    pub connects: Connects,
    /// The same over the window.
    pub window_connects: Connects,
    /// Drops on its sockets by kernel reason number, since the agent started.
    pub drops: BTreeMap<u32, u64>,
    /// CPU bandwidth control, sums since the agent first saw it. `None`: no controller.
    pub cpu: Option<CpuStat>,
    /// The same over the window.
    pub window_cpu: Option<CpuStat>,
    /// Pressure, sums since the agent first saw it. `None`: not offered.
    pub pressure: Option<Pressure>,
    /// The same over the window.
    pub window_pressure: Option<Pressure>,
    /// Processes killed for memory since the agent started. `None`: no controller.
    pub oom_kills: Option<u64>,
    /// The same over the window.
    pub window_oom_kills: u64,
}

impl SubjectView {
    /// Sum over all classes since the agent started.
    pub fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in self.totals.iter().flatten() {
            sum.add(tally);
        }
        sum
    }
}

/// One edge over the window.
#[derive(Clone, Debug)]
pub struct EdgeView {
    /// The subject at this end.
    pub subject: SubjectId,
    /// The remote address (IPv4 as IPv4-mapped).
    pub peer: Ipv6Addr,
    /// How far away it is.
    pub class: PeerClass,
    /// What the address is.
    pub kind: PeerKind,
    /// The Node that it is on. `None`: not known, or outside.
    pub peer_node: Option<Arc<str>>,
    /// `namespace/name` of the Pod that has it. `None`: not known, or no Pod's.
    pub peer_pod: Option<Arc<str>>,
    /// Sums over the window.
    pub window: Tally,
}

/// Whom an edge leads to, as far as losses on the way there are concerned: the Node, where it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerId {
    /// A Node of the cluster.
    Node(Arc<str>),
    /// An address that no Node is known for.
    Address(Ipv6Addr),
}

impl EdgeView {
    /// Whom it leads to.
    pub fn peer_id(&self) -> PeerId {
        match &self.peer_node {
            Some(node) => PeerId::Node(node.clone()),
            None => PeerId::Address(self.peer),
        }
    }
}

/// Sums over all edges to one Node since the agent started. Nodes have their own sums in the order of their first
/// traffic, up to `limits.peer_nodes`; all later ones share one, so that no sum ever falls.
#[derive(Clone, Debug)]
pub struct PeerNodeView {
    /// Name. `None`: all Nodes that have no sums of their own.
    pub node: Option<Arc<str>>,
    /// Sums.
    pub totals: Tally,
}
