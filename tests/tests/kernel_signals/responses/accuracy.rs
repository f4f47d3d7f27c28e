//! Think times with and without loss.

use super::exchange::{Bounds, Moments, Scene, Shape, agrees, exchange, is_about, stage as stage_of};
use crate::{
    loss::{drop_at, heal},
    socket::Pair,
    stage::{needs, stage},
};
use netwhy_abi::Role;
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

/// Think times, and how many requests each is measured with.
const THINK: [(Duration, usize); 4] = [
    (Duration::from_millis(1), 300),
    (Duration::from_millis(5), 150),
    (Duration::from_millis(50), 40),
    (Duration::from_millis(500), 6),
];

fn bounds(moments: &[Moments], of: fn(&Moments) -> Bounds) -> Vec<Bounds> {
    moments.iter().map(of).collect()
}

/// Every think time with a congestion control, both ends against their clocks.
fn is_exact(congestion_control: &str, loss_percent: f64) {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let available = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control").unwrap();
    if !available.split_whitespace().any(|name| name == congestion_control) {
        println!("SKIP {congestion_control}: machine: the kernel has no such congestion control");
        return;
    }
    for (think, count) in THINK {
        let mut scene = Scene::open(&stage);
        let (before_client, before_server) = (scene.of(Role::Client), scene.of(Role::Server));
        let mut pair = scene.connect();
        for socket in [&pair.client, &pair.server] {
            rustix::net::sockopt::set_tcp_congestion(socket, congestion_control).unwrap();
        }
        if loss_percent > 0.0 {
            for node in ["a", "b"] {
                let rule = format!("meta l4proto tcp numgen random mod 10000 < {}", (loss_percent * 100.0) as u32);
                drop_at(stage.node(node), &rule);
            }
        }
        let moments: Vec<Moments> = (0..count).map(|_| exchange(&mut pair, Shape::think(think))).collect();
        if loss_percent > 0.0 {
            for node in ["a", "b"] {
                heal(stage.node(node));
            }
        }
        pair.finish();
        assert!(before_client.is_zero() && before_server.is_zero());
        let (client, server) = (scene.wait_for(Role::Client, count as u64), scene.wait_for(Role::Server, count as u64));
        let what = format!("{congestion_control}, {loss_percent} % loss, {think:?}");
        agrees(&format!("client, {what}"), &client.durations, &bounds(&moments, Moments::at_client));
        agrees(&format!("server, {what}"), &server.durations, &bounds(&moments, Moments::at_server));
        let whole: u64 = client.stages(Role::Client).iter().map(|(_, us)| us).sum();
        assert_eq!(whole, client.durations.sum_us);
        let whole: u64 = server.stages(Role::Server).iter().map(|(_, us)| us).sum();
        assert_eq!(whole, server.durations.sum_us);
    }
}

#[test]
fn response_times_of_cubic_are_exact() {
    is_exact("cubic", 0.0);
}

#[test]
fn response_times_of_bbr_are_exact() {
    is_exact("bbr", 0.0);
}

#[test]
fn response_times_of_cubic_are_exact_under_loss() {
    is_exact("cubic", 2.0);
}

#[test]
fn response_times_of_bbr_are_exact_under_loss() {
    is_exact("bbr", 2.0);
}

#[test]
fn a_servers_time_is_split_at_its_first_read() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    let (unread, think) = (Duration::from_millis(30), Duration::from_millis(50));
    let shape = Shape { unread, ..Shape::think(think) };
    let moments: Vec<Moments> = (0..20).map(|_| exchange(&mut pair, shape)).collect();
    pair.finish();
    let server = scene.wait_for(Role::Server, 20);
    agrees("server", &server.durations, &bounds(&moments, Moments::at_server));
    let sum = |of: fn(&Moments) -> Duration| moments.iter().map(of).sum::<Duration>();
    let read = sum(|m| m.read.duration_since(m.asked[0]));
    is_about("unread", stage_of(&server, Role::Server, "unread"), unread * 20, read);
    let (low, high) = (sum(|m| m.answered[0] - m.read), sum(|m| m.answered[1] - m.read));
    // The first read is a little before the moment that the application notes.
    let room = read.saturating_sub(unread * 20);
    is_about("application", stage_of(&server, Role::Server, "application"), low, high + room);
}

#[test]
fn the_first_request_of_a_connection_is_unread_while_it_waits_for_accept() {
    needs!(RESPONSES);
    needs!(FIRST_EXCHANGES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let listener = stage.listen(&scene.server);
    let to = stage.address(&scene.server, &listener);
    let (wait, think) = (Duration::from_millis(60), Duration::from_millis(30));
    let (mut read, mut answered) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..5 {
        let mut client = stage.connect(&scene.client, to).unwrap();
        let asked = Instant::now();
        client.write_all(&[0; 100]).unwrap();
        std::thread::sleep(wait);
        let mut pair = Pair::of(client, &listener);
        pair.server.read_exact(&mut [0; 100]).unwrap();
        read += asked.elapsed();
        std::thread::sleep(think);
        pair.server.write_all(&[0; 200]).unwrap();
        answered += asked.elapsed();
        pair.client.read_exact(&mut [0; 200]).unwrap();
        pair.finish();
    }
    let server = scene.wait_for(Role::Server, 5);
    is_about("unread", stage_of(&server, Role::Server, "unread"), wait * 5, read);
    is_about("application", stage_of(&server, Role::Server, "application"), think * 5, answered - wait * 5);
}

#[test]
fn a_server_that_reads_byte_by_byte_is_not_unread() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    for _ in 0..5 {
        pair.client.write_all(&[0; 100]).unwrap();
        for n in [1, 99] {
            pair.server.read_exact(&mut vec![0; n]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        pair.server.write_all(&[0; 100]).unwrap();
        pair.client.read_exact(&mut [0; 100]).unwrap();
    }
    pair.finish();
    let server = scene.wait_for(Role::Server, 5);
    let application = stage_of(&server, Role::Server, "application");
    assert!(application >= 5 * 38_000, "{server:?}");
    assert!(stage_of(&server, Role::Server, "unread") < application / 4, "{server:?}");
}

#[test]
fn requests_and_answers_of_many_segments_count_once_each() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    let shape = Shape { request: 1_500_000, answer: 500_000, ..Shape::think(Duration::from_millis(100)) };
    let moments: Vec<Moments> = (0..10).map(|_| exchange(&mut pair, shape)).collect();
    pair.finish();
    let client = scene.wait_for(Role::Client, 10);
    // From before the write, not after it: it lasts as long as the socket's buffer is full. Copying the first segments
    // takes up to a millisecond of that, so the server thinks long enough to make it small.
    let truth: Vec<Bounds> =
        moments.iter().map(|m| ((m.answered[0] - m.asked[0]).as_secs_f64() * 1e6, m.at_client().1)).collect();
    agrees("client", &client.durations, &truth);
    scene.wait_for(Role::Server, 10);
}

#[test]
fn a_small_answer_to_a_large_request_is_one() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    for (request, answer) in [(100_000, 5), (30, 100_000), (30, 5), (100_000, 5)] {
        exchange(&mut pair, Shape { request, answer, ..Shape::think(Duration::from_millis(5)) });
    }
    pair.finish();
    for role in Role::ALL {
        let times = scene.wait_for(role, 4);
        assert!(times.durations.sum_us < 4 * 200_000, "{times:?}");
    }
}

#[test]
fn idle_time_between_requests_is_nobodys() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    let began = Instant::now();
    for _ in 0..4 {
        exchange(&mut pair, Shape::think(Duration::from_millis(5)));
        std::thread::sleep(Duration::from_millis(1_200));
    }
    let lasted = began.elapsed();
    pair.finish();
    for role in Role::ALL {
        let times = scene.wait_for(role, 4);
        assert!(u128::from(times.durations.sum_us) < lasted.as_micros() / 10, "{times:?}");
    }
}

#[test]
fn a_lost_request_waits_for_its_retransmission_and_not_for_the_peer() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    rustix::net::sockopt::set_tcp_congestion(&pair.client, "cubic").unwrap();
    let think = Duration::from_millis(50);
    exchange(&mut pair, Shape::think(think));
    let b = stage.node("b");
    let mut sum = Duration::ZERO;
    for _ in 0..3 {
        drop_at(b, "meta l4proto tcp");
        let moments = std::thread::scope(|scope| {
            let healing = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                heal(b);
            });
            let moments = exchange(&mut pair, Shape::think(think));
            healing.join().unwrap();
            moments
        });
        sum += moments.done - moments.asked[0];
    }
    pair.finish();
    let client = scene.wait_for(Role::Client, 4);
    scene.wait_for(Role::Server, 4);
    let (again, peer) = (stage_of(&client, Role::Client, "retransmission"), stage_of(&client, Role::Client, "peer"));
    // Three times 200 ms or more, but for the four think times.
    let lost = (sum - 3 * think).as_micros() as u64;
    assert!(again > lost * 3 / 4 && again < lost * 21 / 20, "{client:?}, lost {lost} µs");
    assert!(peer >= 4 * 48_000 && peer < 4 * 50_000 + lost / 4, "{client:?}");
}
