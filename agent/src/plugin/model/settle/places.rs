//! Candidates that a hint leaves out: one agent alone finds them unlikely, and the others may know better.

use super::{unlisted, voices::is_same};
use crate::{
    api::{BlameKind, Hint, PeerRow, Suspect},
    blame::Symptom,
};
use std::collections::BTreeSet;

/// Probability from which a hint lists a candidate.
const LISTED: f64 = 0.02;
/// Multiple of the usual RTT from which a row is longer.
const LONGER: f64 = 1.5;

/// Nodes, paths and zones that the trouble of a hint may depend on, as far as it does not list them. They share what
/// the hint leaves unknown.
pub(super) fn left_out(hint: &Hint, rows: &[PeerRow], symptom: Symptom) -> Vec<Suspect> {
    let own = hint.subject.node.as_str();
    let mut all = vec![Suspect::new(BlameKind::Node, own, 0.0)];
    let only = only_peer(hint, rows);
    if let Some(peer) = only {
        all.push(Suspect::new(BlameKind::PeerNode, peer, 0.0));
        all.push(Suspect::new(BlameKind::NodePair, format!("{own}↔{peer}"), 0.0));
    }
    let troubled = rows.iter().filter(|row| row.node == own && only.is_none() && is_troubled(row, symptom));
    let peers = troubled.filter_map(|row| row.peer_node.as_deref()).chain(only);
    let own_zone = zone_of(rows, own);
    let zones: BTreeSet<(&str, &str)> = peers.filter_map(|peer| own_zone.zip(zone_of(rows, peer))).collect();
    let between = zones.into_iter().filter(|(own, other)| own != other);
    all.extend(between.map(|(own, other)| Suspect::new(BlameKind::ZonePair, format!("{own}↔{other}"), 0.0)));
    all.retain(|one| !hint.blame.candidates().any(|listed| is_same(&listed, one)));
    let each = (unlisted(&hint.blame) / (all.len() + 1) as f64).min(LISTED);
    all.iter_mut().for_each(|one| one.probability = each);
    all
}

/// The peer's Node, if the hint's numbers are of one path. `None`: of several, or the Node is not known.
fn only_peer<'h>(hint: &'h Hint, rows: &[PeerRow]) -> Option<&'h str> {
    let is_node = |name: &str| rows.iter().any(|row| row.node == name || row.peer_node.as_deref() == Some(name));
    let ends = hint.evidence.iter().filter_map(|one| one.place.split_once('→'));
    let peers: BTreeSet<&str> = ends.filter(|(from, _)| *from == hint.subject.node).map(|(_, to)| to).collect();
    let mut peers = peers.into_iter();
    let only = peers.next().filter(|peer| is_node(peer))?;
    peers.next().is_none().then_some(only)
}

/// The zone of a Node. `None`: not known.
pub(in crate::plugin::model) fn zone_of<'r>(rows: &'r [PeerRow], node: &str) -> Option<&'r str> {
    rows.iter().find_map(|row| match row.node == node {
        true => row.zone.as_deref(),
        false => row.peer_zone.as_deref().filter(|_| row.peer_node.as_deref() == Some(node)),
    })
}

fn is_troubled(row: &PeerRow, symptom: Symptom) -> bool {
    match symptom {
        Symptom::Loss => row.lossy_edges > 0,
        Symptom::Latency => {
            let rtt = row.rtt_rise.or(row.min_rtt_baseline);
            rtt.is_some_and(|rtt| rtt.now_seconds >= LONGER * rtt.usual_seconds)
        }
    }
}

#[cfg(test)]
mod tests;
