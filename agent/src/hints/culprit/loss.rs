//! Who is to blame for losses, as far as one Node can tell.

use crate::{
    api::{Blame, BlameKind},
    blame::Symptom,
    hints::{
        context::{Context, Edge},
        culprit::this_node::{self as own, Own, Row},
        finding::blame,
    },
    state::PeerId,
};
use std::collections::{BTreeMap, BTreeSet};

/// Lossy peers that one culprit needs.
const MIN_PEERS: usize = 3;
/// Clean peers elsewhere that show this Node itself to be sound.
const SOUND_PEERS: usize = 2;
/// Episodes that a clean edge should have had, had it lost like a lossy one: at 5, none at all has a chance of 0.7 %.
const SHOWN: f64 = 5.0;

/// What the tests say of each edge that can be judged.
#[derive(Default)]
pub(crate) struct Judged {
    /// Lossy edges: index → subject.
    pub(crate) lossy: BTreeMap<usize, usize>,
    pub(crate) clean: BTreeMap<usize, usize>,
}

impl Judged {
    /// Peers with a lossy edge, and all.
    pub(crate) fn peers(&self, context: &Context<'_>) -> (BTreeSet<PeerId>, BTreeSet<PeerId>) {
        let of = |edges: &BTreeMap<usize, usize>| -> BTreeSet<PeerId> {
            edges.keys().map(|i| &context.edges[*i]).filter(|e| e.is_remote()).map(|e| e.view.peer_id()).collect()
        };
        let bad = of(&self.lossy);
        let all = bad.union(&of(&self.clean)).cloned().collect();
        (bad, all)
    }
}

/// A culprit that all lossy edges share.
pub(crate) enum Common {
    /// This Node.
    Node(Own),
    /// One subject, whose neighbours on the Node are clean.
    Subject,
    /// The path to this zone.
    Zone(String),
}

pub(crate) fn common_culprit(context: &Context<'_>, judged: &Judged) -> Option<Common> {
    let (bad, all) = judged.peers(context);
    // Still a majority when any one lossy peer is left out.
    let most = bad.len() >= MIN_PEERS && 2 * (bad.len() - 1) >= all.len();
    if most && only_one_subject(context, judged) {
        return Some(Common::Subject);
    }
    // Where Nodes are not known, several addresses may be one Node's: a minority of them does not speak of this one.
    let known = judged.lossy.keys().map(|i| &context.edges[*i]).all(|e| !e.is_remote() || e.view.peer_node.is_some());
    if !(most || known) {
        return None;
    }
    if let Some(zone) = zone(context, judged, &bad) {
        return Some(Common::Zone(zone));
    }
    // All edges that can be judged speak, also those that alone show too little to be called lossy.
    let rows = judged.lossy.keys().chain(judged.clean.keys()).map(|edge| Row { edge: *edge, min_rtt: None });
    let mut own = own::is_to_blame(context, Symptom::Loss, rows)?;
    // What is lossy may all be in the other zone while those of this one show too little to be called clean.
    if let Some(zone) = far_zone(context, judged) {
        let path = format!("{}↔{zone}", context.zone.unwrap_or_default());
        own.alternatives.retain(|other| *other != path);
        own.alternatives.push(path);
    }
    Some(Common::Node(own))
}

/// The zone that all lossy peers of the cluster are in. `None`: this one, several, or not known.
fn far_zone<'a>(context: &Context<'a>, judged: &Judged) -> Option<&'a str> {
    // What is outside may lie behind the same path.
    let outside = |edge: &Edge<'_>| edge.blame_kind(BlameKind::PeerNode) == BlameKind::External;
    let remote = judged.lossy.keys().map(|i| &context.edges[*i]).filter(|edge| edge.is_remote() && !outside(edge));
    let zones: BTreeSet<Option<&'a str>> = remote.map(|edge| edge.view.peer_zone.as_deref()).collect();
    let far = zones.first().copied().flatten().filter(|_| zones.len() == 1)?;
    context.zone.is_some_and(|own| own != far).then_some(far)
}

/// All lossy edges are of one subject, and another one sends enough to have shown as much, and shows far less of it.
fn only_one_subject(context: &Context<'_>, judged: &Judged) -> bool {
    let sums = |edges: &BTreeMap<usize, usize>| {
        let mut all: BTreeMap<usize, Sent> = BTreeMap::new();
        for (i, subject) in edges.iter().filter(|(i, _)| context.edges[**i].is_remote()) {
            all.entry(*subject).or_default().add(&context.edges[*i]);
        }
        all
    };
    let (sick, clean) = (sums(&judged.lossy), sums(&judged.clean));
    let Some((subject, lossy)) = sick.first_key_value().filter(|_| sick.len() == 1) else { return false };
    clean.iter().any(|(other, sent)| other != subject && lossy.would_show_in(sent))
}

/// What some edges sent and lost.
#[derive(Clone, Copy, Default)]
struct Sent {
    segments: u64,
    episodes: u64,
}

impl Sent {
    fn add(&mut self, edge: &Edge<'_>) {
        self.segments += edge.tally().data_segs_out;
        self.episodes += edge.tally().loss_episodes;
    }

    fn of(edge: &Edge<'_>) -> Self {
        let mut sent = Self::default();
        sent.add(edge);
        sent
    }

    /// Whether others sent enough to have shown these losses, and show far less of them: what is merely below its limit
    /// says nothing about who is at fault.
    fn would_show_in(&self, clean: &Self) -> bool {
        let expected = self.episodes as f64 / self.segments.max(1) as f64 * clean.segments as f64;
        expected >= SHOWN && clean.episodes as f64 <= expected / 4.0
    }
}

/// The other zone, when all lossy peers and no clean ones are there, while several elsewhere are clean.
fn zone(context: &Context<'_>, judged: &Judged, bad: &BTreeSet<PeerId>) -> Option<String> {
    let zone_of = |i: &usize| context.edges[*i].view.peer_zone.as_deref();
    let remote = |i: &&usize| context.edges[**i].is_remote();
    let far = far_zone(context, judged).filter(|_| bad.len() >= MIN_PEERS)?;
    let worst = judged.lossy.keys().filter(remote).map(|i| &context.edges[*i]);
    let worst = worst.max_by(|a, b| a.tally().loss_episodes.cmp(&b.tally().loss_episodes))?;
    let clean = |i: &&usize| remote(i) && would_show(worst, &context.edges[**i]);
    let clean: BTreeSet<(Option<&str>, PeerId)> =
        judged.clean.keys().filter(clean).map(|i| (zone_of(i), context.edges[*i].view.peer_id())).collect();
    let there = clean.iter().any(|(zone, _)| *zone == Some(far));
    (!there && clean.len() >= SOUND_PEERS).then(|| far.to_owned())
}

/// Who is to blame for one lossy edge, as far as one Node can tell.
pub(crate) fn path_culprit(
    context: &Context<'_>,
    judged: &Judged,
    subject: usize,
    index: usize,
    lossy_peers: usize,
) -> Blame {
    let edge = &context.edges[index];
    let (peer, pair) = (edge.peer_node_name(), context.pair(edge));
    if !edge.is_remote() {
        // Never left the Node: nobody else had it in hand.
        return blame(BlameKind::Node, context.node);
    }
    let to_peer = |edges: &BTreeMap<usize, usize>| -> BTreeSet<usize> {
        edges
            .iter()
            .filter(|(i, _)| context.edges[**i].view.peer_id() == edge.view.peer_id())
            .map(|(_, s)| *s)
            .collect()
    };
    // Several lossy peers at once, or the others not shown to be clean: it may be this Node, or all peers of its zone.
    let mut shared = Vec::new();
    if lossy_peers > 1 || !shown_elsewhere(context, judged, edge, |_| true) {
        shared.push(context.node.to_owned());
    }
    shared.extend(zone_paths(context, judged, edge));
    // Or the one Pod that all of them are of.
    let subjects: BTreeSet<usize> = judged.lossy.values().copied().collect();
    if lossy_peers > 1 && subjects.len() == 1 {
        shared.push(context.subjects[subject].name().to_owned());
    }
    let sick = to_peer(&judged.lossy);
    let sound: BTreeSet<usize> = to_peer(
        &judged.clean.iter().filter(|(i, _)| would_show(edge, &context.edges[**i])).map(|(i, s)| (*i, *s)).collect(),
    );
    if edge.blame_kind(BlameKind::PeerNode) == BlameKind::External {
        let alternatives = std::iter::once(pair).chain(shared).collect();
        return Blame { alternatives, ..blame(BlameKind::External, peer) };
    }
    if edge.view.peer_node.is_some() && only_that_pod(context, judged, edge) {
        return Blame { alternatives: vec![peer], ..blame(BlameKind::PeerPod, edge.peer_pod_name()) };
    }
    if sick.len() >= 2 && sick.len() > sound.len() {
        let alternatives = std::iter::once(pair).chain(shared).collect();
        return Blame { alternatives, ..blame(BlameKind::PeerNode, peer) };
    }
    if !sound.is_empty() {
        // Others reach the same address cleanly: neither Node nor path, and no telling which end.
        let name = context.subjects[subject].name().to_owned();
        return Blame { alternatives: vec![name, peer], ..blame(BlameKind::None, "") };
    }
    let alternatives = std::iter::once(peer).chain(shared).collect();
    Blame { alternatives, ..blame(BlameKind::NodePair, pair) }
}

/// The path to the edge's zone, unless it is this one, or other peers there show that it is sound. What is outside may lie
/// behind the path to any.
fn zone_paths(context: &Context<'_>, judged: &Judged, edge: &Edge<'_>) -> Vec<String> {
    let Some(own) = context.zone else { return Vec::new() };
    let far: BTreeSet<&str> = match (edge.blame_kind(BlameKind::PeerNode), edge.view.peer_zone.as_deref()) {
        (_, Some(zone)) => BTreeSet::from([zone]),
        (BlameKind::External, None) => context.edges.iter().filter_map(|e| e.view.peer_zone.as_deref()).collect(),
        _ => BTreeSet::new(),
    };
    let sound =
        |zone: &str| shown_elsewhere(context, judged, edge, |other| other.view.peer_zone.as_deref() == Some(zone));
    far.into_iter().filter(|far| own != *far && !sound(far)).map(|far| format!("{own}↔{far}")).collect()
}

/// Whether this Node's edges to other peers, of those that `of` is true for, sent enough, all together, to have shown what
/// this one loses, and don't. Only those that were answered just now: what they sent before something broke acquits nobody;
/// and where it is full-size segments that vanish, those that carry such.
fn shown_elsewhere(context: &Context<'_>, judged: &Judged, edge: &Edge<'_>, of: impl Fn(&Edge<'_>) -> bool) -> bool {
    let mut clean = Sent::default();
    let others = judged.clean.keys().map(|i| &context.edges[*i]);
    let others = others.filter(|other| other.is_remote() && other.view.peer_id() != edge.view.peer_id());
    let others = others.filter(|other| other.view.answered && edge.would_share_with(other) && of(other));
    others.for_each(|other| clean.add(other));
    Sent::of(edge).would_show_in(&clean)
}

/// All that is lost on the way to the edge's Node is lost on the way to one address there, which several of this Node's
/// Pods see, while other addresses of that Node, each with enough traffic to show it, are reached as cleanly as ever.
fn only_that_pod(context: &Context<'_>, judged: &Judged, edge: &Edge<'_>) -> bool {
    let of = |edges: &BTreeMap<usize, usize>| -> Vec<(usize, usize)> {
        let there = |(i, _): &(&usize, &usize)| context.edges[**i].view.peer_node == edge.view.peer_node;
        edges.iter().filter(there).map(|(i, s)| (*i, *s)).collect()
    };
    let (lossy, clean) = (of(&judged.lossy), of(&judged.clean));
    let same = |i: usize| context.edges[i].view.peer == edge.view.peer;
    let witnesses: BTreeSet<usize> = lossy.iter().map(|(_, subject)| *subject).collect();
    // Of the clean ones those to other addresses only: to the same one they speak for it.
    witnesses.len() >= 2
        && lossy.iter().all(|(i, _)| same(*i))
        && clean.iter().all(|(i, _)| !same(*i))
        && clean.iter().any(|(i, _)| would_show(edge, &context.edges[*i]))
}

/// The same for two edges.
fn would_show(lossy: &Edge<'_>, clean: &Edge<'_>) -> bool {
    lossy.would_share_with(clean) && Sent::of(lossy).would_show_in(&Sent::of(clean))
}
