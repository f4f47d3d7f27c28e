//! Attempts that their owner gives up early, and connections that the other end cuts.

use crate::{
    connects::failures,
    loss::{drop_at, heal},
    socket::{Pair, TcpInfo},
    stage::{Stage, id, stage, wait_until},
};
use netwhy_abi::{Cut, Failure, LEAST_PATIENCE_MS};
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::Pod;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// An attempt that has waited for longer than any handshake takes here.
fn waiting_attempt(stage: &Stage, pod: &Pod, to: SocketAddr) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let make = || socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(rustix::net::ipproto::TCP));
    let socket = stage.inside(pod, make).unwrap();
    assert_eq!(rustix::net::connect(&socket, &to).unwrap_err(), rustix::io::Errno::INPROGRESS);
    let begin = Instant::now();
    wait_until("the owner's patience ends", || begin.elapsed() > 2 * Duration::from_millis(LEAST_PATIENCE_MS.into()));
    assert_eq!(TcpInfo::of(&socket).total_retrans, 0, "given up before the first repetition");
    socket
}

#[test]
fn attempts_given_up_early_are_told_from_losers_of_a_race() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (hasty, racer) = (stage.pod("a", "hasty"), stage.pod("a", "racer"));
    let server = stage.pod("b", "server");
    let (silent, answering) = (stage.listen(&server), stage.listen(&server));
    let (lost, won) = (stage.address(&server, &silent), stage.address(&server, &answering));
    drop_at(stage.node("b"), &format!("tcp dport {}", lost.port()));
    for _ in 0..3 {
        drop(waiting_attempt(&stage, &hasty, lost));
        // Others' handshakes are no race of this Pod's.
        drop(stage.connect(&racer, won).unwrap());
        let loser = waiting_attempt(&stage, &racer, lost);
        let winner = stage.connect(&racer, won).unwrap();
        drop(loser);
        drop(winner);
    }
    heal(stage.node("b"));
    watch.read();
    let (hasty, racer) = (watch.of(id(&hasty)), watch.of(id(&racer)));
    failures(&hasty, &[(Failure::GivenUp, 3)]);
    assert!(hasty.given_up_ms >= 3 * 2 * u64::from(LEAST_PATIENCE_MS), "{} ms", hasty.given_up_ms);
    // A busy machine may close a loser late.
    let late = racer.failures(Failure::GivenUp);
    failures(&racer, &[(Failure::GivenUp, late), (Failure::Raced, 3 - late)]);
    assert!(late < 3 && racer.failed_attempts() == late, "{:?}", racer.connect_failures);
}

/// Makes the server reset a connection.
fn cut_by_server(pair: Pair) {
    sockopt::set_socket_linger(&pair.server, Some(Duration::ZERO)).unwrap();
    drop(pair.server);
    wait_until("the reset arrives", || pair.client.take_error().unwrap().is_some());
}

fn cuts(tally: &Tally) -> [u64; 2] {
    Cut::ALL.map(|cut| tally.cuts[cut as usize])
}

#[test]
fn connections_that_are_cut_tell_whether_something_was_under_way() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    for n in 0..5 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        pair.exchange(100, 100);
        if n < 3 {
            // A jiffy later, a request that is never answered.
            let begin = Instant::now();
            wait_until("some jiffies pass", || begin.elapsed() > Duration::from_millis(50));
            pair.client.write_all(&[0; 100]).unwrap();
            wait_until("the request arrives", || TcpInfo::of(&pair.server).bytes_received == 200);
        }
        cut_by_server(pair);
    }
    // Cut by the client itself, as some health checks end: nothing of it is under way.
    for _ in 0..4 {
        let pair = Pair::open(&stage, &client, &listener, to);
        sockopt::set_socket_linger(&pair.client, Some(Duration::ZERO)).unwrap();
        drop(pair.client);
        wait_until("the reset arrives", || pair.server.take_error().unwrap().is_some());
    }
    watch.read();
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    assert_eq!(cuts(&at_client), [2, 3], "idle, busy");
    assert_eq!(cuts(&at_server), [4, 0], "idle, busy");
    assert_eq!((at_client.resets_received, at_server.resets_received), (5, 4));
}

/// `TCP_CLOSE_WAIT` of `include/net/tcp_states.h`: the other end's FIN has arrived.
const CLOSE_WAIT: u8 = 8;

/// Sends a request after the other end's FIN.
fn ask_too_late(client: &mut TcpStream) {
    wait_until("the FIN arrives", || TcpInfo::of(&*client).state == CLOSE_WAIT);
    client.write_all(&[0; 100]).unwrap();
}

#[test]
fn requests_after_the_other_end_closed_are_no_stream_that_is_cut() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    for _ in 0..3 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        pair.exchange(100, 100);
        drop(pair.server);
        ask_too_late(&mut pair.client);
        wait_until("the reset arrives", || pair.client.take_error().unwrap().is_some());
    }
    // A server that sends no more, reads on, and then closes for good.
    let mut pair = Pair::open(&stage, &client, &listener, to);
    pair.exchange(100, 100);
    pair.server.shutdown(Shutdown::Write).unwrap();
    ask_too_late(&mut pair.client);
    wait_until("the request arrives", || TcpInfo::of(&pair.server).bytes_received == 200);
    cut_by_server(pair);
    watch.read();
    let at_client = watch.of(id(&client));
    assert_eq!((at_client.resets_received, cuts(&at_client)), (4, [4, 0]), "idle, busy");
    assert_eq!(cuts(&watch.of(id(&server))), [0, 0], "idle, busy");
}

#[test]
fn refused_attempts_are_no_connections_that_are_cut() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let to = {
        let closed = stage.listen(&server);
        stage.address(&server, &closed)
    };
    for _ in 0..3 {
        stage.connect(&client, to).unwrap_err();
    }
    watch.read();
    let counted = watch.of(id(&client));
    assert_eq!((counted.resets_received, cuts(&counted)), (3, [0, 0]));
}
