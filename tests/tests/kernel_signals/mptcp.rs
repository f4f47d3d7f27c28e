//! Servers that listen with MPTCP, as Go's do from 1.24 on, and clients with and without it.

use crate::{
    mib,
    stage::{Stage, Watch, id, since, stage, wait_until},
};
use netwhy_abi::Role;
use netwhy_agent::sample::Connects;
use netwhy_tests::lab::Pod;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, listen, socket_with},
};
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::OwnedFd,
};

/// Ends a test where the kernel has no MPTCP.
macro_rules! mptcp {
    ($stage:ident) => {
        if mptcp_socket(&$stage, &$stage.pod("b", "probe"), SocketFlags::empty()).is_none() {
            println!("SKIP {}: machine: the kernel has no MPTCP", crate::stage::name_of(|| ()));
            return;
        }
    };
}

/// `None`: the kernel has no MPTCP, or it is off.
fn mptcp_socket(stage: &Stage, pod: &Pod, flags: SocketFlags) -> Option<OwnedFd> {
    let make =
        || socket_with(AddressFamily::INET, SocketType::STREAM, flags | SocketFlags::CLOEXEC, Some(ipproto::MPTCP));
    match stage.inside(pod, make) {
        Ok(socket) => Some(socket),
        Err(Errno::PROTONOSUPPORT | Errno::NOPROTOOPT) => None,
        Err(error) => panic!("{error}"),
    }
}

fn listener(stage: &Stage, pod: &Pod, backlog: i32) -> TcpListener {
    let socket = mptcp_socket(stage, pod, SocketFlags::empty()).unwrap();
    stage.inside(pod, || {
        bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
        listen(&socket, backlog).unwrap();
    });
    socket.into()
}

/// Clients of plain TCP that do not wait.
fn knock(stage: &Stage, client: &Pod, to: SocketAddr, n: usize) -> Vec<OwnedFd> {
    stage.inside(client, || {
        let one = |_| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
            assert_eq!(connect(&socket, &to).unwrap_err(), Errno::INPROGRESS);
            socket
        };
        (0..n).map(one).collect()
    })
}

fn at(watch: &Watch, pod: &Pod) -> Connects {
    watch.sums().cgroups.get(&id(pod)).cloned().unwrap_or_default()
}

/// The kernel's count of connections turned away, and ours.
fn drops(stage: &Stage, watch: &mut Watch, server: &Pod) -> (u64, u64) {
    let mut before = mib::read(stage.node("b"), "TcpExt", "ListenOverflows");
    loop {
        watch.read();
        let after = mib::read(stage.node("b"), "TcpExt", "ListenOverflows");
        if before == after {
            return (after, at(watch, server).accept_drops);
        }
        before = after;
    }
}

#[test]
fn a_full_accept_queue_of_an_mptcp_listener_is_seen_while_it_listens() {
    since!(5, 12);
    let stage = stage!("a", "b");
    mptcp!(stage);
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = listener(&stage, &server, 1);
    watch.read();
    let walked = watch.source.walk_stats().unwrap();
    assert_eq!(at(&watch, &server), Connects::default());
    let to = stage.address(&server, &listener);
    let clients = knock(&stage, &client, to, 10);
    wait_until("connections are turned away", || mib::read(stage.node("b"), "TcpExt", "ListenOverflows") >= 5);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel);
    assert!(at(&watch, &server).accept_full >= 1, "a walk found the queue full");
    assert_eq!(watch.source.walk_stats().unwrap().listeners, walked.listeners, "one socket, one listener");
    drop(clients);
    drop(listener);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel, "the end of the listener adds nothing that was counted before");
    assert_eq!(at(&watch, &server).listen_drops, Connects::default().listen_drops);
}

#[test]
fn an_mptcp_listener_older_than_the_agent_counts_from_the_agents_start() {
    since!(5, 12);
    let stage = stage!("a", "b");
    mptcp!(stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = listener(&stage, &server, 1);
    let to = stage.address(&server, &listener);
    let clients = knock(&stage, &client, to, 10);
    let overflows = || mib::read(stage.node("b"), "TcpExt", "ListenOverflows");
    wait_until("connections are turned away", || overflows() >= 5);
    drop(clients);
    let past = overflows();
    let mut watch = stage.watch();
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel - past);
    let more = knock(&stage, &client, to, 5);
    wait_until("more are turned away", || overflows() > past);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel - past);
    drop((more, listener));
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel - past, "its lifetime is no news when it closes");
}

#[test]
fn connections_with_and_without_mptcp_count_once_at_each_end() {
    const EACH: usize = 20;
    const BYTES: usize = 1000;
    let stage = stage!("a", "b");
    mptcp!(stage);
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = listener(&stage, &server, 128);
    let to = stage.address(&server, &listener);
    let mut open = Vec::new();
    for n in 0..2 * EACH {
        let mut asks: TcpStream = if n % 2 == 0 {
            stage.connect(&client, to).unwrap()
        } else {
            let socket = mptcp_socket(&stage, &client, SocketFlags::empty()).unwrap();
            stage.inside(&client, || connect(&socket, &to)).unwrap();
            socket.into()
        };
        let (mut answers, _) = listener.accept().unwrap();
        asks.write_all(&[0; BYTES]).unwrap();
        answers.read_exact(&mut [0; BYTES]).unwrap();
        open.push((asks, answers));
    }
    let passive = mib::read(stage.node("b"), "MPTcpExt", "MPCapableSYNRX");
    assert_eq!(passive, EACH as u64, "half of the clients negotiated MPTCP");
    watch.read();
    let bytes = |watch: &Watch| watch.of(id(&server)).bytes_received as usize;
    let alive = bytes(&watch);
    assert!(alive >= EACH * BYTES, "a walk finds the {EACH} quiet connections of plain TCP: {alive} bytes");
    drop(open);
    let current = || mib::read(stage.node("b"), "Tcp", "CurrEstab") + mib::read(stage.node("a"), "Tcp", "CurrEstab");
    wait_until("all are closed", || current() == 0);
    watch.read();
    // SYN and FIN take one byte of the sequence each.
    let (all, sent) = (2 * EACH * BYTES, watch.of(id(&client)).bytes_acked as usize);
    assert!((all..=all + 4 * EACH).contains(&sent), "{sent} bytes");
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    let both = 2 * EACH as u64;
    assert_eq!((at_client.connects(Role::Client), at_client.connects(Role::Server)), (both, 0));
    assert_eq!((at_server.connects(Role::Client), at_server.connects(Role::Server)), (0, both));
    drop(listener);
    watch.read();
    let Connects { accept_drops, accept_full, listen_drops, .. } = at(&watch, &server);
    assert_eq!((accept_drops, accept_full, listen_drops.iter().sum::<u64>()), (0, 0, 0));
}
