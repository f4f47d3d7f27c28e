use super::*;
use crate::{
    heads::START,
    keys::EdgeKey,
    turn::{Outgoing, SERVER},
};

const HALF: u32 = 1 << 31;
const WON: u32 = 0;
const LOST: u32 = u32::MAX;

fn turn(flags: u32) -> Turn {
    let mut turn = Turn::new(EdgeKey::new(1, [0; 16]), 1, 16);
    turn.flags = flags;
    turn
}

fn start(text: &str) -> Start {
    let mut bytes = [0; START];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
    Start(bytes)
}

const REQUEST: &str = "GET /index.html HTTP/1.1";
const ANSWER: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn a_server_copies_sampled_requests_that_are_http() {
    let mut turn = turn(SERVER);
    assert!(turn.is_start_wanted((WON, WON), HALF) && !turn.is_start_wanted((LOST, WON), HALF));
    assert!(turn.take_request((WON, WON), HALF, &start(REQUEST)));
    assert!(turn.is_taken() && turn.is_readable());
    assert!(!turn.take_request((LOST, WON), HALF, &Start::SHORT));
    assert!(!turn.is_taken() && !turn.is_readable());
    assert!(!turn.take_request((WON, WON), HALF, &start("\x16\x03\x01\x02")));
    assert!(turn.is_taken() && !turn.is_readable(), "looked at, and not HTTP");
    assert_eq!(turn.exchange, 3);
}

#[test]
fn a_request_that_is_not_wanted_leaves_the_same_state_unread() {
    let (mut read, mut passed) = (turn(SERVER), turn(SERVER));
    for turn in [&mut read, &mut passed] {
        turn.take_request((WON, WON), HALF, &start(REQUEST));
        assert!(!turn.is_start_wanted((LOST, WON), HALF));
    }
    assert!(!read.take_request((LOST, WON), HALF, &Start::SHORT));
    passed.pass_request();
    assert_eq!(read, passed);
}

#[test]
fn a_request_goes_on_after_an_interim_answer() {
    let mut turn = turn(SERVER);
    turn.take_request((WON, WON), HALF, &start("POST /upload HTTP/1.1"));
    turn.note_answer(CONTINUE_BYTES);
    assert!(turn.is_start_wanted((LOST, LOST), HALF), "is it the body, or another request?");
    assert!(!turn.take_request((LOST, LOST), HALF, &start("the body, of many bytes")));
    assert!(turn.is_readable() && turn.exchange == 1, "the final answer is still to come");
    turn.note_answer(200);
    turn.take_request((LOST, LOST), HALF, &start("more that is no request"));
    assert!(!turn.is_taken() && turn.exchange == 2);
}

#[test]
fn another_request_ends_one_that_should_go_on() {
    let mut turn = turn(SERVER);
    turn.take_request((WON, WON), HALF, &start("POST /upload HTTP/1.1"));
    turn.note_answer(CONTINUE_BYTES);
    assert!(turn.take_request((WON, WON), HALF, &start(REQUEST)));
    assert_eq!(turn.exchange, 2);
}

#[test]
fn a_client_copies_requests_only_after_an_answer_that_was_http() {
    let mut turn = turn(0);
    assert!(turn.take_sent((WON, WON), HALF));
    assert!(!turn.is_checked(), "nothing was read yet");
    turn.looks = 1;
    assert!(turn.check_answer(&start(ANSWER)));
    assert!(turn.take_sent((LOST, WON), HALF), "the lot was drawn one exchange before");
    assert!(turn.is_checked());
    // Another protocol from here on.
    assert!(turn.check_answer(&start("HTTP/1.1 101 Switching Protocols")));
    assert!(turn.take_sent((WON, WON), HALF));
    assert!(!turn.is_checked());
    assert!(!turn.check_answer(&start("\u{1}frame of the other")) && !turn.is_readable());
    assert!(turn.take_sent((WON, WON), HALF) && !turn.is_checked());
}

#[test]
fn other_answers_of_a_port_tell_of_a_first_request_alone() {
    let mut turn = turn(0);
    assert!(turn.is_fresh());
    turn.looks = 1;
    assert!(!turn.is_fresh());
    let mut joined = self::turn(0);
    joined.join(&Outgoing { next: 1, written: 1, first_us: 0 }, 1, 1, 16);
    assert!(!joined.is_fresh(), "it may have switched to another protocol");
}

#[test]
fn what_was_checked_holds_for_the_next_exchange_alone() {
    let mut turn = turn(0);
    turn.looks = 1;
    turn.take_sent((LOST, WON), HALF);
    turn.check_answer(&start(ANSWER));
    // The next one is sampled; the one after it is not, so that its answer is not read.
    assert!(turn.take_sent((LOST, LOST), HALF) && turn.is_checked());
    turn.check_answer(&start(ANSWER));
    assert!(!turn.take_sent((LOST, WON), HALF) && !turn.is_checked());
}

#[test]
fn a_sample_that_is_given_up_is_none() {
    let mut turn = turn(SERVER);
    turn.take_request((WON, WON), HALF, &start(REQUEST));
    turn.leave();
    assert!(!turn.is_taken() && !turn.is_readable());
}
