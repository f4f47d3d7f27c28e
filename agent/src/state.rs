//! The published view of this Node: one writer (the tick) makes it, everyone else reads the latest `Arc`.

mod calls;
mod drop_reasons;
mod edge;
mod firing;
mod folded;
mod host;

pub use self::calls::{CallKey, CallSums};
pub use crate::sample::RECENT;
pub use drop_reasons::DropReasons;
pub use edge::{DnsView, EdgeView, Endpoint, PathRtt, PeerHost, PeerId, ResponseView, Usual, Waiting};
pub use firing::{FiringKey, FiringTime};
pub use folded::Folded;
pub use host::{HostCount, HostView};

use crate::{
    api::{self, PodInfo},
    sample::{Connects, CpuStat, Histogram, Lookups, Pressure, Responses, Tally, summed},
};
use netwhy_abi::{Counter, PeerClass, Role};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Everything that scrapes, look-ups and hints are made from.
#[derive(Clone, Debug, Default)]
pub struct NodeView {
    /// Name of this Node.
    pub node: String,
    /// Its zone. `None`: not known, or the cluster has none.
    pub zone: Option<Arc<str>>,
    /// Monotonic time of the newest snapshot.
    pub at: Duration,
    /// Wall clock of the newest snapshot, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Time that `window` values cover; shorter than configured until enough snapshots were taken.
    pub window: Duration,
    /// True once a first window was computed; `window` says how long it is.
    pub window_complete: bool,
    /// Time that [`EdgeView::losses`] cover. `None`: the window.
    pub losses_cover: Option<Duration>,
    /// When the newest walk began, monotonic. `None`: no walk yet, so it is not known what waits for an answer.
    pub walked_at: Option<Duration>,
    /// Jiffies per second. `None`: not measured yet, so limited times are absent.
    pub hz: Option<u32>,
    /// Pods, or units where there is no Kubernetes. Sorted by (namespace, name).
    pub subjects: Vec<SubjectView>,
    /// Edges active in the window, and those with requests that wait for an answer; busiest first.
    pub edges: Vec<EdgeView>,
    /// DNS lookups that ended in the window, by subject and server, most first; as many as `edges` may be.
    pub dns: Vec<DnsView>,
    /// Subjects that lost their own series before `limits.gone_seconds` were over, because there were too many. `None`:
    /// there was none.
    pub folded: Option<Arc<Folded>>,
    /// Sums since the agent started by Node at the other end, of a bounded number of Nodes; see [`PeerNodeView`].
    pub peer_nodes: Vec<PeerNodeView>,
    /// The Node's own signals. `None`: not read.
    pub host: Option<HostView>,
    /// CPU users of the window, most first, a bounded number: also units that are no subjects here.
    pub cpu_users: Vec<CpuUser>,
    /// Firing and recently resolved hints.
    pub hints: Vec<api::Hint>,
    /// Hints that began, by cause.
    pub hints_total: BTreeMap<String, u64>,
    /// Time for which hints fired, also of those that ended in the last quarter of an hour.
    pub firing: Vec<FiringTime>,
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
    /// The Pod, from the API server. `None`: no Pod, or without Kubernetes.
    pub pod: Option<Arc<PodInfo>>,
    /// The time to compare the Pod's status with, ms since the Unix epoch: a step of the wall clock leaves it alone.
    /// `None`: [`NodeView::unix_ms`].
    pub status_now_ms: Option<i64>,
    /// Paths of its living cgroups.
    pub cgroups: Vec<String>,
    /// When its last cgroup went, monotonic. `None`: alive.
    pub gone_since: Option<Duration>,
    /// Sums since the agent started.
    pub sums: SubjectSums,
    /// Sums over the window, all classes.
    pub window: Tally,
    /// Lowest RTT of the window by class, µs.
    pub min_rtt_us: [Option<u32>; PeerClass::ALL.len()],
    /// Requests without an answer for a second or more now, by [`Role`].
    pub unanswered: [u64; Role::ALL.len()],
    /// Its fullest accept queue now, in parts of [`FILL_PARTS`](netwhy_abi::FILL_PARTS). `None`: no walk yet, or it is
    /// gone.
    pub accept_fill: Option<u16>,
    /// Its requests and answers as a server, of all clients together. `None`: no request ended in the window, and none
    /// waits for an answer.
    pub server: Option<Box<ResponseView>>,
    /// Handshakes and accept queues over the window.
    pub window_connects: Connects,
    /// Waits for a CPU over the window.
    pub window_run_queue: Histogram,
    /// Drops on its sockets over the window by kernel reason number.
    pub window_drops: BTreeMap<u32, u64>,
    /// CPU bandwidth control, sums since the agent first saw it. `None`: no controller.
    pub cpu: Option<CpuStat>,
    /// The same over the window.
    pub window_cpu: Option<CpuStat>,
    /// Pressure, sums since the agent first saw it. `None`: not offered.
    pub pressure: Option<Pressure>,
    /// The same over the window.
    pub window_pressure: Option<Pressure>,
    /// CPU time used over the window, µs. `None`: not accounted for.
    pub window_usage_us: Option<u64>,
    /// Times at its own memory limits over the window. `None`: no controller.
    pub window_memory_limit_hits: Option<u64>,
    /// Processes killed for memory since the agent started. `None`: no controller.
    pub oom_kills: Option<u64>,
    /// The same over the window.
    pub window_oom_kills: u64,
}

impl SubjectView {
    /// Sum over all classes since the agent started.
    pub fn total(&self) -> Tally {
        self.sums.total()
    }

    /// Adds the exported values of another subject: counts, the lower of the lowest RTTs, and the fuller of the accept
    /// queues.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.sums.add(&other.sums);
        for (lowest, other) in self.min_rtt_us.iter_mut().zip(other.min_rtt_us) {
            *lowest = [*lowest, other].into_iter().flatten().min();
        }
        self.unanswered.iter_mut().zip(other.unanswered).for_each(|(sum, more)| *sum += more);
        self.accept_fill = self.accept_fill.max(other.accept_fill);
        if let Some(cpu) = &other.cpu {
            self.cpu.get_or_insert_default().add(cpu);
        }
        if let Some(pressure) = &other.pressure {
            self.pressure.get_or_insert_default().add(pressure);
        }
        if let Some(kills) = other.oom_kills {
            *self.oom_kills.get_or_insert_default() += kills;
        }
    }
}

summed! {
    /// Sums over all rows of one subject since the agent started.
    pub struct SubjectSums {
        /// Its edges by [`PeerClass`]; `None`: no traffic of that class yet.
        pub totals: [Option<Box<Tally>>; PeerClass::ALL.len()],
        /// Handshakes and accept queues.
        pub connects: Connects,
        /// DNS lookups over UDP.
        pub lookups: Lookups,
        /// Response times by [`Role`] and [`PeerClass`]; `None`: no request yet.
        pub responses: [[Option<Box<Responses>>; PeerClass::ALL.len()]; Role::ALL.len()],
        /// Sampled HTTP calls. `None`: none yet.
        pub calls: Option<Box<CallSums>>,
        /// Waits for a CPU, while the scheduler was observed.
        pub run_queue: Histogram,
        /// Drops on its sockets by kernel reason number.
        pub drops: BTreeMap<u32, u64>,
    }
}

impl SubjectSums {
    /// Adds the growth of an edge.
    pub fn add_tally(&mut self, class: PeerClass, tally: &Tally) {
        self.totals[class as usize].get_or_insert_default().add(tally);
    }

    /// Adds response times of an edge.
    pub fn add_responses(&mut self, role: Role, class: PeerClass, responses: &Responses) {
        self.responses[role as usize][class as usize].get_or_insert_default().add(responses);
    }

    /// Exchanges that were looked at for HTTP, and those of them that could be read.
    pub fn looked_at(&self) -> (u64, u64) {
        let times = self.responses.iter().flatten().flatten();
        times.fold((0, 0), |(sampled, readable), times| {
            (sampled + times.sampled, readable + times.readable + times.http2)
        })
    }

    /// Samples in it, for the count of those that no subject was found for.
    pub fn samples(&self) -> u64 {
        let Self { totals, connects, lookups, responses, calls: _, run_queue: _, drops } = self;
        let of = |t: &Tally| t.rtt.count() + t.data_segs_out + t.retransmitted() + t.connects.iter().sum::<u64>();
        let edges: u64 = totals.iter().flatten().map(|tally| of(tally)).sum();
        let responses: u64 = responses.iter().flatten().flatten().map(|times| times.durations.count()).sum();
        edges + responses + drops.values().sum::<u64>() + connects.accept_drops + lookups.count()
    }

    /// True once any network traffic was counted. Waits for a CPU are none: every task waits now and then.
    pub fn has_traffic(&self) -> bool {
        let Self { totals, connects, lookups, responses: _, calls: _, run_queue: _, drops } = self;
        let edges = totals.iter().any(Option::is_some);
        edges || !connects.is_zero() || lookups.count() > 0 || !drops.is_empty()
    }

    /// Sum over all classes.
    pub fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for tally in self.totals.iter().flatten() {
            sum.add(tally);
        }
        sum
    }
}

/// Sums over all edges to one Node since the agent started. Nodes have their own sums in the order of their first
/// traffic, up to `limits.peer_nodes`; all later ones share one. A Node that is gone gives its place to the next, and its
/// sums to the shared ones, so that no total ever falls.
#[derive(Clone, Debug)]
pub struct PeerNodeView {
    /// Name. `None`: all Nodes that have no sums of their own.
    pub node: Option<Arc<str>>,
    /// Sums.
    pub totals: Tally,
}

/// A user of CPU time.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuUser {
    /// Who: a Pod, or a unit or cgroup that holds no Pod.
    pub id: SubjectId,
    /// CPU time over the window, µs.
    pub usage_us: u64,
    /// Weight in the competition for CPUs. `None`: not known.
    pub weight: Option<u64>,
}
