use super::*;
use crate::{
    api::{Blame, Evidence},
    plugin::model::{
        settle::settle,
        testing::{hint, peer_row},
    },
};

/// The agent on node-b gets no answer from a Pod on node-d.
fn silent_from(node: &str) -> Hint {
    let mut hint = hint("shop", node, "peer_unreachable");
    node.clone_into(&mut hint.subject.node);
    hint.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.5),
        Suspect::new(BlameKind::PeerNode, "node-d", 0.3),
        Suspect::new(BlameKind::NodePair, format!("{node}↔node-d"), 0.18),
    ]);
    hint.confidence = 0.5;
    hint
}

/// An agent's row about the Pod.
fn row(node: &str, answered: bool) -> PeerRow {
    PeerRow { answered, peer_pod: Some("shop/db-0".into()), ..peer_row(node, "node-d", 100, 0, 200) }
}

fn settled(hint: Hint, rows: &[PeerRow]) -> Blame {
    let mut hints = [hint];
    settle(&mut hints, rows);
    hints[0].blame.clone()
}

#[test]
fn a_peer_that_answers_others_leaves_the_path() {
    let rows: Vec<PeerRow> = ["node-a", "node-c", "node-e"].map(|node| row(node, true)).to_vec();
    let blame = settled(silent_from("node-b"), &rows);
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::NodePair, "node-b↔node-d"), "{blame:?}");
}

#[test]
fn a_peer_that_answers_nobody_stays_suspect() {
    let rows: Vec<PeerRow> = ["node-a", "node-c", "node-e"].map(|node| row(node, false)).to_vec();
    assert_eq!(settled(silent_from("node-b"), &rows), silent_from("node-b").blame);
    // Its own agent's view of itself is no witness either.
    assert_eq!(settled(silent_from("node-b"), &[row("node-b", true)]), silent_from("node-b").blame);
}

/// One port of the Pod is silent for all of them, another one answers.
#[test]
fn agents_that_hear_nothing_either_are_no_witnesses() {
    let rows: Vec<PeerRow> = ["node-a", "node-c"].map(|node| row(node, true)).to_vec();
    let mut hints = ["node-a", "node-b", "node-c"].map(silent_from);
    settle(&mut hints, &rows);
    for hint in &hints {
        assert!(
            hint.blame.candidates().all(|one| one.kind != BlameKind::NodePair || one.probability < 0.2),
            "{hint:?}"
        );
    }
}

#[test]
fn an_answer_says_more_about_a_node_than_about_one_of_its_hosts() {
    let blame = settled(silent_from("node-b"), &[row("node-a", true)]);
    let of = |kind: BlameKind| blame.candidates().find(|one| one.kind == kind).map_or(0.0, |one| one.probability);
    assert!(of(BlameKind::PeerNode) < 0.02 && of(BlameKind::PeerPod) > 0.15, "{blame:?}");
}

/// A full accept queue leaves open connections alone: they acquit no listener.
#[test]
fn only_new_connections_acquit_a_listener() {
    let about_handshakes = || {
        let mut hint = silent_from("node-b");
        let failures = Evidence { signal: CONNECT_FAILURES.into(), ..hint.evidence[0].clone() };
        hint.evidence.push(failures);
        hint
    };
    let of_pod = |accepted: Option<bool>, hint: Hint| {
        let rows: Vec<PeerRow> = ["node-a", "node-c"].map(|node| PeerRow { accepted, ..row(node, true) }).to_vec();
        let blame = settled(hint, &rows);
        blame.candidates().find(|one| one.kind == BlameKind::PeerPod).map_or(0.0, |one| one.probability)
    };
    assert!(of_pod(Some(false), about_handshakes()) > 0.65);
    assert!(of_pod(Some(true), about_handshakes()) < 0.3);
    assert!(of_pod(Some(false), silent_from("node-b")) < 0.3, "its open connections fell silent");
}

/// A server's answers to a client's SYNs get lost. The kernel of the client answers on connections with others, so that
/// neither it nor its Node is at fault.
#[test]
fn open_connections_with_others_acquit_a_client_that_acknowledges_no_handshake() {
    let mut hint = silent_from("node-b");
    hint.evidence.push(Evidence { signal: ANSWERS.into(), ..hint.evidence[0].clone() });
    hint.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-d", 0.44),
        Suspect::new(BlameKind::NodePair, "node-b↔node-d", 0.44),
        Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.09),
    ]);
    let rows = ["node-a", "node-c"].map(|node| PeerRow { accepted: Some(false), ..row(node, true) });
    let blame = settled(hint, &rows);
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::NodePair, "node-b↔node-d"), "{blame:?}");
}
