//! Follows blame from hint to hint: an agent on the blamed Node may know the cause.

use super::settle;
use crate::{
    api::{BlameKind, Hint, HintState},
    blame::Symptom,
    hints::{effects, effects_at_callers},
};

/// Most hints on one path.
const MAX_LENGTH: usize = 4;

/// The hint, then the hint that explains it, and so on to the root cause. Each hint is about the Pod or Node that the
/// hint before it blames. No hint appears twice.
pub fn follow<'a>(from: &'a Hint, all: &'a [Hint]) -> Vec<&'a Hint> {
    let mut path = vec![from];
    while path.len() < MAX_LENGTH {
        let last = path[path.len() - 1];
        let is_next = |hint: &&Hint| explains(hint, last) && !path.iter().any(|seen| same(seen, hint));
        // A Pod that has a reason of its own may also wait for somebody whom it doesn't need.
        let is_own = |hint: &&Hint| matches!(hint.blame.kind, BlameKind::Pod | BlameKind::Node) && is_next(hint);
        let next = all.iter().find(is_own).or_else(|| all.iter().find(&is_next));
        match next {
            Some(next) => path.push(next),
            None => break,
        }
    }
    path
}

/// True if `hint` explains the Pod or Node that `effect` blames: a trouble of that Pod which makes this one at callers.
pub(super) fn explains(hint: &Hint, effect: &Hint) -> bool {
    if hint.state != HintState::Firing {
        return false;
    }
    if is_at_own_node(hint, effect) {
        return true;
    }
    let blames_itself = matches!(hint.blame.kind, BlameKind::Node | BlameKind::Pod);
    match effect.blame.kind {
        BlameKind::PeerPod => {
            !effect.blame.name.is_empty()
                && pod_of(hint) == effect.blame.name
                && makes_at_callers(hint, &effect.cause)
                && (settle::symptom(hint).is_none() || is_its_own(hint))
        }
        BlameKind::PeerNode => hint.blame.kind == BlameKind::Node && hint.blame.name == effect.blame.name,
        // Either end of a pair may know more, and each of several candidates.
        BlameKind::NodePair | BlameKind::PathShare | BlameKind::Undecided => {
            blames_itself
                && hint.blame.kind == BlameKind::Node
                && effect.blame.mentions(&hint.blame.name)
                && hint.subject.node != effect.subject.node
        }
        BlameKind::Node
        | BlameKind::ZonePair
        | BlameKind::Pod
        | BlameKind::Service
        | BlameKind::Clients
        | BlameKind::External
        | BlameKind::None => false,
    }
}

/// Whether a trouble of a Pod makes another one at its callers, by the table of rules: by itself, or by what it makes at
/// the Pod first. A stopped process does not accept, and its full queue loses packets.
pub(super) fn makes_at_callers(hint: &Hint, effect: &str) -> bool {
    let is_own = matches!(hint.blame.kind, BlameKind::Pod | BlameKind::Node);
    let is_link = |cause: &str| hint.cause == cause || is_own && hint.chain.iter().any(|link| link == cause);
    effects_at_callers().iter().any(|(cause, of)| *of == effect && is_link(cause))
}

/// All agents together know that the effect's own Node is at fault for this trouble, which its agent alone could not
/// tell. Lookups without an answer, say, are an effect of losses there.
fn is_at_own_node(hint: &Hint, effect: &Hint) -> bool {
    let is_loss = |hint: &Hint| settle::symptom(hint) == Some(Symptom::Loss);
    let cause = if is_loss(hint) { NODE_LOSS } else { hint.cause.as_str() };
    hint.blame.kind == BlameKind::Node
        && hint.blame.name == effect.subject.node
        && hint.subject.node == effect.subject.node
        && (effect.blame.kind == BlameKind::Undecided || effect.blame.name == hint.blame.name)
        && !is_loss(effect)
        && effects().contains(&(cause, effect.cause.as_str()))
}

/// Cause of losses whose culprit is the Node itself.
const NODE_LOSS: &str = "node_packet_loss";

/// The likeliest culprit of a hint about a path is the Pod itself or its Node: only then do all its callers share it.
fn is_its_own(hint: &Hint) -> bool {
    let likeliest = hint.blame.candidates().max_by(|a, b| a.probability.total_cmp(&b.probability));
    likeliest.is_some_and(|one| match one.kind {
        BlameKind::Pod => true,
        BlameKind::Node => one.name == hint.subject.node,
        _ => false,
    })
}

/// `namespace/name` of its subject.
pub fn pod_of(hint: &Hint) -> String {
    format!("{}/{}", hint.subject.namespace, hint.subject.name)
}

fn same(a: &Hint, b: &Hint) -> bool {
    a.id == b.id && a.subject == b.subject && a.cause == b.cause
}

#[cfg(test)]
mod tests;
