use super::*;
use crate::{
    api::EdgeRow,
    plugin::model::{
        testing::{edge, hint},
        waterfall::tests::{callee, row, times},
        why::{
            State, explain,
            tests::{filter, healthy},
        },
    },
};

/// Times of requests that take this mean by stage, ms: now and usually.
pub(super) fn measured(per_second: f64, stages_ms: &[(&str, f64, f64)]) -> ResponseTimes {
    let now: Vec<(&str, f64)> = stages_ms.iter().map(|(name, now, _)| (*name, *now)).collect();
    let usual: Vec<(&str, f64)> = stages_ms.iter().map(|(name, _, usual)| (*name, *usual)).collect();
    let (mut now, usual) = (times(per_second, &now), times(per_second, &usual));
    let normal = now.normally.as_mut().unwrap();
    (normal.p50_seconds, normal.p95_seconds) = (usual.p50_seconds.unwrap(), usual.p95_seconds);
    (normal.mean_seconds, normal.stage_seconds) = (usual.mean_seconds.unwrap(), usual.stage_seconds);
    now
}

/// Of 20 requests a second, each waits 17 ms for its server, usually 2 ms.
pub(super) fn waits() -> ResponseTimes {
    measured(20.0, &[("network", 0.2, 0.2), ("retransmission", 0.0, 0.0), ("peer", 17.0, 2.0)])
}

/// As many, of which one in twenty takes 200 ms: 10 ms longer on average.
fn waits_now_and_then(per_second: f64) -> ResponseTimes {
    let stages = [("network", 0.2, 0.2), ("retransmission", 0.0, 0.0), ("peer", 12.0, 2.0)];
    let times = measured(per_second, &stages);
    ResponseTimes { p50_seconds: Some(0.0022), p95_seconds: Some(0.2), ..times }
}

/// The server's view of them.
pub(super) fn serves(application_ms: f64) -> ResponseTimes {
    measured(20.0, &[("unread", 0.1, 0.1), ("application", application_ms, 1.9)])
}

/// The edge of `shop/db-0` to `shop/payment-1`.
pub(super) fn served(times: ResponseTimes) -> EdgeRow {
    let (peer, peer_pod) = ("10.1.0.5".to_owned(), Some("shop/payment-1".to_owned()));
    let (role, port) = (Some("server".to_owned()), Some(8080));
    EdgeRow { role, port, peer, peer_pod, responses: Some(times), ..edge("shop", "db-0") }
}

/// The agent on node-a blames `shop/db-0` on node-b for the answers that `shop/payment-1` waits for. Each end has its
/// figures.
pub(super) fn facts(waits: ResponseTimes, serves: ResponseTimes) -> Facts {
    let mut late = hint("shop", "payment-1", PEER_SLOW);
    late.blame = Blame::named(BlameKind::PeerPod, "shop/db-0", 0.97);
    late.summary = "payment-1 waits for shop/db-0, not for the network: its answers take 17 ms".into();
    let wait = Wait::of(&waits).unwrap();
    late.evidence.truncate(1);
    late.evidence[0].signal = WAIT.into();
    (late.evidence[0].observed, late.evidence[0].baseline) = (wait.usual + wait.longer, Some(wait.usual));
    late.ruled_out[0].cause = "path_latency".into();
    let mut facts = healthy();
    let asked = Callee { times: waits, ..callee("db-0", 1.0) };
    facts.pods[0].row = Some(row("payment-1", "node-a", None, vec![asked]));
    facts.callees = vec![row("db-0", "node-b", Some(serves.clone()), vec![])];
    facts.callee_edges = vec![served(serves)];
    facts.hints = vec![late];
    facts
}

/// The hint, weighed. `None`: it stays as it was.
pub(super) fn weighed(mut facts: Facts) -> Option<Hint> {
    let before = facts.hints[0].clone();
    weigh_servers(&mut facts);
    let after = facts.hints.remove(0);
    (after != before).then_some(after)
}

#[test]
fn a_server_whose_own_figures_are_as_usual_is_acquitted_with_numbers() {
    let report = explain(facts(waits(), serves(2.0)), &filter());
    assert_eq!(
        report.verdict.sentence,
        "payment-1 waits 15 ms longer than usual for shop/db-0, which answers within 2.10 ms (normally 2.00 ms) by \
         its own Node's figures: 15 ms arise on the way between the Pods"
    );
    let blame = report.verdict.blame.clone().unwrap();
    assert_eq!((report.verdict.state, blame.kind), (State::CauseFound, BlameKind::Undecided), "{blame:?}");
    assert_eq!(report.verdict.cause.as_deref(), Some(PATH_LATENCY));
    assert_eq!(blame.other_names(), ["node-a", "node-b", "node-a↔node-b", "payment-1", "shop/db-0"], "{blame:?}");
    assert!(blame.alternatives[3].probability < 0.1 && blame.alternatives[2].probability > 0.2, "{blame:?}");
    assert!(report.verdict.confidence.unwrap() < 0.3, "{:?}", report.verdict);
    let ruled_out: Vec<&str> = report.ruled_out.iter().map(|ruled| ruled.cause.as_str()).collect();
    assert_eq!(ruled_out, ["pod_application_slow"], "the path is not acquitted any more");
    assert!(report.evidence.iter().any(|one| one.signal.ends_with("{role=\"server\",stage=\"application\"}")));
    assert!(report.next_step.contains("shop/db-0 needs no attention"), "{}", report.next_step);
}

#[test]
fn what_an_agent_listed_beside_the_server_takes_its_probability() {
    let mut facts = facts(waits(), serves(2.0));
    let suspect = |kind, name: &str, probability| Suspect::new(kind, name, probability);
    facts.hints[0].blame = Blame::among(vec![
        suspect(BlameKind::PeerPod, "shop/db-0", 0.6),
        suspect(BlameKind::NodePair, "node-a↔node-b", 0.38),
    ]);
    let blame = weighed(facts).unwrap().blame;
    assert_eq!((blame.kind, blame.name.as_str()), (BlameKind::NodePair, "node-a↔node-b"), "{blame:?}");
}

#[test]
fn on_one_node_the_time_arises_between_its_pods() {
    let mut facts = facts(waits(), serves(2.0));
    let responses = facts.pods[0].row.as_mut().unwrap().window.responses.as_mut().unwrap();
    responses.callees[0].peer_node = Some("node-a".into());
    let hint = weighed(facts).unwrap();
    assert!(hint.summary.ends_with("15 ms arise between the Pods"), "{}", hint.summary);
    assert_eq!(hint.blame.other_names(), ["node-a", "payment-1", "shop/db-0"]);
}

#[test]
fn a_server_whose_own_figures_explain_the_wait_is_confirmed_with_the_stage() {
    let mut facts = facts(waits(), serves(16.0));
    let suspects = [("shop/db-0", BlameKind::PeerPod, 0.6), ("node-a↔node-b", BlameKind::NodePair, 0.38)];
    facts.hints[0].blame =
        Blame::among(suspects.into_iter().map(|(name, kind, chance)| Suspect::new(kind, name, chance)).collect());
    let hint = weighed(facts).unwrap();
    let (before, said) = hint.summary.split_once("; ").unwrap();
    assert_eq!(before, "payment-1 waits for shop/db-0, not for the network: its answers take 17 ms");
    assert_eq!(
        said,
        "shop/db-0 takes 14 ms of it by its own Node's figures, in the stage application: 16 ms (normally 1.90 ms)"
    );
    assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::PeerPod, "shop/db-0"), "{:?}", hint.blame);
    assert_eq!(hint.ruled_out[0].cause, "path_latency");
}

#[test]
fn a_servers_own_callee_is_named_when_it_takes_the_time() {
    let mut facts = facts(waits(), serves(16.0));
    let calls = |peer_ms: f64, usual_ms: f64| {
        let times = measured(20.0, &[("network", 0.1, 0.1), ("peer", peer_ms, usual_ms)]);
        vec![Callee { times, ..callee("pg-0", 1.0) }]
    };
    facts.callees = vec![row("db-0", "node-b", Some(serves(16.0)), calls(15.0, 1.5))];
    let hint = weighed(facts.clone()).unwrap();
    assert!(hint.summary.ends_with(", while it waits for shop/pg-0"), "{}", hint.summary);
    facts.callees = vec![row("db-0", "node-b", Some(serves(16.0)), calls(3.0, 1.5))];
    let hint = weighed(facts).unwrap();
    assert!(hint.summary.ends_with("(normally 1.90 ms)"), "{}", hint.summary);
}

/// Without a hint of its own, an agent learns the slowdown. Its client's does not.
#[test]
fn a_server_that_is_slow_for_long_is_not_acquitted_by_its_own_baseline() {
    let mut serves = serves(17.0);
    serves.normally.as_mut().unwrap().mean_seconds = 0.017;
    let hint = weighed(facts(waits(), serves)).unwrap();
    assert_eq!(hint.blame.name, "shop/db-0", "{hint:?}");
    assert!(hint.summary.contains("shop/db-0 takes 15 ms of it"), "{}", hint.summary);
}

#[test]
fn a_server_that_never_was_slow_needs_no_baseline() {
    let mut serves = serves(2.0);
    serves.normally = None;
    assert_eq!(weighed(facts(waits(), serves)).unwrap().blame.kind, BlameKind::Undecided);
}

#[test]
fn figures_that_explain_some_of_the_wait_decide_nothing() {
    assert_eq!(weighed(facts(waits(), serves(8.0))), None);
}

#[test]
fn a_slow_share_is_compared_by_what_it_adds_to_the_mean() {
    let serves = |per_second: f64, application_ms: f64| {
        measured(per_second, &[("unread", 0.1, 0.1), ("application", application_ms, 1.9)])
    };
    let hint = weighed(facts(waits_now_and_then(50.0), serves(50.0, 1.9))).unwrap();
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert_eq!(hint.cause, PEER_SLOW, "answers that are lost take as long");
    assert!(hint.summary.ends_with("10 ms arise on the way between the Pods"), "{}", hint.summary);
    let hint = weighed(facts(waits_now_and_then(50.0), serves(50.0, 11.0))).unwrap();
    assert_eq!(hint.blame.name, "shop/db-0", "{hint:?}");
    // Of 40 requests two are slow: their absence may be chance. Or they are among the tenth that was not counted.
    assert_eq!(weighed(facts(waits_now_and_then(4.0), serves(4.0, 1.9))), None);
    assert_eq!(weighed(facts(waits_now_and_then(50.0), serves(45.0, 1.9))), None);
}

#[test]
fn without_figures_of_the_same_requests_a_hint_stays_as_it_is() {
    let of = |change: fn(&mut Facts)| {
        let mut facts = facts(waits(), serves(2.0));
        change(&mut facts);
        weighed(facts)
    };
    let times = |facts: &mut Facts, change: fn(&mut ResponseTimes)| {
        change(facts.callee_edges[0].responses.as_mut().unwrap());
    };
    assert!(of(|_| {}).is_some());
    assert_eq!(of(|facts| facts.callee_edges.clear()), None, "of all its clients together");
    assert_eq!(of(|facts| facts.callee_edges[0].port = Some(9090)), None, "another port");
    assert_eq!(of(|facts| facts.callee_edges[0].responses = None), None, "response times are off");
    let two_families = |facts: &mut Facts| {
        let other = EdgeRow { peer: "fd00::5".into(), ..facts.callee_edges[0].clone() };
        facts.callee_edges.push(other);
    };
    assert_eq!(of(two_families), None);
    assert_eq!(of(|facts| facts.pods[0].row = None), None, "the client's agent did not answer");
    assert_eq!(of(|facts| facts.at = Some("2026-01-01T00:00:12Z".into())), None, "recorded windows lie apart");
    let changes: [fn(&mut ResponseTimes); 6] = [
        |times| times.is_sampled = Some(true),
        |times| times.is_sampled = None,
        |times| times.requests = 6,
        |times| times.per_second = Some(10.0),
        |times| times.unanswered = Some(1),
        |times| times.ended_unanswered = 1,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let mut facts = facts(waits(), serves(2.0));
        times(&mut facts, change);
        assert_eq!(weighed(facts), None, "change {at}");
    }
}

#[test]
fn a_wait_that_is_over_is_not_compared() {
    let mut facts = facts(waits(), serves(2.0));
    facts.hints[0].evidence[0].observed = 0.2;
    assert_eq!(weighed(facts), None);
}

#[test]
fn a_hint_of_the_servers_own_agent_is_believed() {
    let mut facts = facts(waits(), serves(2.0));
    let mut own = hint("shop", "db-0", "pod_application_slow");
    own.blame = Blame::named(BlameKind::Pod, "db-0", 0.9);
    facts.hints.push(own);
    assert_eq!(weighed(facts), None);
}

/// A server's figures are older than those of callers that are asked because they blame it.
#[test]
fn the_blamed_pod_hears_that_it_is_not_the_reason_once_the_trouble_lasts() {
    let mut facts = facts(waits(), serves(2.0));
    let caller = facts.pods[0].row.replace(facts.callees.remove(0)).unwrap();
    facts.pods[0].name = "db-0".into();
    facts.callees = vec![caller];
    facts.edges = std::mem::take(&mut facts.callee_edges);
    assert_eq!(weighed(facts.clone()).unwrap().blame.kind, BlameKind::Undecided);
    facts.hints[0].last_seen = "2026-01-01T00:00:03Z".into();
    assert_eq!(weighed(facts), None);
}
