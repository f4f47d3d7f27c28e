//! Answers of `/api/v1`. Units are in the names; `null` means: not known (no sample, not offered, not measured).

mod convert;
mod peers;

pub use convert::{edges, node, pods};
pub use peers::{Excused, PeerRow, RttBaseline, peers};

use crate::api;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values by label value, such as `{"fast": 3, "timeout": 0}`.
pub type By<T> = BTreeMap<String, T>;

/// Any failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// One line.
    pub error: String,
}

/// One subject: a Pod, or a container or unit where there is no Kubernetes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodRow {
    /// `Pod`, `Container` or `Unit`.
    pub kind: String,
    /// Namespace; without Kubernetes the parent cgroup.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Owner, such as `Deployment/payment`.
    pub workload: String,
    /// This Node.
    pub node: String,
    /// What the API server says of the Pod. `null`: no Pod, or without Kubernetes.
    pub status: Option<std::sync::Arc<crate::pods::PodInfo>>,
    /// Paths of its living cgroups below the cgroup mount.
    pub cgroups: Vec<String>,
    /// False once its last cgroup went.
    pub alive: bool,
    /// The last window.
    pub window: Window,
    /// Since the agent started.
    pub totals: Totals,
}

/// Statistics of one subject over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Length of the window.
    pub seconds: f64,
    /// RTT samples.
    pub rtt_samples: u64,
    /// Median RTT, within 10 %.
    pub rtt_p50_seconds: Option<f64>,
    /// 90th percentile.
    pub rtt_p90_seconds: Option<f64>,
    /// 99th percentile.
    pub rtt_p99_seconds: Option<f64>,
    /// Median time that clients waited for a reply, to the nearest power of two of a jiffy. `null`: no client, or no sample.
    pub reply_p50_seconds: Option<f64>,
    /// Lowest RTT: the path, without the peers' think time.
    pub min_rtt_seconds: Option<f64>,
    /// The same by peer class; every class is there.
    pub min_rtt_seconds_by_peer: By<Option<f64>>,
    /// Retransmitted data segments per data segment sent, 0 … 1. `null`: no data was sent.
    pub retransmit_ratio: Option<f64>,
    /// Loss episodes per data segment sent. `null`: no data was sent.
    pub loss_episode_ratio: Option<f64>,
    /// Handshake durations by role (`client`, `server`).
    pub connect: By<Durations>,
    /// DNS lookups over UDP that ended. Absent: none, or not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsLookups>,
    /// Waits for a CPU. Absent: the scheduler was not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_queue: Option<Durations>,
    /// What held busy sockets back. `null`: no busy time.
    pub limited: LimitedShares,
    /// Share of the enforcement periods in which the subject was throttled, 0 … 1. `null`: no CPU limit.
    pub cpu_throttled_share: Option<f64>,
    /// Shares of the window in which tasks waited. `null`: the kernel offers no pressure information.
    pub pressure: Option<PressureShares>,
    /// Counts over the window.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Statistics of one subject since the agent started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Packets dropped on its sockets by kernel reason.
    pub packet_drops: By<u64>,
    /// Counts.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Counts of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Retransmitted segments by type; `spurious` is a subset of the others.
    pub retransmitted_segments: By<u64>,
    /// Bursts of retransmission; in a window without probes and timeouts that turned out needless.
    pub loss_episodes: u64,
    /// Completed handshakes by role.
    pub connects: By<u64>,
    /// Failed attempts by reason.
    pub connect_failures: By<u64>,
    /// Resets by direction (`sent`, `received`).
    pub resets: By<u64>,
    /// Connections turned away by a full accept queue.
    pub accept_queue_overflows: u64,
    /// Walks that found the peer's window closed with data waiting, per socket.
    pub zero_window_observations: u64,
    /// Payload bytes acknowledged by the peer.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Processes killed for memory. `null`: no memory controller.
    pub oom_kills: Option<u64>,
}

/// Percentiles of durations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Durations {
    /// Median.
    pub p50_seconds: Option<f64>,
    /// 99th percentile.
    pub p99_seconds: Option<f64>,
}

/// DNS lookups of one subject over the window, at all servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsLookups {
    /// With every answer that was waited for.
    pub answered: u64,
    /// Without.
    pub unanswered: u64,
    /// Of the answered ones.
    #[serde(flatten)]
    pub durations: Durations,
}

/// Shares of the busy time, 0 … 1, that add up to 1. `null`: no busy time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitedShares {
    /// Held back by the peer's receive window.
    pub receiver: Option<f64>,
    /// Held back by the local send buffer.
    pub send_buffer: Option<f64>,
    /// Neither: the network.
    pub network: Option<f64>,
}

/// Shares of the window, 0 … 1, in which some or all tasks waited for a resource (PSI).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PressureShares {
    /// Some task for a CPU.
    pub cpu_some: f64,
    /// All tasks for a CPU.
    pub cpu_full: f64,
    /// Some task for memory.
    pub memory_some: f64,
    /// All tasks for memory.
    pub memory_full: f64,
    /// Some task for IO.
    pub io_some: f64,
    /// All tasks for IO.
    pub io_full: f64,
}

/// One (subject, remote address) over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeRow {
    /// The subject at this end.
    pub subject: api::Subject,
    /// Remote address; IPv4-mapped ones as IPv4.
    pub peer: String,
    /// Peer class, such as `same_zone`.
    pub class: String,
    /// What the address is: `pod`, `node_or_masqueraded`, `service`, or `range` when only its range is known.
    pub peer_kind: String,
    /// Node that the peer is on. `null`: not known, or outside.
    pub peer_node: Option<String>,
    /// `namespace/name` of the peer's Pod. `null`: not known, or no Pod.
    pub peer_pod: Option<String>,
    /// Length of the window.
    pub window_seconds: f64,
    /// RTT samples.
    pub rtt_samples: u64,
    /// 10th percentile of the RTT: the path.
    pub rtt_p10_seconds: Option<f64>,
    /// Median.
    pub rtt_p50_seconds: Option<f64>,
    /// 99th percentile.
    pub rtt_p99_seconds: Option<f64>,
    /// Median time that clients waited for a reply, to the nearest power of two of a jiffy. `null`: no client, or no sample.
    pub reply_p50_seconds: Option<f64>,
    /// Lowest.
    pub min_rtt_seconds: Option<f64>,
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Bursts of retransmission; in a window without probes and timeouts that turned out needless.
    pub loss_episodes: u64,
    /// Retransmitted segments by type; `spurious` is a subset of the others.
    pub retransmitted_segments: By<u64>,
    /// Completed handshakes by role.
    pub connects: By<u64>,
    /// Failed attempts by reason.
    pub connect_failures: By<u64>,
    /// What held busy sockets back.
    pub limited: LimitedShares,
    /// Payload bytes acknowledged by the peer.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
}

/// This Node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Name.
    pub node: String,
    /// Wall clock of the newest snapshot, ms since the Unix epoch.
    pub unix_ms: u64,
    /// Length of the window.
    pub window_seconds: f64,
    /// True once a whole window was computed.
    pub window_complete: bool,
    /// Jiffies per second. `null`: not measured yet.
    pub jiffies_hertz: Option<u32>,
    /// What reading each group of the Node's signals came to, by group. Empty: they are not read.
    pub signal_states: By<SignalState>,
    /// Interfaces that lead out of the Node.
    pub devices: Vec<DeviceRow>,
    /// The Node's signals. What is not here is not offered, or not there; see `signal_states`.
    pub signals: Vec<SignalRow>,
    /// Subjects known.
    pub subjects: u64,
    /// Edges active in the window.
    pub edges: u64,
    /// Packets dropped that belonged to no socket, by kernel reason, since the agent started.
    pub packet_drops: By<u64>,
    /// Samples without a subject, by reason, since the agent started.
    pub unattributed_samples: By<u64>,
    /// What the kernel programs count about themselves.
    pub kernel_events: By<u64>,
    /// Hints that began, by cause.
    pub hints_total: By<u64>,
}

/// What reading a group of signals came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalState {
    /// `ok`, `absent` (the Node has no such thing), `unsupported` (the kernel or the agent's place in it does not offer
    /// it) or `broken` (it is there and could not be read).
    pub state: String,
    /// Why, and what would help. `null`: nothing to say.
    pub why: Option<String>,
}

/// An interface that leads out of the Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Name.
    pub name: String,
    /// Driver. `null`: none, or not known; so for the others.
    pub driver: Option<String>,
    /// The driver's version.
    pub version: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Root queue discipline.
    pub qdisc: Option<String>,
}

/// One of the Node's signals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRow {
    /// Name.
    pub signal: String,
    /// Device or CPU. `null`: the Node as a whole.
    pub on: Option<String>,
    /// `counter`: `total`, `window` and rates; `gauge`: `value`.
    pub kind: String,
    /// Unit of the raw values.
    pub unit: String,
    /// File, call or kernel name that it comes from.
    pub source: String,
    /// A gauge's value of now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<u64>,
    /// A counter's growth since the agent started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub total: Option<u64>,
    /// Its growth over the window.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<u64>,
    /// Its growth per second over the window. Absent: no window yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub per_second: Option<f64>,
    /// The same in normal times. Absent: not known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline_per_second: Option<f64>,
}
