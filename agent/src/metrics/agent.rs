//! The agent's own figures: plain data that the tick publishes, exported as `netwhy_agent_*` and by `/api/v1/info`.

use crate::pods::WatchStatus;
use serde::{Deserialize, Serialize};

/// What the agent knows about itself. Counters are cumulative since the start.
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
    /// What the agent gave up once its programs were attached.
    #[serde(default)]
    pub privileges: Privileges,
    /// True once every probe that this kernel supports is attached.
    pub attached: bool,
    /// Whether the Pod list was received in full. `None`: there is no Kubernetes to ask.
    pub pods_complete: Option<bool>,
    /// How the watches of the API server fare; empty without Kubernetes.
    #[serde(default)]
    pub watches: Vec<WatchStatus>,
    /// Whether the cluster has this agent's Node. `None`: not known, or without Kubernetes.
    #[serde(default)]
    pub own_node_exists: Option<bool>,
    /// Verdict on each probe.
    pub probes: Vec<ProbeVerdict>,
    /// Run time of the kernel programs; empty while the kernel isn't asked to measure it.
    pub programs: Vec<ProgramRun>,
    /// Fill of the kernel maps.
    pub maps: Vec<MapFill>,
    /// The tick: reading, joining, judging.
    pub ticks: TickStats,
    /// The newest walk over the live sockets. `None`: none yet, or not supported here.
    pub walk: Option<WalkStats>,
    /// How received segments are looked at for RTT samples. `None`: they are not.
    #[serde(default)]
    pub rtt: Option<RttWatch>,
    /// How sockets that come and go are counted. `None`: they are not.
    #[serde(default)]
    pub churn: Option<ChurnWatch>,
    /// Readings of the configuration file.
    pub config_reloads: ConfigReloads,
    /// The agent's process.
    pub process: ProcessStats,
    /// Filled in by the HTTP server at each scrape.
    pub scrape: ScrapeStats,
}

/// Capabilities that only loading the kernel programs needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// Names without the prefix `CAP_`; the process can't get them back.
    pub given_up: Vec<String>,
    /// Why they were not given up. `None`: they were, or there were none.
    pub kept: Option<String>,
}

/// Verdict on one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeVerdict {
    /// Name of the probe, such as `tcp_probe`.
    pub name: String,
    /// How it is.
    pub state: ProbeState,
    /// Why it isn't `ok`, and the remedy; empty when it is.
    pub why: String,
}

/// How a probe is: four ways of not working are four values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeState {
    /// Works in full.
    Ok,
    /// Works in part.
    Degraded,
    /// This kernel doesn't have it.
    Unsupported,
    /// Switched off by the configuration.
    #[default]
    Off,
    /// Should work but doesn't.
    Broken,
}

impl ProbeState {
    /// Value of the `state` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unsupported => "unsupported",
            Self::Off => "off",
            Self::Broken => "broken",
        }
    }
}

/// Run time of one kernel program, in the slices in which the kernel measured it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRun {
    /// Name of the program.
    pub name: String,
    /// Time in it, ns; includes the measuring itself (about 60 ns per run).
    pub run_ns: u64,
    /// Measured runs.
    pub run_count: u64,
    /// Runs that the kernel left out because the program was running on that CPU already. `None`: not counted before 5.12.
    #[serde(default)]
    pub missed: Option<u64>,
}

/// Fill of one kernel map.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapFill {
    /// Name of the map.
    pub name: String,
    /// Rows in use.
    pub entries: u64,
    /// Rows that fit.
    pub max_entries: u64,
    /// Kernel memory that it takes, bytes. `None`: the kernel doesn't say.
    pub bytes: Option<u64>,
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

/// A walk over the live sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WalkStats {
    /// TCP sockets looked at.
    pub sockets: u64,
    /// Of these, listening.
    pub listeners: u64,
    /// How long it took, s.
    pub seconds: f64,
    /// Time between the beginnings of two walks, s.
    pub interval_seconds: f64,
}

/// How received segments are looked at for RTT samples. A Node that receives very many looks in windows only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RttWatch {
    /// Segments that the machine received, a second, while they were looked at; estimated from those that gave a sample.
    pub segments_per_second: f64,
    /// Whether they are looked at in windows only, now.
    pub in_windows: bool,
    /// They are looked at for one part in so many of the time, now; 1: always. 0: an agent that doesn't tell.
    #[serde(default)]
    pub part: u32,
    /// Windows so far.
    pub windows: u64,
    /// Time in which they were looked at, s.
    pub watched_seconds: f64,
}

/// How TCP sockets that come and go are counted. A Node on which very many do counts a part of the plain ones for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChurnWatch {
    /// TCP sockets that ended, a second.
    pub sockets_per_second: f64,
    /// Whether a part of the plain ones is counted for all, now.
    pub in_part: bool,
    /// Windows so far in which handshakes were looked at.
    pub windows: u64,
    /// Time in which they were looked at, s.
    pub watched_seconds: f64,
}

/// Readings of the configuration file after the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReloads {
    /// Taken over.
    pub ok: u64,
    /// Refused; the previous configuration stays.
    pub failed: u64,
}

/// The agent's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProcessStats {
    /// Resident memory, bytes. `None`: not known.
    pub resident_bytes: Option<u64>,
    /// User and system CPU time, s. `None`: not known.
    pub cpu_seconds: Option<f64>,
}

/// Scrapes of `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScrapeStats {
    /// Scrapes answered before this one.
    pub count: u64,
    /// How long the previous one took to encode, s. `None`: this is the first.
    pub last_seconds: Option<f64>,
    /// Age of the view that this scrape shows, s. `None`: no view yet.
    pub view_age_seconds: Option<f64>,
}
