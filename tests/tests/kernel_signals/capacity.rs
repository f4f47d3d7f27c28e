//! Full maps: nothing vanishes, and it is said.

use crate::{
    socket::{Flow, Pair},
    stage::{Options, id, stage},
};
use netwhy_abi::{Counter, OverflowKey, PeerClass, memory::Limits};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
};

#[test]
fn what_does_not_fit_into_the_edge_map_is_summed_by_class() {
    let stage = stage!("a");
    let limits = Limits { cgroups: 64, edges: 4, drops: 64, prefixes: 8 };
    // 127.0.0.0 … .7 are on the same Node, the rest has no prefix.
    let prefix = (Ipv4Addr::new(127, 0, 0, 0).to_ipv6_mapped(), 96 + 29, PeerClass::SameNode);
    let mut watch = stage.watch_with(Options { limits, prefixes: vec![prefix], ..Options::default() });
    let (client, server) = (stage.pod("a", "client"), stage.pod("a", "server"));
    let listener = stage.listen(&server);
    let port = listener.local_addr().unwrap().port();
    let (mut same_node, mut external, mut at_server) = (Flow::default(), Flow::default(), Flow::default());
    let mut pairs = Vec::new();
    for host in 1..=16u8 {
        let to = SocketAddr::new(Ipv4Addr::new(127, 0, 0, host).into(), port);
        let mut pair = Pair::open(&stage, &client, &listener, to);
        (0..20).for_each(|_| pair.exchange(500, 1_500));
        pairs.push((host, pair));
        // The read reports a full map to the programs.
        watch.read();
    }
    for (host, pair) in pairs {
        let (client, server) = pair.finish();
        *(if host < 8 { &mut same_node } else { &mut external }) += client;
        at_server += server;
    }
    watch.read();
    assert_eq!(watch.sums().edges.len(), 4, "as many as there is room for");
    assert!(watch.counter(Counter::EdgesFull) > 0);
    assert_eq!(watch.counter(Counter::OverflowFull), 0);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
    let mut both = same_node;
    both += external;
    assert_eq!(Flow::from(watch.of(id(&client))), both, "edges and overflow together are exact");
    assert_eq!(watch.of(id(&client)).connects, [16, 0]);
    // The first addresses are on the same Node and fill the map: all external traffic overflows.
    let classes: BTreeSet<_> = watch.sums().overflow.keys().filter(|key| key.cgroup == id(&client)).collect();
    assert_eq!(classes.len(), 2, "{classes:?}");
    assert_eq!(
        Flow::from(watch.sums().overflow[&OverflowKey::new(id(&client), PeerClass::External)].clone()),
        external
    );
}

#[test]
fn samples_that_fit_nowhere_are_counted_as_lost() {
    let stage = stage!("a");
    let limits = Limits { cgroups: 2, edges: 1, drops: 1, prefixes: 8 };
    let mut watch = stage.watch_with(Options { limits, ..Options::default() });
    let server = stage.pod("a", "server");
    let listener = stage.listen(&server);
    for n in 0..6 {
        let client = stage.pod("a", &format!("client-{n}"));
        let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
        pair.exchange(100, 100);
        pair.finish();
    }
    watch.read();
    assert!(watch.counter(Counter::OverflowFull) > 0, "{:?}", watch.last.counters);
    assert!(watch.counter(Counter::CgroupsFull) > 0, "{:?}", watch.last.counters);
    assert_eq!((watch.sums().edges.len(), watch.sums().overflow.len()), (1, 2));
}
