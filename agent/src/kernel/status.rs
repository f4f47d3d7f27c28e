//! Status of a probe.

use super::refusal::Refusal;
use serde::Serialize;

/// State of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeState {
    /// All of its programs are attached, or attached on demand.
    Ok,
    /// Some of its programs are attached.
    Degraded,
    /// This kernel lacks it.
    Unsupported,
    /// Off by configuration or for lack of a capability.
    Off,
    /// The kernel has it but refused to attach it.
    Broken,
}

impl ProbeState {
    /// Name in JSON.
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

/// Status of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProbeStatus {
    /// The probe.
    pub name: &'static str,
    /// Its state.
    pub state: ProbeState,
    /// The reason, and the data that is missing; empty when the state is `ok`.
    pub why: String,
    /// Kind of the refusal behind the state. `None`: nothing was refused.
    #[serde(skip)]
    pub refusal: Option<Refusal>,
}
