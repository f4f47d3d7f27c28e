use super::super::{edges, pods};
use crate::{
    api::{PodResponses, ProbeState, ProbeStatus},
    baseline::NormalResponses,
    metrics::fixture::{self, fine_histogram},
    sample::Responses,
    state::{NodeView, ResponseView, Waiting},
};
use netwhy_abi::Role;
use std::time::Duration;

/// Requests at the fixture's edge: a client's.
fn asked() -> ResponseView {
    let window = Responses {
        durations: fine_histogram(&[&[2_000; 18][..], &[60_000, 12_000_000]].concat()),
        network_us: 20 * 100,
        retransmission_us: 20 * 50,
        unanswered: 1,
        ..Responses::default()
    };
    let normal = NormalResponses {
        per_second: 2.5,
        p50_us: 1_000.0,
        p95_us: Some(4_000.0),
        p99_us: None,
        stages_us: vec![("network", 100.0), ("retransmission", 0.0), ("peer", 900.0)],
    };
    let waiting = Some(Waiting { requests: 3, since: Duration::from_secs(960) });
    ResponseView { window, waiting, normal: Some(normal), ..ResponseView::default() }
}

/// A Pod that is a server and asks as many callees.
fn view(callees: u16) -> NodeView {
    let mut pod = fixture::busy_pod("shop", "web-1");
    let durations = fine_histogram(&[500; 10]);
    let window = Responses { durations, unread_us: 1_000, application_us: 4_000, ..Responses::default() };
    pod.server = Some(Box::new(ResponseView { window, ..ResponseView::default() }));
    let mut view = fixture::view(vec![pod]);
    let edge = view.edges.remove(0);
    for port in 1..=callees {
        let mut edge = edge.clone();
        (edge.port, edge.role, edge.responses) = (port, Some(Role::Client), Some(Box::new(asked())));
        view.edges.push(edge);
    }
    view
}

fn of(view: &NodeView, probes: &[ProbeStatus]) -> PodResponses {
    pods(view, probes, |_| true).remove(0).window.responses.unwrap()
}

fn near(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 0.1
}

#[test]
fn a_callee_has_its_times_stages_and_normal_times() {
    let callee = of(&view(1), &[]).callees.remove(0);
    assert_eq!((callee.peer.as_str(), callee.port, callee.peer_node.as_deref()), ("10.0.0.9", Some(1), Some("node-b")));
    let times = callee.times;
    assert_eq!((times.requests, times.per_second, times.ended_unanswered), (20, Some(2.0), 1));
    assert!(near(times.p50_seconds.unwrap(), 0.002) && near(times.p95_seconds.unwrap(), 0.06));
    assert_eq!(times.p99_seconds, Some(10.0), "above all bounds");
    let stages: f64 = times.stage_seconds.values().sum();
    assert!((stages - times.mean_seconds.unwrap()).abs() < 1e-9 && (times.total_seconds() - 12.096).abs() < 1e-9);
    assert!((times.stage_seconds["retransmission"] - 50e-6).abs() < 1e-9, "{times:?}");
    assert_eq!((times.unanswered, times.unanswered_for_seconds), (Some(3), Some(40.0)));
    let normal = times.normally.unwrap();
    assert_eq!((normal.p50_seconds, normal.p95_seconds, normal.p99_seconds), (0.001, Some(0.004), None));
    assert!((normal.mean_seconds - 0.001).abs() < 1e-9 && (normal.stage_seconds["peer"] - 0.0009).abs() < 1e-9);
}

#[test]
fn a_server_has_the_handshakes_before_its_requests() {
    let server = of(&view(0), &[]).server.unwrap();
    assert_eq!(server.stage_seconds.keys().collect::<Vec<_>>(), ["application", "handshake", "unread"]);
    assert!((server.stage_seconds["unread"] - 100e-6).abs() < 1e-9);
    // 300 + 400 + 1,003,000 µs for ten requests.
    assert!((server.stage_seconds["handshake"] - 0.10037).abs() < 1e-9);
    assert_eq!((server.unanswered, server.unanswered_for_seconds, server.normally), (Some(0), None, None));
}

#[test]
fn nothing_asked_off_and_unknown_are_three_answers() {
    let mut view = view(0);
    view.subjects[0].server = None;
    let probe = |state: ProbeState, why: &str| {
        [ProbeStatus { name: "responses".to_owned(), state, why: why.to_owned(), refusal: None }]
    };
    let quiet = of(&view, &probe(ProbeState::Ok, ""));
    assert_eq!((quiet.state, quiet.server.is_none(), quiet.callees.len()), (Some(ProbeState::Ok), true, 0));
    let off = of(&view, &probe(ProbeState::Off, "disabled; missing: response times"));
    assert_eq!((off.state, off.why.as_str()), (Some(ProbeState::Off), "disabled; missing: response times"));
    assert_eq!(of(&view, &[]).state, None);
}

#[test]
fn connections_that_stand_for_others_are_said() {
    let mut view = view(1);
    assert_eq!(of(&view, &[]).callees[0].times.is_sampled, Some(false));
    // Each of the 20 requests was counted 16 times.
    view.edges[0].responses.as_mut().unwrap().window.squares = 20 * 16;
    assert_eq!(of(&view, &[]).callees[0].times.is_sampled, Some(true));
}

#[test]
fn without_a_walk_it_is_not_known_what_waits() {
    let mut view = view(1);
    view.walked_at = None;
    assert_eq!(of(&view, &[]).callees[0].times.unanswered, None);
}

#[test]
fn callees_are_bounded_and_those_waited_for_longest_come_first() {
    let mut view = view(40);
    let slow = view.edges[30].responses.as_mut().unwrap();
    slow.window.durations.add(&fine_histogram(&[9_000_000; 20]));
    let hung = view.edges[20].responses.as_mut().unwrap();
    hung.waiting = Some(Waiting { requests: 9, since: Duration::from_secs(1) });
    let shown = of(&view, &[]);
    assert_eq!((shown.callees.len(), shown.more_callees), (PodResponses::MAX_CALLEES, 24));
    assert_eq!(shown.callees[..2].iter().map(|c| c.port).collect::<Vec<_>>(), [Some(21), Some(31)]);
    assert_eq!(edges(&view, |_| true).iter().filter(|edge| edge.responses.is_some()).count(), 40);
}
