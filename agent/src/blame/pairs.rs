//! Single paths: what is left when no component of many edges is to blame.

use super::{
    breadth::breadth,
    engine::Engine,
    fleet::{Edge, EndId},
    signal::Signal,
    sums::Candidate,
    verdict::{Culprit, Evidence, Finding, Verdict},
};

/// Evidence of one row that makes its pair worth a look, nats.
const WORTH_A_LOOK: f64 = 3.0;
/// Clean peers that show an end itself to be sound.
const SOUND: usize = 2;
/// … and so many times as many as there are bad ones: else the end may have a fault that hits a part of its edges.
const CLEAN_PER_BAD: usize = 4;

impl<const K: usize, S: Signal<K>> Engine<'_, K, S> {
    /// Judges the pairs on the rows that are left. Returns those whose trouble is one or two conversations'.
    pub(super) fn pairs(&mut self, findings: &mut Vec<Finding>) -> Vec<Verdict> {
        let mut pairs: Vec<(EndId, EndId)> = self
            .graph
            .rows()
            .filter(|row| self.alive[*row as usize])
            .map(|row| self.graph.edge(row))
            .filter(|edge| self.signal.is_suspect(edge) && self.signal.pair_nats(&[edge]) >= WORTH_A_LOOK)
            .map(|edge| (edge.from.min(edge.to), edge.from.max(edge.to)))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        // Each row has a way back, most often.
        let family = (3.0 * self.fleet().edges.len() as f64 / 2.0).max(1.0).ln() + self.parameters.pair_prior;
        let mut found: Vec<(Verdict, usize)> = pairs
            .into_iter()
            .filter_map(|(a, b)| self.pair(a, b, family))
            .filter(|(verdict, _)| verdict.score >= self.parameters.threshold)
            .collect();
        found.sort_by(|x, y| y.0.score.total_cmp(&x.0.score).then(x.0.culprit.cmp(&y.0.culprit)));
        let (enough, thin): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(verdict, _)| verdict.evidence.bad >= self.parameters.min_bad);
        let room = self.parameters.max_findings.saturating_sub(findings.len());
        for (verdict, level) in enough.into_iter().take(room) {
            findings.push(self.pair_finding(verdict, level));
        }
        thin.into_iter().map(|(verdict, _)| verdict).collect()
    }

    /// The pair's best explanation, both ways or one, and its level.
    fn pair(&self, a: EndId, b: EndId, family: f64) -> Option<(Verdict, usize)> {
        let living = |from: EndId, to: EndId| -> Vec<u32> {
            self.graph.between(from, to).iter().copied().filter(|row| self.alive[*row as usize]).collect()
        };
        let (there, back) = (living(a, b), living(b, a));
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
        // An end that nothing else shows to be sound may be the culprit as well.
        let suspects = [(a, b), (b, a)].into_iter().filter(|(end, other)| !self.is_sound(*end, *other, level));
        let others: Vec<Verdict> = suspects.map(|(end, _)| self.end_verdict(end, &verdict)).collect();
        let finding = Finding::of(std::iter::once(verdict).chain(others).collect());
        self.discard(Culprit::Pair(a, b));
        finding
    }

    /// Other peers would show the fault if the end itself had it, and by far the most do not.
    fn is_sound(&self, end: EndId, other: EndId, level: usize) -> bool {
        let candidate = Candidate { culprit: Culprit::Node(end), score: 0.0, level };
        let mut rows = self.members(candidate.culprit);
        rows.retain(|row| {
            let edge = self.graph.edge(*row);
            edge.from != other && edge.to != other
        });
        let rest = breadth(self.graph, &self.signal, &candidate, &rows);
        let clean = rest.peers - rest.bad;
        clean >= SOUND && clean >= CLEAN_PER_BAD * rest.bad
    }

    fn end_verdict(&self, end: EndId, pair: &Verdict) -> Verdict {
        let culprit = if self.graph.is_external(end) { Culprit::External(end) } else { Culprit::Node(end) };
        let score = self.node(end).map_or(pair.score, |candidate| candidate.score);
        let evidence = Evidence { bad: 1, peers: 1, ..self.evidence(culprit, &self.members(culprit), &[]) };
        self.judged(culprit, score, evidence)
    }
}
