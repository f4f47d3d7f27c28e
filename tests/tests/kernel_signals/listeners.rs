//! Accept queues that overflow.

use crate::{
    loss::{drop_at, heal},
    mib,
    socket::Pair,
    stage::{LIVING, Options, Stage, Watch, id, needs, stage, wait_until},
};
use netwhy_abi::{FILL_PARTS, ListenDrop};
use netwhy_agent::kernel::Mode;
use netwhy_tests::lab::Pod;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

/// A listener with room for two connections, which it never accepts, and clients enough to overflow it. They come once it is
/// full: none is turned away at its last packet, which kernels before 6.11 count twice.
fn overflow(stage: &Stage, client: &Pod, server: &Pod) -> (TcpListener, Vec<OwnedFd>) {
    let listener = stage.listen(server);
    rustix::net::listen(&listener, 1).unwrap();
    let to = stage.address(server, &listener);
    let accepted = || mib::read(stage.node("b"), "Tcp", "PassiveOpens");
    let full = accepted() + 2;
    let mut clients = knock(stage, client, to, 2);
    wait_until("the queue is full", || accepted() >= full);
    clients.extend(knock(stage, client, to, 8));
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
    needs!(ACCEPT_QUEUES);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, clients) = overflow(&stage, &client, &server);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel);
    assert!(watch.sums().cgroups[&id(&server)].accept_full >= 1, "the walk found the queue full");
    assert_eq!(fill(&watch, &server), Some(FILL_PARTS));
    assert_eq!(mib::read(stage.node("b"), "TcpExt", "ListenOverflows"), kernel, "nothing else was turned away");
    // Drops after the last walk are counted when the listener closes.
    let more = knock(&stage, &client, stage.address(&server, &listener), 5);
    wait_until("more are turned away", || mib::read(stage.node("b"), "TcpExt", "ListenDrops") > kernel);
    drop((clients, more));
    drop(listener);
    let (kernel, counted) = drops(&stage, &mut watch, &server);
    assert_eq!(counted, kernel);
}

/// Fill of a Pod's fullest accept queue, as the newest walk found it. `None`: all were empty.
fn fill(watch: &Watch, server: &Pod) -> Option<u16> {
    let mut queues = watch.ledger.accept_fill(watch.last.walked_at?);
    queues.find(|(cgroup, parts)| *cgroup == id(server) && *parts > 0).map(|(_, parts)| parts)
}

#[test]
fn accept_queues_are_as_full_as_the_fullest_until_it_is_emptied() {
    needs!(ACCEPT_QUEUES);
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (listener, _empty) = (stage.listen(&server), stage.listen(&server));
    rustix::net::listen(&listener, 7).unwrap();
    let accepted = || mib::read(stage.node("b"), "Tcp", "PassiveOpens");
    let whole = accepted() + 4;
    let _clients = knock(&stage, &client, stage.address(&server, &listener), 4);
    wait_until("four connections wait", || accepted() >= whole);
    wait_until("a walk finds them in a queue of eight", || {
        watch.read();
        fill(&watch, &server) == Some(FILL_PARTS / 2)
    });
    for _ in 0..4 {
        listener.accept().unwrap();
    }
    wait_until("a walk finds the queue empty", || {
        watch.read();
        fill(&watch, &server).is_none()
    });
}

#[test]
fn a_listener_that_no_walk_saw_is_counted_when_it_closes() {
    needs!(ACCEPT_QUEUES);
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
    needs!(ACCEPT_QUEUES);
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
    assert!(watch.ledger.accept_fill(Duration::ZERO).all(|(_, parts)| parts == 0));
    drop(clients);
    drop(listener);
    assert_eq!(drops(&stage, &mut watch, &server).1, 0, "when the listener closes");
    let statuses = &watch.source.loaded().probes;
    let state = |name: &str| statuses.iter().find(|status| status.name == name).map(|status| status.state.label());
    let sockets = if LIVING.is_lacking() { "degraded" } else { "ok" };
    assert_eq!((state("accept_queue"), state("sockets")), (Some("off"), Some(sockets)));
}

/// Other listener drops, by reason.
fn others(watch: &Watch, server: &Pod) -> [u64; ListenDrop::ALL.len()] {
    watch.sums().cgroups.get(&id(server)).map_or([0; _], |connects| connects.listen_drops)
}

#[test]
fn a_listener_that_waits_for_data_turns_nobody_away() {
    needs!(LIVING);
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
    needs!(LIVING);
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

#[test]
fn syns_that_find_no_room_equal_the_kernels_listen_drops() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    for setting in ["net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_max_syn_backlog=8"] {
        b.run(&["sysctl", "-q", "-w", setting]).unwrap();
    }
    let mut watch = stage.watch();
    let listener = stage.listen(&server);
    watch.read();
    // Requests stay until they are answered.
    drop_at(stage.node("a"), "tcp flags & (syn | ack) == (syn | ack)");
    let clients = knock(&stage, &client, stage.address(&server, &listener), 40);
    wait_until("SYNs are dropped", || mib::read(b, "TcpExt", "ListenDrops") >= 20);
    let (kernel, overflowed) = drops(&stage, &mut watch, &server);
    assert_eq!((overflowed, mib::read(b, "TcpExt", "ListenOverflows")), (0, 0));
    assert_eq!(others(&watch, &server), [kernel, 0, 0]);
    assert_eq!(watch.sums().cgroups[&id(&server)].accept_full, 0);
    drop(clients);
}

/// Handshakes that find the queue full at their last packet, which raises the listener's drops twice.
fn overflow_at_the_last_packet(aborts: bool) {
    /// Handshakes that may be under way. The accept queue has room for one more.
    const BACKLOG: i32 = 8;
    const ACCEPTED: u64 = 2;
    const OVERFLOWS: u64 = BACKLOG as u64 - ACCEPTED;
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    b.run(&["sysctl", "-q", "-w", &format!("net.ipv4.tcp_abort_on_overflow={}", u8::from(aborts))]).unwrap();
    let mut watch = stage.watch();
    let listener = stage.listen(&server);
    rustix::net::listen(&listener, BACKLOG).unwrap();
    watch.read();
    let to = stage.address(&server, &listener);
    let mut clients: Vec<_> = (1..BACKLOG).map(|_| stage.connect(&client, to).unwrap()).collect();
    wait_until("the queue is nearly full", || mib::read(b, "Tcp", "PassiveOpens") == clients.len() as u64);
    drop_at(b, "tcp flags & (syn | ack) == ack");
    clients.extend((0..BACKLOG).map(|_| stage.connect(&client, to).unwrap()));
    heal(b);
    // Each answers the next SYN-ACK again.
    let overflows = || mib::read(b, "TcpExt", "ListenOverflows");
    wait_until("the last packets arrive", || overflows() >= OVERFLOWS);
    let (kernel, counted) = loop {
        let before = overflows();
        let (kernel, counted) = drops(&stage, &mut watch, &server);
        if overflows() == before {
            assert_eq!(kernel, before, "nothing else was turned away");
            break (kernel, counted);
        }
    };
    let tells_owner = netwhy_agent::kernel::release().0 >= (6, 11);
    if tells_owner {
        assert_eq!(counted, kernel);
        assert_eq!(others(&watch, &server), [0, 0, 0]);
    } else {
        // The kernel tells nobody which of the raises are one.
        assert!((kernel..=2 * kernel).contains(&counted), "{counted} for {kernel}");
    }
    if aborts {
        assert_eq!((kernel, mib::read(b, "Tcp", "OutRsts")), (OVERFLOWS, OVERFLOWS));
    }
    drop((clients, listener));
    let (kernel, at_end) = drops(&stage, &mut watch, &server);
    assert!(if tells_owner { at_end == kernel } else { at_end >= kernel }, "{at_end} for {kernel}");
}

#[test]
fn an_overflow_at_the_last_packet_counts_once() {
    needs!(LIVING);
    overflow_at_the_last_packet(false);
}

#[test]
fn an_overflow_that_resets_the_client_counts_once() {
    needs!(LIVING);
    overflow_at_the_last_packet(true);
}

/// Sets an option of TCP.
fn set(socket: &impl AsRawFd, option: i32, value: i32) {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, (&raw const value).cast(), length) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}
