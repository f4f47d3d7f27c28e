//! Connection attempts: how many, and why they failed.

use crate::{
    loss::{drop_at, heal},
    socket::{Pair, TcpInfo},
    stage::{Stage, Watch, id, stage, wait_until},
};
use netwhy_abi::{Counter, Failure, Retransmit, Role};
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::{Node, Pod};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};
use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

/// Failures by reason; all others must be zero.
pub(crate) fn failures(tally: &Tally, expected: &[(Failure, u64)]) {
    for reason in Failure::ALL {
        let n = expected.iter().find(|(other, _)| *other == reason).map_or(0, |(_, n)| *n);
        assert_eq!(tally.failures(reason), n, "{reason:?} of {:?}", tally.connect_failures);
    }
}

/// A socket made in a Pod, not yet connected.
fn socket(stage: &Stage, pod: &Pod, flags: SocketFlags) -> OwnedFd {
    stage
        .inside(pod, || {
            let flags = flags | SocketFlags::CLOEXEC;
            socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(rustix::net::ipproto::TCP))
        })
        .unwrap()
}

/// Resends a SYN this often before the kernel gives up.
fn set_syn_retries(socket: &OwnedFd, retries: i32) {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_SYNCNT, (&raw const retries).cast(), length)
    };
    assert_eq!(rc, 0, "{}", io::Error::last_os_error());
}

/// An address at which nobody listens, on a Node.
fn closed_port(stage: &Stage, pod: &Pod) -> SocketAddr {
    let listener = stage.listen(pod);
    stage.address(pod, &listener)
}

#[test]
fn completed_handshakes_are_counted_once_at_each_end() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let pairs: Vec<Pair> = (0..25).map(|_| Pair::open(&stage, &client, &listener, to)).collect();
    watch.read();
    for pair in pairs {
        pair.finish();
    }
    watch.read();
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    assert_eq!((at_client.connects(Role::Client), at_client.connects(Role::Server)), (25, 0));
    assert_eq!((at_server.connects(Role::Client), at_server.connects(Role::Server)), (0, 25));
    // The kernel's own count of the same: as many opened actively at a as passively at b.
    assert_eq!(crate::mib::read(stage.node("a"), "Tcp", "ActiveOpens"), 25);
    assert_eq!(crate::mib::read(stage.node("b"), "Tcp", "PassiveOpens"), 25);
    failures(&watch.all(), &[]);
    let (at_client, at_server) = (&watch.sums().cgroups[&id(&client)], &watch.sums().cgroups[&id(&server)]);
    assert_eq!(at_client.durations[Role::Client as usize].count(), 25, "each with a duration");
    assert_eq!(at_server.durations[Role::Server as usize].count(), 25, "each with a duration");
}

#[test]
fn a_closed_port_refuses() {
    let stage = stage!("a", "b");
    refused(&stage, stage.watch());
}

/// The counts are exact with and without a duty cycle.
pub(crate) fn refused(stage: &Stage, mut watch: Watch) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let to = closed_port(stage, &server);
    for _ in 0..7 {
        assert_eq!(stage.connect(&client, to).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
    watch.read();
    let counted = watch.of(id(&client));
    failures(&counted, &[(Failure::Refused, 7)]);
    assert_eq!(counted.connects(Role::Client), 0);
    assert_eq!(counted.resets_received, 7);
    // Nobody's socket sent them; other namespaces may add to this one. Kernels before 6.10 don't tell of such resets.
    if netwhy_agent::kernel::release().0 >= (6, 10) {
        assert!(watch.counter(Counter::ResetsWithoutSocket) >= 7);
    }
}

#[test]
fn unanswered_attempts_time_out_whoever_gives_up() {
    let stage = stage!("a", "b");
    timed_out(&stage, stage.watch());
}

/// The counts are exact with and without a duty cycle.
pub(crate) fn timed_out(stage: &Stage, mut watch: Watch) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    drop_at(stage.node("b"), "meta l4proto tcp");
    // The kernel gives up after one repetition, the application after the first of many.
    let kernel = socket(stage, &client, SocketFlags::empty());
    set_syn_retries(&kernel, 1);
    let patient = socket(stage, &client, SocketFlags::NONBLOCK);
    assert_eq!(rustix::net::connect(&patient, &to).unwrap_err(), rustix::io::Errno::INPROGRESS);
    let hasty = socket(stage, &client, SocketFlags::NONBLOCK);
    assert_eq!(rustix::net::connect(&hasty, &to).unwrap_err(), rustix::io::Errno::INPROGRESS);
    drop(hasty);
    assert_eq!(rustix::net::connect(&kernel, &to).unwrap_err(), rustix::io::Errno::TIMEDOUT);
    wait_until("a repetition", || TcpInfo::of(&patient).total_retrans >= 1);
    drop(patient);
    heal(stage.node("b"));
    watch.read();
    println!("runs that were left out: {:?}", watch.missed());
    // Closed before anything could be known.
    failures(&watch.of(id(&client)), &[(Failure::TimedOut, 2), (Failure::Other, 1)]);
}

#[test]
fn unreachable_hosts_and_networks_are_told_apart() {
    let stage = stage!("a", "b");
    unreachable(&stage, stage.watch());
}

/// The counts are exact with and without a duty cycle.
pub(crate) fn unreachable(stage: &Stage, mut watch: Watch) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let to = closed_port(stage, &server);
    let cases = [
        ("host-unreachable", Failure::HostUnreachable, libc::EHOSTUNREACH),
        ("net-unreachable", Failure::NetUnreachable, libc::ENETUNREACH),
    ];
    let mut expected = Vec::new();
    for (answer, reason, errno) in cases {
        reject_at(stage.node("b"), answer);
        for _ in 0..3 {
            assert_eq!(stage.connect(&client, to).unwrap_err().raw_os_error(), Some(errno), "{answer}");
        }
        accept_at(stage.node("b"));
        expected.push((reason, 3));
        watch.read();
        failures(&watch.of(id(&client)), &expected);
    }
}

/// Answers all segments by an ICMP error.
fn reject_at(node: &Node, answer: &str) {
    node.nft(&format!(
        "add table ip away\nadd chain ip away c {{ type filter hook input priority 0; }}\n\
         add rule ip away c meta l4proto tcp reject with icmp type {answer}\n"
    ))
    .unwrap();
}

fn accept_at(node: &Node) {
    node.nft("delete table ip away").unwrap();
}

#[test]
fn attempts_that_a_filter_rejects_keep_their_reason_though_their_owner_read_the_error() {
    let stage = stage!("a", "b");
    rejected(&stage, stage.watch());
}

/// The counts are exact with and without a duty cycle.
pub(crate) fn rejected(stage: &Stage, mut watch: Watch) {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let to = closed_port(stage, &server);
    let cases = [
        ("admin-prohibited", Failure::HostUnreachable, libc::EHOSTUNREACH),
        ("net-prohibited", Failure::NetUnreachable, libc::ENETUNREACH),
        ("port-unreachable", Failure::Refused, libc::ECONNREFUSED),
    ];
    let mut expected = Vec::new();
    for (answer, reason, errno) in cases {
        reject_at(stage.node("b"), answer);
        // As many in all as a Node sends ICMP errors to one address at once.
        for _ in 0..2 {
            let attempt = socket(stage, &client, SocketFlags::NONBLOCK);
            assert_eq!(rustix::net::connect(&attempt, &to).unwrap_err(), rustix::io::Errno::INPROGRESS);
            // An error that arrives before `connect` returns leaves the socket in SYN_SENT.
            let attempt = TcpStream::from(attempt);
            let mut error = None;
            wait_until("the error arrives", || {
                error = attempt.take_error().unwrap();
                error.is_some()
            });
            assert_eq!(error.and_then(|error| error.raw_os_error()), Some(errno), "{answer}");
        }
        accept_at(stage.node("b"));
        expected.push((reason, 2));
        watch.read();
        failures(&watch.of(id(&client)), &expected);
    }
}

#[test]
fn a_failed_socket_that_tries_again_counts_every_attempt_and_every_syn_once() {
    let stage = stage!("a", "b");
    assert_eq!(failed_and_tried_again(&stage, stage.watch()).connects(Role::Client), 1);
}

/// The counts are exact with and without a duty cycle. Returns the counters of the client's Pod.
pub(crate) fn failed_and_tried_again(stage: &Stage, mut watch: Watch) -> Tally {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let b = stage.node("b");
    let again = socket(stage, &client, SocketFlags::empty());
    set_syn_retries(&again, 1);
    drop_at(b, "meta l4proto tcp");
    assert_eq!(rustix::net::connect(&again, &to).unwrap_err(), rustix::io::Errno::TIMEDOUT);
    heal(b);
    rustix::net::connect(&again, &to).unwrap();
    let mut pair = Pair::of(TcpStream::from(again), &listener);
    pair.exchange(100, 100);
    watch.read();
    pair.finish();
    watch.read();
    let counted = watch.of(id(&client));
    failures(&counted, &[(Failure::TimedOut, 1)]);
    let kernel = crate::mib::read(stage.node("a"), "Tcp", "RetransSegs");
    assert!(kernel > 0);
    assert_eq!(counted.retransmits[Retransmit::Syn as usize], kernel, "{:?}", counted.retransmits);
    assert_eq!(counted.retransmitted(), kernel, "{:?}", counted.retransmits);
    counted
}

#[test]
fn resets_are_counted_where_they_are_sent_and_where_they_arrive() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    for n in 0..9 {
        let mut pair = Pair::open(&stage, &client, &listener, to);
        pair.exchange(100, 100);
        // Five are cut by the client, four by the server.
        let (cuts, other) = if n < 5 { (pair.client, pair.server) } else { (pair.server, pair.client) };
        sockopt::set_socket_linger(&cuts, Some(Duration::ZERO)).unwrap();
        drop(cuts);
        wait_until("the reset arrives", || other.take_error().unwrap().is_some());
    }
    watch.read();
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    assert_eq!((at_client.resets_sent, at_client.resets_received), (5, 4));
    assert_eq!((at_server.resets_sent, at_server.resets_received), (4, 5));
    failures(&watch.all(), &[]);
}

#[test]
fn attempts_without_a_local_port_are_told_from_those_that_were_given_up() {
    let stage = stage!("a", "b");
    assert_eq!(without_port(&stage, stage.watch()).connects(Role::Client), 4);
}

/// The counts are exact with and without a duty cycle. Returns the counters of the client's Pod.
pub(crate) fn without_port(stage: &Stage, mut watch: Watch) -> Tally {
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    // Four ports for connections that name none.
    stage.node("a").run(&["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=40000 40003"]).unwrap();
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let kept: Vec<TcpStream> = (0..4).map(|_| stage.connect(&client, to).unwrap()).collect();
    for _ in 0..5 {
        let error = stage.connect(&client, to).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
    drop(kept);
    watch.read();
    let tally = watch.of(id(&client));
    failures(&tally, &[(Failure::NoLocalPort, 5)]);
    assert_eq!(watch.edge(id(&client), to.ip()).failures(Failure::NoLocalPort), 5, "the peer is known");
    tally
}
