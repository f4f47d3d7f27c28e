//! The culprit of losses, from the data of one Node.

use super::this_node::{self, Row, ThisNode};
use crate::{
    api::{Blame, BlameKind},
    blame::Symptom,
    hints::{
        context::{Context, Edge, EdgeIx, SubjectIx},
        finding::blame,
    },
    state::PeerId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Lossy peers that one culprit needs.
const MIN_PEERS: usize = 3;
/// Clean peers elsewhere that acquit this Node.
const ACQUITTING_PEERS: usize = 2;
/// Episodes that a clean edge would have, had it lost like a lossy one. At 5, no episode at all has a chance of 0.7 %.
const SHOWN: f64 = 5.0;

/// Edges that were tested for loss, with their subjects.
#[derive(Default)]
pub(crate) struct Tested {
    pub(crate) lossy: BTreeMap<EdgeIx, SubjectIx>,
    pub(crate) clean: BTreeMap<EdgeIx, SubjectIx>,
}

/// Peers of the tested edges.
pub(crate) struct TestedPeers {
    pub(crate) lossy: BTreeSet<PeerId>,
    /// Lossy and clean ones.
    pub(crate) all: BTreeSet<PeerId>,
}

impl Tested {
    pub(crate) fn peers(&self, context: &Context<'_>) -> TestedPeers {
        let peers = |edges: &BTreeMap<EdgeIx, SubjectIx>| -> BTreeSet<PeerId> {
            edges.keys().map(|ix| context.edge(*ix)).filter(|e| e.is_remote()).map(|e| e.view.peer_id()).collect()
        };
        let lossy = peers(&self.lossy);
        let all = lossy.union(&peers(&self.clean)).cloned().collect();
        TestedPeers { lossy, all }
    }

    fn lossy_edges<'c, 'a>(&self, context: &'c Context<'a>) -> impl Iterator<Item = &'c Edge<'a>> {
        self.lossy.keys().map(|ix| context.edge(*ix))
    }

    fn clean_edges<'c, 'a>(&self, context: &'c Context<'a>) -> impl Iterator<Item = &'c Edge<'a>> {
        self.clean.keys().map(|ix| context.edge(*ix))
    }
}

/// A culprit that all lossy edges share.
pub(crate) enum Shared {
    ThisNode(ThisNode),
    /// One subject, whose neighbours on the Node are clean.
    Subject,
    /// The path to this zone.
    Zone(String),
}

impl Shared {
    /// `subject`: the subject of the lossy edges.
    pub(crate) fn blame(&self, context: &Context<'_>, subject: SubjectIx) -> Blame {
        let node = || vec![context.node.to_owned()];
        match self {
            Self::ThisNode(ThisNode { alternatives, .. }) => {
                blame(BlameKind::Node, context.node).or(alternatives.clone())
            }
            Self::Zone(zone) => blame(BlameKind::ZonePair, context.zone_pair(zone)).or(node()),
            Self::Subject => blame(BlameKind::Pod, context.subject(subject).name()).or(node()),
        }
    }
}

pub(crate) fn shared(context: &Context<'_>, tested: &Tested) -> Option<Shared> {
    let peers = tested.peers(context);
    // Still a majority when any one lossy peer is left out.
    let most = peers.lossy.len() >= MIN_PEERS && 2 * (peers.lossy.len() - 1) >= peers.all.len();
    if most && is_one_subject(context, tested) {
        return Some(Shared::Subject);
    }
    // Where Nodes are not known, several addresses may belong to one Node: a minority of them says nothing about this
    // one.
    let known = tested.lossy_edges(context).all(|e| !e.is_remote() || e.view.peer_node.is_some());
    if !(most || known) {
        return None;
    }
    if let Some(zone) = lossy_zone(context, tested, &peers.lossy) {
        return Some(Shared::Zone(zone));
    }
    // All tested edges count, also those that alone show too little to be called lossy.
    let rows = tested.lossy.keys().chain(tested.clean.keys()).map(|edge| Row { edge: *edge, min_rtt: None });
    let mut this_node = this_node::is_to_blame(context, Symptom::Loss, rows)?;
    // The lossy edges may all lead to the other zone while those within this zone show too little to be called clean.
    if let Some(zone) = remote_zone(context, tested) {
        let path = context.zone_pair(zone);
        this_node.alternatives.retain(|other| *other != path);
        this_node.alternatives.push(path);
    }
    Some(Shared::ThisNode(this_node))
}

/// The zone of all lossy peers in the cluster. `None`: this Node's zone, several zones, or not known.
fn remote_zone<'a>(context: &Context<'a>, tested: &Tested) -> Option<&'a str> {
    // External peers may lie behind the same path.
    let inside = tested.lossy_edges(context).filter(|edge| edge.is_remote() && !edge.is_external());
    let zones: BTreeSet<Option<&'a str>> = inside.map(|edge| edge.view.peer_zone.as_deref()).collect();
    let zone = zones.first().copied().flatten().filter(|_| zones.len() == 1)?;
    context.zone.is_some_and(|own| own != zone).then_some(zone)
}

/// All lossy edges belong to one subject, while another one sends enough to show such loss, and shows far less.
fn is_one_subject(context: &Context<'_>, tested: &Tested) -> bool {
    let sums = |edges: &BTreeMap<EdgeIx, SubjectIx>| {
        let mut all: BTreeMap<SubjectIx, Sent> = BTreeMap::new();
        for (ix, subject) in edges.iter().filter(|(ix, _)| context.edge(**ix).is_remote()) {
            all.entry(*subject).or_default().add(context.edge(*ix));
        }
        all
    };
    let (lossy, clean) = (sums(&tested.lossy), sums(&tested.clean));
    let Some((subject, sent)) = lossy.first_key_value().filter(|_| lossy.len() == 1) else { return false };
    clean.iter().any(|(other, theirs)| other != subject && sent.would_show_in(theirs))
}

/// Segments and losses of some edges.
#[derive(Clone, Copy, Default)]
struct Sent {
    segments: u64,
    episodes: u64,
}

impl Sent {
    fn add(&mut self, edge: &Edge<'_>) {
        let losses = edge.losses();
        self.segments += losses.segments;
        self.episodes += losses.episodes;
    }

    fn new(edge: &Edge<'_>) -> Self {
        let mut sent = Self::default();
        sent.add(edge);
        sent
    }

    /// Whether `clean` sent enough to show these losses, and shows far less. A ratio merely below the limit says
    /// nothing about the culprit.
    fn would_show_in(&self, clean: &Self) -> bool {
        let expected = self.episodes as f64 / self.segments.max(1) as f64 * clean.segments as f64;
        expected >= SHOWN && clean.episodes as f64 <= expected / 4.0
    }
}

/// The other zone, when all lossy peers and no clean ones are there, while several elsewhere are clean.
fn lossy_zone(context: &Context<'_>, tested: &Tested, lossy: &BTreeSet<PeerId>) -> Option<String> {
    let zone = remote_zone(context, tested).filter(|_| lossy.len() >= MIN_PEERS)?;
    let remote = tested.lossy_edges(context).filter(|edge| edge.is_remote());
    let worst = remote.max_by(|a, b| a.losses().episodes.cmp(&b.losses().episodes))?;
    let clean = tested.clean_edges(context).filter(|edge| edge.is_remote() && would_show(worst, edge));
    let clean: BTreeSet<(Option<&str>, PeerId)> =
        clean.map(|edge| (edge.view.peer_zone.as_deref(), edge.view.peer_id())).collect();
    let clean_there = clean.iter().any(|(of, _)| *of == Some(zone));
    (!clean_there && clean.len() >= ACQUITTING_PEERS).then(|| zone.to_owned())
}

/// The culprit of one lossy edge. `lossy_peers`: peers with a lossy edge.
pub(crate) fn path(context: &Context<'_>, tested: &Tested, edge: &Edge<'_>, lossy_peers: usize) -> Blame {
    let (peer, pair) = (edge.peer_node_name(), context.pair(edge));
    if !edge.is_remote() {
        // The packets never left the Node.
        return blame(BlameKind::Node, context.node);
    }
    let shared = shared_suspects(context, tested, edge, lossy_peers);
    let with_pair = || std::iter::once(pair.clone()).chain(shared.clone()).collect();
    if edge.is_external() {
        return blame(BlameKind::External, peer).or(with_pair());
    }
    if edge.view.peer_node.is_some() && is_one_address(context, tested, edge) {
        return blame(BlameKind::PeerPod, edge.peer_pod_name()).or(vec![peer]);
    }
    let same_peer = |other: &&Edge<'_>| other.view.peer_id() == edge.view.peer_id();
    let lossy: BTreeSet<Option<SubjectIx>> =
        tested.lossy_edges(context).filter(same_peer).map(|other| other.subject).collect();
    let clean = tested.clean_edges(context).filter(same_peer).filter(|other| would_show(edge, other));
    let clean: BTreeSet<Option<SubjectIx>> = clean.map(|other| other.subject).collect();
    if lossy.len() >= 2 && lossy.len() > clean.len() {
        return blame(BlameKind::PeerNode, peer).or(with_pair());
    }
    if !clean.is_empty() {
        // Others reach the same address cleanly: neither Node nor path is at fault, and either end may be.
        let name = edge.subject.map(|ix| context.subject(ix).name().to_owned());
        return blame(BlameKind::None, "").or(name.into_iter().chain([peer]).collect());
    }
    let alternatives = std::iter::once(peer).chain(shared).collect();
    blame(BlameKind::NodePair, pair).or(alternatives)
}

/// Suspects behind one lossy edge that other edges share: this Node, paths between zones, the one lossy subject.
fn shared_suspects(context: &Context<'_>, tested: &Tested, edge: &Edge<'_>, lossy_peers: usize) -> Vec<String> {
    let mut suspects = Vec::new();
    // Several lossy peers at once, or no others that are shown to be clean.
    if lossy_peers > 1 || !is_clean_elsewhere(context, tested, edge, |_| true) {
        suspects.push(context.node.to_owned());
    }
    suspects.extend(zone_paths(context, tested, edge));
    let subjects: BTreeSet<SubjectIx> = tested.lossy.values().copied().collect();
    if let Some(subject) = subjects.first().filter(|_| lossy_peers > 1 && subjects.len() == 1) {
        suspects.push(context.subject(*subject).name().to_owned());
    }
    suspects
}

/// The path to the edge's zone, unless it is this Node's zone, or other peers there acquit it. External peers may lie
/// behind the path to any zone.
fn zone_paths(context: &Context<'_>, tested: &Tested, edge: &Edge<'_>) -> Vec<String> {
    let Some(own) = context.zone else { return Vec::new() };
    let zones: BTreeSet<&str> = match edge.view.peer_zone.as_deref() {
        Some(zone) => BTreeSet::from([zone]),
        None if edge.is_external() => context.edges().iter().filter_map(|e| e.view.peer_zone.as_deref()).collect(),
        None => BTreeSet::new(),
    };
    let is_clean =
        |zone: &str| is_clean_elsewhere(context, tested, edge, |other| other.view.peer_zone.as_deref() == Some(zone));
    let suspects = zones.into_iter().filter(|zone| own != *zone && !is_clean(zone));
    suspects.map(|zone| context.zone_pair(zone)).collect()
}

/// Whether this Node's edges to other peers, among those that `of` selects, sent enough together to show the losses of
/// this edge, and don't. Only edges that were answered just now count: older traffic acquits nobody. Where full-size
/// segments are lost, only edges that carry such count.
fn is_clean_elsewhere(context: &Context<'_>, tested: &Tested, edge: &Edge<'_>, of: impl Fn(&Edge<'_>) -> bool) -> bool {
    let mut clean = Sent::default();
    let others = tested.clean_edges(context);
    let others = others.filter(|other| other.is_remote() && other.view.peer_id() != edge.view.peer_id());
    let others = others.filter(|other| other.view.answered && edge.would_share_with(other) && of(other));
    others.for_each(|other| clean.add(other));
    Sent::new(edge).would_show_in(&clean)
}

/// All losses towards the edge's Node hit one address there, and several of this Node's Pods see them, while other
/// addresses of that Node, each with enough traffic to show it, are clean.
fn is_one_address(context: &Context<'_>, tested: &Tested, edge: &Edge<'_>) -> bool {
    let same_node = |other: &&Edge<'_>| other.view.peer_node == edge.view.peer_node;
    let same_address = |other: &Edge<'_>| other.view.peer == edge.view.peer;
    let lossy: Vec<&Edge<'_>> = tested.lossy_edges(context).filter(same_node).collect();
    let clean: Vec<&Edge<'_>> = tested.clean_edges(context).filter(same_node).collect();
    let witnesses: BTreeSet<Option<SubjectIx>> = lossy.iter().map(|other| other.subject).collect();
    // A clean edge to the same address would speak for it.
    witnesses.len() >= 2
        && lossy.iter().all(|other| same_address(other))
        && clean.iter().all(|other| !same_address(other))
        && clean.iter().any(|other| would_show(edge, other))
}

/// See [`Sent::would_show_in`], for two edges.
fn would_show(lossy: &Edge<'_>, clean: &Edge<'_>) -> bool {
    lossy.would_share_with(clean) && Sent::new(lossy).would_show_in(&Sent::new(clean))
}
