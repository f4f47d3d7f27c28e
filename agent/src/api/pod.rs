//! `/api/v1/pods`.

use super::{ByLabel, PodInfo, PodResponses, ProbeState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// The Pod's status from the API server. `null`: not a Pod, or without Kubernetes.
    pub status: Option<Arc<PodInfo>>,
    /// Paths of its living cgroups below the cgroup mount.
    pub cgroups: Vec<String>,
    /// False once its last cgroup is gone.
    pub alive: bool,
    /// The last window.
    pub window: PodWindow,
    /// Since the agent started.
    pub totals: PodTotals,
}

/// Statistics of one subject over the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodWindow {
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
    /// Median reply time of clients, to the nearest power of two of a jiffy. `null`: no client, or no sample.
    pub reply_p50_seconds: Option<f64>,
    /// Lowest RTT: the path, without the peers' delays.
    pub min_rtt_seconds: Option<f64>,
    /// Lowest RTT by peer class. Every class is present.
    pub min_rtt_seconds_by_peer: ByLabel<Option<f64>>,
    /// Retransmitted data segments per data segment sent, 0 … 1. `null`: no data was sent.
    pub retransmit_ratio: Option<f64>,
    /// Loss episodes per data segment sent. `null`: no data was sent.
    pub loss_episode_ratio: Option<f64>,
    /// Handshake durations by role (`client`, `server`).
    pub connect: ByLabel<DurationQuantiles>,
    /// DNS lookups over UDP that ended. Absent: none, or the probe is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsLookups>,
    /// Response times as a server, and of each callee. Absent: the agent is too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responses: Option<PodResponses>,
    /// Waits for a CPU. Absent: the probe was not attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_queue: Option<DurationQuantiles>,
    /// Packets dropped on its sockets by kernel reason, as in the totals. Absent: the agent is too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet_drops: Option<ByLabel<u64>>,
    /// States of the probes `resets`, `drops` and `dns`. Of a probe that is not attached, zeros say nothing; of one that is
    /// degraded, they say little. Absent: not known.
    #[serde(default, skip_serializing_if = "ByLabel::is_empty")]
    pub probes: ByLabel<ProbeState>,
    /// Shares of busy time by limit. `null`: no busy time.
    pub limited: LimitedShares,
    /// Share of the enforcement periods in which the subject was throttled, 0 … 1. `null`: no CPU limit.
    pub cpu_throttled_share: Option<f64>,
    /// Shares of the window in which tasks waited. `null`: the kernel offers no pressure information.
    pub pressure: Option<PressureShares>,
    /// PodCounts over the window.
    #[serde(flatten)]
    pub counts: PodCounts,
}

/// Statistics of one subject since the agent started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PodTotals {
    /// Packets dropped on its sockets by kernel reason.
    pub packet_drops: ByLabel<u64>,
    /// PodCounts.
    #[serde(flatten)]
    pub counts: PodCounts,
}

/// PodCounts of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodCounts {
    /// Data segments sent, retransmissions included.
    pub segments_sent: u64,
    /// Retransmitted segments by type; `spurious` is a subset of the others.
    pub retransmitted_segments: ByLabel<u64>,
    /// Loss episodes. A window's count leaves out tail loss probes and timeouts that proved needless.
    pub loss_episodes: u64,
    /// Completed handshakes by role.
    pub connects: ByLabel<u64>,
    /// Failed attempts by reason.
    pub connect_failures: ByLabel<u64>,
    /// Resets by direction (`sent`, `received`).
    pub resets: ByLabel<u64>,
    /// Connections turned away by a full accept queue.
    pub accept_queue_overflows: u64,
    /// Times that a walk found a socket with data to send and a closed receive window at its peer.
    pub zero_window_observations: u64,
    /// Payload bytes acknowledged by the peer.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Processes killed by the OOM killer. `null`: no memory controller.
    pub oom_kills: Option<u64>,
}

/// Percentiles of durations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DurationQuantiles {
    /// Median.
    pub p50_seconds: Option<f64>,
    /// 99th percentile.
    pub p99_seconds: Option<f64>,
}

/// DNS lookups of one subject over the window, at all servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsLookups {
    /// Lookups with every expected answer.
    pub answered: u64,
    /// Lookups without an answer.
    pub unanswered: u64,
    /// Answered lookups by the code of the worst answer; only those that were seen. Absent: the agent is too old.
    #[serde(default)]
    pub codes: ByLabel<u64>,
    /// Lookups of which one answer came, and another a second or more later, or never.
    #[serde(default)]
    pub second_missing: u64,
    /// Durations of the answered ones.
    #[serde(flatten)]
    pub durations: DurationQuantiles,
}

/// Shares of the busy time, 0 … 1, that add up to 1. `null`: no busy time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitedShares {
    /// Limited by the peer's receive window.
    pub receiver: Option<f64>,
    /// Limited by the local send buffer.
    pub send_buffer: Option<f64>,
    /// Limited by neither: the network.
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
