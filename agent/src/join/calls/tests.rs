use super::*;
use crate::{
    calls::Method,
    sample::{FineHistogram, Responses},
};
use netwhy_abi::Role;

fn key() -> EdgeKey {
    EdgeKey { role: EdgeKey::role_number(Some(Role::Server)), port: 80, ..EdgeKey::new(1, [0; 16]) }
}

fn call(weight: u32) -> Call {
    Call {
        key: key(),
        method: Method::Get,
        route: "/a".to_owned(),
        status: 200,
        protocol: Protocol::Http1,
        us: Some(1_000),
        weight,
    }
}

fn credits(exchanges: f64) -> Credits {
    let edges = HashMap::from([(key(), Credit { exchanges, at: Duration::ZERO })]);
    Credits { edges, is_on: true, is_off: false }
}

fn divided(credits: &mut Credits, weights: &[u32], readable: f64) -> Vec<u64> {
    let calls: Vec<Call> = weights.iter().map(|weight| call(*weight)).collect();
    credits.divide(&key(), &calls.iter().collect::<Vec<_>>(), readable)
}

#[test]
fn calls_stand_for_all_exchanges_of_their_edge() {
    let mut credits = credits(100.0);
    assert_eq!(divided(&mut credits, &[16; 5], 1.0), [20; 5]);
    assert!(credits.edges[&key()].exchanges.abs() < 1e-3);
}

#[test]
fn parts_of_one_are_kept_for_later() {
    let mut credits = credits(10.0);
    let times = divided(&mut credits, &[16; 3], 1.0);
    assert_eq!((times.iter().sum::<u64>(), times.iter().max()), (10, Some(&4)));
    let mut credits = self::credits(10.5);
    assert_eq!(divided(&mut credits, &[16], 1.0), [10]);
    assert!((credits.edges[&key()].exchanges - 0.5).abs() < 1e-3);
}

#[test]
fn a_connection_that_stands_for_more_gets_more() {
    assert_eq!(divided(&mut credits(100.0), &[16, 48], 1.0), [25, 75]);
}

#[test]
fn exchanges_that_are_no_http_are_left_out() {
    assert_eq!(divided(&mut credits(100.0), &[16], 0.25), [25]);
}

#[test]
fn each_call_stands_for_itself_at_least() {
    assert_eq!(divided(&mut credits(1.0), &[16; 3], 1.0), [1; 3]);
    assert_eq!(divided(&mut Credits::default(), &[16, 0], 1.0).iter().sum::<u64>(), 2);
}

/// A frame with so many exchanges of the edge, of which so many were looked at.
fn frame(exchanges: u64, sampled: u64) -> Frame {
    let durations = FineHistogram::from_counts([(0, exchanges)], exchanges);
    let mut frame = Frame::default();
    frame.growth.responses.push((key(), Responses { durations, sampled, ..Responses::default() }));
    frame
}

#[test]
fn no_call_stands_for_what_ended_while_the_signal_was_off() {
    let mut credits = Credits::default();
    credits.take(&frame(100, 10));
    assert_eq!(divided(&mut credits, &[16; 5], 1.0), [20; 5]);
    credits.take(&frame(100, 10));
    credits.set_off(true);
    // The programs learn it within this frame.
    credits.take(&frame(100, 5));
    credits.take(&frame(100, 0));
    credits.set_off(false);
    credits.take(&frame(100, 0));
    assert_eq!(divided(&mut credits, &[16], 1.0), [1]);
    credits.take(&frame(100, 10));
    assert_eq!(divided(&mut credits, &[16; 5], 1.0), [20; 5]);
}
