//! What the hints of several agents about one culprit say together, where rows don't show their trouble.

use super::{
    MISFIT,
    silence::{is_about_answers, is_about_handshakes},
    unlisted, weigh,
};
use crate::{
    api::{Blame, BlameKind, Hint, HintState, Suspect},
    hints::{Trouble, kind_prior},
};
use std::collections::BTreeMap;

/// Causes that rows don't show. Hints of several agents about one culprit are evidence for each other.
const WITHOUT_ROWS: [&str; 5] =
    ["peer_unreachable", "path_mtu_blackhole", "connections_reset", "port_filtered", "path_reordering"];
/// Chance that another agent has the same trouble at the same time for a reason of its own.
const COINCIDENCE: f64 = 0.0025;
/// Probability of a path between zones that a hint leaves out: it lists those from 0.02 on.
const LEFT_OUT: f64 = 0.01;

/// True if the hints of other agents, whoever their Pods talk to, say more about who is at fault.
pub fn wants_voices(hint: &Hint) -> bool {
    is_open(hint) && hint.blame.kind == BlameKind::Undecided
}

/// Adds the hints of `others` that are evidence about the culprits of `hints`, as far as they are not among these.
pub fn add_voices(hints: &mut Vec<Hint>, others: Vec<Hint>) {
    let is_known = |other: &Hint| hints.iter().any(|hint| hint.id == other.id && hint.subject == other.subject);
    let is_voice = |other: &Hint| hints.iter().any(|hint| wants_voices(hint) && speaks_of(other, hint));
    let new = others.into_iter().filter(|other| is_open(other) && !is_known(other) && is_voice(other));
    let new: Vec<Hint> = new.collect();
    hints.extend(new);
}

fn is_open(hint: &Hint) -> bool {
    hint.state == HintState::Firing && WITHOUT_ROWS.contains(&hint.cause.as_str())
}

/// Another agent has the same trouble, and may have it for the same reason.
fn speaks_of(other: &Hint, hint: &Hint) -> bool {
    let is_named = |one: Suspect| hint.blame.candidates().any(|own| is_same(&own, &one));
    other.cause == hint.cause && other.subject.node != hint.subject.node && other.blame.candidates().any(is_named)
}

/// Weighs the candidates of each undecided hint with those of other agents' hints with the same cause.
pub(super) fn agree(hints: &mut [Hint]) {
    let before: Vec<Hint> = hints.iter().filter(|hint| is_open(hint)).cloned().collect();
    for hint in hints.iter_mut().filter(|hint| wants_voices(hint)) {
        let others = before.iter().filter(|other| speaks_of(other, hint));
        // One voice per agent.
        let voices: BTreeMap<&str, Voice<'_>> =
            others.map(|other| (other.subject.node.as_str(), Voice::new(other))).collect();
        if voices.is_empty() {
            continue;
        }
        let nats =
            |one: &Suspect| -> f64 { voices.values().map(|voice| (voice.likelihood(one) + COINCIDENCE).ln()).sum() };
        // Something that neither of them lists may be the reason of both.
        let unlisted = voices.values().map(|voice| (voice.of_unlisted() + COINCIDENCE).ln()).sum();
        weigh(hint, unlisted, nats);
    }
}

/// Another agent's hint as evidence. Its probabilities have the priors in them, which count once and not per agent: the
/// rest is how well each candidate explains what this agent sees.
struct Voice<'h> {
    blame: &'h Blame,
    /// `None`: its probabilities have no priors.
    trouble: Option<Trouble>,
    /// Probability over prior of its best explanation.
    most: f64,
}

impl<'h> Voice<'h> {
    fn new(hint: &'h Hint) -> Self {
        let voice = Self { blame: &hint.blame, trouble: trouble(hint), most: 1.0 };
        let most = hint.blame.candidates().map(|one| voice.over_prior(&one)).fold(MISFIT, f64::max);
        Self { most, ..voice }
    }

    fn over_prior(&self, one: &Suspect) -> f64 {
        one.probability / self.trouble.and_then(|trouble| kind_prior(trouble, one.kind)).unwrap_or(1.0)
    }

    /// Likelihood of what the agent sees if this candidate is at fault, relative to its best explanation, 0 … 1.
    fn likelihood(&self, wanted: &Suspect) -> f64 {
        let listed = self.blame.candidates().filter(|one| is_same(one, wanted)).map(|one| self.over_prior(&one));
        let left_out = match wanted.kind {
            BlameKind::ZonePair => self.over_prior(&Suspect { probability: LEFT_OUT, ..wanted.clone() }),
            _ => 0.0,
        };
        (listed.reduce(f64::max).unwrap_or(left_out) / self.most).min(1.0)
    }

    /// The same of something that it does not list, which is as likely beforehand as a Node.
    fn of_unlisted(&self) -> f64 {
        (unlisted(self.blame) / self.most).min(1.0)
    }
}

/// The trouble whose priors a hint's probabilities have. `None`: they have none.
fn trouble(hint: &Hint) -> Option<Trouble> {
    match hint.cause.as_str() {
        "peer_unreachable" if is_about_handshakes(hint) => Some(Trouble::Silence),
        "peer_unreachable" if is_about_answers(hint) => Some(Trouble::Path),
        "peer_unreachable" => Some(Trouble::Stalled),
        "path_mtu_blackhole" | "path_reordering" => Some(Trouble::Path),
        _ => None,
    }
}

/// Whether candidates of two agents' hints are one. Each agent writes its own end first.
pub(in crate::plugin::model) fn is_same(one: &Suspect, other: &Suspect) -> bool {
    let is_node = |kind: BlameKind| matches!(kind, BlameKind::Node | BlameKind::PeerNode);
    let is_pair = |kind: BlameKind| matches!(kind, BlameKind::NodePair | BlameKind::PathShare);
    let ends = |name: &str| name.split_once('↔').map(|(a, b)| (a.min(b).to_owned(), a.max(b).to_owned()));
    match (one.kind, other.kind) {
        (a, b) if is_node(a) && is_node(b) => one.name == other.name,
        (a, b) if is_pair(a) && is_pair(b) => ends(&one.name) == ends(&other.name),
        (BlameKind::ZonePair, BlameKind::ZonePair) => ends(&one.name) == ends(&other.name),
        // A Pod at one end is the peer's Pod at the other, under another name.
        (a, b) => a == b && one.name == other.name && a != BlameKind::Pod,
    }
}

#[cfg(test)]
mod tests;
