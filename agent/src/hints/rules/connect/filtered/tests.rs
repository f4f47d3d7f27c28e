use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, healthy, verdict},
    sample::Tally,
    state::{EdgeView, ResponseView, Waiting},
};
use netwhy_abi::{Failure, Retransmit, Role};
use std::time::Duration;

const PEER: &str = "10.0.0.7";

/// A client's edge to a port, with so many handshakes in the window.
fn to_port(pod: &str, port: u16, connects: u64) -> EdgeView {
    let mut edge = EdgeView { port, role: Some(Role::Client), ..healthy(pod, PEER) };
    edge.window.connects = [connects, 0];
    edge
}

fn normal() -> Case {
    let mut case = Case::mesh(&["cart", "web"], &["10.0.0.8"]);
    case.edges.extend([to_port("cart", 9100, 20), to_port("cart", 10250, 20), to_port("web", 9100, 20)]);
    case
}

/// SYNs to a port without an answer, from some Pods.
fn dropped(case: &Case, pods: &[&str], port: u16, syns: u64) -> Case {
    let mut case = case.clone();
    for edge in case.edges.iter_mut().filter(|e| pods.contains(&e.subject.name.as_str()) && e.port == port) {
        edge.window = Tally::default();
        edge.window.retransmits[Retransmit::Syn as usize] = syns;
    }
    case
}

#[test]
fn one_silent_port_of_an_address_that_answers_is_a_filter() {
    let mut normal = normal();
    normal.edges.retain(|edge| edge.subject.name != "web");
    let hint = Run::warm(&normal).expect_one(&dropped(&normal, &["cart"], 9100, 12));
    assert_eq!(verdict(&hint), ("port_filtered", BlameKind::PeerPod, PEER));
    assert!(hint.summary.contains("part of the attempts to 10.0.0.7 go unanswered"), "{}", hint.summary);
    assert!(hint.summary.contains("port 9100"), "{}", hint.summary);
    assert!(hint.summary.contains("20 of 20 attempts to its other ports are answered"), "{}", hint.summary);
}

#[test]
fn a_port_that_is_silent_for_one_pod_only_is_a_filter_though_others_reach_it() {
    let normal = normal();
    let hint = Run::warm(&normal).expect_one(&dropped(&normal, &["cart"], 9100, 12));
    assert_eq!(verdict(&hint), ("port_filtered", BlameKind::PeerPod, PEER));
    assert!(hint.summary.contains("20 of 20 attempts of other Pods to it are answered"), "{}", hint.summary);
    assert_eq!(hint.blame.other_names(), ["cart"]);
}

/// Nothing is sent again: the error ends each attempt at once.
#[test]
fn attempts_that_icmp_errors_end_are_rejected_by_a_filter_where_others_reach_the_port() {
    let normal = normal();
    let mut case = dropped(&normal, &["cart"], 9100, 0);
    let edge = case.edges.iter_mut().find(|e| e.subject.name == "cart" && e.port == 9100).unwrap();
    edge.window.connect_failures[Failure::HostUnreachable as usize] = 12;
    let hint = Run::warm(&normal).expect_one(&case);
    assert_eq!(verdict(&hint), ("port_filtered", BlameKind::PeerPod, PEER));
    assert!(hint.summary.contains("(12 attempts ended by ICMP errors)"), "{}", hint.summary);
    assert!(hint.summary.ends_with("a filter that rejects them"), "{}", hint.summary);
}

#[test]
fn few_unanswered_attempts_beside_answered_ones_may_be_chance() {
    let normal = normal();
    // 4 beside 20 answered ones: 1/22 to the fourth power is 4e-6.
    Run::warm(&normal).expect_silence(5, &dropped(&normal, &["cart"], 9100, 4));
    Run::warm(&normal).expect_one(&dropped(&normal, &["cart"], 9100, 5));
}

#[test]
fn all_ports_silent_is_an_unreachable_peer() {
    let normal = normal();
    let silent = dropped(&dropped(&normal, &["cart", "web"], 9100, 12), &["cart"], 10250, 12);
    let run = &mut Run::warm(&normal);
    let hints = crate::hints::testing::firing(&run.ticks(3, &silent));
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.cause == "peer_unreachable"), "{hints:?}");
}

#[test]
fn a_program_that_stands_still_is_no_filter() {
    let mut normal = normal();
    normal.edges.retain(|edge| edge.subject.name != "web");
    let mut case = dropped(&normal, &["cart"], 9100, 12);
    let edge = case.edges.iter_mut().find(|edge| edge.port == 9100).unwrap();
    let waiting = Some(Waiting { requests: 3, since: Duration::from_secs(101) });
    edge.responses = Some(Box::new(ResponseView { waiting, ..ResponseView::default() }));
    let hints = crate::hints::testing::firing(&Run::warm(&normal).ticks(3, &case));
    assert!(hints.iter().all(|hint| hint.cause != "port_filtered"), "{hints:?}");
}
