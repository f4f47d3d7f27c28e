//! A cgroup under a close-up on a busy machine: nothing of it is sampled.

use super::{
    busy::busy,
    exchange::{Scene, Shape, exchange, options},
};
use crate::{
    socket::Pair,
    stage::{Options, id, needs, stage, wait_until},
};
use netwhy_abi::{Role, pick::BUSY_MASK};
use std::{collections::BTreeSet, time::Duration};

/// Connections: no multiple of the busy machine's weight.
const CONNECTIONS: usize = 61;
/// Exchanges of each, few, so that no walk comes between.
const ROUNDS: usize = 3;

/// Short connections from the client to the server. Returns how many exchanges are counted, and how many there were.
pub(super) fn short_connections(scene: &mut Scene<'_>) -> (u64, u64) {
    let listener = scene.stage.listen(&scene.server);
    let to = scene.stage.address(&scene.server, &listener);
    let before = scene.of(Role::Client).durations.count();
    for _ in 0..CONNECTIONS {
        let mut pair = Pair::open(scene.stage, &scene.client, &listener, to);
        for _ in 0..ROUNDS {
            exchange(&mut pair, Shape::think(Duration::ZERO));
        }
        pair.finish();
    }
    (scene.of(Role::Client).durations.count() - before, (CONNECTIONS * ROUNDS) as u64)
}

#[test]
fn every_exchange_of_a_close_up_counts_once_and_afterwards_connections_are_chosen_again() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = busy(&stage);
    let weight = u64::from(BUSY_MASK + 1);
    let (counted, _) = short_connections(&mut scene);
    assert_eq!(counted % weight, 0, "chosen connections stand for {weight}");
    scene.watch.source.set_close_ups(&BTreeSet::from([id(&scene.client)]));
    let (counted, truth) = short_connections(&mut scene);
    assert_eq!(counted, truth, "{:?}", scene.watch.missed());
    // The other end is not under a close-up.
    scene.watch.source.set_close_ups(&BTreeSet::from([id(&scene.server)]));
    let (counted, _) = short_connections(&mut scene);
    assert_eq!(counted % weight, 0, "the client's own are chosen again");
    scene.watch.source.set_close_ups(&BTreeSet::new());
    assert_eq!(short_connections(&mut scene).0 % weight, 0);
}

#[test]
fn a_connection_that_is_under_way_counts_from_the_begin_of_the_close_up() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = busy(&stage);
    let mut pairs: Vec<Pair> = (0..8).map(|_| scene.connect()).collect();
    let mut rounds = |scene: &mut Scene<'_>| {
        let before = scene.of(Role::Client).durations.count();
        for _ in 0..20 {
            for pair in &mut pairs {
                exchange(pair, Shape::think(Duration::ZERO));
            }
        }
        scene.of(Role::Client).durations.count() - before
    };
    // Whatever walks keep.
    rounds(&mut scene);
    scene.watch.source.set_close_ups(&BTreeSet::from([id(&scene.client)]));
    // The first answer that arrives has a request that nobody saw.
    assert_eq!(rounds(&mut scene), 8 * 19);
    for _ in 0..3 {
        assert_eq!(rounds(&mut scene), 8 * 20, "walks change nothing");
    }
}

#[test]
fn every_segment_of_a_close_up_gives_an_rtt_sample_on_a_busy_machine() {
    const ROUNDS: u64 = 400;
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    // No walk, which would sample too.
    let rare = Duration::from_secs(3600);
    let options = Options { rtt_duty_above: 0, walk_min_interval: rare, ..options() };
    let mut watch = stage.watch_with(options);
    let is_reduced = |watch: &crate::stage::Watch| watch.source.loaded().rtt_stats().unwrap().is_reduced;
    wait_until("the machine counts as busy", || {
        watch.read();
        is_reduced(&watch)
    });
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let samples = |watch: &mut crate::stage::Watch| {
        watch.read();
        let before = watch.of(id(&client)).rtt.count();
        let mut pair = Pair::open(&stage, &client, &listener, to);
        (0..ROUNDS).for_each(|_| pair.exchange(100, 100));
        watch.read();
        watch.of(id(&client)).rtt.count() - before
    };
    watch.source.set_close_ups(&BTreeSet::from([id(&client)]));
    watch.read();
    assert!(!is_reduced(&watch), "the probe stays attached");
    let counted = samples(&mut watch);
    assert!(counted >= ROUNDS * 9 / 10, "{counted} of {ROUNDS}");
    watch.source.set_close_ups(&BTreeSet::from([id(&server)]));
    watch.read();
    let counted = samples(&mut watch);
    assert!(counted < ROUNDS / 2, "{counted} of {ROUNDS}: others are sampled as before");
    watch.source.set_close_ups(&BTreeSet::new());
    watch.read();
    assert!(is_reduced(&watch), "the duty cycle is back");
}
