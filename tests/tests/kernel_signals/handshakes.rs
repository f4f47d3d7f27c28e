//! How long handshakes take.

use crate::{
    loss::{drop_at, dropped, heal},
    socket::Pair,
    stage::{id, stage, wait_until},
};
use netwhy_abi::Role;

#[test]
fn a_handshake_takes_the_path_and_one_second_more_for_a_lost_syn() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let b = stage.node("b").clone();
    // The neighbours must know each other, or asking for the address is part of the handshake.
    Pair::open(&stage, &client, &listener, to).finish();
    let mut watch = stage.watch();
    let _path = stage.lab.delay(&b, &["--delay-ms", "10"]).unwrap();
    let quick = Pair::open(&stage, &client, &listener, to);
    watch.read();
    let role = |role: Role, pod| watch.sums().cgroups[&id(pod)].durations[role as usize].clone();
    let (at_client, at_server) = (role(Role::Client, &client), role(Role::Server, &server));
    for (end, histogram) in [("client", &at_client), ("server", &at_server)] {
        assert_eq!(histogram.count(), 1, "{end}");
        let us = histogram.mean_us().unwrap();
        assert!((20_000.0..25_000.0).contains(&us), "{end}: {us} µs over a path of 20 ms");
    }
    drop_at(&b, "meta l4proto tcp");
    let late = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| stage.connect(&client, to).unwrap());
        wait_until("the first SYN is lost", || dropped(&b) > 0);
        heal(&b);
        Pair::of(connecting.join().unwrap(), &listener)
    });
    watch.read();
    let role = |role: Role, pod| watch.sums().cgroups[&id(pod)].durations[role as usize].clone();
    let us = role(Role::Client, &client).sum_us - at_client.sum_us;
    assert!((1_000_000..1_300_000).contains(&us), "{us} µs with one SYN lost");
    let us = role(Role::Server, &server).sum_us - at_server.sum_us;
    assert!((20_000..25_000).contains(&us), "{us} µs: the server heard of one SYN alone");
    drop((quick, late));
}
