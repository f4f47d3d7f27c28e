//! Single paths: the trouble that no component of many edges explains.

use super::{
    breadth::breadth,
    engine::Engine,
    fleet::{Edge, EndId},
    signal::Signal,
    sums::Candidate,
    verdict::{Culprit, Evidence, Finding, Verdict},
};

/// Evidence of one row from which its pair is judged, nats.
const SUSPECT_NATS: f64 = 3.0;
/// Clean peers that acquit an end …
const ACQUITTING_PEERS: usize = 2;
/// … and their multiple of the bad ones. With fewer, the end may have a partial fault.
const CLEAN_PER_BAD: usize = 4;

impl<const K: usize, S: Signal<K>> Engine<'_, K, S> {
    /// Judges the pairs on the remaining rows. Returns those with too few bad conversations.
    pub(super) fn pairs(&mut self, findings: &mut Vec<Finding>) -> Vec<Verdict> {
        let mut pairs: Vec<(EndId, EndId)> = self
            .graph
            .rows()
            .filter(|row| self.alive[*row as usize])
            .map(|row| self.graph.edge(row))
            .filter(|edge| self.signal.is_suspect(edge) && self.signal.pair_nats(&[edge]) >= SUSPECT_NATS)
            .map(|edge| (edge.from.min(edge.to), edge.from.max(edge.to)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        // Most rows have a row for the way back.
        let family = (3.0 * self.fleet().edges.len() as f64 / 2.0).max(1.0).ln() + self.parameters.pair_prior;
        let mut found: Vec<(Verdict, usize)> = pairs
            .into_iter()
            .filter_map(|(a, b)| self.pair(a, b, family))
            .filter(|(verdict, _)| verdict.score >= self.parameters.threshold)
            .collect();
        found.sort_by(|x, y| y.0.score.total_cmp(&x.0.score).then(x.0.culprit.cmp(&y.0.culprit)));
        let (broad, narrow): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(verdict, _)| verdict.evidence.bad >= self.parameters.min_bad);
        let remaining = self.parameters.max_findings.saturating_sub(findings.len());
        for (verdict, level) in broad.into_iter().take(remaining) {
            findings.push(self.pair_finding(verdict, level));
        }
        narrow.into_iter().map(|(verdict, _)| verdict).collect()
    }

    /// The pair's best explanation, both ways or one way, and its level.
    fn pair(&self, a: EndId, b: EndId, family: f64) -> Option<(Verdict, usize)> {
        let remaining = |from: EndId, to: EndId| -> Vec<u32> {
            self.graph.between(from, to).iter().copied().filter(|row| self.alive[*row as usize]).collect()
        };
        let (there, back) = (remaining(a, b), remaining(b, a));
        let both = [there.clone(), back.clone()].concat();
        let edges = |rows: &[u32]| -> Vec<&Edge> { rows.iter().map(|row| self.graph.edge(*row)).collect() };
        let scored = [both, there, back].into_iter().map(|rows| (self.signal.pair_nats(&edges(&rows)), rows));
        let (nats, rows) = scored.max_by(|x, y| x.0.total_cmp(&y.0))?;
        let edges = edges(&rows);
        let mut evidence = self.evidence(Culprit::Pair(a, b), &rows, &rows);
        evidence.bad = self.signal.bad_flows(&edges);
        evidence.peers = edges.iter().map(|edge| edge.flows.max(1) as usize).sum::<usize>().max(evidence.bad);
        Some((self.judged(Culprit::Pair(a, b), nats - family, evidence), self.signal.pair_level(&edges)))
    }

    fn pair_finding(&mut self, verdict: Verdict, level: usize) -> Finding {
        let Culprit::Pair(a, b) = verdict.culprit else { return Finding::Blamed(verdict) };
        // An end that no other peer acquits may be the culprit as well.
        let suspects = [(a, b), (b, a)].into_iter().filter(|(end, other)| !self.is_acquitted(*end, *other, level));
        let others: Vec<Verdict> = suspects.map(|(end, _)| self.end_verdict(end, &verdict)).collect();
        let finding = Finding::of(std::iter::once(verdict).chain(others).collect());
        self.discard(Culprit::Pair(a, b));
        finding
    }

    /// Other peers would show a fault of the end itself, and by far most do not.
    fn is_acquitted(&self, end: EndId, other: EndId, level: usize) -> bool {
        let candidate = Candidate { culprit: Culprit::Node(end), score: 0.0, level };
        let mut rows = self.members(candidate.culprit);
        rows.retain(|row| {
            let edge = self.graph.edge(*row);
            edge.from != other && edge.to != other
        });
        let rest = breadth(self.graph, &self.signal, &candidate, &rows);
        let clean = rest.peers - rest.bad;
        clean >= ACQUITTING_PEERS && clean >= CLEAN_PER_BAD * rest.bad
    }

    fn end_verdict(&self, end: EndId, pair: &Verdict) -> Verdict {
        let culprit = if self.graph.is_external(end) { Culprit::External(end) } else { Culprit::Node(end) };
        let score = self.node(end).map_or(pair.score, |candidate| candidate.score);
        let evidence = Evidence { bad: 1, peers: 1, ..self.evidence(culprit, &self.members(culprit), &[]) };
        self.judged(culprit, score, evidence)
    }
}
