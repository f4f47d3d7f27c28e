//! Every Node: loss and RTT as its own agent and its peers measure them, and its blame.

use super::{
    SilentAgent,
    differs::Differs,
    fleet::fleet,
    settle::{self, needs_others, settle},
};
use crate::{
    api::{BlameKind, Hint, HintState, PeerRow, Suspect},
    blame::{self, Finding, NodeScore, Parameters, Symptom, Verdict},
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
    /// How blamed Nodes differ from those that are well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Differs>,
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

    fn add(&mut self, other: Self) {
        self.segments += other.segments;
        self.episodes += other.episodes;
    }
}

/// Probability that a Node is at fault, by Node, from the edges of all Nodes. An acquitted Node has 0. A Node with too
/// little data, or with evidence that is too weak for blame, is missing.
///
/// A row is one pair of Nodes with `sending_edges` edges, of which `lossy_edges` had an episode. Its baseline comes
/// from the agent. Without one (a young or an old agent) its loss is compared with a common figure and its latency is
/// not judged.
pub fn blame_scores(rows: &[PeerRow]) -> BTreeMap<String, f64> {
    scores(rows, |_, _| false)
}

/// `is_weighed`: hints about this symptom have weighed the Node with these rows and with more.
fn scores(rows: &[PeerRow], is_weighed: impl Fn(&str, Symptom) -> bool) -> BTreeMap<String, f64> {
    let fleet = fleet(rows);
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
        for (verdict, probability) in verdicts.iter().zip(shares(verdicts)) {
            let node = verdict.culprit.node().map(|node| fleet.name(node));
            if let Some(node) = node.filter(|node| !is_weighed(node, verdict.symptom)) {
                let score = scores.entry(node.to_owned()).or_default();
                *score = score.max(probability);
            }
        }
    }
    scores
}

/// Probability of each candidate of one finding: one of them is right, as likely as its score says.
fn shares(verdicts: &[Verdict]) -> Vec<f64> {
    let most = verdicts.iter().map(|verdict| verdict.score).fold(f64::NEG_INFINITY, f64::max);
    let sure = verdicts.iter().map(|verdict| verdict.confidence).fold(0.0, f64::max);
    let weights: Vec<f64> = verdicts.iter().map(|verdict| (verdict.score - most).exp()).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| sure * weight / total).collect()
}

/// Whether settled hints about a symptom, or hints that explain it, have weighed a Node.
fn is_weighed(hints: &[Hint], node: &str, symptom: Symptom) -> bool {
    let is_node = |one: &Suspect| matches!(one.kind, BlameKind::Node | BlameKind::PeerNode) && one.name == node;
    let explains = |hint: &Hint| hint.state == HintState::Firing && settle::explains(hint, symptom);
    let of_symptom =
        hints.iter().filter(|hint| (needs_others(hint) && settle::symptom(hint) == Some(symptom)) || explains(hint));
    of_symptom.flat_map(|hint| hint.blame.candidates()).any(|one| is_node(&one))
}

/// A settled hint counts instead of the rows of all agents: they are part of it.
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
    settle(&mut hints, rows);
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
    let pairs = pairs(rows);
    let medians = medians(&pairs);
    let mut rtts: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((node, peer), pair) in &pairs {
        if let Some(out) = facts.get_mut(node) {
            out.out.add(pair.losses);
        }
        let Some(into) = facts.get_mut(peer) else { continue };
        into.into.add(pair.losses);
        if let Some(ratio) = pair.losses.ratio() {
            into.peers += 1;
            let median = medians.get(node).copied().unwrap_or(0.0);
            into.peers_worse += usize::from(pair.losses.episodes >= MIN_EPISODES && ratio > median);
        }
        rtts.entry(peer).or_default().extend(pair.min_rtt_seconds);
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
    let mut scores = scores(rows, |node, symptom| is_weighed(&hints, node, symptom));
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
    Nodes { agents: answered.len(), items, differs: Vec::new(), not_answered }
}

/// Sort key: score, then hints that blame it, then peers that lose towards it, then episodes.
fn rank(node: &NodeFacts) -> (f64, usize, usize, u64) {
    (node.blame.unwrap_or(0.0), node.blamed_by, node.peers_worse, node.into.episodes + node.out.episodes)
}

/// One Node's traffic to another.
#[derive(Default)]
struct Pair {
    losses: Losses,
    min_rtt_seconds: Option<f64>,
}

/// All pairs of different Nodes. Classes, and addresses that were asked for apart, are part of them.
fn pairs(rows: &[PeerRow]) -> BTreeMap<(&str, &str), Pair> {
    let mut pairs: BTreeMap<(&str, &str), Pair> = BTreeMap::new();
    for row in rows {
        let Some(peer) = row.peer_node.as_deref().filter(|peer| *peer != row.node) else { continue };
        let pair = pairs.entry((&row.node, peer)).or_default();
        pair.losses.add(Losses { segments: row.segments_sent, episodes: row.loss_episodes });
        let both = [pair.min_rtt_seconds, row.min_rtt_seconds];
        pair.min_rtt_seconds = both.into_iter().flatten().min_by(f64::total_cmp);
    }
    pairs
}

/// Each Node's median loss ratio over its peers.
fn medians<'a>(pairs: &BTreeMap<(&'a str, &'a str), Pair>) -> BTreeMap<&'a str, f64> {
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for ((node, _), pair) in pairs {
        if let Some(ratio) = pair.losses.ratio() {
            ratios.entry(node).or_default().push(ratio);
        }
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
