//! Protocols that are more than a request and its answer.

use super::exchange::{Scene, Shape, exchange};
use crate::{
    socket::Pair,
    stage::{needs, stage},
};
use netwhy_abi::{Counter, Role};
use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    time::Duration,
};

const THINK: Duration = Duration::from_millis(30);

/// A server's message that the client reads.
fn tell(pair: &mut Pair) {
    pair.server.write_all(&[0; 100]).unwrap();
    pair.client.read_exact(&mut [0; 100]).unwrap();
}

/// A client's message that the server reads.
fn ask(pair: &mut Pair) {
    pair.client.write_all(&[0; 100]).unwrap();
    pair.server.read_exact(&mut [0; 100]).unwrap();
}

#[test]
fn pipelined_requests_are_one_busy_period() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    for _ in 0..4 {
        pair.client.write_all(&[0; 100]).unwrap();
    }
    for _ in 0..4 {
        pair.server.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(THINK);
        tell(&mut pair);
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.wait_for(role, 1);
        assert!((29_000..3 * 30_000).contains(&times.durations.sum_us), "{times:?}");
    }
}

#[test]
fn the_first_byte_of_a_stream_is_the_answer() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    for _ in 0..3 {
        ask(&mut pair);
        std::thread::sleep(THINK);
        for _ in 0..5 {
            tell(&mut pair);
            std::thread::sleep(2 * THINK);
        }
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.wait_for(role, 3);
        assert!((3 * 29_000..3 * 60_000).contains(&times.durations.sum_us), "{times:?}");
    }
}

#[test]
fn connections_of_servers_that_send_unasked_are_left_out() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    // Confirmed by the client, but not each of them.
    tell(&mut pair);
    for _ in 0..5 {
        std::thread::sleep(THINK);
        tell(&mut pair);
        std::thread::sleep(THINK);
        tell(&mut pair);
        ask(&mut pair);
    }
    pair.finish();
    for role in Role::ALL {
        assert!(scene.of(role).is_zero(), "{:?}", scene.of(role));
    }
    assert!(scene.watch.counter(Counter::ResponsesLeftOut) >= 6, "{:?}", scene.watch.last.counters);
}

#[test]
fn what_answers_a_push_is_no_request_and_what_follows_is() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    exchange(&mut pair, Shape::think(THINK));
    std::thread::sleep(Duration::from_millis(1_200));
    tell(&mut pair);
    ask(&mut pair);
    std::thread::sleep(Duration::from_millis(1_200));
    tell(&mut pair);
    exchange(&mut pair, Shape::think(THINK));
    exchange(&mut pair, Shape::think(THINK));
    pair.finish();
    for role in Role::ALL {
        let times = scene.of(role);
        assert!((2..=3).contains(&times.durations.count()), "{times:?}");
        assert!(times.durations.sum_us < 3 * 100_000, "{times:?}");
    }
}

#[test]
fn a_server_that_greets_is_measured() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    tell(&mut pair);
    for _ in 0..5 {
        exchange(&mut pair, Shape::think(THINK));
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.wait_for(role, 5);
        assert!((5 * 29_000..5 * 60_000).contains(&times.durations.sum_us), "{times:?}");
    }
}

#[test]
fn half_closed_clients_get_their_answers() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let listener = stage.listen(&scene.server);
    let to = stage.address(&scene.server, &listener);
    for _ in 0..10 {
        let mut pair = Pair::open(&stage, &scene.client, &listener, to);
        pair.client.write_all(&[0; 100]).unwrap();
        pair.client.shutdown(Shutdown::Write).unwrap();
        pair.server.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(THINK);
        pair.server.write_all(&[0; 100]).unwrap();
        pair.client.read_exact(&mut [0; 100]).unwrap();
        pair.finish();
    }
    for role in Role::ALL {
        let times = scene.wait_for(role, 10);
        assert!((10 * 29_000..10 * 60_000).contains(&times.durations.sum_us), "{times:?}");
    }
}

#[test]
fn servers_that_answer_and_close_are_measured() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let listener = stage.listen(&scene.server);
    let to = stage.address(&scene.server, &listener);
    for _ in 0..50 {
        let Pair { mut client, mut server } = Pair::open(&stage, &scene.client, &listener, to);
        client.write_all(&[0; 100]).unwrap();
        server.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        server.write_all(&[0; 100]).unwrap();
        drop(server);
        client.read_to_end(&mut Vec::new()).unwrap();
    }
    for role in Role::ALL {
        let times = scene.wait_for(role, 50);
        assert!((50 * 1_900..50 * 20_000).contains(&times.durations.sum_us), "{times:?}");
    }
}
