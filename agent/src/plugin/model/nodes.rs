//! Every Node: loss and RTT as its own agent and its peers measure them, and its blame.

use super::{
    SilentAgent,
    fleet::fleet,
    settle::{needs_others, settle},
};
use crate::{
    api::{BlameKind, Hint, HintState, PeerRow},
    blame::{self, Finding, NodeScore, Parameters},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest segments for a loss ratio.
pub const MIN_SEGMENTS: u64 = 200;
/// Symptom of hints about losses.
const LOSS: &str = "packet_loss";
/// Fewest episodes that are not chance.
pub const MIN_EPISODES: u64 = 3;

/// The report of `nodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Nodes {
    /// Most suspicious first.
    pub items: Vec<NodeFacts>,
    /// Agents that answered.
    pub agents: usize,
    /// Agents that did not answer: the list is partial.
    pub not_answered: Vec<SilentAgent>,
}

/// One Node over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeFacts {
    /// Name.
    pub node: String,
    /// Whether its own agent answered; without it `out` is unknown.
    pub answered: bool,
    /// Probability that it is at fault, 0 … 1; see [`blame_scores`]. `null`: too little data, or its agent blames one
    /// of its Pods; see [`pod_at_fault`].
    pub blame: Option<f64>,
    /// Traffic to other Nodes.
    pub out: Losses,
    /// Traffic from other Nodes.
    pub into: Losses,
    /// Nodes that sent enough segments to it.
    pub peers: usize,
    /// Of these, Nodes that lose more towards it than towards their median peer.
    pub peers_worse: usize,
    /// Median of the peers' lowest RTTs to it, s. `null`: no samples.
    pub min_rtt_seconds: Option<f64>,
    /// Firing hints of its Pods.
    pub hints: usize,
    /// Firing hints of any agent that blame this Node.
    pub blamed_by: usize,
}

/// Sums over pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Losses {
    /// Data segments.
    pub segments: u64,
    /// Loss episodes.
    pub episodes: u64,
}

impl Losses {
    /// Episodes per segment. `None`: too few segments.
    pub fn ratio(&self) -> Option<f64> {
        (self.segments >= MIN_SEGMENTS).then(|| self.episodes as f64 / self.segments as f64)
    }

    fn add(&mut self, row: &PeerRow) {
        self.segments += row.segments_sent;
        self.episodes += row.loss_episodes;
    }
}

/// Probability that a Node is at fault, by Node, from the edges of all Nodes. An acquitted Node has 0. A Node with too
/// little data, or with evidence that is too weak for blame, is missing.
///
/// A row is one pair of Nodes with `sending_edges` edges, of which `lossy_edges` had an episode. Its baseline comes
/// from the agent. Without one (a young or an old agent) its loss is compared with a common figure and its latency is
/// not judged.
pub fn blame_scores(rows: &[PeerRow]) -> BTreeMap<String, f64> {
    let fleet = fleet(rows, |_| None);
    let verdicts = blame::judge(&fleet, &Parameters::default());
    // Evidence that is too weak for blame still prevents acquittal.
    let is_acquitted = |node: &&NodeScore| {
        let usual = (node.observed as f64) < 2.0 * node.expected + MIN_EPISODES as f64;
        node.segments >= MIN_SEGMENTS && usual && node.loss.is_some_and(|nats| nats <= 0.0)
    };
    let acquitted = verdicts.nodes.iter().filter(is_acquitted);
    let mut scores: BTreeMap<String, f64> = acquitted.map(|node| (fleet.name(node.node).to_owned(), 0.0)).collect();
    for finding in &verdicts.findings {
        let verdicts = match finding {
            Finding::Blamed(verdict) => std::slice::from_ref(verdict),
            Finding::Ambiguous(verdicts) => verdicts,
            // Inconclusive: neither blamed nor acquitted.
            Finding::Insufficient(verdict, _) => {
                if let Some(node) = verdict.culprit.node() {
                    scores.remove(fleet.name(node));
                }
                &[]
            }
        };
        for verdict in verdicts {
            if let Some(node) = verdict.culprit.node() {
                let score = scores.entry(fleet.name(node).to_owned()).or_default();
                *score = score.max(verdict.confidence);
            }
        }
    }
    scores
}

/// A settled hint counts as much as the rows of all agents: they are part of it.
fn add_hints(scores: &mut BTreeMap<String, f64>, hints: &[Hint]) {
    for hint in hints.iter().filter(|hint| needs_others(hint)) {
        for one in hint.blame.candidates() {
            if matches!(one.kind, BlameKind::Node | BlameKind::PeerNode) {
                let score = scores.entry(one.name).or_default();
                *score = score.max(one.probability);
            }
        }
    }
}

/// The hint in which a Node's own agent blames one of its Pods for loss. That agent knows whether its other Pods lose
/// packets too. `None`: no such hint, or the agent also blames the Node.
pub fn pod_at_fault<'h>(node: &str, hints: impl Iterator<Item = &'h Hint>) -> Option<&'h Hint> {
    let mut pod = None;
    for hint in hints.filter(|hint| hint.state == HintState::Firing && hint.subject.node == node) {
        match hint.blame.kind {
            BlameKind::Node if hint.symptom == LOSS => return None,
            BlameKind::Pod if hint.symptom == LOSS => pod = Some(hint),
            _ => {}
        }
    }
    pod
}

/// From all agents' rows and firing hints.
pub fn nodes(rows: &[PeerRow], hints: &[Hint], answered: &[String], not_answered: Vec<SilentAgent>) -> Nodes {
    let mut hints = hints.to_vec();
    settle(&mut hints, rows, |_| None);
    let mut facts: BTreeMap<&str, NodeFacts> = BTreeMap::new();
    let own: BTreeSet<&str> = answered.iter().map(String::as_str).collect();
    let unanswered: Vec<String> = not_answered.iter().map(|s| s.node.clone()).collect();
    let all = own.iter().copied().chain(unanswered.iter().map(String::as_str));
    let ends = rows.iter().flat_map(|row| [Some(row.node.as_str()), row.peer_node.as_deref()]).flatten();
    for node in all.chain(ends).filter(|node| !node.is_empty()) {
        facts.entry(node).or_insert_with(|| NodeFacts {
            node: node.to_owned(),
            answered: own.contains(node),
            ..NodeFacts::default()
        });
    }
    let pairs = rows.iter().filter_map(|row| Some((row, row.peer_node.as_deref()?)));
    let pairs: Vec<(&PeerRow, &str)> = pairs.filter(|(row, peer)| row.node != *peer).collect();
    let medians = medians(&pairs);
    let mut rtts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (row, peer) in &pairs {
        if let Some(out) = facts.get_mut(row.node.as_str()) {
            out.out.add(row);
        }
        let Some(into) = facts.get_mut(peer) else { continue };
        into.into.add(row);
        if row.segments_sent >= MIN_SEGMENTS {
            into.peers += 1;
            let median = medians.get(row.node.as_str()).copied().unwrap_or(0.0);
            into.peers_worse += usize::from(row.loss_episodes >= MIN_EPISODES && ratio(row) > median);
        }
        rtts.entry(peer).or_default().extend(row.min_rtt_seconds);
    }
    for (node, mut values) in rtts {
        if let Some(facts) = facts.get_mut(node) {
            facts.min_rtt_seconds = median(&mut values);
        }
    }
    for hint in hints.iter().filter(|hint| hint.state == HintState::Firing) {
        if let Some(facts) = facts.get_mut(hint.subject.node.as_str()) {
            facts.hints += 1;
        }
        if matches!(hint.blame.kind, BlameKind::Node | BlameKind::PeerNode)
            && let Some(facts) = facts.get_mut(hint.blame.name.as_str())
        {
            facts.blamed_by += 1;
        }
    }
    let mut scores = blame_scores(rows);
    add_hints(&mut scores, &hints);
    let mut items: Vec<NodeFacts> = facts.into_values().collect();
    for item in &mut items {
        // A Pod at fault acquits its Node.
        item.blame =
            scores.remove(&item.node).filter(|score| *score == 0.0 || pod_at_fault(&item.node, hints.iter()).is_none());
    }
    items.sort_by(|a, b| {
        rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.node.cmp(&b.node))
    });
    Nodes { agents: answered.len(), items, not_answered }
}

/// Sort key: score, then hints that blame it, then peers that lose towards it, then episodes.
fn rank(node: &NodeFacts) -> (f64, usize, usize, u64) {
    (node.blame.unwrap_or(0.0), node.blamed_by, node.peers_worse, node.into.episodes + node.out.episodes)
}

fn ratio(row: &PeerRow) -> f64 {
    row.loss_episodes as f64 / row.segments_sent.max(1) as f64
}

/// Each Node's median loss ratio over its peers.
fn medians<'a>(pairs: &[(&'a PeerRow, &'a str)]) -> BTreeMap<&'a str, f64> {
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (row, _) in pairs.iter().filter(|(row, _)| row.segments_sent >= MIN_SEGMENTS) {
        ratios.entry(row.node.as_str()).or_default().push(ratio(row));
    }
    ratios.into_iter().filter_map(|(node, mut all)| Some((node, median(&mut all)?))).collect()
}

/// The lower median, so that the worse of two peers stands out.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
pub(crate) mod tests;
