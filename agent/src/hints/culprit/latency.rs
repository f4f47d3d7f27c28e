//! The culprit of longer paths.

use super::this_node::{self, Row, ThisNode};
use crate::{
    api::{Blame, BlameKind},
    blame::{MinRtt, Symptom},
    hints::{
        context::{Context, Edge, EdgeIx, Subject, SubjectIx},
        finding::blame,
        memory::path::{self, LongerEdge, Rise},
    },
    state::PeerId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Peers that must all have longer paths before this Node, or a zone, is blamed.
const MIN_PEERS: usize = 3;

/// One edge whose path became longer.
#[derive(Clone, Copy)]
pub(crate) struct Risen {
    pub(crate) edge: EdgeIx,
    pub(crate) subject: SubjectIx,
    pub(crate) rise: Rise,
}

/// The peers of this Node by the state of their paths.
#[derive(Default)]
pub(crate) struct Peers {
    /// Peers without an edge that is as fast as usual.
    pub(crate) longer: BTreeMap<PeerId, Vec<Risen>>,
    /// Peers with an edge that is as fast as usual.
    pub(crate) usual: BTreeSet<PeerId>,
}

/// A culprit that all longer paths share.
pub(crate) enum Shared {
    ThisNode(ThisNode),
    /// The path to this zone.
    Zone(String),
}

/// Whether these edges, which share a path, prove that the path is longer.
pub(crate) fn is_proven(context: &Context<'_>, risen: &[Risen]) -> bool {
    let longer = |one: &Risen| {
        let (subject, peer) = (&context.subject(one.subject).view.id, context.edge(one.edge).view.peer);
        LongerEdge { subject, peer, rise: one.rise }
    };
    path::is_proven(&risen.iter().map(longer).collect::<Vec<_>>())
}

pub(crate) fn shared(context: &Context<'_>, peers: &Peers) -> Option<Shared> {
    if peers.longer.len() < MIN_PEERS {
        return None;
    }
    if peers.usual.is_empty() {
        let zones: BTreeSet<_> = peers.longer.values().filter_map(|risen| zone(context, risen)).collect();
        // All traffic goes to one other zone: the path there, or this Node.
        let only = zones.first().filter(|zone| zones.len() == 1 && context.zone.is_some_and(|own| own != **zone));
        if only.is_some() {
            return None;
        }
        let rows = peers.longer.values().flatten();
        let rows = rows.map(|risen| Row { edge: risen.edge, min_rtt: Some(min_rtt(&risen.rise)) });
        return this_node::is_to_blame(context, Symptom::Latency, rows).map(Shared::ThisNode);
    }
    let zones: BTreeSet<Option<&str>> = peers.longer.values().map(|risen| zone(context, risen)).collect();
    let zone = zones.first().copied().flatten().filter(|_| zones.len() == 1)?;
    let in_zone = |edge: &&Edge<'_>| edge.view.peer_zone.as_deref() == Some(zone);
    let usual_there = context.edges().iter().filter(in_zone).any(|edge| peers.usual.contains(&edge.view.peer_id()));
    (context.zone.is_some_and(|own| own != zone) && !usual_there).then(|| Shared::Zone(zone.to_owned()))
}

impl Shared {
    /// `only`: the one subject that has all longer paths. `None`: several have.
    pub(crate) fn blame(&self, context: &Context<'_>, only: Option<&Subject<'_>>) -> Blame {
        let (culprit, mut alternatives) = match self {
            Self::ThisNode(node) => (blame(BlameKind::Node, context.node), node.alternatives.clone()),
            Self::Zone(zone) => (blame(BlameKind::ZonePair, context.zone_pair(zone)), Vec::new()),
        };
        if let Some(name) = only.map(Subject::name)
            && !alternatives.iter().any(|other| other == name)
        {
            alternatives.push(name.to_owned());
        }
        culprit.or(alternatives)
    }
}

/// The culprit of a longer path to one peer. `edge`: one of the edges there. `subjects`: subjects that see it.
pub(crate) fn pair(context: &Context<'_>, peers: &Peers, edge: &Edge<'_>, subjects: usize) -> Blame {
    let (peer, pair) = (edge.peer_node_name(), context.pair(edge));
    let (mut alternatives, kind, name) = match subjects > 1 && !peers.usual.is_empty() {
        true => (vec![pair], BlameKind::PeerNode, peer),
        false => (vec![peer], BlameKind::NodePair, pair),
    };
    // Several longer paths, or no other that was fast in the last seconds: it may be this Node, with the others to
    // follow, or the path to all of the peer's zone.
    if peers.longer.len() > 1 || !context.is_other_peer_fast(edge, |_| true) {
        alternatives.push(context.node.to_owned());
    }
    if let Some(remote_zone) =
        edge.view.peer_zone.as_deref().filter(|zone| context.zone.is_some_and(|own| own != *zone))
        && !context.is_other_peer_fast(edge, |other| other.view.peer_zone.as_deref() == Some(remote_zone))
    {
        alternatives.push(context.zone_pair(remote_zone));
    }
    blame(kind, name).or(alternatives)
}

fn min_rtt(rise: &Rise) -> MinRtt {
    MinRtt { now_us: rise.now_us as u32, usual_us: rise.usual_us as u32 }
}

fn zone<'a>(context: &Context<'a>, risen: &[Risen]) -> Option<&'a str> {
    context.edge(risen.first()?.edge).view.peer_zone.as_deref()
}
