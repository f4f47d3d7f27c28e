//! The search: blame the best candidate, discard its edges, repeat.

use super::{
    breadth::{Breadth, breadth},
    fleet::{Edge, EndId, Fleet},
    graph::Graph,
    loss::Loss,
    parameters::Parameters,
    signal::Signal,
    sums::{Candidate, Sums},
    verdict::{Culprit, Evidence, Finding, Missing, Verdict},
};
use std::collections::HashMap;

/// Undecided candidates that are reported.
const MAX_INSUFFICIENT: usize = 16;

/// State of the search for one kind of evidence.
pub(super) struct Engine<'a, const K: usize, S: Signal<K>> {
    pub(super) graph: &'a Graph<'a>,
    pub(super) signal: S,
    pub(super) parameters: &'a Parameters,
    /// For the numbers in evidence, for any symptom.
    loss: &'a Loss<'a>,
    /// Whether each row is not discarded yet.
    pub(super) alive: Vec<bool>,
    sums: Sums<K>,
    /// Candidates that a guard refused, with their score at that time.
    refused: HashMap<Culprit, (u64, Missing)>,
}

impl<'a, const K: usize, S: Signal<K>> Engine<'a, K, S> {
    pub(super) fn new(graph: &'a Graph<'a>, signal: S, loss: &'a Loss<'a>, parameters: &'a Parameters) -> Self {
        let sums = Sums::new(graph, &signal, parameters);
        let alive = vec![true; graph.fleet.edges.len()];
        Self { graph, signal, parameters, loss, alive, sums, refused: HashMap::new() }
    }

    /// Score of each end's Node before anything is discarded.
    pub(super) fn node_scores(&self) -> Vec<Option<f64>> {
        let ends = (0..self.graph.fleet.ends.len() as u32).map(EndId);
        ends.map(|end| self.sums.node(end).map(|candidate| candidate.score)).collect()
    }

    /// Findings: culprits of many edges first, then single paths, then undecided candidates.
    pub(super) fn run(mut self) -> Vec<Finding> {
        let mut findings = Vec::new();
        while findings.len() < self.parameters.max_findings
            && let Some(finding) = self.best_broad()
        {
            findings.push(finding);
        }
        let narrow = self.pairs(&mut findings);
        self.undecided(&mut findings);
        for verdict in narrow.into_iter().take(MAX_INSUFFICIENT) {
            // Skips pairs of a component that was reported already.
            if !self.members(verdict.culprit).is_empty() {
                findings.push(Finding::insufficient(verdict, Missing::Breadth));
            }
        }
        findings
    }

    fn best_broad(&mut self) -> Option<Finding> {
        let ranked = self.sums.above(self.graph, self.parameters.threshold);
        let (at, best) = ranked.iter().enumerate().find_map(|(i, c)| Some((i, self.pass(c)?)))?;
        let winner = ranked[at];
        // The family size must not decide between candidates with equal evidence.
        let nats = |candidate: &Candidate| candidate.score + self.sums.penalty(candidate.culprit);
        let least = nats(&winner) - self.parameters.ambiguity;
        let close: Vec<Candidate> = ranked[at + 1..].iter().filter(|other| nats(other) >= least).copied().collect();
        let is_same = |other: &&Candidate| nats(other) >= least && self.is_path_of_lone_node(other, winner.culprit);
        let same: Vec<Candidate> = ranked.iter().filter(is_same).copied().collect();
        let mut verdicts = vec![best];
        for candidate in &close {
            if self.is_explained(candidate, winner.culprit)
                && let Some(verdict) = self.pass(candidate)
            {
                verdicts.push(verdict);
            }
        }
        for candidate in &same {
            if verdicts.iter().all(|verdict| verdict.culprit != candidate.culprit) {
                let (breadth, candidate) = self.examine(candidate);
                verdicts.push(self.verdict(&candidate, &breadth));
            }
        }
        for verdict in &verdicts {
            self.discard(verdict.culprit);
        }
        Some(Finding::of(verdicts))
    }

    /// The path between two zones where only one Node's traffic would show a fault: nothing tells it from that Node, so
    /// that no guard keeps it from being an alternative.
    fn is_path_of_lone_node(&self, candidate: &Candidate, winner: Culprit) -> bool {
        let (Culprit::ZonePair(a, b), Some(node)) = (candidate.culprit, winner.node()) else { return false };
        let rows = self.members(candidate.culprit).into_iter().map(|row| self.graph.edge(row));
        let others = rows.filter(|edge| !self.contains(Culprit::Node(node), edge));
        a != b && others.map(|edge| self.signal.power(edge, candidate.level)).sum::<f64>() < 1.0
    }

    /// The candidate as a verdict, when no guard refuses it.
    fn pass(&mut self, candidate: &Candidate) -> Option<Verdict> {
        let score = candidate.score.to_bits();
        if self.refused.get(&candidate.culprit).is_some_and(|(at, _)| *at == score) {
            return None;
        }
        let (breadth, candidate) = self.examine(candidate);
        if let Some(missing) = breadth.missing(&candidate, self.parameters) {
            self.refused.insert(candidate.culprit, (score, missing));
            return None;
        }
        Some(self.verdict(&candidate, &breadth))
    }

    /// The candidate's peers, and its score net of the load that a busy component shows without a fault.
    fn examine(&self, candidate: &Candidate) -> (Breadth, Candidate) {
        let rows = self.members(candidate.culprit);
        let net = self.signal.net_of_load(&mut rows.iter().map(|row| self.graph.edge(*row)));
        let net = net - self.sums.penalty(candidate.culprit);
        let net = Candidate { score: candidate.score.min(net), ..*candidate };
        (breadth(self.graph, &self.signal, candidate, &rows), net)
    }

    fn verdict(&self, candidate: &Candidate, breadth: &Breadth) -> Verdict {
        let rows = self.members(candidate.culprit);
        let mut evidence = self.evidence(candidate.culprit, &rows, &breadth.bad_rows);
        (evidence.bad, evidence.peers) = (breadth.bad, breadth.peers);
        self.judged(candidate.culprit, candidate.score, evidence)
    }

    pub(super) fn judged(&self, culprit: Culprit, score: f64, evidence: Evidence) -> Verdict {
        let above = score - self.parameters.threshold;
        let single_path = matches!(culprit, Culprit::Pair(..));
        let confidence = self.parameters.calibration.confidence(above, single_path);
        Verdict { culprit, symptom: S::SYMPTOM, score, confidence, evidence }
    }

    pub(super) fn evidence(&self, culprit: Culprit, rows: &[u32], bad_rows: &[u32]) -> Evidence {
        let bad: Vec<&Edge> = bad_rows.iter().map(|row| self.graph.edge(*row)).collect();
        let (excess_ratio, shift_us) = self.signal.size(&bad);
        let mut out = Evidence { excess_ratio, shift_us, heard: true, ..Evidence::default() };
        for edge in rows.iter().map(|row| self.graph.edge(*row)) {
            out.observed += u64::from(edge.episodes);
            out.expected += self.loss.expected(edge);
            out.segments += edge.segments;
        }
        if let Some(node) = culprit.node() {
            out.heard = self.graph.fleet.ends[node.index()].heard;
        }
        out
    }

    /// Without the winner's edges the candidate stays below θ.
    fn is_explained(&self, candidate: &Candidate, winner: Culprit) -> bool {
        let rest: f64 = self
            .members(candidate.culprit)
            .iter()
            .map(|row| self.graph.edge(*row))
            .filter(|edge| !self.contains(winner, edge))
            .filter_map(|edge| self.signal.nats(edge))
            .map(|nats| f64::from(nats[candidate.level]))
            .sum();
        rest - self.sums.penalty(candidate.culprit) < self.parameters.threshold
    }

    fn contains(&self, culprit: Culprit, edge: &Edge) -> bool {
        match culprit {
            Culprit::Node(end) => edge.from == end || edge.to == end,
            Culprit::NodeIn(end) | Culprit::External(end) => edge.to == end,
            Culprit::NodeOut(end) => edge.from == end,
            Culprit::Pair(a, b) => (edge.from.min(edge.to), edge.from.max(edge.to)) == (a, b),
            Culprit::ZonePair(a, b) => {
                self.graph.zones(edge).is_some_and(|(from, to)| (from.min(to), from.max(to)) == (a, b))
            }
            Culprit::Pod(pod) => edge.from_pod == Some(pod) || edge.to_pod == Some(pod),
        }
    }

    /// Remaining rows of a culprit.
    pub(super) fn members(&self, culprit: Culprit) -> Vec<u32> {
        let graph = self.graph;
        let remaining =
            |rows: &[u32]| -> Vec<u32> { rows.iter().copied().filter(|row| self.alive[*row as usize]).collect() };
        match culprit {
            Culprit::Node(end) => [remaining(graph.outgoing(end)), remaining(graph.incoming(end))].concat(),
            Culprit::NodeIn(end) | Culprit::External(end) => remaining(graph.incoming(end)),
            Culprit::NodeOut(end) => remaining(graph.outgoing(end)),
            Culprit::Pair(a, b) => [remaining(graph.between(a, b)), remaining(graph.between(b, a))].concat(),
            Culprit::ZonePair(..) => {
                let rows = graph.rows().filter(|row| self.alive[*row as usize]);
                rows.filter(|row| self.contains(culprit, graph.edge(*row))).collect()
            }
            Culprit::Pod(pod) => {
                // A row between the Pod and itself is listed twice.
                let mut rows = remaining(graph.of_pod(pod));
                rows.dedup();
                rows
            }
        }
    }

    /// Discards a culprit's edges. Of a Node in both directions: the other one would be blamed a second time.
    pub(super) fn discard(&mut self, culprit: Culprit) {
        let whole = culprit.node().map_or(culprit, Culprit::Node);
        for row in self.members(whole) {
            self.alive[row as usize] = false;
            self.sums.discard(self.graph, self.graph.edge(row), &self.signal);
        }
    }

    /// Reports trouble that no verdict explains.
    fn undecided(&mut self, findings: &mut Vec<Finding>) {
        for _ in 0..MAX_INSUFFICIENT {
            let ranked = self.sums.above(self.graph, self.parameters.threshold);
            let Some(candidate) = ranked.first() else { return };
            let (breadth, candidate) = self.examine(candidate);
            // `None` only when the search ended at `max_findings`.
            let Some(missing) = breadth.missing(&candidate, self.parameters) else { return };
            if candidate.score >= self.parameters.threshold {
                findings.push(Finding::insufficient(self.verdict(&candidate, &breadth), missing));
            }
            self.discard(candidate.culprit);
        }
    }

    pub(super) fn fleet(&self) -> &'a Fleet {
        self.graph.fleet
    }

    /// The Node's candidate over the remaining rows.
    pub(super) fn node(&self, end: EndId) -> Option<Candidate> {
        self.sums.node(end)
    }
}
