//! From hint to hint: whom one agent blames, another agent may explain.

use crate::api::{BlameKind, Hint, HintState};

/// Links that are followed at most.
const MAX: usize = 4;

/// The hint itself, then what explains it, and so on: each next one is about whom the one before blames, as told by the
/// agent there. Ends where nobody explains more; never in a circle.
pub fn follow<'a>(from: &'a Hint, all: &'a [Hint]) -> Vec<&'a Hint> {
    let mut trail = vec![from];
    while trail.len() < MAX {
        let last = trail[trail.len() - 1];
        let next = all.iter().find(|hint| explains(hint, last) && !trail.iter().any(|seen| same(seen, hint)));
        match next {
            Some(next) => trail.push(next),
            None => break,
        }
    }
    trail
}

/// True when `hint` says what is wrong with the one that `effect` blames.
fn explains(hint: &Hint, effect: &Hint) -> bool {
    if hint.state != HintState::Firing || effect.blame.name.is_empty() {
        return false;
    }
    let own_fault = matches!(hint.blame.kind, BlameKind::Node | BlameKind::Pod);
    match effect.blame.kind {
        BlameKind::PeerPod => pod_of(hint) == effect.blame.name,
        BlameKind::PeerNode => hint.blame.kind == BlameKind::Node && hint.blame.name == effect.blame.name,
        // Of a pair either end may know better.
        BlameKind::NodePair => {
            own_fault
                && hint.blame.kind == BlameKind::Node
                && (effect.blame.alternatives.contains(&hint.blame.name))
                && hint.subject.node != effect.subject.node
        }
        BlameKind::Node | BlameKind::ZonePair | BlameKind::Pod | BlameKind::External | BlameKind::None => false,
    }
}

/// `namespace/name` of its subject.
pub fn pod_of(hint: &Hint) -> String {
    format!("{}/{}", hint.subject.namespace, hint.subject.name)
}

fn same(a: &Hint, b: &Hint) -> bool {
    a.id == b.id && a.subject == b.subject && a.cause == b.cause
}

#[cfg(test)]
mod tests {
    use super::super::testing::hint;
    use super::*;
    use crate::api::Blame;

    fn blames(mut hint: Hint, kind: BlameKind, name: &str) -> Hint {
        hint.blame = Blame { kind, name: name.to_owned(), alternatives: vec![] };
        hint
    }

    #[test]
    fn a_slow_peer_is_followed_to_its_own_trouble() {
        let own = blames(hint("shop", "cart-1", "peer_slow"), BlameKind::PeerPod, "shop/db-0");
        let cause = blames(hint("shop", "db-0", "pod_cpu_throttled"), BlameKind::Pod, "db-0");
        let other = blames(hint("shop", "web-1", "pod_cpu_throttled"), BlameKind::Pod, "web-1");
        let all = [other, cause];
        let causes: Vec<&str> = follow(&own, &all).iter().map(|h| h.cause.as_str()).collect();
        assert_eq!(causes, ["peer_slow", "pod_cpu_throttled"]);
    }

    #[test]
    fn two_that_blame_each_other_end_the_trail() {
        let a = blames(hint("shop", "a", "peer_slow"), BlameKind::PeerPod, "shop/b");
        let b = blames(hint("shop", "b", "peer_slow"), BlameKind::PeerPod, "shop/a");
        assert_eq!(follow(&a, &[b, a.clone()]).len(), 2);
    }

    #[test]
    fn a_blamed_node_is_explained_only_by_a_hint_that_blames_it_itself() {
        let own = blames(hint("shop", "a", "path_loss"), BlameKind::PeerNode, "node-b");
        let there = blames(hint("shop", "z", "node_packet_loss"), BlameKind::Node, "node-b");
        let mut resolved = there.clone();
        resolved.state = HintState::Resolved;
        assert_eq!(follow(&own, &[there]).len(), 2);
        assert_eq!(follow(&own, &[resolved]).len(), 1);
    }
}
