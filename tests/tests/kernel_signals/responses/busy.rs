//! A busy machine, where a part of the connections stands for all of them.

use super::exchange::{Scene, Shape, exchange, options};
use crate::{
    socket::Pair,
    stage::{Options, Stage, id, needs, stage, wait_until},
};
use netwhy_abi::{HANDSHAKE_DUTY_CYCLE, Role};
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

/// Connections of each edge: few, as most Pods have, and many.
const CONNECTIONS: [usize; 3] = [1, 4, 40];
/// Exchanges of each connection that are compared.
const ROUNDS: usize = 40;

/// A scene on a machine that counts as busy.
pub(super) fn busy(stage: &Stage) -> Scene<'_> {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let watch = stage.watch_with(Options { rtt_duty_above: 0, ..options() });
    let mut scene = Scene { stage, client, server, watch };
    wait_until("the machine counts as busy", || {
        scene.watch.read();
        scene.watch.source.loaded().rtt_stats().unwrap().is_reduced
    });
    scene
}

#[test]
fn every_edge_has_response_times_and_their_counts_are_right() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = busy(&stage);
    let mut edges: Vec<Vec<Pair>> = Vec::new();
    for connections in CONNECTIONS {
        let listener = stage.listen(&scene.server);
        let to = stage.address(&scene.server, &listener);
        edges.push((0..connections).map(|_| Pair::open(&stage, &scene.client, &listener, to)).collect());
    }
    let ports: Vec<u16> = edges.iter().map(|pairs| pairs[0].server.local_addr().unwrap().port()).collect();
    let mut rounds = |scene: &mut Scene<'_>, rounds: usize| {
        for _ in 0..rounds {
            for pair in edges.iter_mut().flatten() {
                exchange(pair, Shape::think(Duration::ZERO));
            }
        }
        scene.watch.read();
    };
    // The first walk counts, the second keeps, and the third knows what each stands for.
    for _ in 0..4 {
        rounds(&mut scene, 2);
    }
    let counts = |scene: &Scene<'_>, pod: u64| -> Vec<u64> {
        let of = |port: &u16| {
            let rows = scene.watch.sums().responses.iter();
            rows.filter(|(key, _)| (key.cgroup, key.port) == (pod, *port))
                .map(|(_, times)| times.durations.count())
                .sum()
        };
        ports.iter().map(of).collect()
    };
    let pods = [id(&scene.client), id(&scene.server)];
    let before = pods.map(|pod| counts(&scene, pod));
    rounds(&mut scene, ROUNDS);
    let after = pods.map(|pod| counts(&scene, pod));
    for (role, (before, after)) in Role::ALL.iter().zip(before.iter().zip(&after)) {
        for (edge, connections) in CONNECTIONS.iter().enumerate() {
            let (counted, truth) = ((after[edge] - before[edge]) as f64, (connections * ROUNDS) as f64);
            // The last answer of a server is seen with the next request.
            assert!((counted / truth - 1.0).abs() < 0.1, "{} of {connections}: {before:?} {after:?}", role.label());
        }
    }
    // Longer than a connection counts as active: no time spans the rest.
    for _ in 0..12 {
        std::thread::sleep(Duration::from_secs(1));
        scene.watch.read();
    }
    rounds(&mut scene, 3);
    let rest = 5_000_000;
    for times in scene.watch.sums().responses.values() {
        assert_eq!(times.durations.count_up_to(rest), times.durations.count(), "{times:?}");
    }
}

/// Share of a server's time on a busy machine in which requests were unread, counted and in truth, while connections
/// do the same again and again: `act` is one exchange, and returns how long it was unread and how long it lasted.
fn unread_shares(stage: &Stage, act: fn(&mut Pair, usize) -> [Duration; 2]) -> [f64; 2] {
    let mut scene = busy(stage);
    // Each edge keeps its one connection.
    let mut pairs: Vec<Pair> = (0..8).map(|_| scene.connect()).collect();
    let before = scene.of(Role::Server);
    let lasted = std::sync::Mutex::new([Duration::ZERO; 2]);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for pair in &mut pairs {
            scope.spawn(|| {
                for round in 0.. {
                    if is_over.load(relaxed) {
                        break;
                    }
                    let [unread, whole] = act(pair, round);
                    let mut sums = lasted.lock().unwrap();
                    *sums = [sums[0] + unread, sums[1] + whole];
                }
            });
        }
        for _ in 0..25 {
            std::thread::sleep(Duration::from_secs(1));
            scene.watch.read();
        }
        is_over.store(true, relaxed);
    });
    let mut times = scene.of(Role::Server);
    times.subtract(&before);
    let (divided, [unread, whole]) = (times.unread_us + times.application_us, lasted.into_inner().unwrap());
    // Reads were seen for a part of the time, and stand for the rest.
    let estimate = divided as f64 / times.durations.sum_us as f64;
    assert!((0.5..2.0).contains(&estimate), "{times:?}");
    assert_eq!(times.stages(Role::Server).iter().map(|(_, us)| us).sum::<u64>(), times.durations.sum_us);
    [times.unread_us as f64 / divided as f64, unread.as_secs_f64() / whole.as_secs_f64()]
}

#[test]
fn long_waits_for_a_read_are_seen_as_often_as_short_ones() {
    // Longer than a period in which reads are seen.
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let [counted, truth] = unread_shares(&stage, |pair, round| {
        let unread = Duration::from_millis(if round % 2 == 0 { 5 } else { 150 });
        let moments = exchange(pair, Shape { unread, ..Shape::think(Duration::from_millis(40)) });
        [moments.read - moments.asked[0], moments.answered[0] - moments.asked[0]]
    });
    assert!((counted - truth).abs() < 0.08, "{counted} of the time, in truth {truth}");
}

#[test]
fn of_requests_that_are_read_in_parts_nobody_knows_the_first_read() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = busy(&stage);
    let mut pair = scene.connect();
    let mut rounds = |scene: &mut Scene<'_>, count: usize| {
        for _ in 0..count {
            let Pair { client, server } = &mut pair;
            client.write_all(&[0; 400]).unwrap();
            server.read_exact(&mut [0; 100]).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            // The walk may find it now.
            scene.watch.read();
            server.read_exact(&mut [0; 300]).unwrap();
            server.write_all(&[0; 100]).unwrap();
            client.read_exact(&mut [0; 100]).unwrap();
        }
    };
    // Walks keep the connection, and find that it reads in parts.
    rounds(&mut scene, 60);
    let before = scene.of(Role::Server);
    rounds(&mut scene, 60);
    let mut times = scene.of(Role::Server);
    times.subtract(&before);
    assert!(times.durations.count() >= 50, "{times:?}");
    assert_eq!((times.unread_us, times.application_us), (0, 0), "{times:?}");
}

#[test]
fn answers_before_a_close_stand_for_those_whose_close_is_not_seen() {
    needs!(RESPONSES);
    needs!(CHURN);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let watch = stage.watch_with(Options { churn_above: 0, ..options() });
    let mut scene = Scene { stage: &stage, client, server, watch };
    let stats = |scene: &Scene<'_>| scene.watch.source.loaded().handshake_stats().unwrap();
    wait_until("churn counts as high", || {
        scene.watch.read();
        stats(&scene).is_churn_high && stats(&scene).periods > 0
    });
    let listener = stage.listen(&scene.server);
    let to = stage.address(&scene.server, &listener);
    let before = stats(&scene).periods;
    let (mut opened, mut observed) = (0, 0.0);
    while opened < 2_000 || stats(&scene).periods - before < 12 {
        let Pair { mut client, mut server } = Pair::open(&stage, &scene.client, &listener, to);
        // The answer is acknowledged after the server has closed.
        rustix::net::sockopt::set_tcp_quickack(&client, false).unwrap();
        client.write_all(&[0; 100]).unwrap();
        server.read_exact(&mut [0; 100]).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let (start, attached) = (Instant::now(), stats(&scene).attached_seconds);
        server.write_all(&[0; 100]).unwrap();
        drop(server);
        let attached = stats(&scene).attached_seconds - attached;
        observed += (attached / start.elapsed().as_secs_f64()).min(1.0);
        client.read_to_end(&mut Vec::new()).unwrap();
        opened += 1;
    }
    let times = scene.of(Role::Client);
    assert_eq!((times.durations.count(), times.unanswered), (opened, 0));
    let (times, weight) = (scene.of(Role::Server), u64::from(HANDSHAKE_DUTY_CYCLE.weight()));
    let expected = observed * weight as f64;
    let count = times.durations.count();
    assert!((0.7..1.4).contains(&(count as f64 / expected)), "{count} answers for {expected} of {opened}");
    assert_eq!((times.squares, times.unanswered), (count * weight, 0), "each has the weight of the duty cycle");
    assert!((1_900..20_000).contains(&(times.durations.sum_us / count)), "{times:?}");
}

#[test]
fn a_server_that_stops_shows_at_both_ends_while_it_is_silent() {
    needs!(RESPONSES);
    let stage = stage!("a", "b");
    let mut scene = Scene::open(&stage);
    let mut pair = scene.connect();
    let unanswered = |scene: &mut Scene<'_>, role: Role| -> u32 {
        scene.watch.read();
        let walked = scene.watch.last.walked_at.unwrap();
        let found = scene.watch.ledger.unanswered(walked).filter(|(key, _)| key.role() == Some(role));
        found.map(|(_, n)| n).sum()
    };
    let shape = Shape::think(Duration::from_millis(1_700));
    exchange(&mut pair, Shape::think(Duration::from_millis(5)));
    assert_eq!([Role::Client, Role::Server].map(|role| unanswered(&mut scene, role)), [0, 0]);
    // The kernel acknowledges, whether the application reads or not.
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| exchange(&mut pair, shape));
        wait_until("both ends show it", || {
            Role::ALL.into_iter().all(|role| unanswered(&mut scene, role) == 1) || asking.is_finished()
        });
        assert!(!asking.is_finished() && began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
        asking.join().unwrap();
    });
    wait_until("it is over", || Role::ALL.into_iter().all(|role| unanswered(&mut scene, role) == 0));
}
