use super::*;
use crate::{
    api::Evidence,
    plugin::model::{settle::settle, testing::hint},
};

/// Attempts to connect that nobody answers, as an agent tells them.
fn silent(node: &str, candidates: &[(BlameKind, &str, f64)]) -> Hint {
    let mut hint = hint("shop", node, "peer_unreachable");
    node.clone_into(&mut hint.subject.node);
    let failures = Evidence { signal: "netwhy_tcp_connect_failures_total".into(), ..hint.evidence[0].clone() };
    hint.evidence.push(failures);
    hint.blame = Blame::among(candidates.iter().map(|(kind, name, p)| Suspect::new(*kind, *name, *p)).collect());
    hint.confidence = 0.4;
    hint
}

/// node-c alone is in z2, and nothing passes between the zones. Node and zones explain the same, for each of three
/// agents: how often Nodes fail counts once, not three times.
fn cut_off() -> [Hint; 3] {
    let there = |node: &str, pod: f64| {
        let pair = format!("{node}↔node-c");
        let candidates = [
            (BlameKind::PeerPod, "shop/api-c", pod),
            (BlameKind::PeerNode, "node-c", pod / 4.0),
            (BlameKind::NodePair, &*pair, pod * 0.075),
            (BlameKind::ZonePair, "z1↔z2", pod / 8.0),
        ];
        silent(node, &candidates)
    };
    let own = [(BlameKind::Node, "node-c", 0.38), (BlameKind::ZonePair, "z2↔z1", 0.38), (BlameKind::Pod, "web-c", 0.2)];
    [there("node-a", 0.6), there("node-b", 0.6), silent("node-c", &own)]
}

#[test]
fn a_node_alone_in_its_zone_is_not_told_from_the_path_there_however_many_agents_ask() {
    let mut hints = cut_off();
    settle(&mut hints, &[]);
    for hint in &hints {
        let of = |kinds: &[BlameKind]| {
            let all = hint.blame.candidates().filter(|one| kinds.contains(&one.kind));
            all.map(|one| one.probability).fold(0.0, f64::max)
        };
        let (node, zones) = (of(&[BlameKind::Node, BlameKind::PeerNode]), of(&[BlameKind::ZonePair]));
        assert_eq!(hint.blame.kind, BlameKind::Undecided, "{hint:?}");
        assert!(zones > 0.25 && node > 0.4, "{hint:?}");
    }
}

#[test]
fn an_agent_that_leaves_the_zones_out_does_not_acquit_them() {
    let mut hints = cut_off();
    let left: Vec<Suspect> = hints[1].blame.candidates().filter(|one| one.kind != BlameKind::ZonePair).collect();
    hints[1].blame = Blame::among(left);
    settle(&mut hints, &[]);
    assert_eq!(hints[2].blame.kind, BlameKind::Undecided, "{:?}", hints[2]);
}

#[test]
fn zones_have_one_name_from_both_sides() {
    let of = |name: &str| Suspect::new(BlameKind::ZonePair, name, 0.5);
    assert!(is_same(&of("z1↔z2"), &of("z2↔z1")) && !is_same(&of("z1↔z2"), &of("z1↔z3")));
}

/// A kernel that sends SYNs is up: packets to it get lost, and no program has a part in it.
#[test]
fn answers_that_nobody_acknowledges_have_the_priors_of_paths() {
    let mut hint = hint("shop", "node-b", "peer_unreachable");
    assert_eq!(trouble(&hint), Some(Trouble::Stalled));
    hint.evidence[0].signal = "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}".into();
    assert_eq!(trouble(&hint), Some(Trouble::Path));
}

/// Large packets to a Node vanish, as the agent of a sender tells it: it can't tell the Node from its own path there.
fn black_hole(node: &str, peer: &str, pod: &str) -> Hint {
    let pair = format!("{node}↔{peer}");
    let candidates = [
        (BlameKind::PeerNode, peer, 0.423),
        (BlameKind::NodePair, &*pair, 0.423),
        (BlameKind::PeerPod, pod, 0.084),
        (BlameKind::Node, node, 0.038),
    ];
    Hint { cause: "path_mtu_blackhole".into(), ..silent(node, &candidates) }
}

#[test]
fn black_holes_from_several_origins_lie_at_their_common_end() {
    let of_node = |hint: &Hint| {
        let all = hint.blame.candidates().filter(|one| one.name == "node-b");
        all.map(|one| one.probability).fold(0.0, f64::max)
    };
    // They talk to one Pod there: it may be its interface, which is rarer.
    let mut one_pod = [black_hole("node-a", "node-b", "shop/sink"), black_hole("node-c", "node-b", "shop/sink")];
    settle(&mut one_pod, &[]);
    for hint in &one_pod {
        assert!((0.75..0.9).contains(&of_node(hint)), "{:?}", hint.blame);
        assert!(hint.blame.other_names().contains(&"shop/sink"), "{:?}", hint.blame);
    }
    let mut two_pods = [black_hole("node-a", "node-b", "shop/sink"), black_hole("node-c", "node-b", "shop/api")];
    settle(&mut two_pods, &[]);
    for hint in &two_pods {
        assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerNode, "node-b"), "{:?}", hint.blame);
    }
    let mut alone = [black_hole("node-a", "node-b", "shop/sink")];
    settle(&mut alone, &[]);
    assert!(of_node(&alone[0]) < 0.5, "{:?}", alone[0].blame);
}

#[test]
fn voices_of_agents_that_are_no_peers_are_wanted_once() {
    let own = black_hole("node-a", "node-b", "shop/sink");
    assert!(wants_voices(&own));
    let voice = black_hole("node-c", "node-b", "shop/sink");
    let elsewhere = black_hole("node-e", "node-f", "shop/other");
    let over = Hint { state: HintState::Resolved, ..black_hole("node-d", "node-b", "shop/sink") };
    let other_cause = Hint { cause: "connections_reset".into(), ..black_hole("node-d", "node-b", "shop/sink") };
    let others = vec![own.clone(), voice.clone(), elsewhere, over, other_cause];
    let mut hints = vec![own.clone()];
    add_voices(&mut hints, others.clone());
    assert_eq!(hints, [own, voice]);
    let before = hints.clone();
    add_voices(&mut hints, others);
    assert_eq!(hints, before);
}
