use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, healthy, verdict},
    peers::PeerKind,
    state::EdgeView,
};
use netwhy_abi::{Cut, PeerClass, Role};

const PEERS: [&str; 3] = ["10.0.0.7", "10.0.0.8", "10.0.0.9"];

fn mesh(role: Role) -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    case.edges.iter_mut().for_each(|edge| edge.role = Some(role));
    case
}

/// Resets on the first edge, second by second.
struct Resets {
    run: Run,
    case: Case,
    kind: Cut,
    seconds: Vec<u64>,
}

impl Resets {
    fn new(case: &Case, kind: Cut) -> Self {
        Self { run: Run::warm(case), case: case.clone(), kind, seconds: Vec::new() }
    }

    fn busy() -> Self {
        Self::new(&mesh(Role::Client), Cut::Busy)
    }

    /// The hints that fire after a second with so many resets.
    fn second(&mut self, resets: u64) -> Vec<Hint> {
        self.seconds.push(resets);
        let sum = |seconds: usize| self.seconds.iter().rev().take(seconds).sum::<u64>();
        let (window, recent) = (sum(10), sum(3));
        let mut case = self.case.clone();
        let edge = case.edge("cart", PEERS[0]);
        edge.recent = edge.window.clone();
        edge.window.cuts[self.kind as usize] = window;
        edge.recent.cuts[self.kind as usize] = recent;
        firing(&self.run.tick(&case))
    }

    /// Goes through the pattern again and again for so many seconds, and expects no hint.
    fn expect_silence(&mut self, seconds: usize, pattern: &[u64]) {
        for (at, resets) in pattern.iter().cycle().take(seconds).enumerate() {
            let hints = self.second(*resets);
            assert!(hints.is_empty(), "second {at}: {:?}", hints.iter().map(|h| &h.summary).collect::<Vec<_>>());
        }
    }

    /// The same until a hint fires. Returns it, and the seconds until then, at most 40.
    fn first_hint(&mut self, pattern: &[u64]) -> (usize, Hint) {
        let mut seconds = pattern.iter().cycle().take(40).enumerate();
        seconds.find_map(|(at, resets)| Some((at + 1, self.second(*resets).pop()?))).expect("a hint")
    }
}

#[test]
fn connections_reset_while_busy_again_and_again_have_a_cause_of_their_own() {
    let (after, hint) = Resets::busy().first_hint(&[1]);
    assert!((10..13).contains(&after), "{after} s");
    assert_eq!(hint.cause, "connections_reset");
    assert!(hint.summary.contains("10 resets in 1000 data segments, 0 idle ones"), "{}", hint.summary);
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert_eq!(hint.blame.other_names(), ["10.0.0.7", "node-a↔10.0.0.7"]);
}

/// As many leave the sums as come.
#[test]
fn resets_at_a_steady_rate_stay_named() {
    let mut resets = Resets::busy();
    resets.first_hint(&[1]);
    for second in 0..60 {
        assert_eq!(resets.second(1).len(), 1, "second {second}");
    }
}

#[test]
fn resets_that_come_and_go_have_it_too() {
    // On for two seconds of every six.
    let (after, hint) = Resets::busy().first_hint(&[3, 2, 0, 0, 0, 0]);
    assert!((19..22).contains(&after), "{after} s");
    assert_eq!(hint.cause, "connections_reset");
}

/// 1000 segments make 0.02 at the lowest usual rate: 4 have a chance of 7e-9, 3 one of 1.3e-6.
#[test]
fn as_many_as_chance_makes_are_silent() {
    Resets::busy().expect_silence(60, &[1, 0, 0, 1, 0, 0, 1, 0, 0, 0]);
    Resets::busy().first_hint(&[1, 0, 0, 1, 0, 0, 1, 1, 0, 0]);
}

/// Each kept connection finds out when it is used next.
#[test]
fn a_peer_that_restarts_resets_each_connection_once_and_is_silent() {
    let first: [&[u64]; 3] = [&[20], &[3, 1], &[6, 4, 3]];
    for seconds in first {
        let mut resets = Resets::busy();
        resets.expect_silence(seconds.len(), seconds);
        resets.expect_silence(30, &[0]);
    }
}

#[test]
fn a_rollout_of_three_replicas_behind_one_address_is_silent() {
    for pause in 1..8 {
        let mut resets = Resets::busy();
        for _ in 0..3 {
            resets.expect_silence(2, &[3, 1]);
            resets.expect_silence(pause, &[0]);
        }
        resets.expect_silence(30, &[0]);
    }
}

/// Nobody knows how many replicas a Service has. Each resets its kept connections when it ends.
#[test]
fn a_rollout_of_seven_replicas_of_a_service_is_silent_and_resets_that_go_on_are_not() {
    let mut service = mesh(Role::Client);
    service.edges.iter_mut().for_each(|edge| edge.kind = PeerKind::Service);
    for pause in 1..8 {
        let mut resets = Resets::new(&service, Cut::Busy);
        for _ in 0..7 {
            resets.expect_silence(2, &[3, 1]);
            resets.expect_silence(pause, &[0]);
        }
        resets.expect_silence(30, &[0]);
    }
    let (after, hint) = Resets::new(&service, Cut::Busy).first_hint(&[1]);
    assert_eq!(hint.cause, "connections_reset");
    assert!(after > 20, "{after} s");
}

#[test]
fn idle_resets_and_those_that_a_server_receives_are_silent() {
    Resets::new(&mesh(Role::Client), Cut::Idle).expect_silence(30, &[2]);
    Resets::new(&mesh(Role::Server), Cut::Busy).expect_silence(30, &[2]);
}

#[test]
fn resets_that_are_usual_on_an_edge_become_its_baseline() {
    let mut resets = Resets::busy();
    resets.expect_silence(600, &[1, 0, 0, 1, 0, 0, 1, 0, 0, 0]);
    resets.expect_silence(40, &[1, 0]);
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
    let (_, hint) = Resets::new(&normal, Cut::Busy).first_hint(&[1]);
    assert_eq!(verdict(&hint), ("connections_reset", BlameKind::Node, "node-a"));
    normal.tally("api", "10.0.1.1").resets_sent = 6;
    let (_, hint) = Resets::new(&normal, Cut::Busy).first_hint(&[1]);
    assert_eq!(verdict(&hint), ("connections_reset", BlameKind::PeerPod, "shop/api"));
    assert!(hint.summary.ends_with("the peer's connections sent 6"), "{}", hint.summary);
}
