use crate::{
    hints::testing::{Case, Run},
    sample::Tally,
};
use netwhy_abi::{Failure, Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// A client with little patience, and one whose attempts to the first peer lose a race.
fn given_up(case: &Case, attempts: [u64; 2], each_ms: u64) -> Case {
    let [given_up, raced] = attempts;
    case.with("cart", PEERS[0], |t| {
        *t = Tally { given_up_ms: each_ms * (given_up + raced), ..Tally::default() };
        t.connect_failures[Failure::GivenUp as usize] = given_up;
        t.connect_failures[Failure::Raced as usize] = raced;
    })
}

#[test]
fn attempts_given_up_before_the_first_repetition_are_unanswered() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&given_up(&normal, [20, 0], 250));
    assert_eq!(hint.cause, "peer_unreachable");
    assert!(hint.blame.mentions("10.0.0.7"), "{:?}", hint.blame);
    assert!(hint.summary.contains("20 attempts given up after 250 ms, none succeeded"), "{}", hint.summary);
}

#[test]
fn two_of_them_and_such_as_the_path_takes_longer_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &given_up(&normal, [2, 0], 250));
    // The path takes 0.1 s: who waits for 0.25 s may miss its answer.
    let slow = normal.with("cart", PEERS[0], |t| {
        t.rtt = crate::hints::testing::rtts(&[(100_000, 100)]);
        t.min_rtt_us = Some(100_000);
    });
    Run::warm(&slow).expect_silence(5, &given_up(&slow, [20, 0], 250));
}

#[test]
fn losers_of_a_race_are_silent_though_some_are_closed_late() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(8, &given_up(&normal, [0, 20], 250));
    Run::warm(&normal).expect_silence(8, &given_up(&normal, [6, 14], 250));
}

/// With 25 handshakes per second to others, four in ten unanswered attempts end within 20 ms after one of them.
#[test]
fn coincidences_as_frequent_as_chance_makes_them_are_no_race() {
    let normal = Case::mesh(&["cart"], &PEERS).with("cart", PEERS[1], |t| t.connects[Role::Client as usize] = 250);
    let hint = Run::warm(&normal).expect_one(&given_up(&normal, [12, 8], 250));
    assert_eq!(hint.cause, "peer_unreachable");
    assert!(hint.summary.contains("20 attempts given up"), "{}", hint.summary);
}

/// The window still holds answers from before.
#[test]
fn attempts_that_suddenly_stay_unanswered_are_seen_within_seconds() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.tally("cart", PEERS[0]).connects[Role::Client as usize] = 50;
    let mut case = normal.clone();
    let edge = case.edge("cart", PEERS[0]);
    edge.window.connects[Role::Client as usize] = 35;
    edge.window.connect_failures[Failure::GivenUp as usize] = 10;
    edge.window.given_up_ms = 2_500;
    edge.recent = Tally { given_up_ms: 2_500, ..Tally::default() };
    edge.recent.connect_failures[Failure::GivenUp as usize] = 10;
    assert_eq!(Run::warm(&normal).expect_one(&case).cause, "peer_unreachable");
    // As many were unanswered before, among those that were answered: that is loss.
    let edge = case.edge("cart", PEERS[0]);
    edge.window.connect_failures[Failure::GivenUp as usize] = 45;
    edge.window.given_up_ms = 11_250;
    Run::warm(&normal).expect_silence(5, &case);
}

/// Connections in `TIME_WAIT` answer with an ACK when the listener is gone, so that the client sends its SYN again.
#[test]
fn a_refusal_is_an_answer_though_syns_are_resent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let gone = normal.with("cart", PEERS[0], |t| {
        *t = Tally::default();
        t.retransmits[Retransmit::Syn as usize] = 50;
        t.connect_failures[Failure::Refused as usize] = 248;
    });
    assert_eq!(Run::warm(&normal).expect_one(&gone).cause, "peer_refusing");
}
