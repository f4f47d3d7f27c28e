use super::{Ranking, Row, ports_left};
use netwhy_abi::{EdgeKey, EdgeStats, MAX_PORTS};
use std::{collections::BTreeMap, time::Duration};

fn edge(address: u8, port: u16) -> EdgeKey {
    EdgeKey { port, ..EdgeKey::new(1, [address; 16]) }
}

#[test]
fn an_address_keeps_the_places_of_the_edges_that_stay() {
    let all = [edge(1, 80), edge(1, 443), edge(1, 0), edge(2, 80), edge(3, 80)];
    let left = ports_left(&[edge(1, 80), edge(2, 80)], all.into_iter());
    assert_eq!(left, BTreeMap::from([(edge(1, 0), 1), (edge(2, 0), 0)]));
}

#[test]
fn an_edge_without_port_had_no_place() {
    assert_eq!(ports_left(&[edge(1, 0)], [edge(1, 80)].into_iter()), BTreeMap::new());
}

#[test]
fn both_roles_and_redirected_edges_share_the_places_of_an_address() {
    let redirected = EdgeKey { redirected: 1, role: 1, ..edge(1, 80) };
    let left = ports_left(&[edge(1, 81)], [edge(1, 81), redirected, EdgeKey { role: 2, ..edge(1, 82) }].into_iter());
    assert_eq!(left, BTreeMap::from([(edge(1, 0), 2)]));
}

/// Ports of one address with this many handshakes since the start.
fn rows(ports: &[(u16, u64)]) -> Vec<Row> {
    ports.iter().map(|(port, n)| (edge(1, *port), EdgeStats { connects: [*n, 0], ..EdgeStats::ZERO })).collect()
}

fn folded(ports: &[(u16, u64)]) -> Vec<(EdgeKey, u64)> {
    ports.iter().map(|(port, n)| (edge(1, *port), *n)).collect()
}

/// A ranking and the ports that enter. `own`: handshakes of the ports 1 … 8.
fn rank(ranking: &mut Ranking, own: [u64; 8], others: &[(u16, u64)], without: &[(u16, u64)]) -> Vec<u16> {
    let own: Vec<(u16, u64)> = (1..).zip(own).chain(others.iter().copied()).collect();
    let rows = rows(&own);
    let entered = ranking.rank(&rows.iter().collect::<Vec<_>>(), &folded(without));
    entered.iter().map(|key| key.port).collect()
}

/// Edges that leave, when none of these changed.
fn silent(ranking: &mut Ranking, ports: &[u16]) -> Vec<u16> {
    let rows = rows(&ports.iter().map(|port| (*port, 0)).collect::<Vec<_>>());
    ranking.silent(&rows, &[]).iter().map(|key| key.port).collect()
}

#[test]
fn a_busier_port_takes_the_place_of_the_least_busy_one() {
    assert_eq!(MAX_PORTS, 8);
    let mut ranking = Ranking::default();
    assert_eq!(rank(&mut ranking, [1_000; 8], &[], &[(9, 5_000)]), [0; 0], "the past of both is of unlike length");
    let own = [1_100, 1_100, 1_005, 1_100, 1_100, 1_100, 1_100, 1_100];
    assert_eq!(rank(&mut ranking, own, &[], &[(9, 5_050), (10, 3)]), [9], "one that is hardly used stays out");
    assert_eq!(silent(&mut ranking, &[1, 2, 3, 9]), [3]);
    assert_eq!(silent(&mut ranking, &[1, 2, 3, 9]), [0; 0], "each leaves once");
}

#[test]
fn ports_that_are_about_as_busy_do_not_take_turns() {
    let mut ranking = Ranking::default();
    rank(&mut ranking, [0; 8], &[], &[(9, 0)]);
    assert_eq!(rank(&mut ranking, [100; 8], &[], &[(9, 190), (10, 15)]), [0; 0]);
    assert_eq!(silent(&mut ranking, &[1, 2, 3, 4, 5, 6, 7, 8]), [0; 0]);
}

#[test]
fn an_edge_that_changes_does_not_leave_yet() {
    let mut ranking = Ranking::default();
    rank(&mut ranking, [0; 8], &[], &[(9, 0)]);
    assert_eq!(rank(&mut ranking, [20, 30, 30, 30, 30, 30, 30, 30], &[], &[(9, 50)]), [9]);
    let all = rows(&[(1, 21), (2, 30)]);
    assert_eq!(ranking.silent(&all, &all[..1]), []);
    assert_eq!(ranking.silent(&all, &all[1..]), [edge(1, 1)]);
}

#[test]
fn an_address_has_twice_as_many_edges_at_most() {
    let mut ranking = Ranking::default();
    let without = |n: u64| (9..40).map(|port| (port, n)).collect::<Vec<_>>();
    rank(&mut ranking, [0; 8], &[], &without(0));
    assert_eq!(rank(&mut ranking, [1; 8], &[], &without(100)).len(), 8);
}

#[test]
fn an_edge_that_leaves_stays_when_it_is_busy_again() {
    let mut ranking = Ranking::default();
    rank(&mut ranking, [0; 8], &[], &[(9, 0)]);
    assert_eq!(rank(&mut ranking, [20, 30, 30, 30, 30, 30, 30, 30], &[], &[(9, 50)]), [9]);
    let own = [520, 130, 130, 130, 130, 130, 130, 130];
    assert_eq!(rank(&mut ranking, own, &[(9, 10)], &[(9, 50)]), [0; 0], "it has an edge still");
    assert_eq!(silent(&mut ranking, &[1, 2, 9]), [9], "the other one is the least busy now");
}

#[test]
fn only_folded_ports_make_a_ranking_due() {
    let (mut ranking, every) = (Ranking::default(), Duration::from_secs(10));
    let at = Duration::from_secs;
    assert!(!ranking.is_due(at(1), every, 0));
    assert!(!ranking.is_due(at(5), every, 7), "not so soon");
    assert!(ranking.is_due(at(11), every, 7));
    assert!(!ranking.is_due(at(21), every, 7), "none since");
    assert!(ranking.is_due(at(31), every, 8));
}
