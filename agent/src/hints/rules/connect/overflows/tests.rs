use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, host, set, verdict},
    sample::{Signal, Tally},
};
use netwhy_abi::Role;

const CLIENTS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

/// Two servers with two clients each.
fn normal() -> Case {
    let mut case = Case::mesh(&["api", "db"], &CLIENTS);
    for edge in &mut case.edges {
        (edge.role, edge.port, edge.window.connects) = (Some(Role::Server), 80, [0, 2]);
    }
    case.host = Some(host());
    case
}

/// So many connections were turned away, while a client of these servers does not get through.
fn full(overflows: u64, servers: &[&str]) -> Case {
    let mut case = normal();
    set(case.host.as_mut().unwrap(), Signal::ListenOverflows, overflows);
    for server in servers {
        let edge = case.edge(server, CLIENTS[0]);
        (edge.recent, edge.answered) = (Tally { segs_out: 1, ..Tally::default() }, false);
    }
    case
}

fn without_walks() -> Run {
    let mut run = Run::new();
    run.can_walk = false;
    run.expect_silence(30, &normal());
    run
}

#[test]
fn a_server_that_loses_clients_while_the_node_counts_overflows_has_a_full_queue() {
    let hint = without_walks().expect_one(&full(12, &["api"]));
    assert_eq!(verdict(&hint), ("pod_accept_queue_full", BlameKind::Pod, "api"));
    assert!(hint.confidence < 0.8, "{}", hint.confidence);
    assert_eq!((hint.evidence[0].signal.as_str(), hint.evidence[0].observed), ("listen_overflows", 12.0));
}

#[test]
fn of_several_servers_that_lose_clients_none_is_named() {
    without_walks().expect_silence(5, &full(12, &["api", "db"]));
    without_walks().expect_silence(5, &full(12, &[]));
}

#[test]
fn few_overflows_are_silent_and_walks_know_better() {
    without_walks().expect_silence(5, &full(9, &["api"]));
    Run::warm(&normal()).expect_silence(5, &full(12, &["api"]));
}
