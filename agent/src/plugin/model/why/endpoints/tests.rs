use super::*;
use crate::{
    api::Evidence,
    plugin::model::{
        SilentAgent,
        testing::hint,
        why::{
            State, explain,
            tests::{filter, healthy},
        },
    },
};

const ADDRESS: &str = "10.96.0.50";

/// `payment-1` calls a Service of four Pods on three Nodes.
fn calls_service() -> Facts {
    let mut facts = healthy();
    let edge = &mut facts.edges[0];
    (edge.role, edge.peer) = (Some("client".into()), ADDRESS.into());
    (edge.peer_kind, edge.peer_pod, edge.peer_node) = ("service".into(), None, None);
    edge.connects.insert("client".to_owned(), 100);
    let nodes = ["node-b", "node-c", "node-c", "node-d"];
    let endpoint = |(at, node): (usize, &&str)| Endpoint { pod: format!("shop/r{at}"), node: (*node).to_owned() };
    facts.services = vec![ServiceEnds {
        name: "shop/shop".into(),
        addresses: vec![ADDRESS.parse().unwrap()],
        endpoints: nodes.iter().enumerate().map(endpoint).collect(),
    }];
    facts
}

/// Its agent blames the Service for this share of slow requests.
fn waits(share: f64) -> Hint {
    let mut late = hint("shop", "payment-1", "peer_not_answering");
    late.blame = Blame::among(vec![
        Suspect::new(BlameKind::Service, ADDRESS, 0.93),
        Suspect::new(BlameKind::Pod, "payment-1", 0.03),
    ]);
    late.confidence = 0.73;
    late.summary = "payment-1 waits for Service 10.96.0.50, not for the network".into();
    late.evidence = vec![Evidence { signal: SLOW_REQUESTS.into(), observed: share, ..late.evidence[0].clone() }];
    late
}

/// The third Pod is stopped, by its own agent.
fn stopped() -> Hint {
    let mut own = hint("shop", "r2", "pod_not_reading");
    own.subject.node = "node-c".into();
    own.blame = Blame::named(BlameKind::Pod, "r2", 0.98);
    own.summary = "r2 does not answer the requests that it received from 2 clients".into();
    own
}

/// The hint of `payment-1`, joined.
fn joined(late: Hint, others: Vec<Hint>) -> Hint {
    let hints = std::iter::once(late).chain(others).collect();
    let mut facts = Facts { hints, ..calls_service() };
    join(&mut facts);
    facts.hints.remove(0)
}

#[test]
fn a_stopped_endpoint_explains_its_share_of_a_service() {
    let facts = Facts { hints: vec![waits(0.06), stopped()], ..calls_service() };
    let report = explain(facts, &filter());
    assert_eq!(report.verdict.cause.as_deref(), Some("pod_not_reading"));
    assert_eq!(report.verdict.blame.unwrap().name, "r2");
    assert!(report.verdict.confidence.unwrap() >= 0.73, "{:?}", report.verdict.confidence);
    let ends = "; of the 4 endpoints of Service shop/shop, shop/r2 on node-c has a trouble that explains it";
    assert!(report.verdict.sentence.ends_with(ends), "{}", report.verdict.sentence);
    assert_eq!(report.verdict.reported_by, "node-c");
    let others = report.ruled_out.iter().find(|ruled| ruled.because.contains("other endpoints")).unwrap();
    assert!(others.because.ends_with("shop/r0 on node-b, shop/r1 on node-c, shop/r3 on node-d"), "{others:?}");
}

#[test]
fn an_endpoint_gets_no_more_than_its_share_of_the_connections() {
    let blamed = |share| joined(waits(share), vec![stopped()]).blame.kind;
    assert_eq!(blamed(0.25), BlameKind::PeerPod);
    assert_eq!(blamed(0.3), BlameKind::PeerPod, "chance");
    // All four Pods are slow: one of them explains a quarter.
    assert_eq!(joined(waits(1.0), vec![stopped()]), waits(1.0));
}

#[test]
fn a_trouble_that_began_after_the_effect_explains_nothing() {
    let at = |stamp: &str| Hint { first_seen: stamp.into(), ..stopped() };
    let late = || Hint { first_seen: "2026-01-01T00:00:00Z".into(), ..waits(0.06) };
    assert_eq!(joined(late(), vec![at("2026-01-01T00:01:00Z")]), late());
    let same = joined(late(), vec![at("2026-01-01T00:00:05Z")]).blame.best();
    let older = joined(late(), vec![at("2025-12-31T23:30:00Z")]).blame.best();
    assert!(older < same && same > 0.95, "{older} {same}");
}

#[test]
fn an_endpoint_whose_trouble_makes_no_such_effect_is_no_culprit() {
    let other = Hint { cause: "connections_reset".into(), chain: vec!["connections_reset".into()], ..stopped() };
    assert_eq!(joined(waits(0.06), vec![other]), waits(0.06));
    // A longer path of one endpoint is not the endpoint's own.
    let path = Hint { blame: Blame::named(BlameKind::PeerNode, "node-z", 0.95), ..stopped() };
    assert_eq!(joined(waits(0.06), vec![path]), waits(0.06));
}

#[test]
fn of_two_stopped_endpoints_neither_is_the_only_culprit() {
    let mut second = stopped();
    second.subject.name = "r3".into();
    let hint = joined(waits(0.4), vec![stopped(), second]);
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert!(hint.blame.mentions("shop/r2") && hint.blame.mentions("shop/r3"), "{:?}", hint.blame);
}

#[test]
fn an_endpoint_whose_agent_is_silent_is_not_acquitted() {
    let mut facts = Facts { hints: vec![waits(0.06), stopped()], ..calls_service() };
    facts.add_silent([SilentAgent { node: "node-d".into(), agent: "netwhy/x".into(), why: "no answer".into() }]);
    join(&mut facts);
    let others = facts.hints[0].ruled_out.last().unwrap();
    assert!(others.because.contains("shop/r1") && !others.because.contains("shop/r3"), "{others:?}");
    let mut facts = Facts { hints: vec![waits(0.06), stopped()], ..calls_service() };
    facts.unasked.insert("node-b".into());
    join(&mut facts);
    let others = facts.hints[0].ruled_out.last().unwrap();
    assert!(others.because.contains("shop/r3") && !others.because.contains("shop/r0"), "{others:?}");
}

/// Its own agent found it first.
#[test]
fn a_stopped_endpoint_is_named_before_its_callers_show_harm() {
    let facts = Facts { hints: vec![stopped()], ..calls_service() };
    let verdict = explain(facts.clone(), &filter()).verdict;
    assert_eq!((verdict.state, verdict.cause.as_deref()), (State::CauseFound, Some("pod_not_reading")));
    let behind_another = Facts { services: Vec::new(), ..facts };
    assert_eq!(explain(behind_another, &filter()).verdict.state, State::NothingFound);
}
