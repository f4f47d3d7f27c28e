use super::{Edge, scans};
use crate::{
    hints::testing::{Case, Run, healthy, lookups, lose, rtts},
    sample::Tally,
    state::EdgeView,
};
use netwhy_abi::{Cut, Failure, PeerClass, Retransmit, Role};

/// Pods of the Node, each a client of all peers.
const PODS: [&str; 3] = ["cart", "payment", "search"];
const FEW: u8 = 4;
const MANY: u8 = 16;
/// Scans that the larger number of edges may cost more, as other things are found there. One per edge would be as many
/// more as there are more edges, in each tick.
const SLACK: usize = PODS.len() * (MANY - FEW) as usize - 1;

fn names(peers: u8) -> Vec<String> {
    (1..=peers).map(|i| format!("10.0.0.{i}")).collect()
}

/// How often all edges or subjects are looked through in three ticks of a trouble on all edges.
fn count_scans(peers: u8, trouble: impl Fn(&mut Case)) -> usize {
    let names = names(peers);
    let mut case = Case::mesh(&PODS, &names.iter().map(String::as_str).collect::<Vec<_>>());
    for edge in &mut case.edges {
        (edge.role, edge.port) = (Some(Role::Client), 80);
    }
    let mut run = Run::warm(&case);
    trouble(&mut case);
    scans::take();
    run.ticks(3, &case);
    scans::take()
}

#[track_caller]
fn expect_constant(what: &str, trouble: impl Fn(&mut Case)) {
    let (few, many) = (count_scans(FEW, &trouble), count_scans(MANY, &trouble));
    assert!(few > 0 && many <= few + SLACK, "{what}: {few} scans with few edges, {many} with many");
}

#[track_caller]
fn expect_constant_where_all(what: &str, trouble: impl Fn(&mut EdgeView)) {
    expect_constant(what, |case| case.edges.iter_mut().for_each(&trouble));
}

/// Nothing but attempts to connect, of which none is answered.
fn unanswered() -> Tally {
    let mut tally = Tally::default();
    tally.retransmits[Retransmit::Syn as usize] = 20;
    tally.connect_failures[Failure::TimedOut as usize] = 20;
    tally
}

#[test]
fn no_rule_about_connections_looks_through_all_edges_for_each_of_them() {
    expect_constant_where_all("all is well", |_| {});
    expect_constant_where_all("silent addresses", |edge| edge.window = unanswered());
    expect_constant_where_all("silent ports of addresses with many", |edge| {
        edge.port = 0;
        edge.window = unanswered();
    });
    expect_constant_where_all("refusals", |edge| edge.window.connect_failures[Failure::Refused as usize] = 200);
    expect_constant("a silent port beside others", |case| {
        let answering = case.edges.clone().into_iter().map(|edge| EdgeView { port: 81, ..edge });
        case.edges.iter_mut().for_each(|edge| edge.window = unanswered());
        case.edges.extend(answering);
    });
    expect_constant_where_all("resets at peers of this Node", |edge| {
        (edge.class, edge.peer_pod) = (PeerClass::SameNode, Some("shop/payment".into()));
        edge.window.cuts[Cut::Busy as usize] = 40;
        edge.recent = edge.window.clone();
        edge.recent.cuts[Cut::Busy as usize] = 10;
    });
    expect_constant_where_all("large segments that are stuck", |edge| {
        edge.window.retransmits[Retransmit::Timeout as usize] = 8;
        edge.window.full_size_timeouts = 6;
        edge.recent = edge.window.clone();
        edge.recent.full_size_timeouts = 2;
    });
    expect_constant_where_all("dead connections", |edge| {
        edge.window = Tally { data_segs_out: 20, ..Tally::default() };
        edge.window.retransmits[Retransmit::Timeout as usize] = 8;
    });
}

#[test]
fn no_rule_about_paths_looks_through_all_edges_for_each_of_them() {
    expect_constant_where_all("losses", |edge| lose(&mut edge.window, 60));
    let longer = |edge: &mut EdgeView| edge.window.rtt = rtts(&[(30_000, 100)]);
    expect_constant_where_all("longer paths", longer);
    expect_constant_where_all("longer paths outside", |edge| {
        edge.class = PeerClass::External;
        longer(edge);
    });
    expect_constant("a longer path from one Pod, in a queue", |case| {
        for edge in case.edges.iter_mut().filter(|edge| edge.subject.name == PODS[0]) {
            edge.window.rtt = rtts(&[(30_000, 50), (90_000, 50)]);
        }
    });
}

#[test]
fn no_rule_about_lookups_looks_through_all_subjects_for_each_of_them() {
    expect_constant("lookups without an answer", |case| {
        let address = |edge: &EdgeView| edge.peer.to_canonical().to_string();
        case.dns = case.edges.iter().map(|edge| lookups(&edge.subject.name, &address(edge), &[], 50)).collect();
    });
}

#[test]
fn a_peer_outside_is_named_as_it_was_looked_up_and_blamed_by_its_address() {
    let mut view = healthy("web", "203.0.113.7");
    view.class = PeerClass::External;
    view.peer_dns_name = Some("api.example.com".into());
    let edge = Edge::of_ends(&view);
    for name in [edge.peer_name(), edge.program_name()] {
        assert_eq!(name, "api.example.com (203.0.113.7)");
    }
    assert_eq!((edge.peer_pod_name(), edge.peer_node_name()), ("203.0.113.7".to_owned(), "203.0.113.7".to_owned()));
}
