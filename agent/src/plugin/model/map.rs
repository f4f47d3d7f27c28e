//! The service map: workloads, and the traffic between them as the agents of both ends measure it.
//!
//! ```text
//! names ─► gather ─► marks ─► ServiceMap      whose row it is; sums of rows; hints
//!            └► sums ─► quantile
//! ```

mod gather;
mod marks;
mod names;
mod quantile;
mod sums;

pub use names::{KnownPod, KnownService, Names};

use super::{SilentAgent, health::Fact};
use crate::api::{EdgeRow, Hint};
use serde::Serialize;

/// Most edges, those in trouble and the busiest.
pub const MAX_EDGES: usize = 500;
/// Most nodes.
pub const MAX_NODES: usize = 300;

/// The report of `map`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ServiceMap {
    /// Namespace of the workloads; those that they talk to may be in others. `null`: all.
    pub namespace: Option<String>,
    /// Workloads and what they talk to, those in trouble first.
    pub nodes: Vec<MapNode>,
    /// Who calls whom, those in trouble first.
    pub edges: Vec<MapEdge>,
    /// Nodes beyond [`MAX_NODES`], left out.
    pub more_nodes: usize,
    /// Edges beyond [`MAX_EDGES`], left out.
    pub more_edges: usize,
    /// Agents that answered.
    pub agents: usize,
    /// Names and objects that could not be read.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer: what they measure is missing.
    pub not_answered: Vec<SilentAgent>,
}

/// A workload, or another end of connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MapNode {
    /// `Deployment/shop/payment`: its kind, namespace and name.
    pub id: String,
    /// `Deployment` …, `Pod`, `Container` or `Unit`. Other ends: `Service` (several workloads, or unknown ones, are
    /// behind it), `Node` (its host, or behind a masquerade there), `Address` (not known) or `Outside` of the cluster.
    pub kind: String,
    /// Namespace; empty where there is none.
    pub namespace: String,
    /// Name, or address.
    pub name: String,
    /// DNS names that callers looked up for the address, at most [`MapNode::MAX_DNS_NAMES`]. Absent: none is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// Its Pods that were seen in the window. 0: none, or no workload.
    pub pods: usize,
    /// Their Nodes, by name, at most [`MapNode::MAX_HOSTS`].
    pub hosts: Vec<String>,
    /// Health.
    pub state: MapState,
    /// Requests to it, as it measures them. `null`: none ended, or they are not observed.
    pub server: Option<Requests>,
    /// Firing hints about it, and those that blame it, the surest first.
    pub hints: Vec<MapHint>,
}

/// Traffic from callers to callees over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MapEdge {
    /// `id` of the caller.
    pub from: String,
    /// `id` of the callee.
    pub to: String,
    /// False: it is not known which end is the caller.
    pub directed: bool,
    /// Ports of the callee, at most [`MapEdge::MAX_PORTS`].
    pub ports: Vec<u16>,
    /// Whether all that is known is between the caller and a redirect, such as a sidecar, on its Node.
    pub redirected: bool,
    /// Health.
    pub state: MapState,
    /// Figures that are unusual: `loss`, `errors`, `connects`, `unanswered` or `slow`.
    pub unusual: Vec<&'static str>,
    /// Requests as the callers measure them. `null`: none ended, or they are not observed there.
    pub client: Option<Requests>,
    /// The same as the callees measure them.
    pub server: Option<Requests>,
    /// Data from the callers.
    pub sent: Segments,
    /// Data to them.
    pub answered: Segments,
    /// Connections that were made.
    pub connects: u64,
    /// Attempts that failed.
    pub failed_connects: u64,
    /// Payload in both directions. `null`: the window is empty.
    pub bytes_per_second: Option<f64>,
    /// Lowest RTT, s: the path. `null`: no samples.
    pub min_rtt_seconds: Option<f64>,
    /// Firing hints about it, the surest first.
    pub hints: Vec<MapHint>,
}

/// Requests of several Pods together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Requests {
    /// Requests that ended.
    pub requests: u64,
    /// Requests per second. `null`: the window is empty.
    pub per_second: Option<f64>,
    /// Median, s. Of several Pods it follows from their percentiles. `null`: no request ended.
    pub p50_seconds: Option<f64>,
    /// 95th percentile, s.
    pub p95_seconds: Option<f64>,
    /// Median in normal times, s. `null`: not known yet.
    pub normal_p50_seconds: Option<f64>,
    /// 95th percentile in normal times, s. `null`: not known yet.
    pub normal_p95_seconds: Option<f64>,
    /// Sampled calls of HTTP and gRPC.
    pub sampled: u64,
    /// Share of them that failed, 0 … 1. `null`: none was sampled.
    pub error_share: Option<f64>,
    /// The same in normal times. `null`: not known yet.
    pub normal_error_share: Option<f64>,
    /// Requests that wait for an answer for a second or more.
    pub unanswered: u64,
    /// Requests that ended without one.
    pub ended_unanswered: u64,
}

/// Data segments in one direction, as their sender counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Segments {
    /// Sent, retransmissions included. 0 also where the sender has no agent.
    pub segments: u64,
    /// Loss episodes.
    pub episodes: u64,
    /// Episodes per segment. `null`: too few segments.
    pub loss: Option<f64>,
}

/// A firing hint on the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapHint {
    /// Cause, as in docs/hints.md.
    pub cause: String,
    /// Probability that cause and culprit are both right, 0 … 1.
    pub confidence: f64,
    /// The Pod or unit that suffers, `namespace/name`.
    pub subject: String,
    /// Who is at fault, for people.
    pub blame: String,
    /// True if the node that has the hint is at fault for the harm of another one.
    pub blamed: bool,
    /// The hint in one sentence.
    pub summary: String,
}

/// Health, the worst first. Missing data is never well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MapState {
    /// A hint fires.
    Hint,
    /// A figure is unusual, but not enough for a hint.
    Unusual,
    /// Nothing that tells was measured.
    #[default]
    Unknown,
    /// Measured, and nothing is unusual.
    Well,
}

impl MapState {
    /// One word.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Unusual => "unusual",
            Self::Unknown => "unknown",
            Self::Well => "ok",
        }
    }
}

impl MapNode {
    /// Most Nodes that are listed.
    pub const MAX_HOSTS: usize = 8;
    /// Most DNS names that are listed.
    pub const MAX_DNS_NAMES: usize = 4;

    /// `Deployment/payment` in the map's namespace, `other/Deployment/payment` elsewhere. Addresses stand alone, or
    /// behind their DNS names: `api.example.com (203.0.113.7)`.
    pub fn label(&self, namespace: Option<&str>) -> String {
        match self.kind.as_str() {
            "Address" | "Outside" if self.dns_names.is_empty() => self.name.clone(),
            "Address" | "Outside" => format!("{} ({})", self.dns_names.join(", "), self.name),
            kind if self.namespace.is_empty() || namespace == Some(self.namespace.as_str()) => {
                format!("{kind}/{}", self.name)
            }
            kind => format!("{}/{kind}/{}", self.namespace, self.name),
        }
    }

    /// Confidence of its surest hint, 0 … 1.
    pub fn confidence(&self) -> f64 {
        surest(&self.hints)
    }
}

impl MapEdge {
    /// Most ports that are listed.
    pub const MAX_PORTS: usize = 8;

    /// Its requests: as the callers measure them, else as the callees do.
    pub fn requests(&self) -> Option<&Requests> {
        self.client.as_ref().or(self.server.as_ref())
    }

    /// The higher loss of both directions. `None`: too few segments.
    pub fn loss(&self) -> Option<f64> {
        [self.sent.loss, self.answered.loss].into_iter().flatten().max_by(f64::total_cmp)
    }

    /// Confidence of its surest hint, 0 … 1.
    pub fn confidence(&self) -> f64 {
        surest(&self.hints)
    }
}

fn surest(hints: &[MapHint]) -> f64 {
    hints.iter().map(|hint| hint.confidence).fold(0.0, f64::max)
}

/// What a map is made from.
#[derive(Clone, Debug, Default)]
pub struct MapFacts {
    /// Namespace that was asked for. `None`: all.
    pub namespace: Option<String>,
    /// The agents' edges.
    pub edges: Vec<EdgeRow>,
    /// Their firing hints.
    pub hints: Vec<Hint>,
    /// Names of addresses and workloads.
    pub names: Names,
    /// Agents that answered.
    pub agents: usize,
    /// Names and objects that could not be read.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// Builds the map.
pub fn service_map(facts: MapFacts) -> ServiceMap {
    let MapFacts { namespace, edges, hints, mut names, agents, unknown, not_answered } = facts;
    let of_hints = hints.iter().map(|hint| &hint.subject);
    names.add_subjects(edges.iter().map(|row| &row.subject).chain(of_hints));
    let mut gathered = gather::Gathered::new(&edges, &names);
    gathered.add_subjects(&hints, &names, namespace.as_deref());
    let (mut nodes, mut edges) = gathered.finish();
    marks::mark(&mut nodes, &mut edges, &hints, &names);
    let (all_nodes, all_edges) = (nodes.len(), edges.len());
    let (nodes, edges) = gather::bounded(nodes, edges);
    let (more_nodes, more_edges) = (all_nodes - nodes.len(), all_edges - edges.len());
    ServiceMap { namespace, nodes, edges, more_nodes, more_edges, agents, unknown, not_answered }
}

#[cfg(test)]
pub(crate) mod tests;
