//! Accept queues that overflow.

use crate::{
    mib,
    socket::Pair,
    stage::{Options, Stage, Watch, id, since, stage, wait_until},
};
use netwhy_abi::ListenDrop;
use netwhy_agent::kernel::Mode;
use netwhy_tests::lab::Pod;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

/// A listener with room for one connection, which it never accepts, and clients enough to overflow it.
fn overflow(stage: &Stage, client: &Pod, server: &Pod) -> (TcpListener, Vec<OwnedFd>) {
    let listener = stage.listen(server);
    rustix::net::listen(&listener, 1).unwrap();
    let to = stage.address(server, &listener);
    let clients = knock(stage, client, to, 10);
    let before = mib::read(stage.node("b"), "TcpExt", "ListenDrops");
    wait_until("connections are turned away", || mib::read(stage.node("b"), "TcpExt", "ListenDrops") >= before.max(5));
    (listener, clients)
}

fn knock(stage: &Stage, client: &Pod, to: SocketAddr, n: usize) -> Vec<OwnedFd> {
    stage.inside(client, || {
        let one = |_| {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
            assert_eq!(connect(&socket, &to).unwrap_err(), rustix::io::Errno::INPROGRESS);
            socket
        };
        (0..n).map(one).collect()
    })
}

/// The kernel's count of connections turned away, and ours.
fn drops(stage: &Stage, watch: &mut Watch, server: &Pod) -> (u64, u64) {
    let mut before = mib::read(stage.node("b"), "TcpExt", "ListenDrops");
    loop {
        watch.read();
        let after = mib::read(stage.node("b"), "TcpExt", "ListenDrops");
        if before == after {
            return (after, watch.sums().cgroups.get(&id(server)).map_or(0, |connects| connects.accept_drops));
        }
        before = after;
    }
}

#[test]
fn connections_turned_away_equal_the_kernels_listen_drops() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, clients) = overflow(&stage, &client, &server);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel);
    assert!(watch.sums().cgroups[&id(&server)].accept_full >= 1, "the walk found the queue full");
    assert_eq!(mib::read(stage.node("b"), "TcpExt", "ListenOverflows"), kernel, "nothing else was turned away");
    // Drops after the last walk are counted when the listener closes.
    let more = knock(&stage, &client, stage.address(&server, &listener), 5);
    wait_until("more are turned away", || mib::read(stage.node("b"), "TcpExt", "ListenDrops") > kernel);
    drop((clients, more));
    drop(listener);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel);
}

#[test]
fn a_listener_that_no_walk_saw_is_counted_when_it_closes() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, clients) = overflow(&stage, &client, &server);
    drop(clients);
    drop(listener);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert!(kernel > 0);
    assert_eq!(counted, kernel);
}

#[test]
fn a_listener_older_than_the_agent_counts_from_the_agents_start() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, clients) = overflow(&stage, &client, &server);
    drop(clients);
    let past = mib::read(stage.node("b"), "TcpExt", "ListenDrops");
    let mut watch = stage.watch();
    assert_eq!(drops(&stage, &mut watch, &server), (past, 0));
    let more = knock(&stage, &client, stage.address(&server, &listener), 5);
    wait_until("more are turned away", || mib::read(stage.node("b"), "TcpExt", "ListenDrops") > past);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel - past);
    drop(more);
}

#[test]
fn no_accept_queue_is_counted_while_the_signal_is_off() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch_with(Options { modes: &[("accept_queue", Mode::Off)], ..Options::default() });
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, clients) = overflow(&stage, &client, &server);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert!(kernel >= 5, "the queue overflowed");
    assert_eq!(counted, 0, "by a walk");
    assert_eq!(watch.sums().cgroups.get(&id(&server)).map_or(0, |connects| connects.accept_full), 0);
    drop(clients);
    drop(listener);
    assert_eq!(drops(&stage, &mut watch, &server).1, 0, "when the listener closes");
    let statuses = &watch.source.loaded().probes;
    let state = |name: &str| statuses.iter().find(|status| status.name == name).map(|status| status.state.label());
    assert_eq!((state("accept_queue"), state("sockets")), (Some("off"), Some("ok")));
}

/// Other listener drops, by reason.
fn others(watch: &Watch, server: &Pod) -> [u64; ListenDrop::ALL.len()] {
    watch.sums().cgroups.get(&id(server)).map_or([0; _], |connects| connects.listen_drops)
}

#[test]
fn a_listener_that_waits_for_data_turns_nobody_away() {
    since!(5, 12);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    set(&listener, libc::TCP_DEFER_ACCEPT, 10);
    watch.read();
    let to = stage.address(&server, &listener);
    for _ in 0..20 {
        let mut asks = stage.connect(&client, to).unwrap();
        asks.write_all(&[0; 10]).unwrap();
        let mut pair = Pair::of(asks, &listener);
        pair.server.read_exact(&mut [0; 10]).unwrap();
        pair.finish();
    }
    watch.read();
    let ignored = mib::read(stage.node("b"), "TcpExt", "TCPDeferAcceptDrop");
    assert_eq!(ignored, 20);
    assert_eq!(drops(&stage, &mut watch, &server), (0, 0));
    assert_eq!(others(&watch, &server), [0, 20, 0]);
}

/// As load balancers check health: a reset instead of the handshake's last packet.
#[test]
fn clients_that_reset_their_handshake_are_not_turned_away() {
    since!(5, 12);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    watch.read();
    let to = stage.address(&server, &listener);
    for _ in 0..20 {
        stage.inside(&client, || {
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
            // The last packet waits for data, and a socket that does not linger sends a reset instead.
            set(&socket, libc::TCP_QUICKACK, 0);
            rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
            connect(&socket, &to).unwrap();
        });
    }
    wait_until("the resets arrive", || mib::read(stage.node("b"), "Tcp", "InSegs") >= 40);
    watch.read();
    assert_eq!(drops(&stage, &mut watch, &server), (0, 0));
    assert_eq!(others(&watch, &server), [0, 0, 20]);
}

/// Sets an option of TCP.
fn set(socket: &impl AsRawFd, option: i32, value: i32) {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, (&raw const value).cast(), length) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}
