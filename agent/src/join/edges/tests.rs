use crate::{
    join::fixture::{join, snapshot},
    names::Answer,
};
use std::net::Ipv4Addr;

#[test]
fn the_busiest_edges_are_shown_and_all_count_for_their_subject() {
    let mut join = join(1);
    // Those with even numbers are as busy.
    let sent = |peer: u8| if peer.is_multiple_of(2) { 50 } else { u64::from(peer) };
    let rows: Vec<(u64, u8, u64)> = (1..=12).map(|peer| (1, peer, sent(peer))).collect();
    let mut snapshot = snapshot(1, &rows, true);
    for (_, edge) in &mut snapshot.tables.edges.rows {
        edge.segs_out = edge.data_segs_out;
    }
    snapshot.tables.edges.rows[0].1.loss_episodes = 1;
    // The order of the rows is that of a hash map.
    snapshot.tables.edges.rows.reverse();
    let view = join.take(&snapshot);
    let peers: Vec<u8> = view.edges.iter().map(|edge| edge.peer.octets()[15]).collect();
    assert_eq!(peers, [1, 2, 4, 6, 8, 10, 12, 11]);
    let window = &view.subjects[0].window;
    assert_eq!((window.data_segs_out, window.loss_episodes), (336, 1));
}

/// Spurious retransmissions of timers began no loss.
#[test]
fn needless_episodes_count_neither_for_an_edge_nor_for_its_subject() {
    let mut join = join(1);
    let mut snapshot = snapshot(1, &[(1, 1, 100), (1, 2, 100)], true);
    for (_, edge) in &mut snapshot.tables.edges.rows {
        edge.loss_episodes = 3;
        edge.retransmits[netwhy_abi::Retransmit::Timeout as usize] = 2;
        edge.retransmits[netwhy_abi::Retransmit::Spurious as usize] = 2;
    }
    let view = join.take(&snapshot);
    assert_eq!(view.edges.iter().map(|edge| edge.window.loss_episodes).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(view.subjects[0].window.loss_episodes, 2);
}

#[test]
fn an_edge_has_the_name_that_its_own_subject_looked_up() {
    let mut join = join(1);
    let mut snapshot = snapshot(1, &[(1, 1, 100), (1, 2, 100), (2, 1, 100)], true);
    let addresses = vec![Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped()];
    snapshot.answers = vec![Answer { cgroup: 1, name: "api.example.com".into(), addresses, ttl_seconds: 60 }];
    let view = join.take(&snapshot);
    let named: Vec<_> = view.edges.iter().filter(|edge| edge.peer_dns_name.is_some()).collect();
    assert_eq!((view.edges.len(), named.len()), (3, 1), "{named:?}");
    let edge = named[0];
    assert_eq!((edge.subject.name.as_str(), edge.peer.octets()[15]), ("cgroup-1", 1));
    assert_eq!(edge.peer_dns_name.as_deref(), Some("api.example.com"));
    let rows = crate::responses::edges(&view, |_| true);
    let names: Vec<_> = rows.iter().filter_map(|row| row.peer_dns_name.as_deref()).collect();
    assert_eq!(names, ["api.example.com"]);
    join.set_names_off(true);
    snapshot.at += std::time::Duration::from_secs(1);
    assert!(join.take(&snapshot).edges.iter().all(|edge| edge.peer_dns_name.is_none()));
}
