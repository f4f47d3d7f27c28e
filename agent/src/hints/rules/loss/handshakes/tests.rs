use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, rtts, verdict},
    peers::PeerKind,
    sample::Tally,
};
use netwhy_abi::{Failure, Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// A Pod that opens ten connections a second to a port of each of four peers.
fn normal() -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    for edge in &mut case.edges {
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[15]).into());
        (edge.port, edge.role) = (8080, Some(Role::Client));
        edge.window.connects = [100, 0];
    }
    with_late(case, 0)
}

/// So many handshakes of the Pod took more than a second.
fn with_late(mut case: Case, late: u64) -> Case {
    let all: u64 = case.edges.iter().map(|edge| edge.window.connects(Role::Client)).sum();
    let times = rtts(&[(200, all - late), (1_000_200, late)]);
    case.subject("cart").window_connects.durations[Role::Client as usize] = times;
    case
}

/// Attempts of a window.
#[derive(Clone, Copy)]
struct Attempts {
    answered: u64,
    resent: u64,
    failed: u64,
}

impl Attempts {
    fn put(self, tally: &mut Tally) {
        tally.connects = [self.answered, 0];
        tally.retransmits[Retransmit::Syn as usize] = self.resent;
        tally.connect_failures[Failure::TimedOut as usize] = self.failed;
    }
}

/// Half of the ports get no answer, at programs that wait for three seconds.
const HALF: Attempts = Attempts { answered: 50, resent: 100, failed: 50 };

/// The same with these attempts to a peer.
fn losing(mut case: Case, peer: &str, attempts: Attempts) -> Case {
    let edge = case.edge("cart", peer);
    attempts.put(&mut edge.window);
    edge.recent = edge.window.clone();
    let third = |n: u64| n * 3 / 10;
    let Attempts { answered, resent, failed } = attempts;
    Attempts { answered: third(answered), resent: third(resent), failed: third(failed) }.put(&mut edge.recent);
    edge.answered = true;
    with_late(case, 0)
}

fn hints(normal: &Case, bad: &Case) -> Vec<Hint> {
    firing(&Run::warm(normal).ticks(6, bad))
}

#[track_caller]
fn expect_none(bad: &Case) {
    Run::warm(&normal()).expect_silence(6, bad);
}

#[test]
fn syns_that_are_lost_again_beside_others_at_the_first_try_are_on_one_path_or_at_one_listener() {
    let normal = normal();
    let hints = hints(&normal, &losing(normal.clone(), PEERS[0], HALF));
    assert_eq!(hints.len(), 1, "{hints:?}");
    let hint = &hints[0];
    assert_eq!((hint.cause.as_str(), hint.blame.kind), ("path_loss", BlameKind::Undecided));
    let candidates: Vec<_> = hint.blame.candidates().map(|one| (one.kind, one.name)).collect();
    assert_eq!(candidates[0], (BlameKind::PathShare, "node-a↔node-7".to_owned()));
    assert!(candidates.contains(&(BlameKind::PeerPod, PEERS[0].to_owned())), "{candidates:?}");
    assert!(hint.summary.contains("100 of 100 SYNs that were sent again stayed without an answer"), "{}", hint.summary);
    assert!(hint.summary.contains("50 attempts to the same port were answered"), "{}", hint.summary);
}

#[test]
fn two_servers_of_one_node_that_show_it_have_no_listener_in_common() {
    let mut normal = normal();
    normal.edge("cart", PEERS[1]).peer_node = Some("node-7".into());
    let bad = losing(losing(normal.clone(), PEERS[0], HALF), PEERS[1], HALF);
    let hints = hints(&normal, &bad);
    assert_eq!(hints.len(), 1, "{hints:?}");
    assert_eq!(verdict(&hints[0]), ("path_loss", BlameKind::PathShare, "node-a↔node-7"));
}

/// It takes as many of the SYNs that are sent again as of the first ones.
#[test]
fn a_full_queue_that_now_and_then_has_room_is_no_path() {
    let attempts = Attempts { answered: 50, resent: 100, failed: 30 };
    expect_none(&with_late(losing(normal(), PEERS[0], attempts), 30));
}

/// A listener that stands still for a while leaves late handshakes behind: those of its last second.
#[test]
fn a_stop_that_is_over_is_no_path() {
    let normal = normal();
    let bad = losing(normal.clone(), PEERS[0], Attempts { answered: 200, ..HALF });
    expect_none(&with_late(bad.clone(), 12));
    assert_eq!(hints(&normal, &with_late(bad, 2)).len(), 1);
}

#[test]
fn a_stop_that_has_just_begun_is_no_path() {
    let mut bad = losing(normal(), PEERS[0], HALF);
    let edge = bad.edge("cart", PEERS[0]);
    edge.recent.retransmits[Retransmit::Syn as usize] = HALF.resent;
    expect_none(&bad);
}

#[test]
fn attempts_that_may_lead_to_several_places_tell_no_path() {
    let mut service = losing(normal(), PEERS[0], HALF);
    let edge = service.edge("cart", PEERS[0]);
    (edge.kind, edge.peer_node) = (PeerKind::Service, None);
    expect_none(&service);
    let mut ports = losing(normal(), PEERS[0], HALF);
    ports.edge("cart", PEERS[0]).port = 0;
    expect_none(&ports);
}

/// Late ones may be among those that nobody timed.
#[test]
fn handshakes_without_a_duration_prove_nothing() {
    let mut bad = losing(normal(), PEERS[0], HALF);
    bad.subject("cart").window_connects.durations[Role::Client as usize] = rtts(&[(200, 30)]);
    expect_none(&bad);
}
