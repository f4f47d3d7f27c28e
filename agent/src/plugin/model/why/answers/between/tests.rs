use super::{
    super::{
        tests::{facts, measured, served, serves, waits, weighed},
        weigh_servers,
    },
    *,
};
use crate::{
    api::{Blame, EdgeRow, ResponseTimes, RttBaseline},
    plugin::model::{
        settle::{
            delays::{ROUND_TRIPS, STAGES},
            settle,
        },
        testing::{hint, peer_row},
        waterfall::tests::{callee, row},
        why::{State, explain, tests::filter},
    },
};

/// Requests to `shop/POD` on a Node.
fn asks(pod: &str, node: &str, times: ResponseTimes) -> Callee {
    Callee { peer_node: Some(node.to_owned()), times, ..callee(pod, 1.0) }
}

/// They wait 15 ms longer than usual, as the hint's.
fn late(pod: &str, node: &str) -> Callee {
    asks(pod, node, waits())
}

fn quick(pod: &str, node: &str) -> Callee {
    asks(pod, node, measured(20.0, &[("network", 0.2, 0.2), ("retransmission", 0.0, 0.0), ("peer", 2.0, 2.0)]))
}

/// The figures of `shop/POD` as a server, for its clients.
fn serves_well(pod: &str) -> EdgeRow {
    let mut edge = served(serves(2.0));
    pod.clone_into(&mut edge.subject.name);
    edge
}

/// `shop/payment-1` on node-a waits for `shop/db-0` on node-b, which answers as fast as ever, and asks others.
fn on_the_way(own: Vec<Callee>, others: Vec<PodRow>) -> Facts {
    let mut facts = facts(waits(), serves(2.0));
    let responses = facts.pods[0].row.as_mut().unwrap().window.responses.as_mut().unwrap();
    responses.callees.extend(own);
    facts.callees.extend(others);
    facts.callee_edges.extend(["api-0", "api-1"].map(serves_well));
    facts
}

fn client(name: &str, node: &str, callees: Vec<Callee>) -> PodRow {
    row(name, node, None, callees)
}

fn blamed(facts: Facts) -> (BlameKind, String, String) {
    let hint = weighed(facts).unwrap();
    (hint.blame.kind, hint.blame.name, hint.cause)
}

fn named(kind: BlameKind, name: &str) -> (BlameKind, String, String) {
    (kind, name.to_owned(), PATH_LATENCY.to_owned())
}

#[test]
fn a_delay_on_all_ways_to_one_pod_alone_is_at_its_interface() {
    let others = vec![
        client("web-2", "node-c", vec![late("db-0", "node-b"), quick("api-0", "node-b")]),
        client("web-3", "node-d", vec![late("db-0", "node-b"), quick("api-0", "node-b")]),
    ];
    let facts = on_the_way(vec![quick("api-0", "node-b"), quick("api-1", "node-c")], others);
    let report = explain(facts.clone(), &filter());
    assert_eq!((report.verdict.state, report.verdict.cause.as_deref()), (State::CauseFound, Some(PATH_LATENCY)));
    assert!(report.verdict.confidence.unwrap() > 0.7, "{:?}", report.verdict);
    assert_eq!(report.chain[0].what, PATH_LATENCY);
    assert_eq!(blamed(facts), named(BlameKind::PeerPod, "shop/db-0"));
}

#[test]
fn a_delay_on_all_ways_of_one_client_alone_is_at_its_own_interface() {
    let beside = vec![client("cart-1", "node-a", vec![quick("db-0", "node-b"), quick("api-1", "node-c")])];
    let facts = on_the_way(vec![late("api-1", "node-c")], beside);
    assert_eq!(blamed(facts), named(BlameKind::Pod, "payment-1"));
}

#[test]
fn a_delay_on_all_ways_to_one_node_is_at_that_node() {
    let others = vec![
        client("web-2", "node-c", vec![late("db-0", "node-b"), late("api-0", "node-b")]),
        client("web-3", "node-d", vec![late("api-0", "node-b"), quick("api-1", "node-c")]),
    ];
    let facts = on_the_way(vec![late("api-0", "node-b"), quick("api-1", "node-c")], others);
    assert_eq!(blamed(facts), named(BlameKind::PeerNode, "node-b"));
}

#[test]
fn one_late_way_alone_names_nobody() {
    let hint = weighed(on_the_way(vec![], vec![])).unwrap();
    assert_eq!((hint.blame.kind, hint.cause.as_str()), (BlameKind::Undecided, PATH_LATENCY), "{hint:?}");
}

/// An agent can't tell a program from its interface: both explain the same edges.
#[test]
fn a_blamed_programs_interface_weighs_more_than_a_path_that_its_agent_finds_unlikely() {
    let mut facts = on_the_way(vec![], vec![]);
    facts.hints[0].blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerPod, "shop/db-0", 0.94),
        Suspect::new(BlameKind::NodePair, "node-a↔node-b", 0.04),
    ]);
    let blame = weighed(facts).unwrap().blame;
    assert_eq!(blame.kind, BlameKind::Undecided);
    assert_eq!(blame.other_names()[..2], ["shop/db-0", "node-a↔node-b"], "{blame:?}");
}

/// Answers of a server that takes the time itself say nothing about the way to it.
#[test]
fn a_way_counts_as_late_only_where_its_server_answers_in_time() {
    let slow = |pod: &str| {
        let mut edge = serves_well(pod);
        edge.responses = Some(serves(17.0));
        edge
    };
    let others = || vec![client("web-2", "node-c", vec![late("api-0", "node-b")])];
    let way = |edges: Vec<EdgeRow>| {
        let mut facts = on_the_way(vec![], others());
        facts.callee_edges.truncate(1);
        facts.callee_edges.extend(edges);
        let hint = weighed(facts).unwrap();
        hint.blame.candidates().find(|one| one.name == "node-b").unwrap().probability
    };
    let unknown = way(vec![]);
    assert!((way(vec![slow("api-0")]) - unknown).abs() < 1e-9);
    assert!(way(vec![serves_well("api-0")]) > unknown + 0.3);
}

/// A delay of another size is another trouble.
#[test]
fn a_much_longer_wait_elsewhere_is_no_evidence() {
    let far = measured(20.0, &[("network", 0.2, 0.2), ("retransmission", 0.0, 0.0), ("peer", 200.0, 2.0)]);
    let with =
        |times| weighed(on_the_way(vec![], vec![client("web-2", "node-c", vec![asks("api-0", "node-b", times)])]));
    let alone = weighed(on_the_way(vec![], vec![])).unwrap().blame;
    assert_eq!(with(far).unwrap().blame, alone);
    assert_ne!(with(waits()).unwrap().blame, alone);
}

fn rises(from: &str, pod: Option<&str>, rise_ms: f64, is_proven: bool) -> PeerRow {
    let rtt = RttBaseline { now_seconds: 2e-4 + rise_ms / 1e3, usual_seconds: 2e-4 };
    let (min_rtt_baseline, rtt_rise) = if is_proven { (Some(rtt), None) } else { (None, Some(rtt)) };
    let peer_pod = pod.map(ToOwned::to_owned);
    PeerRow { peer_pod, min_rtt_baseline, rtt_rise, ..peer_row(from, "node-b", 2000, 0, 210) }
}

#[test]
fn round_trips_acquit_what_they_pass_unless_the_delay_comes_and_goes() {
    let first_two = |own: PeerRow| {
        let mut facts = on_the_way(vec![], vec![]);
        facts.peer_rows = vec![own, rises("node-a", None, 0.0, true), rises("node-c", None, 0.0, true)];
        let mut names: Vec<String> = weighed(facts).unwrap().blame.candidates().map(|one| one.name).take(2).collect();
        names.sort();
        names
    };
    assert_eq!(first_two(rises("node-a", Some("shop/db-0"), 15.0, false)), ["payment-1", "shop/db-0"]);
    // The lowest ones to the late server don't show it either.
    assert_eq!(first_two(rises("node-a", Some("shop/db-0"), 0.0, true)), ["node-a", "node-b"]);
}

/// For 4 of 10 s all requests take 30 ms longer.
#[test]
fn requests_that_are_late_by_as_much_are_as_many_as_their_mean_needs() {
    let stages = [("network", 0.2, 0.2), ("retransmission", 0.0, 0.0), ("peer", 14.0, 2.0)];
    let mut times = measured(20.0, &stages);
    (times.p50_seconds, times.p95_seconds, times.p99_seconds) = (Some(0.0022), Some(0.033), Some(0.034));
    times.normally.as_mut().unwrap().p99_seconds = Some(0.004);
    let slow = Slow::of(&times, 0.012).unwrap();
    assert!((slow.share - 0.4).abs() < 0.01 && slow.is_late() && !slow.is_steady(), "{slow:?}");
    // A few that are much slower may be the mean.
    times.p99_seconds = Some(1.0);
    assert!((Slow::of(&times, 0.012).unwrap().share - 0.05).abs() < 1e-9);
}

/// Neither end alone can tell a longer way from a slow program. Another agent's client and its server can.
#[test]
fn answers_that_are_late_on_the_way_weigh_the_suspects_of_a_longer_path() {
    let mut facts = on_the_way(vec![], vec![client("web-2", "node-c", vec![late("api-0", "node-b")])]);
    let mut longer = hint("shop", "payment-1", PATH_LATENCY);
    longer.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-b", 0.46),
        Suspect::new(BlameKind::NodePair, "node-a↔node-b", 0.46),
    ]);
    longer.evidence.truncate(1);
    longer.evidence[0].signal = format!("{ROUND_TRIPS}{{quantile=\"0.1\"}}");
    (longer.evidence[0].observed, longer.evidence[0].baseline) = (0.0152, Some(0.0002));
    facts.hints = vec![longer];
    let mut told = facts.clone();
    weigh_servers(&mut facts);
    assert_eq!(facts.hints[0].blame.name, "node-b", "{:?}", facts.hints[0].blame);
    // Its round trips count once.
    told.peer_rows = vec![rises("node-c", None, 15.0, true)];
    weigh_servers(&mut told);
    assert_eq!(told.hints[0].blame.kind, BlameKind::Undecided);
}

/// A quarter of the requests takes 36 ms longer on new connections: the agent on node-a can't tell the path from node-b.
fn longer_now_and_then() -> Hint {
    let mut longer = hint("shop", "payment-1", PATH_LATENCY);
    "rtt_inflation".clone_into(&mut longer.symptom);
    longer.blame = Blame::among(vec![
        Suspect::new(BlameKind::PeerNode, "node-b", 0.49),
        Suspect::new(BlameKind::NodePair, "node-a↔node-b", 0.49),
    ]);
    "slow_requests".clone_into(&mut longer.evidence[0].signal);
    (longer.evidence[0].observed, longer.evidence[0].baseline) = (0.27, Some(0.0));
    longer.evidence[1].signal = format!("{STAGES},stage=\"network\"}}");
    (longer.evidence[1].observed, longer.evidence[1].baseline) = (0.0098, Some(0.0002));
    longer
}

#[test]
fn requests_of_other_agents_weigh_a_path_that_is_longer_now_and_then() {
    let blamed = |of_others: fn(&str, &str) -> Callee| {
        let client = |(name, node): (&str, &str)| client(name, node, vec![of_others("api-0", "node-b")]);
        let mut facts = on_the_way(vec![], [("web-2", "node-c"), ("web-3", "node-d")].map(client).into());
        facts.hints = vec![longer_now_and_then()];
        weigh_servers(&mut facts);
        facts.hints.remove(0).blame.name
    };
    assert_eq!(blamed(quick), "node-a↔node-b");
    // Their new connections are late too.
    let late = |pod: &str, node: &str| {
        let stages = [("network", 9.8, 0.2), ("retransmission", 0.0, 0.0), ("peer", 2.0, 2.0)];
        asks(pod, node, measured(20.0, &stages))
    };
    assert_eq!(blamed(late), "node-b");
}

/// They are as short as ever to the Node at fault.
#[test]
fn lowest_round_trips_say_nothing_of_a_path_that_is_longer_now_and_then() {
    let settled = |hint: Hint| {
        let mut hints = vec![hint];
        settle(&mut hints, &[rises("node-c", None, 0.0, true), rises("node-d", None, 0.0, true)]);
        hints.remove(0).blame
    };
    let (now_and_then, mut always) = (longer_now_and_then(), longer_now_and_then());
    assert_eq!(settled(now_and_then.clone()), now_and_then.blame);
    always.evidence.truncate(1);
    always.evidence[0].signal = format!("{ROUND_TRIPS}{{quantile=\"0.1\"}}");
    assert_ne!(settled(always.clone()), always.blame);
}
