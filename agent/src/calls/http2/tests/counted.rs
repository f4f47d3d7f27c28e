//! Calls of which a part was missed, or comes late, are counted once.

use super::*;

#[test]
fn a_call_whose_request_was_missed_has_its_code_and_no_duration() {
    let (mut wire, mut asks, mut answers) = born(Role::Client);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
    wire.misses(true, request(&mut asks, 3, "/shop.Cart/Put").len());
    wire.answers(&trailers_only(&mut answers, 3, 5));
    wire.answers(&[answer(&mut answers, 1), trailers(&mut answers, 1, 0)].concat());
    let calls = wire.all_calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.route.as_str(), label(call), call.us)).collect();
    let (get, unknown) = (("/shop.Cart/Get", "OK".to_owned(), Some(3_000)), "/unknown/unknown");
    assert_eq!(seen, [get, (unknown, "NOT_FOUND".to_owned(), None)]);
}

#[test]
fn a_call_whose_end_was_missed_is_counted_later_and_once() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
    wire.asks(&request(&mut asks, 3, "/shop.Cart/Watch"));
    wire.misses(false, [answer(&mut answers, 1), trailers(&mut answers, 1, 0)].concat().len());
    wire.answers(&answer(&mut answers, 3));
    assert_eq!(wire.seen(), []);
    // Both are silent, but one was heard of since.
    wire.now_ns += streams::PATIENCE_NS;
    wire.asks(&request(&mut asks, 5, "/shop.Cart/Put"));
    let calls = wire.calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.route.as_str(), label(call), call.us)).collect();
    assert_eq!(seen, [("/shop.Cart/Get", "undecoded".to_owned(), None)]);
    // It goes on nevertheless.
    wire.answers(&frame(1, 5, 1, &answers.block(&[("grpc-status", "0")])));
    wire.answers(&frame(1, 5, 3, &answers.block(&[("grpc-status", "5")])));
    assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Watch", "undecoded")]);
}

#[test]
fn where_nothing_was_missed_a_long_call_is_not_given_up() {
    let (mut wire, mut asks, mut answers) = born(Role::Server);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Watch"));
    wire.now_ns += 10 * streams::PATIENCE_NS;
    wire.asks(&request(&mut asks, 3, "/shop.Cart/Get"));
    assert_eq!(wire.seen(), []);
    wire.answers(&[answer(&mut answers, 1), trailers(&mut answers, 1, 0)].concat());
    assert_eq!(pairs(&wire.seen()), [("/shop.Cart/Watch", "OK")]);
}

#[test]
fn a_busy_connection_ends_more_calls_at_a_time_than_may_be_open() {
    for role in Role::ALL {
        let (mut wire, mut asks, mut answers) = born(role);
        for number in 0..500 {
            wire.asks(&request(&mut asks, 2 * number + 1, "/shop.Cart/Get"));
            wire.answers(&[answer(&mut answers, 2 * number + 1), trailers(&mut answers, 2 * number + 1, 0)].concat());
        }
        let seen = wire.seen();
        assert_eq!(seen.len(), 500, "{role:?}");
        assert!(pairs(&seen).iter().all(|call| *call == ("/shop.Cart/Get", "OK")));
    }
}

#[test]
fn a_part_that_comes_after_its_call_was_counted_makes_no_call() {
    let (mut wire, mut asks, mut answers) = born(Role::Client);
    wire.asks(&request(&mut asks, 1, "/shop.Cart/Get"));
    wire.answers(&[answer(&mut answers, 1), trailers(&mut answers, 1, 0)].concat());
    assert_eq!(wire.seen().len(), 1);
    wire.misses(true, 100);
    let late: Vec<_> = (1..200).map(|number| request(&mut asks, 2 * number + 1, "/shop.Cart/Get")).collect();
    // They wait for what is missing, while the answers are read.
    late.iter().for_each(|bytes| wire.asks(bytes));
    for number in 1..200 {
        wire.answers(&[answer(&mut answers, 2 * number + 1), trailers(&mut answers, 2 * number + 1, 0)].concat());
    }
    assert_eq!(wire.seen().len(), 199);
    wire.now_ns += streams::PATIENCE_NS;
    wire.misses(true, 100);
    wire.asks(&frame(6, 0, 0, &[0; 8]));
    assert_eq!(wire.seen(), []);
}
