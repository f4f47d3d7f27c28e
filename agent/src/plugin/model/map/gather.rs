//! Sums the rows of both ends to nodes and edges.

use super::{
    super::waterfall::clipped,
    MAX_EDGES, MAX_NODES, MapEdge, MapNode, MapState, Names,
    names::Key,
    sums::{EndSums, RequestSums, is_slow, state, unusual},
};
use crate::api::{EdgeRow, Hint};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// All nodes and edges.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    nodes: BTreeMap<Key, NodeSums>,
    edges: BTreeMap<(Key, Key), EdgeSums>,
    /// Edges of which only the ends are known.
    undirected: BTreeMap<(Key, Key), EdgeSums>,
}

#[derive(Debug, Default)]
struct NodeSums {
    pods: BTreeSet<String>,
    dns_names: BTreeSet<String>,
    hosts: BTreeSet<String>,
    server: RequestSums,
}

#[derive(Debug, Default)]
struct EdgeSums {
    caller: BothWays,
    callee: BothWays,
    hosts: [BTreeSet<String>; 2],
}

/// The rows of one end. A request through a sidecar has two of them: to the sidecar, and from it.
#[derive(Debug, Default)]
struct BothWays {
    direct: EndSums,
    redirected: EndSums,
}

/// An edge with the Nodes of its callers and callees.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    pub(super) edge: MapEdge,
    pub(super) hosts: [BTreeSet<String>; 2],
}

/// Ends of an edge.
const CALLER: usize = 0;
const CALLEE: usize = 1;

impl Gathered {
    /// From all agents' rows.
    pub(super) fn new(rows: &[EdgeRow], names: &Names) -> Self {
        let mut out = Self::default();
        // Connections within a Pod are no edges of a map.
        let is_loopback =
            |row: &&EdgeRow| row.peer.parse::<IpAddr>().is_ok_and(|peer| peer.to_canonical().is_loopback());
        let (known, unknown): (Vec<&EdgeRow>, Vec<&EdgeRow>) =
            rows.iter().filter(|row| !is_loopback(row)).partition(|row| own_end(row).is_some());
        // Afterwards it is known which edges there are.
        for row in known.into_iter().chain(unknown) {
            out.add(row, names);
        }
        out
    }

    fn add(&mut self, row: &EdgeRow, names: &Names) {
        let (own, peer) = (names.subject(&row.subject), names.peer(row));
        self.add_ends(row, names, (&own, &peer));
        let (to_peer, from_peer) = ((own.clone(), peer.clone()), (peer, own));
        let (edges, pair, end) = match own_end(row) {
            Some(CALLEE) => (&mut self.edges, from_peer, CALLEE),
            Some(_) => (&mut self.edges, to_peer, CALLER),
            None if self.edges.contains_key(&to_peer) => (&mut self.edges, to_peer, CALLER),
            None if self.edges.contains_key(&from_peer) => (&mut self.edges, from_peer, CALLEE),
            // Both of its ends may have a row.
            None if self.undirected.contains_key(&from_peer) => (&mut self.undirected, from_peer, CALLEE),
            None => (&mut self.undirected, to_peer, CALLER),
        };
        let sums = edges.entry(pair).or_default();
        let ways = if end == CALLER { &mut sums.caller } else { &mut sums.callee };
        if row.redirected {
            ways.redirected.add(row)
        } else {
            ways.direct.add(row)
        }
        sums.hosts[end].insert(row.subject.node.clone());
        sums.hosts[1 - end].extend(row.peer_node.clone());
    }

    fn add_ends(&mut self, row: &EdgeRow, names: &Names, (own, peer): (&Key, &Key)) {
        let node = self.nodes.entry(own.clone()).or_default();
        node.pods.insert(format!("{}/{}", row.subject.namespace, row.subject.name));
        node.hosts.insert(row.subject.node.clone());
        if let Some(times) = row.responses.as_ref().filter(|_| own_end(row) == Some(CALLEE) && !row.redirected) {
            node.server.add(times);
        }
        let node = self.nodes.entry(peer.clone()).or_default();
        node.pods.extend(row.peer_pod.as_deref().or_else(|| names.pod_at(&row.peer)).map(str::to_owned));
        node.hosts.extend(row.peer_node.clone());
        // Of a server: a caller outside may be one of many.
        if own_end(row) != Some(CALLEE) {
            node.dns_names.extend(row.peer_dns_name.as_deref().map(clipped));
        }
    }

    /// Adds the subjects of hints in this namespace, also those without traffic.
    pub(super) fn add_subjects(&mut self, hints: &[Hint], names: &Names, namespace: Option<&str>) {
        let is_wanted = |hint: &&Hint| {
            hint.subject.kind != "Node" && namespace.is_none_or(|namespace| namespace == hint.subject.namespace)
        };
        for Hint { subject, .. } in hints.iter().filter(is_wanted) {
            let node = self.nodes.entry(names.subject(subject)).or_default();
            node.pods.insert(format!("{}/{}", subject.namespace, subject.name));
            node.hosts.insert(subject.node.clone());
        }
    }

    /// Nodes and edges in the order of their names.
    pub(super) fn finish(self) -> (Vec<MapNode>, Vec<Placed>) {
        let Self { nodes, edges, undirected } = self;
        let directed = edges.into_iter().map(|(pair, sums)| placed(&pair, sums, true));
        let edges: Vec<Placed> =
            directed.chain(undirected.into_iter().map(|(pair, sums)| placed(&pair, sums, false))).collect();
        let measured = edges.iter().filter(|placed| placed.edge.state != MapState::Unknown);
        let measured: BTreeSet<&str> =
            measured.flat_map(|placed| [placed.edge.from.as_str(), placed.edge.to.as_str()]).collect();
        let nodes = nodes.into_iter().map(|(key, sums)| {
            let mut node = node(&key, sums);
            if node.state == MapState::Unknown && measured.contains(node.id.as_str()) {
                node.state = MapState::Well;
            }
            node
        });
        (nodes.collect(), edges)
    }
}

/// The end of the row's subject. `None`: not known.
fn own_end(row: &EdgeRow) -> Option<usize> {
    match row.role.as_deref() {
        Some("client") => Some(CALLER),
        Some("server") => Some(CALLEE),
        _ => None,
    }
}

fn node(key: &Key, sums: NodeSums) -> MapNode {
    let server = sums.server.finish();
    let is_unusual = server.as_ref().is_some_and(is_slow);
    MapNode {
        id: key.id(),
        kind: key.kind.clone(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
        pods: sums.pods.len(),
        dns_names: sums.dns_names.into_iter().take(MapNode::MAX_DNS_NAMES).collect(),
        hosts: sums.hosts.into_iter().filter(|host| !host.is_empty()).take(MapNode::MAX_HOSTS).collect(),
        state: if is_unusual { MapState::Unusual } else { MapState::Unknown },
        server,
        hints: Vec::new(),
    }
}

/// The rows to show, and whether they are about redirects.
fn one_way(ways: BothWays, has_direct: bool) -> EndSums {
    if has_direct { ways.direct } else { ways.redirected }
}

fn placed((from, to): &(Key, Key), sums: EdgeSums, directed: bool) -> Placed {
    let EdgeSums { caller, callee, hosts } = sums;
    let has_direct = caller.direct.rows + callee.direct.rows > 0;
    let (caller, callee) = (one_way(caller, has_direct), one_way(callee, has_direct));
    // Both ends count the same connections and bytes.
    let of_one = if caller.rows > 0 { &caller } else { &callee };
    let lowest = [caller.min_rtt_seconds, callee.min_rtt_seconds];
    let mut edge = MapEdge {
        from: from.id(),
        to: to.id(),
        directed,
        ports: caller.ports.union(&callee.ports).copied().take(MapEdge::MAX_PORTS).collect(),
        redirected: !has_direct,
        connects: of_one.connects,
        failed_connects: of_one.failed_connects,
        bytes_per_second: of_one.bytes_per_second,
        min_rtt_seconds: lowest.into_iter().flatten().min_by(f64::total_cmp),
        sent: caller.segments,
        answered: callee.segments,
        ..MapEdge::default()
    };
    edge.client = caller.requests.finish();
    edge.server = callee.requests.finish();
    edge.unusual = unusual(&edge);
    edge.state = state(&edge);
    Placed { edge, hosts }
}

/// Those in trouble and the busiest, as many as a map has.
pub(super) fn bounded(mut nodes: Vec<MapNode>, edges: Vec<Placed>) -> (Vec<MapNode>, Vec<MapEdge>) {
    let mut edges: Vec<MapEdge> = edges.into_iter().map(|placed| placed.edge).collect();
    let rate = |edge: &MapEdge| edge.requests().and_then(|requests| requests.per_second).unwrap_or(0.0);
    edges.sort_by(|a, b| {
        (a.state.cmp(&b.state))
            .then(b.confidence().total_cmp(&a.confidence()))
            .then(b.unusual.len().cmp(&a.unusual.len()))
            .then(rate(b).total_cmp(&rate(a)))
            .then(b.bytes_per_second.unwrap_or(0.0).total_cmp(&a.bytes_per_second.unwrap_or(0.0)))
            .then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to)))
    });
    edges.truncate(MAX_EDGES);
    let mut degree: BTreeMap<&str, usize> = BTreeMap::new();
    for end in edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
        *degree.entry(end).or_default() += 1;
    }
    let edges_of = |node: &MapNode| degree.get(node.id.as_str()).copied().unwrap_or(0);
    nodes.retain(|node| edges_of(node) > 0 || !node.hints.is_empty());
    nodes.sort_by(|a, b| {
        (a.state.cmp(&b.state))
            .then(b.confidence().total_cmp(&a.confidence()))
            .then_with(|| Reverse(edges_of(a)).cmp(&Reverse(edges_of(b))))
            .then_with(|| a.id.cmp(&b.id))
    });
    nodes.truncate(MAX_NODES);
    let kept: BTreeSet<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
    edges.retain(|edge| kept.contains(edge.from.as_str()) && kept.contains(edge.to.as_str()));
    (nodes, edges)
}
