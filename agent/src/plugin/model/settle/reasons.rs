//! Reasons that the agents of suspects give: a hint of one's own that makes this very trouble is evidence.

use super::{MISFIT, weigh};
use crate::{
    api::{BlameKind, Hint, HintState, Suspect},
    hints::effects,
    plugin::model::causal_path::{makes_at_callers, pod_of},
};

/// Evidence for a suspect whose own agent knows a reason, nats: by chance it has one in one of some hundred windows.
pub(in crate::plugin::model) const OWN_REASON: f64 = 6.0;

/// A reason that lies with a Pod or a Node.
struct Reason {
    hint: Hint,
    who: String,
    is_node: bool,
}

impl Reason {
    /// Whether it makes this trouble of others. `of_nodes`: pairs of cause and effect.
    fn makes(&self, effect: &str, of_nodes: &[(&str, &str)]) -> bool {
        match self.is_node {
            true => of_nodes.contains(&(self.hint.cause.as_str(), effect)),
            false => makes_at_callers(&self.hint, effect),
        }
    }
}

/// Weighs the candidates of each hint by the reasons that other agents' hints give for them.
pub(super) fn weigh_own(hints: &mut [Hint]) {
    let reasons: Vec<Reason> = hints.iter().filter_map(reason).collect();
    if reasons.is_empty() {
        return;
    }
    let of_nodes = effects();
    for hint in hints.iter_mut().filter(|hint| hint.state == HintState::Firing) {
        let (cause, asker) = (hint.cause.clone(), hint.subject.node.clone());
        let explains = |reason: &Reason, one: &Suspect| {
            let is_kind = match one.kind {
                BlameKind::PeerPod => !reason.is_node,
                BlameKind::PeerNode => reason.is_node && one.name != asker,
                _ => false,
            };
            is_kind && reason.who == one.name && reason.makes(&cause, &of_nodes)
        };
        let has_reason = |one: &Suspect| reasons.iter().any(|reason| explains(reason, one));
        let known: Vec<Suspect> = hint.blame.candidates().filter(has_reason).collect();
        // Nothing makes it surer than the model is.
        if known.iter().any(|one| one.probability < 1.0 - MISFIT) {
            weigh(hint, 0.0, |one| if known.contains(one) { OWN_REASON } else { 0.0 });
        }
    }
}

/// The reason that a hint gives, when it blames its own Pod or Node.
fn reason(hint: &Hint) -> Option<Reason> {
    let (who, is_node) = match hint.blame.kind {
        BlameKind::Pod => (pod_of(hint), false),
        BlameKind::Node if hint.blame.name == hint.subject.node => (hint.blame.name.clone(), true),
        _ => return None,
    };
    (hint.state == HintState::Firing).then(|| Reason { hint: hint.clone(), who, is_node })
}

#[cfg(test)]
mod tests;
