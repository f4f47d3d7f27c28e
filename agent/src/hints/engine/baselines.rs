//! Normal values beside the view's numbers, for readers of the API and for blame over many Nodes.

use crate::{
    hints::{
        context::{excuse, verdicts::PathVerdicts},
        key::edge_key,
        memory::{
            Memory,
            edge::EdgeMemory,
            edges::Known,
            path::{self, LongerEdge, Path},
            requests::RequestMemory,
        },
        thresholds::Thresholds,
    },
    state::{EdgeView, NodeView, PeerId, Usual},
};
use std::collections::{BTreeMap, BTreeSet};

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
    let known: Vec<Known<'_>> = view.edges.iter().map(|edge| memory.edges.known(edge_key(edge), edge.class)).collect();
    let paths: Vec<Option<Path>> =
        view.edges.iter().zip(&known).map(|(edge, known)| known.path(edge, thresholds)).collect();
    let proven = proven_peers(&view.edges, &known, &paths);
    let verdicts = PathVerdicts::new(view.edges.iter());
    for ((edge, known), path) in view.edges.iter_mut().zip(known).zip(paths) {
        let is_proven = match path {
            Some(Path::Longer(rise)) => rise.is_proven() || proven.contains(&edge.peer_id()),
            Some(Path::Usual) | None => false,
        };
        let usual = known.usual(edge, path, is_proven);
        let is_excused =
            excuse::is_excused(edge, known.edge, thresholds) || verdicts.excuse(edge, known.edge, thresholds);
        edge.usual = Usual { is_excused, ..usual };
        let known = known.edge.and_then(EdgeMemory::requests);
        if let (Some(role), Some(responses)) = (edge.role, &mut edge.responses) {
            responses.normal = known.and_then(|known| known.times().normal(role));
            responses.normal_errors = known.and_then(RequestMemory::usual_errors);
        }
    }
}

/// Peers to which all paths that are known became longer for certain.
fn proven_peers(edges: &[EdgeView], known: &[Known<'_>], paths: &[Option<Path>]) -> BTreeSet<PeerId> {
    let mut peers: BTreeMap<PeerId, Vec<LongerEdge<'_>>> = BTreeMap::new();
    for ((edge, known), path) in edges.iter().zip(known).zip(paths) {
        if let Some(Path::Longer(rise)) = path {
            let since = known.edge.and_then(EdgeMemory::rise_began);
            let (subject, peer, role) = (&edge.subject, edge.peer, edge.role);
            peers.entry(edge.peer_id()).or_default().push(LongerEdge { subject, peer, role, rise: *rise, since });
        }
    }
    if peers.is_empty() {
        return BTreeSet::new();
    }
    for (edge, _) in edges.iter().zip(paths).filter(|(_, path)| **path == Some(Path::Usual)) {
        peers.remove(&edge.peer_id());
    }
    // Edges to several peers that became longer together share what they share.
    let longer: Vec<LongerEdge<'_>> = peers.values().flatten().copied().collect();
    let together = path::shift_together(&longer);
    let proven = peers.into_iter().filter(|(_, longer)| together || path::is_proven(longer));
    proven.map(|(peer, _)| peer).collect()
}
