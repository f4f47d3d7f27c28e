use super::*;
use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, firing, rtts, verdict},
    state::EdgeView,
};
use netwhy_abi::PeerClass;

const CLIENTS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// A Pod that serves clients on four Nodes, and another one that asks there.
fn normal() -> Case {
    let mut case = Case::mesh(&["api", "web"], &CLIENTS);
    for edge in &mut case.edges {
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[15]).into());
        let serves = edge.subject.name == "api";
        edge.port = 8080;
        let (role, connects) = if serves { (Role::Server, [0, 10]) } else { (Role::Client, [10, 0]) };
        (edge.role, edge.window.connects) = (Some(role), connects);
    }
    // The second Pod's connections to the first client's Node would acquit it, and the path there.
    case.edges.retain(|edge| edge.subject.name == "api" || edge.peer.octets()[15] != 7);
    case
}

/// The client's SYNs are answered in vain: `seconds` as in [`EdgeView::unfinished`].
fn break_off(edge: &mut EdgeView, seconds: u16) {
    let resent = |n: u64| {
        let mut tally = Tally::default();
        tally.retransmits[Retransmit::SynAck as usize] = n;
        tally
    };
    (edge.window, edge.recent, edge.unfinished) = (resent(12), resent(4), seconds);
}

fn broken(normal: &Case, client: &str, seconds: u16) -> Case {
    let mut case = normal.clone();
    break_off(case.edge("api", client), seconds);
    case
}

/// The seconds of an edge after `now` seconds if SYN-ACKs are sent again in these.
fn seconds(resent_in: impl Fn(u32) -> bool, now: u32) -> u16 {
    (0..now.min(u16::BITS)).filter(|ago| resent_in(now - ago)).fold(0, |set, ago| set | 1_u16 << ago)
}

/// The first second with a hint, and the hint.
fn first_hint(normal: &Case, last: u32, resent_in: impl Fn(u32) -> bool) -> Option<(u32, Hint)> {
    let mut run = Run::warm(normal);
    (1..=last).find_map(|now| {
        let bad = broken(normal, CLIENTS[0], seconds(&resent_in, now));
        Some((now, firing(&run.tick(&bad)).into_iter().next()?))
    })
}

/// The first SYN comes up to a second after the fault began, and is answered again a second later.
#[test]
fn answers_to_a_client_that_asks_each_second_are_missed_within_ten() {
    let (at, hint) = first_hint(&normal(), 12, |second| second >= 2).unwrap();
    assert!(at <= 8, "after {at} s");
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Undecided, ""));
    assert!(hint.blame.mentions("node-7") && hint.blame.mentions("node-a↔node-7"), "{:?}", hint.blame);
    assert!(!hint.blame.mentions("node-a") && !hint.blame.mentions("api"), "{:?}", hint.blame);
    assert!(hint.summary.contains("its SYNs arrive, and 12 answers to them were sent again"), "{}", hint.summary);
}

#[test]
fn other_clients_of_that_node_that_complete_handshakes_acquit_the_path() {
    let mut normal = normal();
    normal.edges.iter_mut().for_each(|edge| edge.peer_node = Some("node-7".into()));
    let hint = Run::warm(&normal).expect_one(&broken(&normal, CLIENTS[0], 0b11_1111));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
}

/// The other Pod's connections work.
#[test]
fn answers_that_reach_no_client_blame_the_pod_at_this_end() {
    let normal = normal();
    let mut bad = normal.clone();
    CLIENTS.iter().for_each(|client| break_off(bad.edge("api", client), 0b11_1111));
    let hint = Run::warm(&normal).expect_one(&bad);
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Pod, "api"));
}

/// All its half-open handshakes are repeated by timers of one moment, a little late each, across the ticks.
#[test]
fn a_client_that_dies_leaves_no_hint() {
    let timers = [1, 2, 3, 4, 7, 8, 15, 16, 31, 32];
    assert!(first_hint(&normal(), 40, |second| timers.contains(&second)).is_none());
}

#[test]
fn clients_that_never_completed_a_handshake_are_no_evidence() {
    let normal = normal();
    // A flood from forged addresses, and a check that leaves its handshakes half open each second.
    let mut flood = normal.clone();
    for host in 20..60 {
        let mut edge = flood.edge("api", CLIENTS[0]).clone();
        edge.peer = std::net::Ipv4Addr::new(10, 0, 0, host).to_ipv6_mapped();
        break_off(&mut edge, 0b11_1111);
        flood.edges.push(edge);
    }
    Run::warm(&normal).expect_silence(6, &flood);
}

/// On busy Nodes handshakes are not counted in every second.
#[test]
fn a_client_whose_host_acknowledges_anything_is_reached() {
    let normal = normal();
    let answers: [fn(&mut Tally); 3] = [|t| t.connects = [0, 1], |t| t.bytes_acked = 1, |t| t.rtt = rtts(&[(100, 1)])];
    for answer in answers {
        let mut bad = broken(&normal, CLIENTS[0], 0b11_1111);
        answer(&mut bad.edge("api", CLIENTS[0]).recent);
        Run::warm(&normal).expect_silence(6, &bad);
    }
}

/// Their radio, their router: nobody here can do anything about it.
#[test]
fn clients_outside_the_cluster_lose_their_way_for_reasons_of_their_own() {
    let mut normal = normal();
    let edge = normal.edge("api", CLIENTS[0]);
    (edge.class, edge.peer_node) = (PeerClass::External, None);
    Run::warm(&normal).expect_silence(6, &broken(&normal, CLIENTS[0], 0b11_1111));
}

/// The kernel repeats answers to clients that have acknowledged them, while there is no room for the connection.
#[test]
fn a_full_accept_queue_is_no_lost_answer() {
    let normal = normal();
    let mut walked = broken(&normal, CLIENTS[0], 0b11_1111);
    walked.subject("api").window_connects.accept_full = 1;
    assert_eq!(Run::warm(&normal).expect_one(&walked).cause, "pod_accept_queue_full");
    let mut counted = broken(&normal, CLIENTS[0], 0b11_1111);
    counted.subject("api").window_connects.accept_drops = 12 + 10;
    assert_eq!(Run::warm(&normal).expect_one(&counted).cause, "pod_accept_queue_full");
    // The repeated SYNs alone: the kernel counts them as drops.
    counted.subject("api").window_connects.accept_drops = 12;
    assert_eq!(Run::warm(&normal).expect_one(&counted).cause, "peer_unreachable");
}
