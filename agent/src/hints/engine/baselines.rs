//! Normal values beside the view's numbers, for readers of the API and for blame over many Nodes.

use crate::{
    hints::{
        context::excuse,
        key::edge_key,
        memory::{
            Memory,
            edge::EdgeMemory,
            path::{self, LongerEdge, Path},
            requests::RequestMemory,
        },
        thresholds::Thresholds,
    },
    state::{EdgeView, NodeView, PeerId, Usual},
};
use std::collections::BTreeMap;

/// The edges to one peer.
#[derive(Default)]
struct Peer<'a> {
    longer: Vec<LongerEdge<'a>>,
    /// Some edge is as fast as usual.
    is_usual: bool,
}

pub(crate) fn add(memory: &Memory, view: &mut NodeView, thresholds: &Thresholds) {
    for (key, count) in view.host.iter_mut().flat_map(|host| &mut host.counters) {
        count.baseline = memory.host.rate(key);
    }
    for subject in &mut view.subjects {
        if let Some(server) = &mut subject.server {
            server.normal = memory.servers.normal(&subject.id);
            server.normal_errors = memory.servers.of(&subject.id).and_then(RequestMemory::usual_errors);
        }
    }
    let paths: Vec<Option<Path>> =
        view.edges.iter().map(|edge| memory.edges.path(edge_key(edge), edge, thresholds)).collect();
    let peers = peers(memory, &view.edges, &paths);
    // Edges to several peers that became longer together share what they share.
    let longer = peers.values().filter(|peer| !peer.is_usual).flat_map(|peer| &peer.longer);
    let together = path::shift_together(&longer.copied().collect::<Vec<_>>());
    let is_proven = |edge: &EdgeView, path: &Option<Path>| {
        let proves = |peer: &Peer<'_>| !peer.is_usual && (together || path::is_proven(&peer.longer));
        let together = peers.get(&edge.peer_id()).is_some_and(proves);
        together || matches!(path, Some(Path::Longer(rise)) if rise.is_proven())
    };
    let usual: Vec<Usual> = (view.edges.iter().zip(&paths))
        .map(|(edge, path)| memory.edges.usual(edge, *path, is_proven(edge, path)))
        .collect();
    for (edge, usual) in view.edges.iter_mut().zip(usual) {
        edge.usual = Usual { is_excused: excuse::is_excused(edge, thresholds), ..usual };
        let known = memory.edges.edge(edge_key(edge)).and_then(EdgeMemory::requests);
        if let (Some(role), Some(responses)) = (edge.role, &mut edge.responses) {
            responses.normal = known.and_then(|known| known.times().normal(role));
            responses.normal_errors = known.and_then(RequestMemory::usual_errors);
        }
    }
}

fn peers<'a>(memory: &Memory, edges: &'a [EdgeView], paths: &[Option<Path>]) -> BTreeMap<PeerId, Peer<'a>> {
    let mut peers: BTreeMap<PeerId, Peer<'_>> = BTreeMap::new();
    for (edge, path) in edges.iter().zip(paths) {
        let peer = peers.entry(edge.peer_id()).or_default();
        match path {
            Some(Path::Longer(rise)) => {
                let since = memory.edges.edge(edge_key(edge)).and_then(EdgeMemory::rose_since);
                let (subject, peer_address, role) = (&edge.subject, edge.peer, edge.role);
                peer.longer.push(LongerEdge { subject, peer: peer_address, role, rise: *rise, since });
            }
            Some(Path::Usual) => peer.is_usual = true,
            None => {}
        }
    }
    peers
}
