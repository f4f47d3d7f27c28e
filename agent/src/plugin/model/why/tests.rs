use super::super::{
    testing::{NOW_MS, edge, healthy_row, hint, idle_row, peer_row, pod_info, shared},
    waterfall::tests::{callee, row as observed, times},
};
use super::*;
use crate::{
    api::{PeerRow, ResponseTimes, Suspect},
    metrics::fixture,
};

pub(crate) fn filter() -> HintFilter {
    HintFilter { namespace: None, since: None, now_ms: NOW_MS }
}

/// A Pod with traffic, and nothing wrong.
pub(crate) fn healthy() -> Facts {
    let row = healthy_row();
    Facts {
        kind: "Pod".into(),
        namespace: "shop".into(),
        name: "payment-1".into(),
        pods: vec![TargetPod {
            namespace: "shop".into(),
            name: "payment-1".into(),
            node: "node-a".into(),
            info: Some(shared(pod_info("shop", "payment-1"))),
            row: Some(row),
        }],
        edges: vec![edge("shop", "payment-1")],
        agents: vec![fixture::agent()],
        related: vec![Fact::new("Service/payment", "3 of 3 endpoints ready")],
        ..Facts::default()
    }
}

/// It waits for a peer that is throttled on another Node.
pub(crate) fn waits_for_throttled_peer() -> Facts {
    let mut facts = healthy();
    let mut own = hint("shop", "payment-1", "peer_slow");
    own.blame = Blame::named(BlameKind::PeerPod, "shop/db-0", 0.99);
    own.summary = "payment-1 waits for shop/db-0 on node-b: its replies take 48 ms, normally 2 ms".into();
    own.chain = vec!["peer_slow".into(), "rtt_inflation".into()];
    own.confidence = 0.8;
    let mut there = hint("shop", "db-0", "pod_cpu_throttled");
    there.subject.node = "node-b".into();
    there.blame = Blame::named(BlameKind::Pod, "db-0", 0.99);
    there.summary = "db-0 used up its CPU limit: 61 of 100 periods were throttled".into();
    there.chain = vec!["pod_cpu_throttled".into(), "cpu_throttling".into()];
    there.action = "Raise or remove the CPU limit of db-0.".into();
    facts.hints = vec![own, there];
    facts
}

/// It answers requests, and waits for a callee that waits for another one. A third hangs.
pub(crate) fn waits_for_callees() -> Facts {
    let mut facts = healthy();
    let mut hung = callee("mail-0", 0.0);
    hung.times = ResponseTimes { unanswered: Some(2), unanswered_for_seconds: Some(42.0), ..ResponseTimes::default() };
    let server = times(40.0, &[("handshake", 0.05), ("unread", 0.02), ("application", 61.0)]);
    facts.pods[0].row = Some(observed("payment-1", "node-a", Some(server), vec![callee("api-0", 50.0), hung]));
    let api = times(25.0, &[("unread", 2.0), ("application", 46.0)]);
    facts.callees = vec![observed("api-0", "node-b", Some(api), vec![callee("db-0", 40.0), callee("payment-1", 0.3)])];
    facts
}

/// It loses packets, and one peer's agent is silent.
pub(crate) fn loses() -> Facts {
    let mut facts = healthy();
    facts.hints = vec![hint("shop", "payment-1", "path_loss")];
    facts.events = vec![Fact::new("Unhealthy", "3 times, 40 s ago: Readiness probe failed: timeout")];
    facts.not_answered = vec![SilentAgent {
        node: "node-b".into(),
        agent: "netwhy/netwhy-x7k".into(),
        why: "no answer within 5 s; wait longer with --request-timeout".into(),
    }];
    facts
}

#[test]
fn a_callee_in_trouble_is_named_when_the_target_shows_nothing_of_its_own() {
    let mut facts = waits_for_throttled_peer();
    facts.hints.remove(0);
    // Nobody calls it yet.
    assert_eq!(explain(facts.clone(), &filter()).verdict.state, State::NothingFound);
    facts.edges[0].role = Some("server".into());
    facts.edges[0].peer_pod = Some("shop/db-0".into());
    assert_eq!(explain(facts.clone(), &filter()).verdict.state, State::NothingFound, "a client of the target");
    facts.edges[0].role = Some("client".into());
    let confidence = facts.hints[0].confidence;
    let verdict = explain(facts.clone(), &filter()).verdict;
    assert_eq!(verdict.cause.as_deref(), Some("pod_cpu_throttled"));
    assert!(verdict.sentence.ends_with("payment-1 calls it, and shows no harm of its own yet"), "{}", verdict.sentence);
    assert!(verdict.confidence.unwrap() < confidence);
    // Rows that say nothing about callers stay out.
    facts.hints[0].cause = "connections_reset".into();
    assert_eq!(explain(facts, &filter()).verdict.state, State::NothingFound);
}

/// Its agent found the trouble of another Pod's packets first.
#[test]
fn a_way_of_the_target_in_trouble_is_named_when_the_target_shows_nothing_of_its_own() {
    let of_another = |kind, name: &str| {
        let mut other = hint("shop", "cart-1", "path_loss");
        other.blame = Blame::named(kind, name, 0.95);
        let mut facts = healthy();
        facts.edges[0].peer_node = Some("node-b".into());
        facts.edges[0].segments_sent = 100;
        facts.hints = vec![other];
        facts
    };
    let state = |facts: &Facts| explain(facts.clone(), &filter()).verdict.state;
    for (kind, name) in [(BlameKind::NodePair, "node-b↔node-a"), (BlameKind::PeerNode, "node-b")] {
        let facts = of_another(kind, name);
        let verdict = explain(facts.clone(), &filter()).verdict;
        assert_eq!((verdict.state, verdict.cause.as_deref()), (State::CauseFound, Some("path_loss")), "{name}");
        let ends = "payment-1 uses the same path, and shows no harm of its own yet";
        assert!(verdict.sentence.ends_with(ends), "{}", verdict.sentence);
        assert!(verdict.confidence.unwrap() < facts.hints[0].confidence);
    }
    // Ways that it does not use, those within its Node, and idle ones.
    assert_eq!(state(&of_another(BlameKind::NodePair, "node-a↔node-c")), State::NothingFound);
    let mut inside = of_another(BlameKind::PeerNode, "node-a");
    inside.edges[0].peer_node = Some("node-a".into());
    assert_eq!(state(&inside), State::NothingFound);
    let mut idle = of_another(BlameKind::PeerNode, "node-b");
    idle.edges[0].segments_sent = 0;
    assert_eq!(state(&idle), State::NothingFound);
    // Trouble of a program there is none of the way.
    let mut program = of_another(BlameKind::PeerNode, "node-b");
    program.hints[0].cause = "peer_slow".into();
    assert_eq!(state(&program), State::NothingFound);
}

#[test]
fn a_path_between_zones_in_trouble_concerns_what_passes_it() {
    let mut facts = healthy();
    facts.edges[0].peer_node = Some("node-b".into());
    facts.edges[0].segments_sent = 100;
    let mut other = hint("shop", "cart-1", "path_loss");
    other.blame = Blame::named(BlameKind::ZonePair, "z2↔z1", 0.95);
    facts.hints = vec![other];
    assert_eq!(explain(facts.clone(), &filter()).verdict.state, State::NothingFound, "no zone is known");
    let (zone, peer_zone) = (Some("z1".to_owned()), Some("z2".to_owned()));
    facts.peer_rows = vec![PeerRow { zone, peer_zone, ..peer_row("node-a", "node-b", 0, 0, 210) }];
    assert_eq!(explain(facts, &filter()).verdict.state, State::CauseFound);
}

#[test]
fn the_verdict_is_the_root_cause_from_another_agent() {
    let report = explain(waits_for_throttled_peer(), &filter());
    assert_eq!(report.verdict.cause.as_deref(), Some("pod_cpu_throttled"));
    assert!(report.verdict.sentence.starts_with("db-0 used up its CPU limit"), "{}", report.verdict.sentence);
    assert_eq!(
        (report.verdict.confidence, report.verdict.reported_by.as_str()),
        (Some(0.8), "node-b"),
        "the lowest confidence on the path"
    );
    assert_eq!(report.next_step, "Raise or remove the CPU limit of db-0.");
    let links: Vec<String> = report.chain.iter().map(|l| format!("{} {}", l.what, l.who)).collect();
    assert_eq!(
        links,
        ["pod_cpu_throttled db-0", "cpu_throttling db-0", "peer_slow payment-1", "rtt_inflation payment-1"]
    );
    assert!(report.promql[0].query.contains("pod=\"db-0\""), "the queries are about the root");
    assert!(report.also.is_empty());
}

#[test]
fn without_a_hint_there_is_no_cause_and_missing_signals_are_unknown() {
    let report = explain(healthy(), &filter());
    assert_eq!((report.verdict.state, report.verdict.confidence), (State::NothingFound, None));
    assert!(report.normal.iter().any(|f| f.what == "loss"), "{:?}", report.normal);
    assert!(report.unknown.iter().any(|f| f.what.starts_with("probe drops")), "{:?}", report.unknown);
}

#[test]
fn no_traffic_is_no_data_and_not_healthy() {
    let mut facts = healthy();
    facts.pods[0].row = Some(idle_row());
    let report = explain(facts, &filter());
    assert_eq!(report.verdict.state, State::NoData);
    assert!(report.verdict.sentence.contains("its health is unknown"));
}

#[test]
fn attempts_that_fail_are_traffic_though_nothing_else_was_measured() {
    let mut row = idle_row();
    row.window.counts.connects.insert("client".into(), 2);
    row.window.counts.connect_failures.insert("other".into(), 53);
    // The loser of a race between addresses is no failure.
    row.window.counts.connect_failures.insert("raced".into(), 7);
    let mut facts = healthy();
    facts.pods[0].row = Some(row);
    let verdict = explain(facts, &filter()).verdict;
    assert_eq!(verdict.state, State::NothingFound);
    assert!(verdict.sentence.ends_with("but 53 of 55 attempts to connect failed"), "{}", verdict.sentence);
}

#[test]
fn the_view_of_a_silent_agent_is_unknown() {
    let report = explain(loses(), &filter());
    assert_eq!(report.verdict.state, State::CauseFound);
    assert!(report.unknown.iter().any(|f| f.what == "view of the agent on node-b"), "{:?}", report.unknown);
}

#[test]
fn who_is_blamed_by_its_callers_hears_of_it() {
    let mut facts = healthy();
    let mut caller = hint("shop", "web-1", "peer_slow");
    caller.blame = Blame::named(BlameKind::PeerPod, "shop/payment-1", 0.99);
    facts.hints = vec![caller];
    let report = explain(facts, &filter());
    assert_eq!((report.verdict.state, report.verdict.cause.as_deref()), (State::CauseFound, Some("peer_slow")));
}

#[test]
fn hints_that_blame_a_node_come_before_hints_about_its_pods() {
    let mut facts = Facts { kind: "Node".into(), name: "node-a".into(), ..healthy() };
    let mut own = hint("shop", "payment-1", "peer_slow");
    own.confidence = 0.99;
    let blaming = ["node-b", "node-c"].map(|node| {
        let mut hint = hint("shop", &format!("web-{node}"), "path_loss");
        hint.subject.node = node.into();
        hint.blame = Blame::named(BlameKind::PeerNode, "node-a", 0.99);
        hint
    });
    facts.hints = std::iter::once(own).chain(blaming).collect();
    let report = explain(facts, &filter());
    assert_eq!(report.verdict.cause.as_deref(), Some("path_loss"));
    assert_eq!(report.verdict.reported_by, "node-b and 1 more");
}

#[test]
fn a_resolved_hint_is_no_present_cause() {
    let mut facts = loses();
    facts.hints[0].state = HintState::Resolved;
    let mut long = filter();
    long.now_ms += 120_000;
    assert_eq!(explain(facts.clone(), &long).verdict.state, State::NothingFound);
    long.since = Some(std::time::Duration::from_secs(3600));
    let report = explain(facts, &long);
    assert_eq!(report.verdict.state, State::Resolved);
    assert!(!report.next_step.is_empty());
}

/// An on-off fault is away half of the time.
#[test]
fn a_hint_that_ended_a_moment_ago_is_the_answer_and_says_when() {
    let mut facts = loses();
    facts.hints[0].state = HintState::Resolved;
    let last_seen = facts.hints[0].last_seen.clone();
    let ended_ms = super::super::unix_ms(&last_seen).unwrap();
    let at = |seconds: i64| HintFilter { now_ms: ended_ms + seconds * 1000, ..filter() };
    let report = explain(facts.clone(), &at(4));
    assert_eq!((report.verdict.state, report.verdict.cause.as_deref()), (State::Resolved, Some("path_loss")));
    assert_eq!(report.verdict.until, Some(last_seen));
    assert!(report.verdict.sentence.starts_with("Over now: "), "{}", report.verdict.sentence);
    assert_eq!(explain(facts, &at(61)).verdict.state, State::NothingFound);
}

#[test]
fn an_answer_beside_one_that_blames_somebody_else_is_less_sure() {
    let mut facts = healthy();
    let mut slow = hint("shop", "payment-1", "peer_slow");
    slow.blame = Blame::named(BlameKind::PeerPod, "shop/db-0", 0.99);
    facts.hints = vec![slow];
    assert_eq!(explain(facts.clone(), &filter()).verdict.confidence, Some(0.93));
    facts.hints.push(hint("shop", "payment-1", "external_slow"));
    assert_eq!(explain(facts, &filter()).verdict.confidence, Some(0.48));
}

#[test]
fn work_that_fails_comes_before_work_that_takes_longer() {
    let mut facts = waits_for_throttled_peer();
    let mut refused = hint("shop", "payment-1", "peer_refusing");
    (refused.symptom, refused.confidence) = ("connect_failures".into(), 0.9);
    refused.blame = Blame::named(BlameKind::External, "db.example", 0.99);
    let mut slow = hint("shop", "payment-1", "external_slow");
    (slow.symptom, slow.confidence) = ("rtt_inflation".into(), 0.98);
    slow.blame = Blame::named(BlameKind::External, "db.example", 0.99);
    facts.hints = vec![slow, refused.clone()];
    assert_eq!(explain(facts.clone(), &filter()).verdict.cause.as_deref(), Some("peer_refusing"));
    facts.hints[1].confidence = 0.5;
    assert_eq!(explain(facts, &filter()).verdict.cause.as_deref(), Some("external_slow"), "hardly sure");
}

/// The surer hint leads. Both have one root, which the other does not have to be read beside.
#[test]
fn other_effects_of_the_root_on_the_same_pod_fold_into_the_answer() {
    let mut facts = waits_for_throttled_peer();
    let mut silent = hint("shop", "payment-1", "peer_unreachable");
    silent.blame = Blame::named(BlameKind::PeerPod, "shop/db-0", 0.9);
    silent.confidence = 0.5;
    let mut unrelated = silent.clone();
    (unrelated.id, unrelated.cause, unrelated.chain) = ("other".into(), "peer_refusing".into(), Vec::new());
    facts.hints.extend([silent, unrelated]);
    let report = explain(facts, &filter());
    assert_eq!(report.verdict.cause.as_deref(), Some("pod_cpu_throttled"));
    let also: Vec<&str> = report.also.iter().map(|hint| hint.cause.as_str()).collect();
    assert_eq!(also, ["peer_refusing"]);
}

/// A client that downloads sends little, and loses nothing itself.
#[test]
fn losses_of_what_a_peers_node_sends_are_named_to_who_receives_it() {
    let with = |cause: &str, sent: u64, received: u64| {
        let mut other = hint("shop", "db-1", cause);
        other.subject.node = "node-b".into();
        other.blame = Blame::named(BlameKind::Node, "node-b", 0.93);
        let mut facts = healthy();
        facts.edges[0].peer_node = Some("node-b".into());
        (facts.edges[0].segments_sent, facts.edges[0].bytes_received) = (sent, received);
        facts.hints = vec![other];
        explain(facts, &filter()).verdict
    };
    let verdict = with("node_packet_loss", 0, 1_000_000);
    assert_eq!((verdict.state, verdict.cause.as_deref()), (State::CauseFound, Some("node_packet_loss")));
    assert_eq!(verdict.blame.unwrap().name, "node-b");
    // What it sends to that Node is not lost there.
    assert_eq!(with("node_packet_loss", 100, 0).state, State::NothingFound);
    // Drops of the Node itself may be in either direction.
    for (sent, received) in [(100, 0), (0, 1_000_000)] {
        assert_eq!(with("node_softnet_drops", sent, received).cause.as_deref(), Some("node_softnet_drops"));
    }
    assert_eq!(with("node_cpu_contention", 100, 1_000_000).state, State::NothingFound, "no trouble of a way");
}

/// A Node is named from 0.9 on. Who asks wants to know of it before.
#[test]
fn a_way_that_is_most_likely_at_fault_answers_unnamed() {
    let with = |probability: f64| {
        let mut other = hint("shop", "db-1", "node_packet_loss");
        other.subject.node = "node-b".into();
        let suspect = Suspect::new(BlameKind::Node, "node-b", probability);
        other.blame =
            Blame { kind: BlameKind::Undecided, name: String::new(), probability: 0.0, alternatives: vec![suspect] };
        let mut facts = healthy();
        facts.edges[0].peer_node = Some("node-b".into());
        (facts.edges[0].segments_sent, facts.edges[0].bytes_received) = (0, 1_000_000);
        facts.hints = vec![other];
        explain(facts, &filter()).verdict
    };
    let likely = with(0.86);
    assert_eq!((likely.state, likely.cause.as_deref()), (State::CauseFound, Some("node_packet_loss")));
    assert_eq!(likely.blame.unwrap().kind, BlameKind::Undecided);
    assert_eq!(with(0.4).state, State::NothingFound);
}

/// A third Node loses what it sends to the blamed one.
#[test]
fn losses_towards_a_peers_node_are_named_to_who_sends_there() {
    let state = |sent: u64, received: u64| {
        let mut other = hint("shop", "cart-1", "path_loss");
        other.subject.node = "node-c".into();
        other.blame = Blame::named(BlameKind::PeerNode, "node-b", 0.95);
        let mut facts = healthy();
        facts.edges[0].peer_node = Some("node-b".into());
        (facts.edges[0].segments_sent, facts.edges[0].bytes_received) = (sent, received);
        facts.hints = vec![other];
        explain(facts, &filter()).verdict.state
    };
    assert_eq!(state(100, 0), State::CauseFound);
    assert_eq!(state(0, 1_000_000), State::NothingFound);
}
