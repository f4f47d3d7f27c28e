//! Marks nodes and edges about which a hint fires.

use super::{MapHint, MapNode, MapState, Names, gather::Placed};
use crate::api::{BlameKind, Hint, HintState};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

/// Most hints of one node or edge.
const MAX_HINTS: usize = 8;

/// Marks the node of each hint's subject, that of the culprit, and the edges between them.
pub(super) fn mark(nodes: &mut [MapNode], edges: &mut [Placed], hints: &[Hint], names: &Names) {
    let at: BTreeMap<String, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
    let mut firing: Vec<&Hint> = hints.iter().filter(|hint| hint.state == HintState::Firing).collect();
    firing.sort_by(|a, b| b.confidence.total_cmp(&a.confidence).then_with(|| a.id.cmp(&b.id)));
    for hint in firing {
        let subject = names.subject(&hint.subject).id();
        let others: Vec<String> = culprits(hint, names).into_iter().filter(|id| *id != subject).collect();
        if let Some(node) = at.get(&subject).and_then(|at| nodes.get_mut(*at)) {
            add(&mut node.hints, hint, false);
        }
        let other = others.iter().find_map(|id| at.get(id));
        if let Some(node) = other.and_then(|at| nodes.get_mut(*at)) {
            add(&mut node.hints, hint, true);
        }
        for placed in edges.iter_mut().filter(|placed| is_about(placed, hint, &subject, &others)) {
            add(&mut placed.edge.hints, hint, false);
        }
    }
    for node in nodes.iter_mut().filter(|node| !node.hints.is_empty()) {
        node.state = MapState::Hint;
    }
    for placed in edges.iter_mut().filter(|placed| !placed.edge.hints.is_empty()) {
        placed.edge.state = MapState::Hint;
    }
}

fn add(list: &mut Vec<MapHint>, hint: &Hint, blamed: bool) {
    let subject = &hint.subject;
    let subject = if subject.namespace.is_empty() {
        subject.name.clone()
    } else {
        format!("{}/{}", subject.namespace, subject.name)
    };
    // Several Pods of a workload have the same one.
    let is_same = |known: &MapHint| known.cause == hint.cause && known.blamed == blamed;
    if list.len() < MAX_HINTS && !list.iter().any(is_same) {
        list.push(MapHint {
            cause: hint.cause.clone(),
            confidence: hint.confidence,
            subject,
            blame: hint.blame.text(),
            blamed,
            summary: hint.summary.clone(),
        });
    }
}

/// `id`s that the named culprit's node may have. Empty: none is named, or it is no node of a map.
fn culprits(hint: &Hint, names: &Names) -> Vec<String> {
    let name = hint.blame.name.as_str();
    let is_on_map =
        matches!(hint.blame.kind, BlameKind::Pod | BlameKind::PeerPod | BlameKind::Service | BlameKind::External);
    if name.is_empty() || !is_on_map {
        return Vec::new();
    }
    if hint.blame.kind == BlameKind::Pod {
        return vec![names.subject(&hint.subject).id()];
    }
    let host = name.parse().map_or_else(|_| name.to_owned(), |socket: SocketAddr| socket.ip().to_string());
    if let Some(pod) = names.pod_at(&host) {
        return vec![names.pod(pod).id()];
    }
    let service = names.service(&host).id();
    match host.parse::<IpAddr>() {
        Ok(_) => vec![service, format!("Address//{host}"), format!("Outside//{host}")],
        Err(_) if hint.blame.kind == BlameKind::Service => vec![service],
        Err(_) => vec![names.pod(name).id()],
    }
}

/// Whether a hint is about an edge of its subject: to the culprit, or to the culprit's Node.
fn is_about(placed: &Placed, hint: &Hint, subject: &str, culprits: &[String]) -> bool {
    let edge = &placed.edge;
    let other_end = match (edge.from == subject, edge.to == subject) {
        (true, _) => 1,
        (false, true) => 0,
        (false, false) => return false,
    };
    let other = if other_end == 1 { &edge.to } else { &edge.from };
    match hint.blame.kind {
        BlameKind::PeerNode | BlameKind::NodePair | BlameKind::PathShare => {
            let own = hint.subject.node.as_str();
            let ends = hint.blame.name.split(['↔', '→']).map(str::trim);
            ends.filter(|node| *node != own).any(|node| placed.hosts[other_end].contains(node))
        }
        _ => culprits.contains(other),
    }
}
