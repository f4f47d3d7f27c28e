use crate::{
    join::fixture::{join, snapshot},
    peers::{Peer, PeerTable},
    state::NodeView,
};
use netwhy_abi::PeerClass;
use std::{net::Ipv4Addr, ops::RangeInclusive, sync::Arc};

const PLACES: usize = 3;

/// A cluster of these Nodes, each with one address.
fn cluster(nodes: RangeInclusive<u8>) -> Arc<PeerTable> {
    let peer = |i: u8| {
        let node = Some(format!("node-{i}").into());
        let peer = Peer { node, ..Peer::range(PeerClass::SameZone) };
        (Ipv4Addr::new(10, 0, 0, i).to_ipv6_mapped(), 128, peer)
    };
    Arc::new(PeerTable::new(nodes.map(peer)))
}

fn peer_sums(view: &NodeView) -> Vec<(Option<&str>, u64)> {
    view.peer_nodes.iter().map(|p| (p.node.as_deref(), p.totals.data_segs_out)).collect()
}

#[test]
fn nodes_that_are_gone_give_their_places_up_and_no_sum_falls() {
    let mut join = join(PLACES);
    let (mut sent, mut others, mut all) = ([0; 256], 0, 0);
    for first in 1..=40u8 {
        join.set_peers(cluster(first..=first + 2));
        let nodes: Vec<u8> = (first..=first + 2).collect();
        nodes.iter().for_each(|i| sent[usize::from(*i)] += 10);
        let rows: Vec<(u64, u8, u64)> = nodes.iter().map(|i| (1, *i, sent[usize::from(*i)])).collect();
        let view = join.take(&snapshot(u64::from(first), &rows, true));
        let sums = peer_sums(&view);
        for i in &nodes {
            let name = format!("node-{i}");
            let own = sums.iter().find(|(node, _)| *node == Some(name.as_str()));
            assert_eq!(own.map(|(_, n)| *n), Some(sent[usize::from(*i)]), "each living Node has its own: {sums:?}");
        }
        assert!(sums.len() <= PLACES + 1, "{sums:?}");
        let now_others = sums.iter().find(|(node, _)| node.is_none()).map_or(0, |(_, n)| *n);
        let now_all: u64 = sums.iter().map(|(_, n)| n).sum();
        assert!(now_others >= others && now_all == all + 30, "{sums:?}");
        (others, all) = (now_others, now_all);
    }
}

#[test]
fn a_node_that_is_gone_keeps_its_sums_until_its_place_is_needed() {
    let mut join = join(PLACES);
    join.set_peers(cluster(1..=2));
    join.take(&snapshot(1, &[(1, 1, 5), (1, 2, 7)], true));
    join.set_peers(cluster(2..=3));
    let view = join.take(&snapshot(2, &[(1, 3, 1)], true));
    assert_eq!(peer_sums(&view), [(Some("node-1"), 5), (Some("node-2"), 7), (Some("node-3"), 1)]);
    join.set_peers(cluster(1..=4));
    let view = join.take(&snapshot(3, &[(1, 4, 1)], true));
    assert_eq!(peer_sums(&view)[0], (None, 1), "it is back, so that nobody gives a place up");
}
