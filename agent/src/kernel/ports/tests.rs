use super::ports_left;
use netwhy_abi::EdgeKey;
use std::collections::BTreeMap;

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
