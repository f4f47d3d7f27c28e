//! `/api/v1/node`.

use super::ByLabel;
use serde::{Deserialize, Serialize};

/// This Node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
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
    /// Read status per signal group. Empty: the Node's signals are not read.
    pub signal_states: ByLabel<SignalStatus>,
    /// Interfaces that lead out of the Node.
    pub devices: Vec<DeviceRow>,
    /// Facts in which Nodes may differ, read each minute. Empty: not read, or the agent is older.
    #[serde(default)]
    pub facts: Vec<FactRow>,
    /// The Node's signals. `signal_states` says why one is missing.
    pub signals: Vec<SignalRow>,
    /// Subjects known.
    pub subjects: u64,
    /// Edges active in the window.
    pub edges: u64,
    /// Dropped packets that belong to no socket, by kernel reason, since the agent started.
    pub packet_drops: ByLabel<u64>,
    /// Samples without a subject, by reason, since the agent started.
    pub unattributed_samples: ByLabel<u64>,
    /// Events that the kernel programs count about themselves.
    pub kernel_events: ByLabel<u64>,
    /// Hints that opened, by cause.
    pub hints_total: ByLabel<u64>,
}

/// Read status of one signal group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalStatus {
    /// `ok`, `absent` (the Node has none), `unsupported` (the kernel or the agent's namespace does not offer it) or
    /// `broken` (it exists and could not be read).
    pub state: String,
    /// Why, and the remedy. `null`: the group is `ok` or `absent`.
    pub why: Option<String>,
}

/// An interface that leads out of the Node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRow {
    /// Name.
    pub name: String,
    /// Driver. Here and below, `null` means none or unknown.
    pub driver: Option<String>,
    /// The driver's version.
    pub version: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Root queue discipline.
    pub qdisc: Option<String>,
}

/// One fact in which Nodes may differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRow {
    /// Name. Offloads and sysctls have the names of `ethtool` and `sysctl`.
    pub fact: String,
    /// Interface. `null`: the Node as a whole.
    pub on: Option<String>,
    /// The value, at most 256 bytes. `null`: `state` says why.
    pub value: Option<String>,
    /// Unit of a quantity. `null`: a setting, or a name.
    pub unit: Option<String>,
    /// As of [`SignalStatus`].
    pub state: String,
    /// Why, and the remedy. `null`: it is `ok` or `absent`.
    pub why: Option<String>,
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
    /// File, call or kernel name that it is read from.
    pub source: String,
    /// A gauge's present value.
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
    /// The baseline of that rate. Absent: not known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub baseline_per_second: Option<f64>,
}
