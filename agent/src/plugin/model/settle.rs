//! One culprit for all agents: what one agent can't decide, the rows of the others do.

pub(super) mod delays;
mod places;
mod reasons;
mod silence;
mod voices;

pub(super) use delays::{Delay, longer_share};
pub(super) use places::zone_of;
pub(super) use reasons::OWN_REASON;
pub(super) use voices::is_same;
pub use voices::{add_voices, wants_voices};

use super::{causal_path::pod_of, fleet::fleet};
use crate::{
    api::{Blame, BlameKind, Hint, HintState, PeerRow, Suspect},
    blame::{Culprit, Fleet, Others, Symptom},
    hints::effects,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// Symptoms of hints about paths, with the evidence that other agents have of them.
const SYMPTOMS: [(&str, Symptom); 2] = [("packet_loss", Symptom::Loss), ("rtt_inflation", Symptom::Latency)];
/// Causes of the second symptom that are about programs, not paths.
const ABOUT_PATHS: [&str; 3] = ["path_loss", "path_latency", "node_packet_loss"];

/// Cause of hints that blame a server for late answers.
pub(super) const LATE_ANSWERS: &str = "peer_slow";

/// True if rows of agents tell where the trouble of a hint lies. Answers may be late on the way.
pub fn wants_rows(hint: &Hint) -> bool {
    needs_others(hint) || (hint.state == HintState::Firing && hint.cause == LATE_ANSWERS)
}

/// True if rows of other agents may say more about who is at fault.
pub fn needs_others(hint: &Hint) -> bool {
    let candidates = || hint.blame.candidates().filter(|one| culprit_kind(one.kind));
    let shown = symptom(hint).is_some() || silence::is_about(hint);
    hint.state == HintState::Firing && shown && candidates().next().is_some()
}

/// Weighs the candidates of each hint about a path with the rows of all agents but its own.
pub fn settle(hints: &mut [Hint], rows: &[PeerRow]) {
    voices::agree(hints);
    silence::acquit(hints, rows);
    reasons::weigh_own(hints);
    delays::acquit(hints, rows);
    if !hints.iter().any(needs_others) {
        return;
    }
    let mut fleet = fleet(&with_shared_rises(rows));
    for hint in hints.iter_mut().filter(|hint| needs_others(hint) && longer_share(hint).is_none()) {
        let Some(symptom) = symptom(hint) else { continue };
        let was = hint.blame.best();
        let all = hint.blame.candidates().chain(places::left_out(hint, rows, symptom)).collect();
        hint.blame = settled(&mut fleet, hint, all, symptom);
        // The probability of the cause stays.
        if was > 0.0 {
            hint.confidence = (hint.confidence * hint.blame.best() / was * 100.0).round() / 100.0;
        }
    }
}

/// Rises that no agent can prove alone, as proven ones where they are shared: rows of several agents that have an end
/// in common and became longer by about as much share what they share.
pub(super) fn with_shared_rises(rows: &[PeerRow]) -> Cow<'_, [PeerRow]> {
    let mut by_end: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.peer_node.is_some()) {
        let rise = row.rtt_rise.or(row.min_rtt_baseline).map(|rtt| rtt.now_seconds - rtt.usual_seconds);
        let Some(rise) = rise.filter(|seconds| *seconds >= SHARED_SECONDS) else { continue };
        for end in [Some(row.node.as_str()), row.peer_node.as_deref()].into_iter().flatten() {
            by_end.entry(end).or_default().push((at, rise));
        }
    }
    let mut shared = BTreeSet::new();
    for all in by_end.values_mut() {
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        let median = all[all.len() / 2].1;
        let alike = all.iter().filter(|(_, rise)| (1.0 / SHARED_RATIO..=SHARED_RATIO).contains(&(rise / median)));
        let alike: Vec<usize> = alike.map(|(at, _)| *at).collect();
        let agents: BTreeSet<&str> = alike.iter().map(|at| rows[*at].node.as_str()).collect();
        if agents.len() >= SHARED_AGENTS {
            shared.extend(alike.into_iter().filter(|at| rows[*at].min_rtt_baseline.is_none()));
        }
    }
    if shared.is_empty() {
        return Cow::Borrowed(rows);
    }
    let mut rows = rows.to_vec();
    shared.into_iter().for_each(|at| rows[at].min_rtt_baseline = rows[at].rtt_rise);
    Cow::Owned(rows)
}

/// Rise of the RTT that counts as shared, s …
const SHARED_SECONDS: f64 = 0.005;
/// … up to this multiple of each other …
const SHARED_RATIO: f64 = 1.5;
/// … by so many agents.
const SHARED_AGENTS: usize = 3;

/// The symptom that rows show as well. `None`: they don't.
pub(super) fn symptom(hint: &Hint) -> Option<Symptom> {
    let known = SYMPTOMS.iter().find(|(name, _)| *name == hint.symptom && ABOUT_PATHS.contains(&hint.cause.as_str()));
    known.map(|(_, symptom)| *symptom)
}

/// Whether a hint is about packets that are lost, late or unanswered, so that all traffic that passes its culprit may have
/// its trouble. So are those about drops of a Node, by the table of rules.
pub(super) fn is_about_ways(hint: &Hint) -> bool {
    let drops = || hint.blame.kind == BlameKind::Node && effects().contains(&(hint.cause.as_str(), "path_loss"));
    symptom(hint).is_some() || silence::is_about(hint) || drops()
}

/// Whether a hint of another cause explains what rows show of a symptom, such as losses of large packets.
pub(super) fn explains(hint: &Hint, symptom: Symptom) -> bool {
    let effect = match symptom {
        Symptom::Loss => "path_loss",
        Symptom::Latency => "path_latency",
    };
    hint.chain.iter().skip(1).any(|link| link == effect)
}

/// Kinds that rows of pairs of Nodes say something about.
const fn culprit_kind(kind: BlameKind) -> bool {
    is_host(kind)
        || matches!(
            kind,
            BlameKind::Node | BlameKind::PeerNode | BlameKind::NodePair | BlameKind::PathShare | BlameKind::ZonePair
        )
}

/// Kinds that rows about one address say something about.
const fn is_host(kind: BlameKind) -> bool {
    matches!(kind, BlameKind::PeerPod | BlameKind::External | BlameKind::Service)
}

/// Most hosts whose rows are asked for apart from those of their Nodes.
const MAX_HOSTS: usize = 16;

/// Hosts among the candidates of hints that need other agents' rows, the likeliest first: Pods by name where it is
/// known, else addresses. Rows about each of them tell a Pod from its Node, and what is outside from the way there.
pub fn hosts(hints: &[Hint]) -> Vec<String> {
    let mut all: BTreeMap<String, f64> = BTreeMap::new();
    for hint in hints.iter().filter(|hint| wants_rows(hint)) {
        for Suspect { kind, name, probability } in hint.blame.candidates() {
            let host = match kind {
                BlameKind::Pod => pod_of(hint),
                kind if is_host(kind) => name,
                _ => continue,
            };
            let most = all.entry(host).or_default();
            *most = most.max(probability);
        }
    }
    let mut all: Vec<(String, f64)> = all.into_iter().collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.into_iter().map(|(name, _)| name).take(MAX_HOSTS).collect()
}

/// Probability of what a blame does not list, 0 … 1.
pub(super) fn unlisted(blame: &Blame) -> f64 {
    (1.0 - blame.candidates().map(|one| one.probability).sum::<f64>()).max(MISFIT)
}

/// Multiplies the odds of each candidate by `e^nats`, and those of what is not listed by `e^unlisted_nats`. The
/// probability of the cause stays.
pub(super) fn weigh(hint: &mut Hint, unlisted_nats: f64, nats: impl Fn(&Suspect) -> f64) {
    let was = hint.blame.best();
    if was <= 0.0 {
        return;
    }
    let all: Vec<(Suspect, f64)> =
        hint.blame.candidates().map(|one| (nats(&one), one)).map(|(n, one)| (one, n)).collect();
    let most = all.iter().map(|(_, nats)| *nats).fold(unlisted_nats, f64::max);
    let weight = |one: &Suspect, nats: f64| odds(one.probability, nats - most);
    let total = all.iter().map(|(one, nats)| weight(one, *nats)).sum::<f64>()
        + (unlisted(&hint.blame) * (unlisted_nats - most).exp()).max(f64::MIN_POSITIVE);
    let weighed = all
        .iter()
        .map(|(one, nats)| Suspect { probability: (1.0 - MISFIT) * weight(one, *nats) / total, ..one.clone() });
    hint.blame = Blame::among(weighed.collect());
    hint.confidence = ((hint.confidence * hint.blame.best() / was).min(1.0) * 100.0).round() / 100.0;
}

/// `all`: the candidates of the hint's blame, and others.
fn settled(fleet: &mut Fleet, hint: &Hint, all: Vec<Suspect>, symptom: Symptom) -> Blame {
    let own = pod_of(hint);
    let candidates: Vec<(Suspect, Option<Culprit>)> =
        all.into_iter().map(|one| (culprit(fleet, &own, &one), one)).map(|(culprit, one)| (one, culprit)).collect();
    let (asker, own_pod) = (fleet.node(&hint.subject.node, None), fleet.pod(&own));
    let culprits: Vec<Culprit> = candidates.iter().filter_map(|(_, culprit)| *culprit).collect();
    let others = match Delay::of(hint).filter(|_| symptom == Symptom::Latency) {
        Some(delay) => Others::of_delay(fleet, asker, delay.mean_seconds * 1e6, &culprits),
        None => Others::new(fleet, asker, symptom, &culprits),
    };
    let others = others.about(own_pod);
    let nats: Vec<f64> = candidates.iter().map(|(_, culprit)| culprit.map_or(0.0, |c| others.nats(c))).collect();
    if nats.iter().all(|nats| *nats == 0.0) {
        return hint.blame.clone();
    }
    // Bounded for the best candidate. The distances between candidates stay.
    let excess = nats.iter().map(|nats| nats - MOST_NATS).fold(0.0, f64::max);
    let weighed = candidates.iter().zip(&nats);
    let weights: Vec<f64> = weighed.map(|((one, _), nats)| odds(one.probability, nats - excess)).collect();
    let unknown = 1.0 - candidates.iter().map(|(one, _)| one.probability).sum::<f64>();
    let total = weights.iter().sum::<f64>() + unknown.max(MISFIT);
    let all = candidates.into_iter().zip(weights);
    Blame::among(
        all.map(|((one, _), weight)| Suspect { probability: (1.0 - MISFIT) * weight / total, ..one }).collect(),
    )
}

/// Probability that nothing listed is right, at least.
pub(super) const MISFIT: f64 = 0.02;
/// Bound of the nats that other agents add: beyond, only the model would be surer.
const MOST_NATS: f64 = 30.0;

fn odds(probability: f64, nats: f64) -> f64 {
    probability * nats.clamp(-MOST_NATS, MOST_NATS).exp()
}

/// The candidate among the fleet's ends. `own`: the Pod that the hint is about, to which other agents have rows. `None`:
/// it is none of them.
fn culprit(fleet: &mut Fleet, own: &str, one: &Suspect) -> Option<Culprit> {
    match one.kind {
        BlameKind::Pod => Some(Culprit::Pod(fleet.pod(own))),
        BlameKind::Node | BlameKind::PeerNode => Some(Culprit::Node(fleet.node(&one.name, None))),
        BlameKind::NodePair | BlameKind::PathShare => {
            let (a, b) = one.name.split_once('↔')?;
            let (a, b) = (fleet.node(a, None), fleet.node(b, None));
            Some(Culprit::Pair(a.min(b), a.max(b)))
        }
        BlameKind::ZonePair => {
            let (a, b) = one.name.split_once('↔')?;
            let (a, b) = (fleet.zone_named(a)?, fleet.zone_named(b)?);
            Some(Culprit::ZonePair(a.min(b), a.max(b)))
        }
        BlameKind::PeerPod => Some(Culprit::Pod(fleet.pod(&one.name))),
        BlameKind::External | BlameKind::Service => Some(Culprit::External(fleet.external(&one.name))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
