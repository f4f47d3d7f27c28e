//! Status of the kernel side: probes, programs, maps, the walk and the duty cycles.

use serde::{Deserialize, Serialize};

/// Status of one probe.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// Name of the probe, such as `rtt`.
    pub name: String,
    /// State.
    pub state: ProbeState,
    /// Why the state isn't `ok`, and the missing data. Empty when it is.
    pub why: String,
    /// Kind of the refusal behind the state. `None`: nothing was refused. Not in the JSON.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
}

/// Kind of the kernel's refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A capability is missing.
    Permission,
    /// This kernel lacks the feature.
    Unsupported,
    /// Anything else, such as an object that the verifier rejects.
    Other,
}

/// State of a probe. The four ways of not working are four values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeState {
    /// All of its programs are attached, or attached on demand.
    Ok,
    /// Some of its programs are attached, or its walk fails.
    Degraded,
    /// This kernel lacks it.
    Unsupported,
    /// Off by configuration or for lack of a capability.
    #[default]
    Off,
    /// The kernel has it but refused to attach it.
    Broken,
}

impl ProbeState {
    /// Name in JSON, and value of the `state` label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unsupported => "unsupported",
            Self::Off => "off",
            Self::Broken => "broken",
        }
    }

    /// Whether the probe counts anything.
    pub const fn is_attached(self) -> bool {
        matches!(self, Self::Ok | Self::Degraded)
    }
}

/// Run time of one kernel program. The kernel measures it in one short slice a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRun {
    /// Name of the program.
    pub name: String,
    /// Time in it, ns. Includes the measuring itself, about 60 ns a run.
    pub run_ns: u64,
    /// Measured runs.
    pub run_count: u64,
    /// Runs that the kernel skipped because the program was already running on that CPU. They are counted at all times.
    /// `None`: the kernel doesn't count them (before 5.12).
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
    /// Bytes of the keys and values in use. `None`: unknown.
    pub bytes: Option<u64>,
}

/// The newest walk over the live sockets that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WalkStats {
    /// TCP sockets visited.
    pub sockets: u64,
    /// Of these, listening.
    pub listeners: u64,
    /// CPU time of the walk, s. The walk of a large Node is spread over several ticks.
    pub seconds: f64,
    /// Time between the beginnings of two walks, s.
    pub interval_seconds: f64,
    /// Age of what walks know: time since this walk began, s. `None`: the agent is too old to say.
    #[serde(default)]
    pub age_seconds: Option<f64>,
    /// Sockets without storage, because the agent is near its memory limit. They are not among `sockets`.
    #[serde(default)]
    pub without_storage: u64,
}

/// Errors of the kernel in one operation of the tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelErrors {
    /// The operation, such as `walk` or `read_rows`.
    pub operation: String,
    /// Errors since the start.
    pub count: u64,
    /// Why it fails now. `None`: it works.
    pub last_error: Option<String>,
}

/// Duty cycle of the probe that samples RTTs from received segments. A Node that receives many attaches it on a
/// duty cycle below 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RttDutyCycle {
    /// Segments that the machine receives a second while the probe is attached. Estimated from those that gave a
    /// sample.
    pub segments_per_second: f64,
    /// Whether the duty cycle is below 1 now.
    #[serde(rename = "in_windows")]
    pub is_reduced: bool,
    /// The duty cycle is 1 / `divisor` now. 1: always attached. 0: the agent is too old to say.
    #[serde(default, rename = "part")]
    pub divisor: u32,
    /// Share of the time that the probe is attached now, 0 … 1. `None`: the agent is too old to say.
    #[serde(default)]
    pub duty_cycle: Option<f64>,
    /// Duty periods so far.
    #[serde(rename = "windows")]
    pub periods: u64,
    /// Time in which the probe was attached, s.
    #[serde(rename = "watched_seconds")]
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the program again. Not in the JSON.
    #[serde(skip)]
    pub failures: u64,
}

/// Duty cycle of the probe that sees sockets open and close. Under high churn the duty cycle is below 1, and plain
/// short sockets are sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HandshakeDutyCycle {
    /// TCP sockets that close, a second.
    pub sockets_per_second: f64,
    /// Whether churn is high now: the duty cycle is below 1, and plain short sockets are sampled.
    #[serde(rename = "in_part")]
    pub is_churn_high: bool,
    /// Duty periods so far.
    #[serde(rename = "windows")]
    pub periods: u64,
    /// Time in which the probe was attached, s.
    #[serde(rename = "watched_seconds")]
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the program again. Not in the JSON.
    #[serde(skip)]
    pub failures: u64,
}
