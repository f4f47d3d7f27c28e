//! Sampling that changes while connections live.

use super::scene::{Scene, ask, options, wait_for_delayed_ack};
use crate::{
    socket::Pair,
    stage::{needs, stage},
};
use netwhy_abi::Role;
use netwhy_agent::kernel::{Mode, Rates};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// Exchanges of a round: fewer than may be read of a cgroup in one period.
const ROUND: u64 = 10;
const ON: [(&str, Mode); 2] = [("responses", Mode::On), ("http", Mode::On)];
const OFF: [(&str, Mode); 2] = [("responses", Mode::On), ("http", Mode::Off)];
/// No exchange: the smallest share is one in 2³².
const RARE: f64 = 0.0;

/// Takes over a share and the modes, and returns the exchanges of a round that were looked at, by role.
fn looked_at(scene: &mut Scene<'_>, pair: &mut Pair, share: f64, modes: &[(&str, Mode)]) -> [u64; 2] {
    let rates = Rates { http_share: share, grpc_share: share, ..options().rates() };
    scene.watch.source.configure(&rates, options().pace(), modes);
    // The programs learn it at the end of a snapshot. A second one has all that was counted before.
    scene.read();
    wait_for_delayed_ack();
    scene.read();
    let before = Role::ALL.map(|role| scene.looked_at(role).0);
    for _ in 0..ROUND {
        ask(pair, "GET /often HTTP/1.1\r\n\r\n", OK);
    }
    // A server's last answer counts when it is acknowledged.
    wait_for_delayed_ack();
    scene.read();
    let after = Role::ALL.map(|role| scene.looked_at(role).0);
    [0, 1].map(|role| after[role] - before[role])
}

#[test]
fn a_changed_share_applies_to_connections_that_live() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    for _ in 0..2 {
        let seen = looked_at(&mut scene, &mut pair, 1.0, &ON);
        // The first exchange of a period of observation may be left out.
        assert!(seen.iter().all(|seen| (ROUND - 3..=ROUND).contains(seen)), "{seen:?}");
        assert_eq!(looked_at(&mut scene, &mut pair, RARE, &ON), [0; 2]);
    }
    pair.finish();
}

#[test]
fn nothing_is_read_while_the_signal_is_off() {
    needs!(HTTP);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (listener, to) = scene.listen();
    let mut pair = scene.connect(&listener, to);
    for _ in 0..2 {
        let seen = looked_at(&mut scene, &mut pair, 1.0, &ON);
        assert!(seen.iter().all(|seen| (ROUND - 3..=ROUND).contains(seen)), "{seen:?}");
        assert_eq!(looked_at(&mut scene, &mut pair, 1.0, &OFF), [0; 2]);
    }
    pair.finish();
}
