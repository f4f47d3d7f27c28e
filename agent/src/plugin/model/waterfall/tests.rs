use super::*;
use crate::{
    api::{ByLabel, PodInfo},
    plugin::model::testing::{edge, healthy_row, pod_info},
};

/// Times of requests that take this mean by stage, ms; normally half of it.
pub(crate) fn times(per_second: f64, stages_ms: &[(&str, f64)]) -> ResponseTimes {
    let stages = |factor: f64| -> ByLabel<f64> {
        stages_ms.iter().map(|(name, ms)| ((*name).to_owned(), ms * factor / 1000.0)).collect()
    };
    let mean: f64 = stages(1.0).values().sum();
    ResponseTimes {
        requests: (per_second * 10.0) as u64,
        is_sampled: Some(false),
        per_second: Some(per_second),
        p50_seconds: Some(mean),
        p95_seconds: Some(mean * 1.5),
        p99_seconds: Some(mean * 2.0),
        mean_seconds: Some(mean),
        stage_seconds: stages(1.0),
        ended_unanswered: 0,
        unanswered: Some(0),
        unanswered_for_seconds: None,
        http: None,
        normally: Some(NormalResponseTimes {
            per_second,
            p50_seconds: mean / 2.0,
            p95_seconds: Some(mean * 0.75),
            p99_seconds: None,
            mean_seconds: mean / 2.0,
            stage_seconds: stages(0.5),
        }),
    }
}

/// A client's view of its requests to `shop/POD`, port 8080.
pub(crate) fn callee(pod: &str, peer_ms: f64) -> Callee {
    Callee {
        peer: "10.1.0.9".into(),
        port: Some(8080),
        class: "same_zone".into(),
        peer_kind: "pod".into(),
        peer_node: Some("node-b".into()),
        peer_pod: Some(format!("shop/{pod}")),
        times: times(20.0, &[("network", 0.2), ("retransmission", 0.0), ("peer", peer_ms)]),
        ..Callee::default()
    }
}

/// The Pod `shop/POD`, of which requests were observed.
pub(crate) fn row(pod: &str, node: &str, server: Option<ResponseTimes>, callees: Vec<Callee>) -> PodRow {
    let mut row = healthy_row();
    (row.name, row.node) = (pod.to_owned(), node.to_owned());
    row.status = Some(crate::plugin::model::testing::shared(PodInfo {
        addresses: vec!["10.1.0.5".parse().unwrap()],
        ..pod_info("shop", pod)
    }));
    row.window.responses =
        Some(PodResponses { state: Some(ProbeState::Ok), why: String::new(), server, callees, more_callees: 0 });
    row
}

/// The edge of the server `shop/POD` on port 8080 to the Pod with this name, at this address.
fn served(pod: &str, client: Option<&str>, address: &str, application_ms: f64) -> EdgeRow {
    let mut edge = edge("shop", pod);
    edge.role = Some("server".into());
    (edge.port, edge.peer) = (Some(8080), address.to_owned());
    edge.peer_pod = client.map(|client| format!("shop/{client}"));
    edge.responses = Some(times(20.0, &[("unread", 1.0), ("application", application_ms)]));
    edge
}

fn split_of(waterfall: &Waterfall, row: usize) -> Option<(f64, f64, f64, SplitOf)> {
    let ms = |s: f64| (s * 1e6).round() / 1e3;
    let split = waterfall.rows[row].peer?;
    Some((ms(split.unread_seconds), ms(split.application_seconds), ms(split.between_seconds), split.of))
}

/// Depth, and who asks whom.
fn path(waterfall: &Waterfall) -> Vec<(usize, String)> {
    let name = |row: &TimeRow| match &row.callee {
        Some(callee) => format!("{} → {callee}", row.pod),
        None => row.pod.clone(),
    };
    waterfall.rows.iter().map(|row| (row.depth, name(row))).collect()
}

#[test]
fn a_clients_wait_is_split_by_its_servers_view_of_this_client() {
    let web =
        row("web", "node-a", Some(times(20.0, &[("unread", 0.1), ("application", 60.0)])), vec![callee("api", 50.0)]);
    let api = row("api", "node-b", Some(times(90.0, &[("unread", 3.0), ("application", 4.0)])), vec![]);
    let edges = [served("api", Some("other"), "10.1.0.7", 9.0), served("api", Some("web"), "10.1.0.5", 44.0)];
    let made = waterfall(&[&web], &[api], &edges.iter().collect::<Vec<_>>());
    assert_eq!(path(&made), [(0, "shop/web".to_owned()), (1, "shop/web → shop/api:8080".to_owned())]);
    assert_eq!(split_of(&made, 1), Some((1.0, 44.0, 5.0, SplitOf::ThisClient)));
    assert_eq!(made.rows[1].end_of_path, None);
    let stages: Vec<&str> = made.rows[1].stages.iter().map(|stage| stage.stage).collect();
    assert_eq!(stages, ["network", "retransmission", "peer"], "in the order of a request");
    assert_eq!(made.rows[1].stages[2].normally_seconds, Some(0.025));
}

#[test]
fn an_address_finds_the_client_that_the_servers_agent_can_not_name() {
    let web = row("web", "node-a", None, vec![callee("api", 50.0)]);
    let api = row("api", "node-b", Some(times(90.0, &[("unread", 3.0), ("application", 4.0)])), vec![]);
    let edges = [served("api", None, "10.1.0.5", 44.0)];
    let made = waterfall(&[&web], &[api], &edges.iter().collect::<Vec<_>>());
    assert_eq!(split_of(&made, 0).unwrap().3, SplitOf::ThisClient);
}

#[test]
fn behind_a_masquerade_the_whole_server_stands_for_its_clients() {
    let mut web = row("web", "node-a", None, vec![callee("api", 5.0)]);
    let api = row("api", "node-b", Some(times(90.0, &[("unread", 3.0), ("application", 7.0)])), vec![]);
    let edges = [served("api", None, "10.0.0.1", 44.0)];
    let made = waterfall(&[&web], &[api], &edges.iter().collect::<Vec<_>>());
    // It takes no more than the client waits.
    assert_eq!(split_of(&made, 0), Some((1.5, 3.5, 0.0, SplitOf::AllClients)));
    // A Pod with the Node's address can't be told from others with it.
    let status = PodInfo { host_network: true, ..(**web.status.as_ref().unwrap()).clone() };
    web.status = Some(PodInfo { addresses: vec!["10.0.0.1".parse().unwrap()], ..status }.into());
    let api = row("api", "node-b", Some(times(90.0, &[("unread", 3.0), ("application", 7.0)])), vec![]);
    let made = waterfall(&[&web], &[api], &edges.iter().collect::<Vec<_>>());
    assert_eq!(split_of(&made, 0).unwrap().3, SplitOf::AllClients);
}

#[test]
fn the_rows_of_callees_follow_as_deep_as_the_data_goes() {
    let web = row("web", "node-a", None, vec![callee("api", 50.0), Callee { peer_pod: None, ..callee("", 9.0) }]);
    let api = row("api", "node-b", None, vec![callee("db", 40.0)]);
    let made = waterfall(&[&web], &[api], &[]);
    let rows = ["shop/web → shop/api:8080", "shop/api → shop/db:8080", "shop/web → 10.1.0.9:8080"];
    assert_eq!(
        path(&made),
        rows.map(str::to_owned).into_iter().zip([1, 2, 1]).map(|(r, d)| (d, r)).collect::<Vec<_>>()
    );
    let ends: Vec<_> = made.rows.iter().map(|row| row.end_of_path).collect();
    assert_eq!(ends, [None, Some(EndOfPath::NotMeasured), Some(EndOfPath::NoPod)]);
    assert_eq!(split_of(&made, 0), None, "it is no server");
}

#[test]
fn a_cycle_is_cut_where_it_closes() {
    let web = row("web", "node-a", None, vec![callee("api", 50.0), callee("web", 1.0)]);
    let api = row("api", "node-b", None, vec![callee("web", 40.0)]);
    let made = waterfall(&[&web], &[api], &[]);
    let ends: Vec<_> = made.rows.iter().map(|row| (row.depth, row.end_of_path)).collect();
    assert_eq!(ends, [(1, None), (2, Some(EndOfPath::Cycle)), (1, Some(EndOfPath::Cycle))]);
}

#[test]
fn depth_and_width_are_bounded() {
    let name = |n: usize| format!("p{n}");
    let web = row("web", "node-a", None, vec![callee("p1", 50.0)]);
    let chain: Vec<PodRow> = (1..9).map(|n| row(&name(n), "node-b", None, vec![callee(&name(n + 1), 1.0)])).collect();
    let made = waterfall(&[&web], &chain, &[]);
    assert_eq!(made.rows.iter().map(|row| row.depth).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(made.rows[3].end_of_path, Some(EndOfPath::Depth));
    // Every Pod asks eight others, and so do they.
    let all = |at: usize| (1..9).filter(|n| *n != at).map(|n| callee(&name(n), 1.0)).collect::<Vec<_>>();
    let mesh: Vec<PodRow> = (1..9).map(|n| row(&name(n), "node-b", None, all(n))).collect();
    let made = waterfall(&[&row("web", "node-a", None, all(0))], &mesh, &[]);
    assert_eq!(made.rows.len(), MAX_ROWS);
}

#[test]
fn off_unsupported_and_quiet_are_three_reasons() {
    let with = |state: Option<ProbeState>, why: &str| {
        let mut web = row("web", "node-a", None, vec![]);
        let responses = web.window.responses.as_mut().unwrap();
        (responses.state, responses.why) = (state, why.to_owned());
        web
    };
    let reason = |row: &PodRow| waterfall(&[row], &[], &[]).missing.join("; ");
    let off = with(Some(ProbeState::Off), "disabled; missing: response times");
    assert_eq!(reason(&off), "response times are off on node-a: set signals.responses to on");
    let unsupported = with(Some(ProbeState::Unsupported), "no BTF");
    assert_eq!(reason(&unsupported), "response times are unsupported on node-a: no BTF");
    assert_eq!(reason(&with(Some(ProbeState::Ok), "")), "shop/web: no request ended in the window");
    let mut old = off;
    old.window.responses = None;
    assert_eq!(reason(&old), "the agent on node-a is too old to observe response times");
}

#[test]
fn of_many_pods_those_with_most_waiting_time_are_shown() {
    let rows: Vec<PodRow> = (1..6)
        .map(|n| row(&format!("p{n}"), "node-a", Some(times(10.0, &[("application", f64::from(n))])), vec![]))
        .collect();
    let made = waterfall(&rows.iter().collect::<Vec<_>>(), &[], &[]);
    assert_eq!(path(&made), [5, 4, 3].map(|n| (0, format!("shop/p{n}"))));
    assert_eq!(made.missing, ["3 of 5 Pods are shown, those with most waiting time"]);
}

#[test]
fn numbers_and_names_from_agents_are_bounded() {
    let mut wild = times(f64::INFINITY, &[("application", f64::MAX), ("unread", f64::NAN), ("invented", 1.0)]);
    wild.p50_seconds = Some(-1.0);
    let web = row(&"x".repeat(100_000), "node-a", Some(wild), vec![]);
    let made = waterfall(&[&web], &[], &[]);
    let [row] = made.rows.as_slice() else { panic!("{made:?}") };
    assert_eq!(row.pod.chars().count(), MAX_NAME);
    assert_eq!((row.now.p50_seconds, row.per_second), (Some(0.0), Some(MAX_NUMBER)));
    let stages: Vec<(&str, f64)> = row.stages.iter().map(|stage| (stage.stage, stage.seconds)).collect();
    assert_eq!(stages, [("unread", 0.0), ("application", MAX_NUMBER)]);
}

#[test]
fn a_callee_outside_has_the_name_that_was_looked_up_beside_its_address() {
    let outside = Callee { peer_pod: None, peer_dns_name: Some("api.example.com".into()), ..callee("", 9.0) };
    let made = waterfall(&[&row("web", "node-a", None, vec![outside])], &[], &[]);
    assert_eq!(path(&made), [(1, "shop/web → api.example.com:8080 (10.1.0.9)".to_owned())]);
}
