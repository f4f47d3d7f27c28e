//! An index of the fleet's rows by sender, receiver and Pod.

use super::fleet::{Edge, EndId, Fleet, PodId, ZoneId};

/// Rows by sender, by receiver and by Pod.
pub(super) struct Graph<'a> {
    pub(super) fleet: &'a Fleet,
    outgoing: Adjacency,
    incoming: Adjacency,
    /// Empty when no row names a Pod.
    pods: Adjacency,
}

/// Rows of each key, one after the other (compressed sparse rows).
#[derive(Default)]
struct Adjacency {
    start: Vec<u32>,
    rows: Vec<u32>,
}

impl Adjacency {
    /// Counting sort of `(key, row)`, stable. It iterates `pairs` twice.
    fn new<I: Iterator<Item = (usize, u32)>>(keys: usize, pairs: impl Fn() -> I) -> Self {
        let mut start = vec![0_u32; keys + 1];
        for (key, _) in pairs() {
            start[key + 1] += 1;
        }
        for i in 0..keys {
            start[i + 1] += start[i];
        }
        let mut next = start.clone();
        let mut rows = vec![0_u32; start[keys] as usize];
        for (key, row) in pairs() {
            rows[next[key] as usize] = row;
            next[key] += 1;
        }
        Self { start, rows }
    }

    fn of(&self, key: usize) -> &[u32] {
        match (self.start.get(key), self.start.get(key + 1)) {
            (Some(from), Some(to)) => &self.rows[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

impl<'a> Graph<'a> {
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        let edges = &fleet.edges;
        let ends = fleet.ends.len();
        let rows = || (0_u32..).zip(edges).filter(|(_, edge)| edge.from != edge.to);
        let incoming = Adjacency::new(ends, || rows().map(|(row, edge)| (edge.to.index(), row)));
        // The sort is stable and starts in the receivers' order, so each sender's rows stay in that order.
        let by_receiver = || incoming.rows.iter().map(|row| (edges[*row as usize].from.index(), *row));
        let outgoing = Adjacency::new(ends, by_receiver);
        let pods = if fleet.pod_count() == 0 {
            Adjacency::default()
        } else {
            let both = |(row, edge): (u32, &Edge)| {
                [edge.from_pod, edge.to_pod].into_iter().flatten().map(move |pod| (pod.index(), row))
            };
            Adjacency::new(fleet.pod_count(), || rows().flat_map(both))
        };
        Self { fleet, outgoing, incoming, pods }
    }

    pub(super) fn edge(&self, row: u32) -> &'a Edge {
        &self.fleet.edges[row as usize]
    }

    /// All rows that have a path.
    pub(super) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.outgoing.rows.iter().copied()
    }

    /// Rows that this end sends, in the receivers' order.
    pub(super) fn outgoing(&self, end: EndId) -> &[u32] {
        self.outgoing.of(end.index())
    }

    /// Rows that this end receives.
    pub(super) fn incoming(&self, end: EndId) -> &[u32] {
        self.incoming.of(end.index())
    }

    /// Rows with this Pod at either end.
    pub(super) fn of_pod(&self, pod: PodId) -> &[u32] {
        self.pods.of(pod.index())
    }

    /// Rows from one end to another.
    pub(super) fn between(&self, from: EndId, to: EndId) -> &[u32] {
        let rows = self.outgoing(from);
        let first = rows.partition_point(|row| self.edge(*row).to < to);
        let count = rows[first..].partition_point(|row| self.edge(*row).to == to);
        &rows[first..first + count]
    }

    /// Zones of both ends. `None`: one is not known, or external.
    pub(super) fn zones(&self, edge: &Edge) -> Option<(ZoneId, ZoneId)> {
        self.fleet.zone_of(edge.from).zip(self.fleet.zone_of(edge.to))
    }

    pub(super) fn is_external(&self, end: EndId) -> bool {
        self.fleet.ends[end.index()].external
    }
}

#[cfg(test)]
mod tests;
