//! Paths that are slightly longer: independent programs that rise together, each far above the noise of its own round
//! trips. One alone may be chance, or a program.

use super::{GROWTH, Proof, by_culprit, by_subject, is_free, makes_its_own_queue};
use crate::{
    hints::{
        context::{Context, Edge, EdgeIx, cpus},
        culprit::latency::{Peers, Risen},
        finding::Finding,
        memory::{
            edge::EdgeMemory,
            lowest::{Lowest, Slight},
            path::{LongerEdge, RISE_ALPHA, Rise, TOGETHER_US, rose_alike},
        },
        rule::Family,
    },
    sample::FineHistogram,
};
use netwhy_abi::Role;
use std::collections::BTreeSet;

/// Requests of the last seconds that their fastest tenth needs.
const MIN_REQUESTS: u64 = 8;
/// Share of the rise by which a client's fastest requests take longer too.
const SHARE: f64 = 0.5;

/// `found`: findings of larger rises.
pub(super) fn judge(context: &Context<'_>, found: &[Finding]) -> Vec<Finding> {
    if context.edges().iter().all(|edge| slight(edge).is_none()) {
        return Vec::new();
    }
    let peers = peers(context, found);
    let is_excused = || makes_its_own_queue(context) || cpus::may_be_contended(context) || is_slow_inside(context);
    if peers.longer.is_empty() || is_excused() {
        return Vec::new();
    }
    let suspects = peers.suspects_beside(context, |edge| edge.lowest == Some(Lowest::Usual));
    let mut out = Vec::new();
    for mut risen in by_culprit(&peers, &suspects).into_values() {
        let Some(ln_p) = ln_chance(context, &risen).filter(|ln_p| *ln_p <= RISE_ALPHA.ln()) else { continue };
        risen.iter_mut().for_each(|one| one.rise.ln_p = ln_p);
        let proof = Proof { together: risen.len(), ..Proof::default() };
        let began = risen.iter().filter_map(|one| slight(context.edge(one.edge))).map(|slight| slight.began).min();
        let covers = began.map(|began| context.at.saturating_sub(began));
        let findings = by_subject(context, &suspects, &risen, (proof, &peers));
        out.extend(findings.into_iter().map(|finding| Finding { covers, ..finding }));
    }
    out
}

/// Peers by their fastest round trips. An edge that a larger rise explains, or a program, is no evidence.
fn peers(context: &Context<'_>, found: &[Finding]) -> Peers {
    let explained: BTreeSet<EdgeIx> = found.iter().flat_map(|finding| finding.edges.iter().copied()).collect();
    let inside = |edge: &Edge<'_>| edge.is_remote() && !edge.is_external();
    let mut peers = Peers::default();
    let usual = context.edges().iter().filter(|edge| inside(edge) && edge.lowest == Some(Lowest::Usual));
    peers.usual.extend(usual.map(|edge| edge.view.peer_id()));
    for (subject, edge) in context.unclaimed(Family::Latency).filter(|(_, edge)| inside(edge)) {
        let Some(slight) = slight(edge) else { continue };
        let peer = edge.view.peer_id();
        let is_excused = has_more_traffic(context, edge) || requests_are_as_fast(edge, &slight.rise);
        let counts = !explained.contains(&edge.ix) && !peers.usual.contains(&peer) && !is_excused;
        if counts && is_free(context, subject, edge) {
            let risen = Risen { edge: edge.ix, subject: subject.ix, rise: slight.rise };
            peers.longer.entry(peer).or_default().push(risen);
        }
    }
    peers
}

fn slight(edge: &Edge<'_>) -> Option<Slight> {
    match edge.lowest {
        Some(Lowest::Rose(slight)) => Some(slight),
        Some(Lowest::Usual) | None => None,
    }
}

/// Logarithm of the chance that edges of independent programs rose together without a reason that they share. `None`:
/// they did not rise together, or by so much that larger rises are judged.
fn ln_chance(context: &Context<'_>, risen: &[Risen]) -> Option<f64> {
    if may_wait_for_one_program(context, risen) {
        return None;
    }
    let longer = |one: &Risen| {
        let edge = context.edge(one.edge);
        LongerEdge {
            subject: &context.subject(one.subject).view.id,
            peer: edge.view.peer,
            role: edge.view.role,
            rise: one.rise,
            since: slight(edge).map(|slight| slight.began),
        }
    };
    let alike = rose_alike(&risen.iter().map(longer).collect::<Vec<_>>())?;
    let each = risen.iter().map(|one| one.rise.ln_p).sum::<f64>() / risen.len() as f64;
    (alike.increase_us < TOGETHER_US).then_some(alike.independent as f64 * each)
}

/// Round trips that never leave this Node rose too: its machine is slow, not a path.
fn is_slow_inside(context: &Context<'_>) -> bool {
    let inside = || context.edges().iter().filter(|edge| !edge.is_remote());
    let rose = inside().filter(|edge| slight(edge).is_some()).count();
    rose > inside().filter(|edge| edge.lowest == Some(Lowest::Usual)).count()
}

/// Replicas of one server may share a dependency, and clients may call another server between their requests. Their
/// acknowledgements wait for it, on all these edges for as long.
fn may_wait_for_one_program(context: &Context<'_>, risen: &[Risen]) -> bool {
    let kind = |one: &Risen| {
        let view = context.edge(one.edge).view;
        view.role.map(|role| (role == Role::Client).then_some(view.port))
    };
    let kinds: Option<BTreeSet<Option<u16>>> = risen.iter().map(kind).collect();
    kinds.is_some_and(|kinds| kinds.len() < 2)
}

/// The edge carries so much more payload than usual that the load may make the difference.
pub(super) fn has_more_traffic(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let bytes = (edge.tally().bytes_acked + edge.tally().bytes_received) as f64;
    let usual = edge.memory.and_then(EdgeMemory::bytes_per_s);
    usual.is_some_and(|usual| bytes / context.window.as_secs_f64() > GROWTH * usual)
}

/// A longer path makes all requests of a client longer. Acknowledgements that are merely delayed do not.
fn requests_are_as_fast(edge: &Edge<'_>, rise: &Rise) -> bool {
    let Some((now, known)) = edge.requests().filter(|_| edge.view.role == Some(Role::Client)) else { return false };
    let recent: &FineHistogram = &now.recent.durations;
    let usual_us = known.times().durations().and_then(|usual| usual.quantile_us(0.1));
    let growth_us = recent.quantile_us(0.1).zip(usual_us).map(|(now_us, usual_us)| now_us - usual_us);
    recent.count() >= MIN_REQUESTS && growth_us.is_some_and(|us| us < SHARE * rise.increase_us())
}

#[cfg(test)]
mod tests;
