use crate::{
    api::{Blame, BlameKind, Hint, Suspect},
    plugin::model::{causal_path::follow, settle::settle, testing::hint},
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

/// Rows of one agent leave losses undecided. The full queue of the very peer makes them.
#[test]
fn losses_at_a_full_listen_queue_are_the_listeners() {
    let losses = |cause: &str, chain: &[&str]| {
        let mut lost = hint("shop", "web-1", "path_loss");
        lost.blame = Blame::among(vec![
            Suspect::new(BlameKind::PeerNode, "node-d", 0.59),
            Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.33),
        ]);
        lost.confidence = 0.59;
        let mut own = hint("shop", "db-0", cause);
        own.subject.node = "node-d".into();
        own.blame = Blame::named(BlameKind::Pod, "db-0", 0.99);
        own.chain = chain.iter().map(|link| (*link).to_owned()).collect();
        let mut hints = [lost, own];
        settle(&mut hints, &[]);
        let causes: Vec<String> = follow(&hints[0], &hints).iter().map(|hint| hint.cause.clone()).collect();
        (causes, hints[0].confidence)
    };
    let (causes, confidence) = losses("pod_accept_queue_full", &["pod_accept_queue_full", "connect_latency"]);
    assert_eq!(causes, ["path_loss", "pod_accept_queue_full"]);
    assert!(confidence > 0.9, "{confidence}");
    // A stopped process fills the queue first.
    let chain = ["pod_not_reading", "pod_accept_queue_full", "unanswered_requests"];
    assert_eq!(losses("pod_not_reading", &chain).0, ["path_loss", "pod_not_reading"]);
    let open = losses("pod_not_reading", &["pod_not_reading", "unanswered_requests"]);
    assert_eq!(open, (vec!["path_loss".to_owned()], 0.59));
}
