//! JSON types of `/api/v1`, shared with the look-up tools.

use serde::{Deserialize, Serialize};

/// A root-cause hint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hint {
    /// Stable for the same subject and cause.
    pub id: String,
    /// Whether it holds now.
    pub state: HintState,
    /// Who suffers.
    pub subject: Subject,
    /// What is seen, such as `rtt_inflation` or `packet_loss`.
    pub symptom: String,
    /// Identifier from the rule table.
    pub cause: String,
    /// Who or what is at fault.
    pub blame: Blame,
    /// 0 … 1.
    pub confidence: f64,
    /// One sentence.
    pub summary: String,
    /// Numbers behind it.
    pub evidence: Vec<Evidence>,
    /// Other causes and why they are not it.
    pub ruled_out: Vec<RuledOut>,
    /// From cause to symptom.
    pub chain: Vec<String>,
    /// What to do next.
    pub action: String,
    /// RFC 3339.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
    /// Length of the window that was judged, s.
    pub window_seconds: f64,
}

/// State of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HintState {
    /// Holds now.
    Firing,
    /// Held within the last hour.
    Resolved,
}

/// Who a hint is about.
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

/// Who is at fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blame {
    /// Kind of culprit.
    pub kind: BlameKind,
    /// Its name; empty for `none`.
    pub name: String,
    /// Culprits that explain the numbers almost as well.
    pub alternatives: Vec<String>,
}

/// Kinds of culprit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlameKind {
    /// This Node.
    Node,
    /// Another Node.
    PeerNode,
    /// The path between two Nodes.
    NodePair,
    /// The path between two zones.
    ZonePair,
    /// The subject itself.
    Pod,
    /// The Pod at the other end.
    PeerPod,
    /// Something outside the cluster.
    External,
    /// Undecided.
    None,
}

impl BlameKind {
    /// Name as in JSON and as a label value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::PeerNode => "peer_node",
            Self::NodePair => "node_pair",
            Self::ZonePair => "zone_pair",
            Self::Pod => "pod",
            Self::PeerPod => "peer_pod",
            Self::External => "external",
            Self::None => "none",
        }
    }
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Metric or file.
    pub signal: String,
    /// Value in the window.
    pub observed: f64,
    /// Value in normal times. `None`: none known yet.
    pub baseline: Option<f64>,
    /// Unit of both.
    pub unit: String,
    /// Where it was measured.
    #[serde(rename = "where")]
    pub place: String,
    /// What measured it.
    pub source: String,
}

/// One excluded cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuledOut {
    /// Identifier from the rule table.
    pub cause: String,
    /// Why it is not it.
    pub because: String,
}
