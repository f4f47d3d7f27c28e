//! Types of the JSON API: the answers of `/api/v1`, as the agent writes them and the plugin reads them.
//!
//! | file | answer |
//! |---|---|
//! | `hint`, `blame` | `/api/v1/hints` |
//! | `pod`, `pod_status` | `/api/v1/pods` |
//! | `edge` | `/api/v1/edges`, also with `by=peer_node` |
//! | `response_times` | parts of `/api/v1/pods` and `/api/v1/edges` |
//! | `node` | `/api/v1/node` |
//! | `info`, `memory`, `probe`, `watch` | `/api/v1/info`: the agent's own status |
//!
//! Units are in the names. `null` means that the value is unknown: no sample, not offered, or not measured. This room
//! imports no other, so that the kernel side, metrics, the server and the plugin can all use it.

mod blame;
mod close_up;
mod edge;
mod hint;
mod history;
mod info;
mod memory;
mod node;
mod pod;
mod pod_status;
mod probe;
mod response_times;
mod watch;

pub use blame::{Blame, BlameKind, NODE_NAMED, Suspect};
pub use close_up::{CloseUp, CloseUps};
pub use edge::{EdgeRow, Excused, PeerRow, RttBaseline};
pub use hint::{Evidence, Hint, HintState, RuledOut, Subject};
pub use history::{Gap, History, HistoryStats, Span};
pub use info::{
    AgentStats, ConfigReloads, Privileges, ProcessStats, ProtectionStats, ScrapeStats, StageTime, TickStats, TlsReloads,
};
pub use memory::{LimitSource, MemoryLevel, MemoryPart, MemoryStats};
pub use node::{DeviceRow, FactRow, NodeRow, SignalRow, SignalStatus};
pub use pod::{DnsLookups, DurationQuantiles, LimitedShares, PodCounts, PodRow, PodTotals, PodWindow, PressureShares};
pub use pod_status::{
    CloseUpRequest, Condition, ContainerInfo, ContainerKind, ContainerState, Ended, PodEvent, PodInfo, ProbeKind, Why,
};
pub use probe::{
    HandshakeDutyCycle, KernelErrors, MapFill, ProbeState, ProbeStatus, ProgramRun, Refusal, RttDutyCycle, WalkStats,
};
pub use response_times::{Callee, HttpCalls, NormalResponseTimes, PodResponses, ResponseTimes};
pub use watch::WatchStatus;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values by label value, such as `{"fast": 3, "timeout": 0}`.
pub type ByLabel<T> = BTreeMap<String, T>;

/// The body of every failed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// One line.
    pub error: String,
}

#[cfg(test)]
mod tests;
