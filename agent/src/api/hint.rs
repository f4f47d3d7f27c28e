//! `/api/v1/hints`.

use super::Blame;
use serde::{Deserialize, Serialize};

/// A root-cause hint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hint {
    /// Stable for the same subject and cause.
    pub id: String,
    /// Whether it is firing.
    pub state: HintState,
    /// The subject that suffers.
    pub subject: Subject,
    /// The symptom, such as `rtt_inflation` or `packet_loss`.
    pub symptom: String,
    /// Identifier from the rule table.
    pub cause: String,
    /// The culprit.
    pub blame: Blame,
    /// Probability that cause and culprit are both right, 0 … 1. While the culprit is undecided: cause and best
    /// candidate.
    pub confidence: f64,
    /// The hint in one sentence.
    pub summary: String,
    /// Numbers behind the hint.
    pub evidence: Vec<Evidence>,
    /// Causes that the evidence excludes.
    pub ruled_out: Vec<RuledOut>,
    /// Steps from cause to symptom.
    pub chain: Vec<String>,
    /// The next step for the person on call.
    pub action: String,
    /// Time of the first finding, RFC 3339.
    pub first_seen: String,
    /// Time of the newest finding, RFC 3339.
    pub last_seen: String,
    /// Length of the judged window, s.
    pub window_seconds: f64,
}

/// State of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HintState {
    /// Open now.
    Firing,
    /// Closed within the last hour.
    Resolved,
}

/// The subject of a hint or an edge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// `Pod`, `Container`, `Unit`, `Workload` or `Node`.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Owner, such as `Deployment/payment`.
    pub workload: String,
    /// Node.
    pub node: String,
}

/// One number behind a hint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Metric or file that it is from.
    pub signal: String,
    /// Value in the window.
    pub observed: f64,
    /// Baseline. `None`: unknown yet.
    pub baseline: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// Where it was measured.
    #[serde(rename = "where")]
    pub place: String,
    /// Probe or file that measured it.
    pub source: String,
}

/// One excluded cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// Identifier from the rule table.
    pub cause: String,
    /// Why the evidence excludes it.
    pub because: String,
}
