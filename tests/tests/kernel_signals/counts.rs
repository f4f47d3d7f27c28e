//! Segments and bytes: exactly what the sockets themselves counted.

use crate::{
    socket::{Flow, Pair},
    stage::{LIVING, id, stage},
};

#[test]
fn closed_connections_count_exactly_what_their_tcp_info_said() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    for n in 0..20 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        for _ in 0..n {
            pair.exchange(100 + n, 3_000 * n);
        }
        let (client, server) = pair.finish();
        at_client += client;
        at_server += server;
    }
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
    // The sums are payload, a byte for each FIN, and for the client's SYN.
    let payload: u64 = (0..20).map(|n| n * (100 + n)).sum();
    assert_eq!((at_server.bytes_received, at_client.bytes_acked), (payload + 20, payload + 2 * 20));
}

#[test]
fn living_connections_count_exactly_at_every_walk() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pairs: Vec<Pair> = (0..5).map(|_| Pair::open(&stage, &client, &listener, to)).collect();
    for round in 1..=3 {
        pairs.iter_mut().for_each(|pair| (0..200).for_each(|_| pair.exchange(200 * round, 5_000)));
        // A delayed ACK may fall between the sockets' figures and the walk: look again then.
        let sums = || {
            let mut sums = (Flow::default(), Flow::default());
            pairs.iter().map(Pair::flows).for_each(|(client, server)| {
                sums.0 += client;
                sums.1 += server;
            });
            sums
        };
        let mut before = sums();
        let expected = loop {
            watch.read();
            let after = sums();
            if before == after {
                break after;
            }
            before = after;
        };
        let expected = if LIVING.is_lacking() { <(Flow, Flow)>::default() } else { expected };
        assert_eq!(Flow::from(watch.of(id(&client))), expected.0, "round {round}");
        assert_eq!(Flow::from(watch.of(id(&server))), expected.1, "round {round}");
    }
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    pairs.into_iter().map(Pair::finish).for_each(|(client, server)| {
        at_client += client;
        at_server += server;
    });
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client, "also after they closed");
    assert_eq!(Flow::from(watch.of(id(&server))), at_server, "also after they closed");
}

#[test]
fn offloaded_bulk_counts_segments_not_packets() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    let bytes = 64 << 20;
    pair.bulk(bytes / 2);
    watch.read();
    pair.bulk(bytes / 2);
    let (at_client, at_server) = pair.finish();
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
    // The cable carries 1,448 bytes of payload in a segment.
    assert!(at_client.data_segs_out >= bytes as u64 / 1_448, "{at_client:?}");
}

#[test]
fn a_socket_that_is_used_again_after_a_disconnect_counts_both_lives() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut expected = Flow::default();
    let mut first = Pair::open(&stage, &client, &listener, to);
    first.exchange(10_000, 10);
    watch.read();
    let first_life = Flow::of(&first.client);
    expected += first_life;
    let again = first.client;
    // SAFETY: an address of the family "none", its whole length, disconnects a TCP socket; see connect(2).
    let rc = unsafe {
        use std::os::fd::AsRawFd as _;
        let mut none: libc::sockaddr = std::mem::zeroed();
        none.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
        libc::connect(again.as_raw_fd(), &raw const none, size_of::<libc::sockaddr>() as libc::socklen_t)
    };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
    drop(first.server);
    rustix::net::connect(&again, &to).unwrap();
    let mut second = Pair::of(again, &listener);
    second.exchange(300, 10);
    watch.read();
    second.exchange(300, 10);
    expected += second.finish().0;
    watch.read();
    if LIVING.is_lacking() {
        // Nothing was kept of the first when it was reset to zero.
        expected = expected - first_life;
    }
    let counted = Flow::from(watch.of(id(&client)));
    assert_eq!(counted.bytes_acked, expected.bytes_acked);
    assert_eq!(counted.data_segs_out, expected.data_segs_out);
}
