use super::*;
use crate::{
    heads::START,
    keys::EdgeKey,
    turn::{ASKED, Outgoing, SERVER},
};

fn turn(flags: u32) -> Turn {
    let mut turn = Turn::new(EdgeKey::new(1, [0; 16]), 1, 16);
    turn.flags = flags;
    turn
}

fn joined(flags: u32) -> Turn {
    let mut turn = turn(flags);
    turn.join(&Outgoing { next: 1, written: 1, first_us: 0 }, 1, 1, 16);
    turn
}

fn start(bytes: &[u8]) -> Start {
    let mut start = [0; START];
    start.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    Start(start)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0];
const REQUEST: &[u8] = &[0, 0, 90, 1, 4, 0, 0, 0, 7, 0x83, 0x86, 0xc3];
const ANSWER: &[u8] = &[0, 0, 9, 1, 4, 0, 0, 0, 7, 0x88, 0xc3];

#[test]
fn a_connection_is_followed_from_its_begin() {
    let mut server = turn(SERVER);
    assert!(server.is_follow_undecided() && server.follow_if_http2(&start(PREFACE), 5));
    assert!(server.is_followed() && server.is_http2() && !server.is_follow_undecided());
    assert!(!server.take_sent_packet(5) && server.take_sent_packet(90) && !server.take_sent_packet(90));
    let mut client = turn(0);
    assert!(!client.follow_if_http2(&start(PREFACE), 5), "no server begins so");
    assert!(client.follow_if_http2(&start(SETTINGS), 5));
}

#[test]
fn another_protocol_is_not_followed_whatever_comes_later() {
    for flags in [0, SERVER] {
        let mut turn = turn(flags);
        assert!(!turn.follow_if_http2(&start(b"GET / HTTP/1.1\r\n"), 5) && !turn.is_followed());
        turn.looks = 1;
        assert!(!turn.is_follow_undecided());
    }
    let mut tls = turn(TLS);
    assert!(!tls.is_follow_undecided());
    tls.flags = IGNORED;
    assert!(!tls.is_follow_undecided());
}

#[test]
fn an_older_connection_is_followed_from_its_next_headers_on() {
    for (flags, own, other) in [(SERVER, REQUEST, ANSWER), (0, ANSWER, REQUEST)] {
        let mut turn = joined(flags);
        turn.looks = 1;
        assert!(turn.is_follow_undecided());
        assert!(!turn.follow_if_http2(&start(other), 5) && !turn.follow_if_http2(&Start::SHORT, 5));
        assert!(turn.follow_if_http2(&start(own), 5) && turn.is_followed());
        assert_eq!(turn.flags & !(ALL | JOINED | ASKED), flags, "nothing else is touched");
    }
}

#[test]
fn an_older_connection_of_another_protocol_is_looked_at_fifteen_times() {
    let mut turn = joined(SERVER);
    for _ in 0..15 {
        assert!(turn.is_follow_undecided());
        assert!(!turn.follow_if_http2(&start(b"*2\r\n$3\r\nGET\r\n$6\r\n"), 5));
    }
    assert!(!turn.is_follow_undecided());
    turn.join(&Outgoing { next: 1, written: 1, first_us: 0 }, 1, 2, 16);
    assert!(turn.is_follow_undecided(), "another period of observation");
}

#[test]
fn a_gap_in_the_observation_ends_it() {
    let mut turn = turn(SERVER);
    turn.follow(5);
    turn.join(&Outgoing { next: 1, written: 1, first_us: 0 }, 1, 2, 16);
    assert!(!turn.is_followed());
}

#[test]
fn frames_that_have_not_all_headers_begin_nothing() {
    let mut part = REQUEST.to_vec();
    part[4] = 0;
    assert!(!start(&part).is_http2_headers(false), "CONTINUATION follows");
    let mut priority = REQUEST.to_vec();
    priority.splice(9..9, [0, 0, 0, 0, 16]);
    priority[4] = 0x24;
    assert!(start(&priority).is_http2_headers(false));
    // As gRPC's C core sends it: entries of the dynamic table come first.
    let mut indexed = REQUEST.to_vec();
    indexed.splice(9.., [0xc3, 0xc2, 0x83, 0x86, 0xbf]);
    assert!(start(&indexed).is_http2_headers(false));
    indexed[11] = 0xc1;
    assert!(!start(&indexed).is_http2_headers(false));
    let mut even = REQUEST.to_vec();
    even[8] = 6;
    assert!(!start(&even).is_http2_headers(false), "streams of requests are odd");
    assert!(!start(SETTINGS).is_http2_headers(false) && !start(SETTINGS).is_http2_headers(true));
}

#[test]
fn about_the_share_of_hashes_is_drawn() {
    // Those of a busy machine's observed connections: the low bits are zero.
    for shift in [0, 4, 8] {
        let drawn = (0..100_000_u32).filter(|n| is_drawn(n << shift, u32::MAX / 100)).count();
        assert!((900..1_100).contains(&drawn), "{drawn} with {shift}");
    }
    assert!(!is_drawn(0, 0));
}
