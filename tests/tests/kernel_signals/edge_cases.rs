//! Sockets that are easily overlooked: listeners that reset, half-closed ones, attempts that never send a SYN.

use crate::{
    connects,
    socket::{Flow, Pair, TcpInfo},
    stage::{Options, Stage, Watch, id, needs, stage, wait_until},
};
use netwhy_abi::Failure;
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::Pod;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

/// Closes a socket without telling the peer (`TCP_REPAIR`).
fn vanish(socket: impl AsRawFd) {
    let (on, length) = (1i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the pointer is to an i32 that lives through the call, and the length is its own.
    let rc = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_REPAIR, (&raw const on).cast(), length)
    };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}

/// A listener answers a segment of a connection that it doesn't know.
fn reset_by(stage: &Stage, watch: &mut Watch, server: &Pod, listener: &TcpListener) {
    let client = stage.pod("a", "client");
    let to = stage.address(server, listener);
    let mut pair = Pair::open(stage, &client, listener, to);
    vanish(pair.server);
    pair.client.write_all(&[0; 10]).unwrap();
    wait_until("the reset arrives", || pair.client.take_error().unwrap().is_some());
    let sent = watch.edge(id(server), stage.node("a").ipv4.into()).resets_sent;
    watch.read();
    assert_eq!(watch.edge(id(server), stage.node("a").ipv4.into()).resets_sent - sent, 1);
    for nobody in [IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)] {
        assert_eq!(watch.edge(id(server), nobody), Tally::default(), "{nobody}");
    }
}

#[test]
fn a_reset_that_a_listener_sends_goes_to_the_sender() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let server = stage.pod("b", "server");
    let both = stage.listen(&server);
    reset_by(&stage, &mut watch, &server, &both);
    let ipv4 = stage.inside(&server, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
    reset_by(&stage, &mut watch, &server, &ipv4);
}

/// The client asks and says that this is all; the answer is long. No walk comes between.
#[test]
fn half_closed_bulk_connections_count_whole() {
    let stage = stage!("a", "b");
    let never = Duration::from_secs(3600);
    // 256 segments without a sample make an established socket an old one.
    let mut watch = stage.watch_with(Options { rtt_every: 1, walk_min_interval: never, ..Options::default() });
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    pair.client.write_all(&[0; 100]).unwrap();
    pair.client.shutdown(Shutdown::Write).unwrap();
    let mut question = Vec::new();
    pair.server.read_to_end(&mut question).unwrap();
    let Pair { mut client, mut server } = pair;
    let answered = std::thread::scope(|scope| {
        let reading = scope.spawn(|| std::io::copy(&mut client, &mut std::io::sink()).unwrap());
        for _ in 0..64 {
            server.write_all(&vec![0; 512 << 10]).unwrap();
        }
        server.shutdown(Shutdown::Write).unwrap();
        reading.join().unwrap()
    });
    assert_eq!((question.len(), answered), (100, 32 << 20));
    wait_until("both ends are closed", || [&client, &server].iter().all(|s| TcpInfo::of(*s).state == 7));
    let (at_client, at_server) = (Flow::of(&client), Flow::of(&server));
    drop((client, server));
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&stage.pod("a", "client")))), at_client);
    assert_eq!(Flow::from(watch.of(id(&stage.pod("b", "server")))), at_server);
}

/// A socket made in a Pod.
fn socket(stage: &Stage, pod: &Pod, family: AddressFamily) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    stage.inside(pod, || socket_with(family, SocketType::STREAM, flags, None)).unwrap()
}

/// Attempts that find no route: each is refused on the spot.
pub(crate) fn without_route(stage: &Stage, mut watch: Watch) {
    let client = stage.pod("a", "client");
    stage.node("a").run(&["ip", "route", "flush", "default"]).unwrap();
    let v4: IpAddr = [198, 51, 100, 7].into();
    let v6: IpAddr = [0x2001u16, 0xdb8, 0xffff, 0, 0, 1, 0, 0].into();
    let mapped = IpAddr::from(Ipv4Addr::new(198, 51, 100, 8).to_ipv6_mapped());
    for (family, to, times) in
        [(AddressFamily::INET, v4, 3), (AddressFamily::INET6, v6, 4), (AddressFamily::INET6, mapped, 2)]
    {
        for _ in 0..times {
            let socket = socket(stage, &client, family);
            let error = connect(&socket, &SocketAddr::new(to, 80)).unwrap_err();
            assert_eq!(error, rustix::io::Errno::NETUNREACH, "{to}");
        }
        // Others that never tried.
        drop(socket(stage, &client, family));
        watch.read();
        assert_eq!(watch.edge(id(&client), to).failures(Failure::NetUnreachable), times, "{to}");
    }
    connects::failures(&watch.of(id(&client)), &[(Failure::NetUnreachable, 9)]);
}

#[test]
fn attempts_without_a_route_are_counted() {
    needs!(LIVING);
    let stage = stage!("a");
    without_route(&stage, stage.watch());
}

#[test]
fn what_failed_before_the_agent_came_is_not_counted_when_it_closes() {
    needs!(LIVING);
    let stage = stage!("a");
    let client = stage.pod("a", "client");
    stage.node("a").run(&["ip", "route", "flush", "default"]).unwrap();
    let old = socket(&stage, &client, AddressFamily::INET);
    let to = SocketAddr::new([198, 51, 100, 7].into(), 80);
    assert_eq!(connect(&old, &to).unwrap_err(), rustix::io::Errno::NETUNREACH);
    let mut watch = stage.watch();
    drop(old);
    watch.read();
    connects::failures(&watch.all(), &[]);
}
