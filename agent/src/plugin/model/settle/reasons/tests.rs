use crate::{
    api::{Blame, BlameKind, Hint, Suspect},
    plugin::model::{settle::settle, testing::hint},
};

/// An agent that can't tell whether a Pod, its Node or the path is silent.
fn undecided() -> Hint {
    let mut hint = hint("shop", "web-1", "peer_unreachable");
    hint.subject.node = "node-a".into();
    hint.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.4),
        Suspect::new(BlameKind::PeerNode, "node-d", 0.35),
        Suspect::new(BlameKind::NodePair, "node-a↔node-d", 0.2),
    ]);
    hint.confidence = 0.4;
    hint
}

fn with(cause: &str, blame: (BlameKind, &str)) -> Hint {
    let mut own = hint("shop", "db-0", cause);
    own.subject.node = "node-d".into();
    own.blame = Blame::named(blame.0, blame.1, 0.99);
    let mut hints = [undecided(), own];
    settle(&mut hints, &[]);
    hints[0].clone()
}

#[test]
fn a_reason_of_its_own_makes_a_suspect_the_culprit() {
    let hint = with("pod_accept_queue_full", (BlameKind::Pod, "db-0"));
    assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerPod, "shop/db-0"), "{:?}", hint.blame);
    assert!(hint.confidence > 0.9, "{hint:?}");
    let hint = with("node_conntrack_full", (BlameKind::Node, "node-d"));
    assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerNode, "node-d"), "{:?}", hint.blame);
}

#[test]
fn a_trouble_that_makes_no_such_effect_is_no_reason() {
    assert_eq!(with("dns_slow", (BlameKind::Pod, "db-0")).blame, undecided().blame);
}
