//! Full-size segments that never arrive: a path that takes less than its ends believe, and says nothing.

use crate::{
    loss::{drop_at, heal},
    socket::Pair,
    stage::{Stage, Watch, id, stage, wait_until},
};
use netwhy_abi::Retransmit;
use netwhy_agent::sample::Tally;
use std::io::Write as _;

/// Timeouts that are waited for: 0.2, 0.4, 0.8 and 1.6 s after each other.
const TIMEOUTS: u64 = 4;

fn connected(stage: &Stage) -> Pair {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let pair = Pair::open(stage, &client, &listener, stage.address(&server, &listener));
    rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
    pair
}

/// The client's counters once there are enough timeouts.
fn timeouts(stage: &Stage, watch: &mut Watch) -> Tally {
    let client = id(&stage.pod("a", "client"));
    wait_until("a few timeouts", || {
        watch.read();
        watch.of(client).retransmits[Retransmit::Timeout as usize] >= TIMEOUTS
    });
    watch.of(client)
}

#[test]
fn full_size_segments_that_never_arrive_are_counted_while_small_ones_pass() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let mut pair = connected(&stage);
    // No ICMP tells the sender.
    drop_at(stage.node("b"), "meta length > 1000");
    for _ in 0..5 {
        pair.exchange(500, 500);
    }
    watch.read();
    assert_eq!(watch.all().retransmitted(), 0, "what is small passes");
    pair.client.write_all(&[0; 20_000]).unwrap();
    let counted = timeouts(&stage, &mut watch);
    assert!(counted.full_size_timeouts >= TIMEOUTS - 1, "{counted:?}");
    assert!(counted.full_size_timeouts <= counted.retransmits[Retransmit::Timeout as usize], "{counted:?}");
    // So do handshakes.
    connected(&stage).finish();
    heal(stage.node("b"));
}

#[test]
fn timeouts_of_small_segments_are_not_of_full_size() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let mut pair = connected(&stage);
    pair.exchange(500, 500);
    drop_at(stage.node("b"), "meta l4proto tcp");
    pair.client.write_all(&[0; 500]).unwrap();
    let counted = timeouts(&stage, &mut watch);
    assert_eq!(counted.full_size_timeouts, 0, "{counted:?}");
    heal(stage.node("b"));
}
