//! Input: ends, and the traffic between them in one window.

use std::{collections::HashMap, num::NonZeroU32};

/// A Node, or something outside the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndId(pub(super) u32);

/// A zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ZoneId(pub(super) u16);

/// A Pod. Never zero, so that `None` costs no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodId(pub(super) NonZeroU32);

impl EndId {
    /// Position in the order of [`Fleet::node`] and [`Fleet::external`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl PodId {
    pub(super) const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Data sent from one Node to one peer in the window, as the sender's agent counted it. One row per pair of Nodes, or
/// one per pair of Pods: rows of the same pair of Nodes add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Sender, a Node.
    pub from: EndId,
    /// Receiver. An edge from a Node to itself has no path and is ignored: the Node's own rules judge it.
    pub to: EndId,
    /// Data segments sent.
    pub segments: u64,
    /// Loss episodes: bursts of retransmission, not segments.
    pub episodes: u32,
    /// Conversations (Pod and remote address) that sent. 0: not known, counts as one.
    pub flows: u32,
    /// Conversations with an episode. 0 with episodes: not known, counts as one.
    pub lossy_flows: u32,
    /// Episodes per segment in normal times, 0 … 1. `None`: not known yet.
    pub baseline: Option<f32>,
    /// Lowest RTT, now and in normal times. `None`: no sample or no baseline.
    pub min_rtt: Option<MinRtt>,
    /// The same where it rose and nothing tells a longer path from slow peers. `None`: it didn't, or `min_rtt` is known.
    pub rise: Option<MinRtt>,
    /// Sending Pod. `None`: the row covers several.
    pub from_pod: Option<PodId>,
    /// Receiving Pod. `None`: not known, or several.
    pub to_pod: Option<PodId>,
}

/// Lowest RTT of an edge. It describes the path, without the peer's think time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinRtt {
    /// In the window, µs.
    pub now_us: u32,
    /// In normal times, µs.
    pub usual_us: u32,
}

impl Edge {
    /// An edge with only segments and episodes.
    pub const fn new(from: EndId, to: EndId, segments: u64, episodes: u32) -> Self {
        Self {
            from,
            to,
            segments,
            episodes,
            flows: 0,
            lossy_flows: 0,
            baseline: None,
            min_rtt: None,
            rise: None,
            from_pod: None,
            to_pod: None,
        }
    }

    /// Conversations with an episode, at least one when there was any.
    pub(super) fn lossy(&self) -> u32 {
        self.lossy_flows.max(u32::from(self.episodes > 0))
    }
}

/// One end.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) name: Box<str>,
    pub(super) zone: Option<ZoneId>,
    pub(super) external: bool,
    pub(super) heard: bool,
}

/// All ends by name, and the edges between them.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    pub(super) ends: Vec<End>,
    pub(super) edges: Vec<Edge>,
    zones: Vec<Box<str>>,
    pods: Vec<Box<str>>,
    // Keyed by kind as well: a Node and an external host may share a name.
    by_name: HashMap<(Kind, Box<str>), u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Node,
    External,
    Zone,
    Pod,
}

impl Fleet {
    /// An empty fleet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The Node of that name, added when it is new. The first known zone stays.
    pub fn node(&mut self, name: &str, zone: Option<&str>) -> EndId {
        let zone = zone.map(|zone| self.zone(zone));
        let id = self.end(Kind::Node, name);
        let end = &mut self.ends[id.index()];
        end.zone = end.zone.or(zone);
        id
    }

    /// The peer of that name outside the cluster, added when it is new.
    pub fn external(&mut self, name: &str) -> EndId {
        self.end(Kind::External, name)
    }

    /// The Pod of that name (`namespace/name`), added when it is new.
    pub fn pod(&mut self, name: &str) -> PodId {
        let new = self.pods.len() as u32;
        let index = *self.by_name.entry((Kind::Pod, name.into())).or_insert(new);
        if index == new {
            self.pods.push(name.into());
        }
        PodId(NonZeroU32::MIN.saturating_add(index))
    }

    /// Records that this Node's agent answered: its edges are complete. A Node without an answer is judged by the
    /// traffic that its peers send to it.
    pub fn set_heard(&mut self, node: EndId) {
        self.ends[node.index()].heard = true;
    }

    /// Adds one row.
    pub fn push(&mut self, edge: Edge) {
        debug_assert!(!self.ends[edge.from.index()].external, "only Nodes have agents that count what is sent");
        self.edges.push(edge);
    }

    /// Reserves memory for more rows.
    pub fn reserve(&mut self, edges: usize) {
        self.edges.reserve_exact(edges);
    }

    /// All rows.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// All rows, to write the counts of another window.
    pub fn edges_mut(&mut self) -> &mut [Edge] {
        &mut self.edges
    }

    /// Name of an end.
    pub fn name(&self, end: EndId) -> &str {
        &self.ends[end.index()].name
    }

    /// The zone of that name. `None`: no Node is in it.
    pub fn zone_named(&self, name: &str) -> Option<ZoneId> {
        self.zones.iter().position(|zone| **zone == *name).map(|at| ZoneId(u16::try_from(at).unwrap_or(u16::MAX)))
    }

    /// Name of a zone.
    pub fn zone_name(&self, zone: ZoneId) -> &str {
        &self.zones[usize::from(zone.0)]
    }

    /// Name of a Pod.
    pub fn pod_name(&self, pod: PodId) -> &str {
        &self.pods[pod.index()]
    }

    /// Zone of an end. `None`: not known, or outside.
    pub fn zone_of(&self, end: EndId) -> Option<ZoneId> {
        self.ends[end.index()].zone
    }

    pub(super) fn zone_count(&self) -> usize {
        self.zones.len()
    }

    pub(super) fn pod_count(&self) -> usize {
        self.pods.len()
    }

    fn end(&mut self, kind: Kind, name: &str) -> EndId {
        let new = self.ends.len() as u32;
        let index = *self.by_name.entry((kind, name.into())).or_insert(new);
        if index == new {
            let external = kind == Kind::External;
            self.ends.push(End { name: name.into(), zone: None, external, heard: false });
        }
        EndId(index)
    }

    fn zone(&mut self, name: &str) -> ZoneId {
        let new = self.zones.len() as u32;
        let index = *self.by_name.entry((Kind::Zone, name.into())).or_insert(new);
        if index == new {
            self.zones.push(name.into());
        }
        // No cluster has 65,536 zones. The last one would stand for the rest.
        ZoneId(u16::try_from(index).unwrap_or(u16::MAX))
    }
}
