//! Output: culprits, their evidence, and every Node's score.

use super::fleet::{EndId, Fleet, PodId, ZoneId};
use crate::api::{Blame, BlameKind, Suspect};

/// The component at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Culprit {
    /// A Node, in both directions, or in one while the other is unseen or undecided.
    Node(EndId),
    /// A Node, in the receiving direction.
    NodeIn(EndId),
    /// A Node, in the sending direction.
    NodeOut(EndId),
    /// The path between two ends, the lower id first.
    Pair(EndId, EndId),
    /// The path between two zones (or inside one), the lower id first.
    ZonePair(ZoneId, ZoneId),
    /// One Pod.
    Pod(PodId),
    /// Something outside the cluster.
    External(EndId),
}

impl Culprit {
    /// The Node that is named. `None`: not a Node.
    pub const fn node(self) -> Option<EndId> {
        match self {
            Self::Node(end) | Self::NodeIn(end) | Self::NodeOut(end) => Some(end),
            Self::Pair(..) | Self::ZonePair(..) | Self::Pod(_) | Self::External(_) => None,
        }
    }

    /// Its name: `node-b`, `node-a↔node-b`, `zone-1↔zone-2`, `shop/cart-a`.
    pub fn name(self, fleet: &Fleet) -> String {
        match self {
            Self::Node(end) | Self::NodeIn(end) | Self::NodeOut(end) | Self::External(end) => {
                fleet.name(end).to_owned()
            }
            Self::Pair(a, b) => format!("{}↔{}", fleet.name(a), fleet.name(b)),
            Self::ZonePair(a, b) => format!("{}↔{}", fleet.zone_name(a), fleet.zone_name(b)),
            Self::Pod(pod) => fleet.pod_name(pod).to_owned(),
        }
    }

    /// Its kind as seen from the Node `viewer`. `None`: seen from no Node.
    pub fn kind(self, viewer: Option<EndId>) -> BlameKind {
        match self {
            Self::Node(end) | Self::NodeIn(end) | Self::NodeOut(end) => match viewer {
                Some(viewer) if viewer != end => BlameKind::PeerNode,
                _ => BlameKind::Node,
            },
            Self::Pair(..) => BlameKind::NodePair,
            Self::ZonePair(..) => BlameKind::ZonePair,
            Self::Pod(_) => BlameKind::Pod,
            Self::External(_) => BlameKind::External,
        }
    }
}

/// Kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Symptom {
    /// More loss episodes than usual.
    Loss,
    /// The minimum RTT rose.
    Latency,
}

/// One explanation and its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The component at fault.
    pub culprit: Culprit,
    /// The trouble that it explains.
    pub symptom: Symptom,
    /// Penalised log-likelihood ratio, nats.
    pub score: f64,
    /// Calibrated probability that it is right, 0 … 1. Alternatives share it. 0 when the numbers do not suffice.
    pub confidence: f64,
    /// The numbers behind it.
    pub evidence: Evidence,
}

/// Numbers behind a verdict, summed over the culprit's edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// Loss episodes observed.
    pub observed: u64,
    /// Loss episodes expected from the baselines.
    pub expected: f64,
    /// Data segments sent.
    pub segments: u64,
    /// Additional episodes per segment on the bad edges, 0 … 1. 0 when latency is the symptom.
    pub excess_ratio: f64,
    /// Median rise of the minimum RTT on the bad edges, µs. `None`: loss is the symptom.
    pub shift_us: Option<u32>,
    /// Bad peers. Of a zone pair: pairs of Nodes. Of a pair: conversations.
    pub bad: usize,
    /// Peers that show the fault or would.
    pub peers: usize,
    /// False when the agent on the culprit's own Node did not answer.
    pub heard: bool,
}

impl Evidence {
    /// Share of the peers that are bad, 0 … 1.
    pub fn bad_share(&self) -> f64 {
        if self.peers == 0 { 0.0 } else { self.bad as f64 / self.peers as f64 }
    }
}

/// One result.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// One culprit explains it, and no other nearly as well.
    Blamed(Verdict),
    /// Several culprits explain it almost equally well, best first.
    Ambiguous(Vec<Verdict>),
    /// There is trouble, and the numbers do not suffice to name the culprit.
    Insufficient(Verdict, Missing),
}

impl Finding {
    /// One verdict, or several that share the confidence.
    pub(super) fn of(mut verdicts: Vec<Verdict>) -> Self {
        if verdicts.len() == 1 {
            return Self::Blamed(verdicts.remove(0));
        }
        let count = verdicts.len() as f64;
        verdicts.iter_mut().for_each(|verdict| verdict.confidence /= count);
        Self::Ambiguous(verdicts)
    }

    /// A verdict that fails a guard.
    pub(super) fn insufficient(verdict: Verdict, missing: Missing) -> Self {
        Self::Insufficient(Verdict { confidence: 0.0, ..verdict }, missing)
    }

    /// The best explanation.
    pub fn verdict(&self) -> &Verdict {
        match self {
            Self::Blamed(verdict) | Self::Insufficient(verdict, _) => verdict,
            // Holds at least two.
            Self::Ambiguous(verdicts) => &verdicts[0],
        }
    }

    /// Blame for a hint. An ambiguous or insufficient finding names nobody and lists alternatives.
    pub fn blame(&self, fleet: &Fleet, viewer: Option<EndId>) -> Blame {
        match self {
            Self::Blamed(v) => Blame::named(v.culprit.kind(viewer), v.culprit.name(fleet), v.confidence),
            Self::Ambiguous(all) => {
                let one = |v: &Verdict| Suspect::new(v.culprit.kind(viewer), v.culprit.name(fleet), v.confidence);
                Blame::among(all.iter().map(one).collect())
            }
            Self::Insufficient(v, _) => {
                Blame::among(vec![Suspect::new(v.culprit.kind(viewer), v.culprit.name(fleet), v.confidence)])
            }
        }
    }
}

/// The guard that a verdict fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// Too few peers, or conversations, are bad.
    Breadth,
    /// Too small a share of the peers is bad.
    Share,
    /// It rests on one peer.
    OnePeer,
}

/// Every Node's score.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeScore {
    /// The Node.
    pub node: EndId,
    /// Score for loss, nats, before any row is discarded. Above θ the Node is suspect. `None`: no edge with segments.
    pub loss: Option<f64>,
    /// Score for latency, nats. `None`: no edge with a minimum RTT and its baseline.
    pub latency: Option<f64>,
    /// Loss episodes on its edges.
    pub observed: u64,
    /// Loss episodes expected there.
    pub expected: f64,
    /// Data segments on its edges, both ways.
    pub segments: u64,
    /// Its own agent answered.
    pub heard: bool,
    /// Position in [`Verdicts::findings`] of the first finding that blames it.
    pub finding: Option<usize>,
}

/// The result of [`judge`](super::judge).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts {
    /// Findings: loss, then latency. Within each, culprits of many edges by score, then pairs, then undecided ones.
    pub findings: Vec<Finding>,
    /// One per Node, in the fleet's order.
    pub nodes: Vec<NodeScore>,
    /// Squared coefficient of variation of the edges' loss rates, as measured or assumed.
    pub dispersion: f32,
}

impl Verdicts {
    /// Verdicts on one culprit each.
    pub fn blamed(&self) -> impl Iterator<Item = &Verdict> {
        self.findings.iter().filter_map(|finding| match finding {
            Finding::Blamed(verdict) => Some(verdict),
            Finding::Ambiguous(_) | Finding::Insufficient(..) => None,
        })
    }
}
