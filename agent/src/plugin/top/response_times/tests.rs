use super::*;
use crate::{
    api::{NormalResponseTimes, PodResponses},
    plugin::model::testing::healthy_row,
};

fn pod(server: ResponseTimes, callees: Vec<Callee>) -> PodRow {
    let mut row = healthy_row();
    row.window.responses = Some(PodResponses { server: Some(server), callees, ..PodResponses::default() });
    row
}

fn slow() -> ResponseTimes {
    let normally = NormalResponseTimes { p50_seconds: 0.055, ..NormalResponseTimes::default() };
    ResponseTimes {
        requests: 340,
        per_second: Some(34.0),
        p50_seconds: Some(0.15),
        p95_seconds: Some(0.16),
        normally: Some(normally),
        ..ResponseTimes::default()
    }
}

#[test]
fn the_details_have_response_times_beside_the_usual_ones() {
    let known = Callee { peer: "10.0.0.7".to_owned(), port: Some(5432), times: slow(), ..Callee::default() };
    let named = Callee { peer_pod: Some("shop/db-0".to_owned()), ..known.clone() };
    let outside = Callee { peer_dns_name: Some("api.example.com".to_owned()), ..known.clone() };
    assert_eq!(
        lines(&pod(slow(), vec![known, named, outside])),
        [
            "responses  as a server    34.0/s, median 150 ms (normally 55 ms), p95 160 ms",
            "responses  of 10.0.0.7:5432 34.0/s, median 150 ms (normally 55 ms), p95 160 ms",
            "responses  of shop/db-0:5432 34.0/s, median 150 ms (normally 55 ms), p95 160 ms",
            "responses  of api.example.com:5432 (10.0.0.7) 34.0/s, median 150 ms (normally 55 ms), p95 160 ms"
        ]
    );
}

#[test]
fn requests_that_wait_are_named_although_none_ended() {
    let waits = ResponseTimes { per_second: Some(0.0), unanswered: Some(3), ..ResponseTimes::default() };
    assert_eq!(lines(&pod(waits, vec![])), ["responses  as a server    3 wait for an answer"]);
}

#[test]
fn without_response_times_there_are_no_lines() {
    let unknown = PodRow { window: crate::api::PodWindow { responses: None, ..healthy_row().window }, ..healthy_row() };
    assert!(lines(&unknown).is_empty());
    assert!(lines(&pod(ResponseTimes::default(), vec![Callee::default()])).is_empty());
}
