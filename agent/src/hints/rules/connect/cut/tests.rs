use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, healthy, verdict},
    state::EdgeView,
};
use netwhy_abi::{Cut, PeerClass, Role};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn mesh(role: Role) -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    case.edges.iter_mut().for_each(|edge| edge.role = Some(role));
    case
}

/// Resets on the first edge, of which so many are in the last seconds.
fn cut(case: &Case, kind: Cut, window: u64, recent: u64) -> Case {
    let mut case = case.clone();
    let edge = case.edge("cart", PEERS[0]);
    edge.recent = edge.window.clone();
    edge.window.cuts[kind as usize] = window;
    edge.recent.cuts[kind as usize] = recent;
    case
}

#[test]
fn connections_reset_while_busy_again_and_again_have_a_cause_of_their_own() {
    let normal = mesh(Role::Client);
    let hint = Run::warm(&normal).expect_one(&cut(&normal, Cut::Busy, 6, 2));
    assert_eq!(hint.cause, "connections_reset");
    assert!(hint.summary.contains("6 resets in 1000 data segments, 0 idle ones"), "{}", hint.summary);
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert_eq!(hint.blame.other_names(), ["10.0.0.7", "node-a↔10.0.0.7"]);
}

/// 1000 segments make 0.02 at the lowest usual rate: 4 have a chance of 7e-9, 3 one of 1.3e-6.
#[test]
fn as_many_as_chance_makes_are_silent() {
    let normal = mesh(Role::Client);
    Run::warm(&normal).expect_silence(5, &cut(&normal, Cut::Busy, 3, 2));
    Run::warm(&normal).expect_one(&cut(&normal, Cut::Busy, 4, 2));
}

#[test]
fn a_peer_that_restarts_resets_all_at_once_and_is_silent() {
    let normal = mesh(Role::Client);
    let mut run = Run::warm(&normal);
    run.expect_silence(3, &cut(&normal, Cut::Busy, 20, 20));
    run.expect_silence(7, &cut(&normal, Cut::Busy, 20, 0));
}

#[test]
fn idle_resets_and_those_that_a_server_receives_are_silent() {
    let normal = mesh(Role::Client);
    Run::warm(&normal).expect_silence(5, &cut(&normal, Cut::Idle, 20, 6));
    let server = mesh(Role::Server);
    Run::warm(&server).expect_silence(5, &cut(&server, Cut::Busy, 20, 6));
}

#[test]
fn resets_that_are_usual_on_an_edge_become_its_baseline() {
    let normal = mesh(Role::Client);
    let usual = cut(&normal, Cut::Busy, 3, 2);
    let mut run = Run::warm(&normal);
    run.ticks(600, &usual);
    run.expect_silence(5, &cut(&normal, Cut::Busy, 5, 2));
}

/// Both ends are on this Node, so that both are measured.
#[test]
fn on_one_node_the_peers_own_count_tells_who_sent_them() {
    let mut normal = mesh(Role::Client);
    normal.edges.iter_mut().for_each(|edge| edge.port = 8080);
    let edge = normal.edge("cart", PEERS[0]);
    (edge.class, edge.peer_pod) = (PeerClass::SameNode, Some("shop/api".into()));
    normal.subjects.push(crate::state::SubjectView { id: crate::hints::testing::id("api"), ..Default::default() });
    normal.edges.push(EdgeView {
        port: 8080,
        role: Some(Role::Server),
        class: PeerClass::SameNode,
        ..healthy("api", "10.0.1.1")
    });
    let bad = cut(&normal, Cut::Busy, 6, 2);
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(verdict(&hint), ("connections_reset", BlameKind::Node, "node-a"));
    let mut sent = bad;
    sent.tally("api", "10.0.1.1").resets_sent = 6;
    let hint = Run::warm(&normal).expect_one(&sent);
    assert_eq!(verdict(&hint), ("connections_reset", BlameKind::PeerPod, "shop/api"));
    assert!(hint.summary.ends_with("the peer's connections sent 6"), "{}", hint.summary);
}
