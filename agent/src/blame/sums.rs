//! The evidence of every candidate as a running sum. Discarding a row subtracts it.

use super::{
    fleet::{Edge, EndId, PodId, ZoneId},
    graph::Graph,
    parameters::Parameters,
    signal::Signal,
    verdict::Culprit,
};

/// Zones up to which zone pairs are judged. Their sums grow with the square.
const MAX_ZONES: usize = 256;

/// A candidate culprit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) culprit: Culprit,
    /// Sum of its rows' evidence less the penalty of its kind, nats.
    pub(super) score: f64,
    /// The level that fits best.
    pub(super) level: usize,
}

/// Evidence of the rows of one candidate, and their number.
#[derive(Clone, Copy)]
struct Sum<const K: usize> {
    nats: [f64; K],
    rows: u32,
}

impl<const K: usize> Sum<K> {
    const ZERO: Self = Self { nats: [0.0; K], rows: 0 };

    fn add(&mut self, nats: &[f32; K]) {
        self.rows += 1;
        for (sum, x) in self.nats.iter_mut().zip(nats) {
            *sum += f64::from(*x);
        }
    }

    fn subtract(&mut self, nats: &[f32; K]) {
        self.rows -= 1;
        for (sum, x) in self.nats.iter_mut().zip(nats) {
            *sum -= f64::from(*x);
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self { nats: std::array::from_fn(|k| self.nats[k] + other.nats[k]), rows: self.rows + other.rows }
    }

    /// The best level and its sum.
    fn best(&self) -> (usize, f64) {
        let mut best = (0, f64::NEG_INFINITY);
        for (level, nats) in self.nats.iter().enumerate() {
            if *nats > best.1 {
                best = (level, *nats);
            }
        }
        best
    }
}

/// `ln(family size)` and prior per kind, nats.
struct Penalties {
    node: f64,
    zone_pair: f64,
    pod: f64,
    external: f64,
}

/// All sums over the rows that are not discarded.
pub(super) struct Sums<const K: usize> {
    outgoing: Vec<Sum<K>>,
    incoming: Vec<Sum<K>>,
    /// Index: sender's zone times `zone_count` plus receiver's. Empty when there are no zones, or too many.
    zones: Vec<Sum<K>>,
    zone_count: usize,
    pods: Vec<Sum<K>>,
    penalties: Penalties,
    ambiguity: f64,
}

impl<const K: usize> Sums<K> {
    /// Adds up all rows.
    pub(super) fn new(graph: &Graph<'_>, signal: &impl Signal<K>, parameters: &Parameters) -> Self {
        let ends = graph.fleet.ends.len();
        let zone_count = Some(graph.fleet.zone_count()).filter(|n| *n <= MAX_ZONES).unwrap_or(0);
        // Each candidate is tried both ways and each way, at every level.
        let size = |n: usize, ways: usize| ((n.max(1) * ways * K) as f64).ln();
        let external = graph.fleet.ends.iter().filter(|end| end.external).count();
        let penalties = Penalties {
            node: size(ends - external, 3),
            zone_pair: size(zone_count * (zone_count + 1) / 2, 3) + parameters.zone_prior,
            pod: size(graph.fleet.pod_count(), 1),
            external: size(external, 1),
        };
        let mut sums = Self {
            outgoing: vec![Sum::ZERO; ends],
            incoming: vec![Sum::ZERO; ends],
            zones: vec![Sum::ZERO; zone_count * zone_count],
            zone_count,
            pods: vec![Sum::ZERO; graph.fleet.pod_count()],
            penalties,
            ambiguity: parameters.ambiguity,
        };
        for edge in graph.fleet.edges.iter().filter(|edge| edge.from != edge.to) {
            if let Some(nats) = signal.nats(edge) {
                sums.each(graph, edge, |sum| sum.add(&nats));
            }
        }
        sums
    }

    /// Removes a row from all candidates that it is evidence for.
    pub(super) fn discard(&mut self, graph: &Graph<'_>, edge: &Edge, signal: &impl Signal<K>) {
        if let Some(nats) = signal.nats(edge) {
            self.each(graph, edge, |sum| sum.subtract(&nats));
        }
    }

    fn each(&mut self, graph: &Graph<'_>, edge: &Edge, mut change: impl FnMut(&mut Sum<K>)) {
        change(&mut self.outgoing[edge.from.index()]);
        change(&mut self.incoming[edge.to.index()]);
        if self.zone_count > 0
            && let Some((from, to)) = graph.zones(edge)
        {
            change(&mut self.zones[usize::from(from.0) * self.zone_count + usize::from(to.0)]);
        }
        for pod in [edge.from_pod, edge.to_pod].into_iter().flatten() {
            change(&mut self.pods[pod.index()]);
        }
    }

    /// The Node's best explanation. One way alone only when that is clearly better and both ways have rows. `None`: the
    /// Node has no rows.
    pub(super) fn node(&self, end: EndId) -> Option<Candidate> {
        let (out, into) = (&self.outgoing[end.index()], &self.incoming[end.index()]);
        let sum = out.plus(into);
        let (mut level, mut nats) = Some(sum.best()).filter(|_| sum.rows > 0)?;
        let mut culprit = Culprit::Node(end);
        if out.rows > 0 && into.rows > 0 {
            let both = nats;
            for (one, way) in [(out, Culprit::NodeOut(end)), (into, Culprit::NodeIn(end))] {
                let (one_level, one_nats) = one.best();
                if one_nats > nats && one_nats >= both + self.ambiguity {
                    (culprit, level, nats) = (way, one_level, one_nats);
                }
            }
        }
        Some(Candidate { culprit, score: nats - self.penalties.node, level })
    }

    fn zone_pair(&self, a: usize, b: usize) -> Option<Candidate> {
        let there = &self.zones[a * self.zone_count + b];
        let back = &self.zones[b * self.zone_count + a];
        let both = if a == b { *there } else { there.plus(back) };
        let (level, nats) = [both.best(), there.best(), back.best()].into_iter().max_by(|x, y| x.1.total_cmp(&y.1))?;
        let culprit = Culprit::ZonePair(ZoneId(a as u16), ZoneId(b as u16));
        (both.rows > 0).then_some(Candidate { culprit, score: nats - self.penalties.zone_pair, level })
    }

    /// All candidates of many edges with at least this score, best first.
    pub(super) fn above(&self, graph: &Graph<'_>, least: f64) -> Vec<Candidate> {
        let mut found = Vec::new();
        let mut take = |candidate: Option<Candidate>| found.extend(candidate.filter(|c| c.score >= least));
        for (index, sum) in (0_u32..).zip(&self.incoming) {
            let end = EndId(index);
            if !graph.is_external(end) {
                take(self.node(end));
            } else if sum.rows > 0 {
                let (level, nats) = sum.best();
                take(Some(Candidate { culprit: Culprit::External(end), score: nats - self.penalties.external, level }));
            }
        }
        for a in 0..self.zone_count {
            for b in a..self.zone_count {
                take(self.zone_pair(a, b));
            }
        }
        for (index, sum) in (0_u32..).zip(&self.pods).filter(|(_, sum)| sum.rows > 0) {
            let (level, nats) = sum.best();
            let pod = PodId(std::num::NonZeroU32::MIN.saturating_add(index));
            take(Some(Candidate { culprit: Culprit::Pod(pod), score: nats - self.penalties.pod, level }));
        }
        found.sort_by(|x, y| y.score.total_cmp(&x.score).then(x.culprit.cmp(&y.culprit)));
        found
    }

    /// Penalty of this kind of culprit, nats.
    pub(super) fn penalty(&self, culprit: Culprit) -> f64 {
        match culprit {
            Culprit::Node(_) | Culprit::NodeIn(_) | Culprit::NodeOut(_) => self.penalties.node,
            Culprit::ZonePair(..) => self.penalties.zone_pair,
            Culprit::Pod(_) => self.penalties.pod,
            Culprit::External(_) => self.penalties.external,
            // Judged by themselves, see `pairs`.
            Culprit::Pair(..) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests;
