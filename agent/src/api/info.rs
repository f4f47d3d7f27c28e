//! `/api/v1/info`: the agent's own status, exported as `netwhy_agent_*` too.

use super::{
    CloseUps, HandshakeDutyCycle, HistoryStats, KernelErrors, MapFill, MemoryStats, ProbeStatus, ProgramRun,
    RttDutyCycle, WalkStats, WatchStatus,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The agent's own status. Counters are cumulative since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentStats {
    /// Version of this program.
    pub version: String,
    /// Release of the running kernel (`uname -r`).
    pub kernel: String,
    /// Name of this Node.
    pub node: String,
    /// Wall clock of the start, ms since the Unix epoch.
    pub started_unix_ms: u64,
    /// Rights that the agent dropped once its programs were attached, and those that it has.
    #[serde(default)]
    pub privileges: Privileges,
    /// True once every probe that this kernel supports is attached.
    pub attached: bool,
    /// Whether the Pod list was received in full. `None`: without Kubernetes.
    pub pods_complete: Option<bool>,
    /// Status of the watches of the API server. Empty without Kubernetes.
    #[serde(default)]
    pub watches: Vec<WatchStatus>,
    /// Whether the cluster has this agent's Node. `None`: unknown, or without Kubernetes.
    #[serde(default)]
    pub own_node_exists: Option<bool>,
    /// Pods that are exempt from sampling for a while. `None`: without Kubernetes.
    #[serde(default)]
    pub close_ups: Option<CloseUps>,
    /// Status of each probe.
    pub probes: Vec<ProbeStatus>,
    /// Run time of the kernel programs. Empty while the kernel doesn't measure it.
    pub programs: Vec<ProgramRun>,
    /// Fill of the kernel maps.
    pub maps: Vec<MapFill>,
    /// The tick: reading, joining, judging.
    pub ticks: TickStats,
    /// The newest walk over the live sockets. `None`: none yet, or not supported here.
    pub walk: Option<WalkStats>,
    /// Errors of the kernel while the agent runs, by operation.
    #[serde(default)]
    pub kernel_errors: Vec<KernelErrors>,
    /// Age of what is known of cgroups and their files, s. `None`: not known yet.
    #[serde(default)]
    pub cgroup_age_seconds: Option<f64>,
    /// Duty cycle of the RTT probe. `None`: it is not attached.
    #[serde(default)]
    pub rtt: Option<RttDutyCycle>,
    /// Duty cycle of the probe on handshakes. `None`: it is not attached.
    #[serde(default)]
    pub churn: Option<HandshakeDutyCycle>,
    /// The flight recorder. `None`: nothing is recorded.
    #[serde(default)]
    pub history: Option<HistoryStats>,
    /// Readings of the configuration file.
    pub config_reloads: ConfigReloads,
    /// The agent's process.
    pub process: ProcessStats,
    /// The agent's memory limit, and what it gave up for that.
    #[serde(default)]
    pub memory: MemoryStats,
    /// The HTTP server fills this in at each scrape.
    pub scrape: ScrapeStats,
    /// The HTTP server fills this in at each scrape. `None`: neither TLS nor authorization is on.
    #[serde(default)]
    pub protection: Option<ProtectionStats>,
}

/// Rights that only the start needs. The process can't get dropped ones back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// Names of the dropped capabilities, without the prefix `CAP_`.
    pub given_up: Vec<String>,
    /// Why rights were kept. `None`: all were dropped.
    pub kept: Option<String>,
    /// User id after dropping them. `None`: unknown.
    #[serde(default)]
    pub user: Option<u32>,
    /// Rights that some thread still has: capabilities, `user 0`, `group 0`, `bounding set`. Empty: none. `None`:
    /// unknown.
    #[serde(default)]
    pub rights: Option<Vec<String>>,
    /// Denied by Landlock, also towards processes of the same user: `tracing`, `writing`, `signals`. Empty: nothing.
    #[serde(default)]
    pub landlock: Vec<String>,
}

/// Figures of the tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TickStats {
    /// Snapshots taken.
    pub samples: u64,
    /// Duration of the newest tick, s. `None`: none yet.
    pub last_seconds: Option<f64>,
    /// Time spent by stage (`read`, `join`, `hints` …) since the start.
    pub stages: Vec<StageTime>,
    /// Time in which a snapshot was due and none was taken, s.
    pub blind_seconds: f64,
}

/// Time spent in one stage of the tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageTime {
    /// Name of the stage.
    pub stage: String,
    /// Time in it since the start, s.
    pub seconds: f64,
}

/// Readings of the configuration file after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReloads {
    /// Accepted.
    pub ok: u64,
    /// Refused: the previous configuration stays.
    pub failed: u64,
}

/// Protection of the main listener by TLS and authorization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectionStats {
    /// Refused connections and requests by reason, such as `unauthenticated`.
    pub refusals: BTreeMap<String, u64>,
    /// Readings of changed certificate files. `None`: TLS is off.
    pub tls_reloads: Option<TlsReloads>,
}

/// Readings of changed certificate files after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReloads {
    /// Accepted.
    pub ok: u64,
    /// Refused: the previous certificate stays.
    pub failed: u64,
}

/// The agent's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStats {
    /// Resident memory, bytes. `None`: unknown.
    pub resident_bytes: Option<u64>,
    /// User and system CPU time, s. `None`: unknown.
    pub cpu_seconds: Option<f64>,
}

/// Scrapes of `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScrapeStats {
    /// Scrapes answered before this one.
    pub count: u64,
    /// Encodings before this one. Scrapes of one format at the same moment share an encoding.
    #[serde(default)]
    pub encodings: u64,
    /// Time that the previous encoding took, s. `None`: this is the first.
    pub last_seconds: Option<f64>,
    /// Age of the view that this scrape shows, s. `None`: no view yet.
    pub view_age_seconds: Option<f64>,
}
