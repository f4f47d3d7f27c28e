//! Requests that nobody answers, and gaps of observation.

use super::exchange::{Scene, Shape, exchange, options, stage as stage_of};
use crate::{
    socket::Pair,
    stage::{id, needs, stage, wait_until},
};
use netwhy_abi::{Counter, FINE_BUCKETS, Role};
use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

const THINK: Duration = Duration::from_millis(20);

#[test]
fn a_request_without_an_answer_counts_in_the_last_bucket_when_its_socket_ends() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    exchange(&mut pair, Shape::think(THINK));
    // Nobody reads it.
    pair.client.write_all(&[0; 100]).unwrap();
    std::thread::sleep(Duration::from_millis(1_300));
    drop(pair);
    for role in Role::ALL {
        wait_until("the request is counted", || scene.of(role).unanswered == 1);
        let times = scene.of(role);
        let last = times.durations.counts().last().copied();
        assert_eq!((times.durations.count(), last), (2, Some((FINE_BUCKETS as u8 - 1, 1))), "{times:?}");
        assert!(times.durations.sum_us >= 1_300_000, "{times:?}");
        let stage = if role == Role::Server { "unread" } else { "peer" };
        assert!(stage_of(&times, role, stage) >= 1_290_000, "{times:?}");
    }
}

#[test]
fn what_ends_at_once_or_never_answers_is_no_slow_request() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    // Given up at once.
    let mut pair = scene.connect();
    exchange(&mut pair, Shape::think(THINK));
    pair.client.write_all(&[0; 100]).unwrap();
    drop(pair);
    // On another edge, a protocol that never answers.
    let mut pair = scene.connect();
    for _ in 0..12 {
        pair.client.write_all(&[0; 100]).unwrap();
        pair.server.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(pair);
    wait_until("the ends are seen", || {
        scene.watch.read();
        scene.watch.counter(Counter::ResponsesUnfinished) >= 4
    });
    for role in Role::ALL {
        let times = scene.of(role);
        assert_eq!((times.durations.count(), times.unanswered), (1, 0), "{times:?}");
    }
}

#[test]
fn connections_older_than_the_agent_are_measured_from_their_next_exchange_on() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    exchange(&mut pair, Shape::think(THINK));
    // A request is under way while the agent starts.
    pair.client.write_all(&[0; 100]).unwrap();
    pair.server.read_exact(&mut [0; 100]).unwrap();
    let watch = stage.watch_with(options());
    let mut scene = Scene { stage: &stage, client, server, watch };
    pair.server.write_all(&[0; 100]).unwrap();
    pair.client.read_exact(&mut [0; 100]).unwrap();
    for _ in 0..5 {
        exchange(&mut pair, Shape::think(THINK));
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.of(role);
        assert!((4..=5).contains(&times.durations.count()), "{times:?}");
        assert!(times.durations.sum_us < times.durations.count() * 100_000, "{times:?}");
    }
}

#[test]
fn no_time_spans_a_gap_of_observation() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    exchange(&mut pair, Shape::think(THINK));
    for _ in 0..3 {
        pair.client.write_all(&[0; 100]).unwrap();
        pair.server.read_exact(&mut [0; 100]).unwrap();
        scene.watch.source.loaded_mut().detach();
        pair.server.write_all(&[0; 100]).unwrap();
        pair.client.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        pair.client.write_all(&[0; 100]).unwrap();
        pair.server.read_exact(&mut [0; 100]).unwrap();
        scene.watch.source.loaded_mut().attach().unwrap();
        pair.server.write_all(&[0; 100]).unwrap();
        pair.client.read_exact(&mut [0; 100]).unwrap();
        for _ in 0..2 {
            exchange(&mut pair, Shape::think(THINK));
        }
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.of(role);
        assert!((4..=7).contains(&times.durations.count()), "{times:?}");
        assert!(times.durations.sum_us < times.durations.count() * 100_000, "{times:?}");
    }
}

#[test]
fn each_edge_has_its_own_response_times() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let (mut fast, mut slow) = (scene.connect(), scene.connect());
    for _ in 0..5 {
        exchange(&mut fast, Shape::think(Duration::ZERO));
        exchange(&mut slow, Shape::think(Duration::from_millis(60)));
    }
    let ports = [&fast, &slow].map(|pair| pair.server.local_addr().unwrap().port());
    fast.finish();
    slow.finish();
    scene.wait_for(Role::Client, 10);
    scene.wait_for(Role::Server, 10);
    for pod in [&scene.client, &scene.server] {
        let means = ports.map(|port| {
            let sums = scene.watch.sums();
            let rows = sums.responses.iter().filter(|(key, _)| (key.cgroup, key.port) == (id(pod), port));
            let times: Vec<_> = rows.map(|(_, times)| times).collect();
            assert_eq!(times.len(), 1, "one row of port {port}");
            assert_eq!(times[0].durations.count(), 5);
            times[0].durations.mean_us().unwrap()
        });
        assert!(means[1] > 58_000.0 && means[0] < 30_000.0, "{means:?}");
    }
}
