//! Packets of one connection that take several ways, and connections of which only some take the bad one.

use crate::{
    loss::{drop_at, heal},
    mib,
    socket::Pair,
    stage::{PATIENCE, id, needs, stage},
};
use netwhy_abi::Retransmit;
use std::time::Instant;

#[test]
fn segments_out_of_order_equal_the_kernels_count() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    for node in stage.lab.net().nodes() {
        node.run(&["ip", "link", "set", "dev", node.device, "gso_max_segs", "1"]).unwrap();
    }
    let _path = stage.lab.delay(stage.node("b"), &["--share", "20", "--delay-ms", "3"]).unwrap();
    for living in [true, false] {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
        pair.bulk(4 << 20);
        if living {
            watch.read();
        }
        pair.finish();
    }
    watch.read();
    let kernel: u64 = stage
        .lab
        .net()
        .nodes()
        .iter()
        .flat_map(|node| {
            ["TCPSACKReorder", "TCPTSReorder", "TCPRenoReorder"].map(|name| mib::read(node, "TcpExt", name))
        })
        .sum();
    let counted = watch.all();
    assert!(kernel > 0, "the path reorders");
    assert_eq!(counted.reorderings, kernel, "{counted:?}");
    assert!(counted.retransmits[Retransmit::Spurious as usize] > 0, "late segments were resent: {counted:?}");
}

#[test]
fn losses_of_a_connection_that_lost_before_are_counted_apart() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pairs = [(); 2].map(|()| Pair::open(&stage, &client, &listener, to));
    for pair in &pairs {
        rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
    }
    let port = pairs[0].client.local_addr().unwrap().port();
    drop_at(stage.node("b"), &format!("tcp sport {port} numgen random mod 100 < 3"));
    let (client, end) = (id(&client), Instant::now() + PATIENCE);
    loop {
        pairs.iter_mut().for_each(|pair| pair.bulk(1 << 20));
        watch.read();
        let counted = watch.of(client);
        assert!(counted.repeated_episodes <= counted.loss_episodes, "{counted:?}");
        assert!(counted.segs_after_loss <= counted.data_segs_out, "{counted:?}");
        if counted.repeated_episodes >= 3 && counted.lossy_sockets > 0 {
            // The other connection sent as much.
            assert!(
                counted.segs_after_loss > 0 && counted.segs_after_loss * 5 < counted.data_segs_out * 4,
                "{counted:?}"
            );
            break;
        }
        assert!(Instant::now() < end, "{counted:?}");
    }
    heal(stage.node("b"));
}
