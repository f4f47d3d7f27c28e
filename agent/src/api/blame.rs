//! The culprit of a hint, with the probability of each candidate.

use serde::{Deserialize, Serialize};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// Probability from which a culprit is named …
const NAMED: f64 = 0.8;
/// … and from which a Node is: people cordon it.
pub const NODE_NAMED: f64 = 0.9;
/// Candidates below this probability are not listed.
const WORTH_LISTING: f64 = 0.02;
/// Candidates that are listed at most.
const MAX_LISTED: usize = 6;
/// Replaces the name of a culprit in labels when it holds an address.
const ADDRESS: &str = "~address";

/// Who is at fault: one culprit, or the candidates.
///
/// The probability of the named culprit and those of the alternatives sum to at most 1. The rest is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Wire")]
pub struct Blame {
    /// Kind of the culprit.
    pub kind: BlameKind,
    /// Name of the culprit. Empty for `none` and `undecided`.
    pub name: String,
    /// Probability that the named culprit is at fault, given the cause, 0 … 1. 0 when none is named.
    pub probability: f64,
    /// Other candidates, best first. When the kind is `undecided`, all of them.
    pub alternatives: Vec<Suspect>,
}

/// A candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its kind.
    pub kind: BlameKind,
    /// Its name.
    pub name: String,
    /// Probability that it is at fault, given the cause, 0 … 1.
    pub probability: f64,
}

/// Kinds of culprit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlameKind {
    /// This Node.
    Node,
    /// Another Node.
    PeerNode,
    /// The path between two Nodes.
    NodePair,
    /// A part of the paths between two Nodes.
    PathShare,
    /// The path between two zones.
    ZonePair,
    /// The subject itself.
    Pod,
    /// The Pod at the other end.
    PeerPod,
    /// A Service address: several Pods may be behind it.
    Service,
    /// Clients that no address tells apart: translation hides them, or they forge it.
    Clients,
    /// Something outside the cluster.
    External,
    /// The alternatives are the candidates: the evidence does not single one out.
    Undecided,
    /// None is named.
    None,
}

impl BlameKind {
    /// Name in JSON, and label value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::PeerNode => "peer_node",
            Self::NodePair => "node_pair",
            Self::PathShare => "path_share",
            Self::ZonePair => "zone_pair",
            Self::Pod => "pod",
            Self::PeerPod => "peer_pod",
            Self::Service => "service",
            Self::Clients => "clients",
            Self::External => "external",
            Self::Undecided => "undecided",
            Self::None => "none",
        }
    }

    /// Probability from which a culprit of this kind is named.
    const fn named_from(self) -> f64 {
        match self {
            Self::Node | Self::PeerNode => NODE_NAMED,
            _ => NAMED,
        }
    }
}

impl Suspect {
    /// A candidate.
    pub fn new(kind: BlameKind, name: impl Into<String>, probability: f64) -> Self {
        Self { kind, name: name.into(), probability }
    }

    /// A candidate of which only the name is known, as agents before 0.3 wrote it.
    fn by_name(name: String) -> Self {
        let kind = match (name.contains('↔'), name.contains('/')) {
            (true, _) => BlameKind::NodePair,
            (_, true) => BlameKind::PeerPod,
            _ => BlameKind::PeerNode,
        };
        Self { kind, name, probability: 0.0 }
    }
}

impl Blame {
    /// The name, unless an address is in it: addresses are never labels.
    pub fn name_without_address(&self) -> &str {
        let is_address = |part: &str| part.parse::<IpAddr>().is_ok() || part.parse::<SocketAddr>().is_ok();
        let parts = self.name.split([' ', ',', '/', '→', '(', ')']);
        if parts.into_iter().any(is_address) { ADDRESS } else { &self.name }
    }

    /// One culprit that a rule knows with this probability, without candidates beside it.
    pub fn named(kind: BlameKind, name: impl Into<String>, probability: f64) -> Self {
        Self { kind, name: name.into(), probability: decimals(probability), alternatives: Vec::new() }
    }

    /// Nobody, and no candidate.
    pub fn nobody() -> Self {
        Self::named(BlameKind::None, "", 0.0)
    }

    /// Names the best candidate if its probability is high enough for its kind, else nobody. Probabilities may sum to
    /// less than 1: the rest is unknown.
    pub fn among(mut candidates: Vec<Suspect>) -> Self {
        // Stable: of equal candidates the first stays first.
        candidates.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        candidates.retain(|one| one.probability >= WORTH_LISTING);
        candidates.truncate(MAX_LISTED);
        candidates.iter_mut().for_each(|one| one.probability = decimals(one.probability));
        match candidates.first() {
            None => Self::nobody(),
            Some(best) if best.probability >= best.kind.named_from() => {
                let Suspect { kind, name, probability } = candidates.remove(0);
                Self { kind, name, probability, alternatives: candidates }
            }
            Some(_) => {
                Self { kind: BlameKind::Undecided, name: String::new(), probability: 0.0, alternatives: candidates }
            }
        }
    }

    /// All candidates, best first.
    pub fn candidates(&self) -> impl Iterator<Item = Suspect> + '_ {
        let named = !self.name.is_empty();
        let named = named.then(|| Suspect::new(self.kind, self.name.as_str(), self.probability));
        named.into_iter().chain(self.alternatives.iter().cloned())
    }

    /// Probability of the best candidate, 0 … 1.
    pub fn best(&self) -> f64 {
        self.candidates().next().map_or(0.0, |best| best.probability)
    }

    /// Whether this is the named culprit or one of the alternatives.
    pub fn mentions(&self, name: &str) -> bool {
        self.name == name || self.alternatives.iter().any(|other| other.name == name)
    }

    /// Names of the alternatives, best first.
    pub fn other_names(&self) -> Vec<&str> {
        self.alternatives.iter().map(|other| other.name.as_str()).collect()
    }

    /// For people: `peer_node node-b (0.93)`, `one of node-b (0.48), node-a↔node-b (0.45)`, `none`.
    pub fn text(&self) -> String {
        let listed = |out: &mut String| {
            for (at, other) in self.alternatives.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                let _ = write!(out, "{comma}{}{}", other.name, in_brackets(other.probability));
            }
        };
        let mut out = String::new();
        if self.name.is_empty() && self.alternatives.is_empty() {
            return BlameKind::None.label().to_owned();
        }
        if self.name.is_empty() {
            out.push_str("one of ");
            listed(&mut out);
            return out;
        }
        let _ = write!(out, "{} {}{}", self.kind.label(), self.name, in_brackets(self.probability));
        if !self.alternatives.is_empty() {
            out.push_str(", else ");
            listed(&mut out);
        }
        out
    }
}

/// ` (0.48)`. Empty when an older agent gave no probability.
fn in_brackets(probability: f64) -> String {
    if probability > 0.0 { format!(" ({probability:.2})") } else { String::new() }
}

/// Three decimals, rounded down, so that the sum stays within 1.
fn decimals(probability: f64) -> f64 {
    (probability.clamp(0.0, 1.0) * 1000.0 + 1e-6).floor() / 1000.0
}

/// Blame as any version of the agent writes it.
#[derive(Deserialize)]
struct Wire {
    kind: BlameKind,
    name: String,
    #[serde(default)]
    probability: f64,
    #[serde(default)]
    alternatives: Vec<WireSuspect>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WireSuspect {
    Suspect(Suspect),
    Name(String),
}

impl From<Wire> for Blame {
    fn from(Wire { kind, name, probability, alternatives }: Wire) -> Self {
        let one = |other| match other {
            WireSuspect::Suspect(suspect) => suspect,
            WireSuspect::Name(name) => Suspect::by_name(name),
        };
        let alternatives: Vec<Suspect> = alternatives.into_iter().map(one).collect();
        let undecided = kind == BlameKind::None && !alternatives.is_empty();
        Self { kind: if undecided { BlameKind::Undecided } else { kind }, name, probability, alternatives }
    }
}

#[cfg(test)]
mod tests;
