//! How long handshakes take.

use crate::{
    loss::{drop_at, dropped, heal},
    mib,
    socket::Pair,
    stage::{Stage, Watch, id, needs, stage, wait_until},
};
use netwhy_abi::Role;
use netwhy_tests::lab::Pod;
use std::{
    io::{Read as _, Write as _},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

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

/// Timed handshakes, the sum of their durations in µs, and untimed handshakes.
type Timing = (u64, u64, u64);

/// Durations of a Pod's handshakes.
fn durations(watch: &Watch, pod: &Pod, role: Role) -> Timing {
    let connects = &watch.sums().cgroups[&id(pod)];
    let durations = &connects.durations[role as usize];
    (durations.count(), durations.sum_us, connects.untimed_handshakes[role as usize])
}

/// A cookie holds the low bits of a timestamp for options, and a connection without timestamps leaves nothing to
/// measure.
#[test]
fn handshakes_by_syn_cookie_have_no_duration() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    stage.node("b").run(&["sysctl", "-q", "-w", "net.ipv4.tcp_syncookies=2"]).unwrap();
    let mut watch = stage.watch();
    for (round, timestamps) in [(1, 1), (2, 0)] {
        let setting = format!("net.ipv4.tcp_timestamps={timestamps}");
        stage.node("b").run(&["sysctl", "-q", "-w", &setting]).unwrap();
        for _ in 0..20 {
            Pair::open(&stage, &client, &listener, to).finish();
        }
        watch.read();
        assert_eq!(mib::read(stage.node("b"), "TcpExt", "SyncookiesRecv"), 20 * round);
        assert_eq!(watch.of(id(&server)).connects(Role::Server), 20 * round);
        assert_eq!(durations(&watch, &server, Role::Server), (0, 0, 20 * round), "timestamps: {timestamps}");
        let (timed, us, untimed) = durations(&watch, &client, Role::Client);
        assert_eq!((timed, untimed), (20 * round, 0));
        assert!(us / timed < 50_000, "{us} µs");
    }
}

#[test]
fn the_clients_think_time_is_no_handshake() {
    // A walk finds out which listeners wait for data.
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let (seconds, length) = (10i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc = unsafe {
        let value = (&raw const seconds).cast();
        libc::setsockopt(listener.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, value, length)
    };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
    let mut watch = stage.watch();
    for n in 1..=3 {
        let mut thinking = stage.connect(&client, to).unwrap();
        // The time to think is what must not be counted.
        std::thread::sleep(Duration::from_millis(100));
        thinking.write_all(&[0; 10]).unwrap();
        let mut pair = Pair::of(thinking, &listener);
        pair.server.read_exact(&mut [0; 10]).unwrap();
        pair.finish();
        watch.read();
        assert_eq!(durations(&watch, &server, Role::Server), (0, 0, n));
    }
    let rtt = watch.of(id(&server)).rtt;
    assert!(rtt.sum_us < 100_000, "{} µs in {} samples", rtt.sum_us, rtt.count());
}

/// Segments to a Node are lost until so many of another were resent; the durations of both ends, and the client's
/// clock.
fn late(lost_at: &str, resends: &str, enough: u64) -> Option<(Timing, Timing, u64)> {
    let stage = Stage::open("handshakes", &["a", "b"])?;
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    Pair::open(&stage, &client, &listener, to).finish();
    let mut watch = stage.watch();
    drop_at(stage.node(lost_at), "meta l4proto tcp");
    let (pair, took) = std::thread::scope(|scope| {
        let connecting = scope.spawn(|| {
            let began = Instant::now();
            let stream = stage.connect(&client, to).unwrap();
            (stream, began.elapsed())
        });
        wait_until("enough is lost", || mib::read(stage.node(resends), "Tcp", "RetransSegs") >= enough);
        heal(stage.node(lost_at));
        let (stream, took) = connecting.join().unwrap();
        (Pair::of(stream, &listener), took)
    });
    watch.read();
    drop(pair);
    let ends = (durations(&watch, &client, Role::Client), durations(&watch, &server, Role::Server));
    Some((ends.0, ends.1, took.as_micros() as u64))
}

#[test]
fn a_client_that_resends_syns_takes_from_the_first_one_however_timeouts_grow() {
    // The storage of the socket keeps the time of its first SYN.
    needs!(LIVING);
    // The second timeout takes another second, or two where timeouts double from the first on.
    let Some((client, _, took)) = late("b", "a", 2) else { return };
    assert_eq!((client.0, client.2), (1, 0));
    assert!(client.1.abs_diff(took) < 300_000, "{} µs, by the clock {took} µs", client.1);
}

#[test]
fn a_server_that_resends_synacks_takes_from_the_first_one_whoever_asks_for_the_next() {
    let Some((_, server, took)) = late("a", "b", 1) else { return };
    assert_eq!((server.0, server.2), (1, 0));
    assert!(server.1.abs_diff(took) < 300_000, "{} µs, by the clock {took} µs", server.1);
}
