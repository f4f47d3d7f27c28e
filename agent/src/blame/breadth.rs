//! Breadth of the evidence: how many of a candidate's peers show the fault, among those that would.

use super::{
    fleet::Edge,
    graph::Graph,
    parameters::Parameters,
    signal::Signal,
    sums::Candidate,
    verdict::{Culprit, Missing},
};

/// Evidence from which a peer, or a row, counts as bad, nats.
const BAD: f64 = 0.5;

/// Evidence of a candidate's rows, by peer.
pub(super) struct Breadth {
    /// Peers with more evidence for the fault than against.
    pub(super) bad: usize,
    /// Bad ones, and those that would show the fault.
    pub(super) peers: usize,
    /// Rows that show the fault.
    pub(super) bad_rows: Vec<u32>,
    /// Evidence of the strongest peer (of a zone pair: the strongest Node), nats.
    pub(super) largest: f64,
    /// Bad Nodes on either side. Only of a zone pair.
    sides: Option<[usize; 2]>,
}

/// Sums up the evidence of a candidate by peer, over these rows.
pub(super) fn breadth<const K: usize>(
    graph: &Graph<'_>,
    signal: &impl Signal<K>,
    candidate: &Candidate,
    rows: &[u32],
) -> Breadth {
    let mut peers: Vec<(u64, u32, f64, f64)> = rows
        .iter()
        .filter_map(|row| {
            let edge = graph.edge(*row);
            let nats = f64::from(signal.nats(edge)?[candidate.level]);
            Some((peer(candidate.culprit, edge), *row, nats, signal.power(edge, candidate.level)))
        })
        .collect();
    peers.sort_unstable_by_key(|(peer, row, ..)| (*peer, *row));
    let mut out = Breadth { bad: 0, peers: 0, bad_rows: Vec::new(), largest: 0.0, sides: None };
    for group in peers.chunk_by(|x, y| x.0 == y.0) {
        let nats: f64 = group.iter().map(|(_, _, nats, _)| nats).sum();
        let power: f64 = group.iter().map(|(_, _, _, power)| power).sum();
        let bad = nats > BAD;
        out.bad += usize::from(bad);
        out.peers += usize::from(bad || power >= 1.0);
        out.largest = out.largest.max(nats);
        out.bad_rows.extend(group.iter().filter(|(_, _, nats, _)| bad && *nats > BAD).map(|(_, row, ..)| *row));
    }
    if let Culprit::ZonePair(a, _) = candidate.culprit {
        let mut sum = vec![0.0_f64; graph.fleet.ends.len()];
        for (_, row, nats, _) in &peers {
            let edge = graph.edge(*row);
            sum[edge.from.index()] += nats;
            sum[edge.to.index()] += nats;
        }
        out.largest = sum.iter().copied().fold(0.0, f64::max);
        let mut sides = [0, 0];
        for (end, sum) in graph.fleet.ends.iter().zip(&sum) {
            sides[usize::from(end.zone != Some(a))] += usize::from(*sum > BAD);
        }
        out.sides = Some(sides);
    }
    out
}

/// Key of a row's peer as seen from the culprit. Of a zone pair: its pair of Nodes.
fn peer(culprit: Culprit, edge: &Edge) -> u64 {
    let other = |end| if edge.from == end { edge.to } else { edge.from };
    match culprit {
        Culprit::Node(end) | Culprit::NodeIn(end) | Culprit::NodeOut(end) | Culprit::External(end) => {
            u64::from(other(end).0)
        }
        Culprit::Pod(pod) => u64::from(if edge.from_pod == Some(pod) { edge.to.0 } else { edge.from.0 }),
        Culprit::ZonePair(..) | Culprit::Pair(..) => {
            u64::from(edge.from.min(edge.to).0) << 32 | u64::from(edge.from.max(edge.to).0)
        }
    }
}

impl Breadth {
    /// The guard that the candidate fails. `None`: it passes all. Its score is net of a busy component's load.
    pub(super) fn missing(&self, candidate: &Candidate, parameters: &Parameters) -> Option<Missing> {
        let share = self.bad as f64 / self.peers.max(1) as f64;
        let too_few_nodes = self.sides.is_some_and(|[first, second]| match candidate.culprit {
            // Within a zone all Nodes are on the first side.
            Culprit::ZonePair(a, b) if a == b => first < parameters.min_bad,
            _ => first < 2 || second < 2,
        });
        let prior = if share < 0.5 { parameters.partial_prior } else { 0.0 };
        if self.bad < parameters.min_bad || too_few_nodes {
            Some(Missing::Breadth)
        } else if share < parameters.min_bad_share || candidate.score - prior < parameters.threshold {
            Some(Missing::Share)
        } else if candidate.score - self.largest < parameters.threshold {
            Some(Missing::OnePeer)
        } else {
            None
        }
    }
}
