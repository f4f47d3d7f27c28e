//! High churn: short sockets are sampled and the handshake probe runs on a duty cycle.

use crate::{
    connects,
    duty::stays_off_while_detached,
    edge_cases,
    loss::{drop_at, heal},
    mib,
    socket::{Flow, Pair},
    stage::{Options, Stage, Watch, id, name_of, needs, on_node, stage, wait_until},
};
use netwhy_abi::{HANDSHAKE_DUTY_CYCLE, Retransmit, Role};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    time::{Duration, Instant},
};

/// Deadline for a duty cycle to begin or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads until churn is high or no longer is.
fn read_until(watch: &mut Watch, is_churn_high: bool, mut meanwhile: impl FnMut()) {
    let began = Instant::now();
    loop {
        watch.read();
        let stats = watch.source.loaded().handshake_stats().unwrap();
        if stats.is_churn_high == is_churn_high && (!is_churn_high || stats.periods > 0) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{stats:?}");
        meanwhile();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// An agent that samples sockets at any churn, after its first duty period.
fn watch_sampling(stage: &Stage) -> Watch {
    let mut watch = stage.watch_with(Options { churn_above: 0, ..Options::default() });
    read_until(&mut watch, true, || {});
    watch
}

/// Sockets that this machine closes per second: three rates, taken while `meanwhile` runs again and again.
fn closes_per_second(watch: &mut Watch, mut meanwhile: impl FnMut()) -> [f64; 3] {
    watch.read();
    [(); 3].map(|()| {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) {
            meanwhile();
            // The span itself is what is needed: nothing else is waited for.
            std::thread::sleep(Duration::from_millis(100));
        }
        watch.read();
        watch.source.loaded().handshake_stats().unwrap().sockets_per_second
    })
}

/// A limit above the machine's own churn, by as much as the churn with `open_many` is above the limit.
fn limit_between(stage: &Stage, open_many: impl FnMut()) -> u64 {
    let mut watch = stage.watch();
    let idle = closes_per_second(&mut watch, || {}).into_iter().fold(10.0, f64::max);
    let busy = closes_per_second(&mut watch, open_many).into_iter().fold(f64::INFINITY, f64::min);
    // Churn is low again below half of the limit.
    (2.0 * idle * busy).sqrt().ceil() as u64
}

#[test]
fn short_connections_are_estimated_without_bias() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    // A walk would visit some of them, which are then counted one by one.
    let rare = Duration::from_secs(600);
    let mut watch = stage.watch_with(Options { churn_above: 0, walk_min_interval: rare, ..Options::default() });
    read_until(&mut watch, true, || {});
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let before = watch.source.loaded().handshake_stats().unwrap();
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    let stats = |watch: &Watch| watch.source.loaded().handshake_stats().unwrap();
    // Handshakes while the probe was attached. Other work on this machine changes both the rate of the connections and
    // the length of the periods, so the share of the time would not do.
    let (began, mut opened, mut observed) = (Instant::now(), 0, 0.0);
    while opened < 6_000 || stats(&watch).periods - before.periods < 6 {
        assert!(began.elapsed() < PATIENCE, "{opened} connections, {:?}", stats(&watch));
        let (start, attached) = (Instant::now(), stats(&watch).attached_seconds);
        let mut pair = Pair::open(&stage, &client, &listener, to);
        let attached = stats(&watch).attached_seconds - attached;
        observed += (attached / start.elapsed().as_secs_f64()).min(1.0);
        pair.exchange(100, 1_000);
        let (client, server) = pair.finish();
        at_client += client;
        at_server += server;
        opened += 1;
    }
    let elapsed = began.elapsed().as_secs_f64();
    watch.read();
    let after = watch.source.loaded().handshake_stats().unwrap();
    let share = (after.attached_seconds - before.attached_seconds) / elapsed;
    assert!((0.04..0.3).contains(&share), "the probe was attached {share:.3} of the time: {before:?}, {after:?}");
    assert!(after.sockets_per_second > 100.0 && after.failures == 0, "{after:?}");
    for (pod, role, truth) in [(&client, Role::Client, at_client), (&server, Role::Server, at_server)] {
        let counted = watch.of(id(pod));
        // Sockets are sampled 1 in 8: of 6,000 some 750 ± 26.
        let ratio = |counted: u64, truth: u64| counted as f64 / truth as f64;
        let flow = Flow::from(counted.clone());
        for (figure, got, truth) in [
            ("segments", flow.segs_out, truth.segs_out),
            ("data segments", flow.data_segs_out, truth.data_segs_out),
            ("bytes sent", flow.bytes_acked, truth.bytes_acked),
            ("bytes received", flow.bytes_received, truth.bytes_received),
        ] {
            assert!((0.8..1.2).contains(&ratio(got, truth)), "{figure} at the {role:?}: {got} for {truth}");
        }
        let expected = observed * f64::from(HANDSHAKE_DUTY_CYCLE.weight());
        let connects = counted.connects(role) as f64;
        assert!((0.7..1.4).contains(&(connects / expected)), "{connects} handshakes for {expected} at the {role:?}");
        assert_eq!(counted.connect_failures.iter().sum::<u64>(), 0);
    }
}

#[test]
fn connections_that_a_walk_visited_are_counted_whole() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    let mut watch = watch_sampling(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pairs: Vec<Pair> = (0..20).map(|_| Pair::open(&stage, &client, &listener, to)).collect();
    watch.read();
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    for mut pair in pairs.drain(..) {
        pair.exchange(2_000, 5_000);
        let (client, server) = pair.finish();
        at_client += client;
        at_server += server;
    }
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
}

#[test]
fn every_attempt_that_fails_is_counted_with_its_reason() {
    needs!(CHURN);
    for case in [connects::refused, connects::timed_out, connects::unreachable, connects::rejected] {
        let stage = stage!("a", "b");
        case(&stage, watch_sampling(&stage));
    }
    for case in [connects::failed_and_tried_again, connects::without_port] {
        let stage = stage!("a", "b");
        case(&stage, watch_sampling(&stage));
    }
}

#[test]
fn a_socket_that_reconnects_unobserved_counts_from_zero() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    let mut watch = watch_sampling(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let socket = stage
        .inside(&client, || {
            let tcp = Some(rustix::net::ipproto::TCP);
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, tcp)
        })
        .unwrap();
    let stream = TcpStream::from(socket);
    for (sent, answered) in [(1_000, 100_000), (100, 20_000)] {
        rustix::net::connect(&stream, &to).unwrap();
        let mut pair = Pair::of(stream.try_clone().unwrap(), &listener);
        pair.exchange(sent, answered);
        watch.read();
        disconnect(&stream);
    }
    drop(stream);
    watch.read();
    assert_eq!(watch.of(id(&client)).bytes_received, 120_000);
}

/// Ends what a socket does, so that it can be used again.
fn disconnect(socket: &impl AsRawFd) {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the address lives through the call and the length is its own.
    let rc = unsafe { libc::connect(socket.as_raw_fd(), &raw const nobody, length) };
    assert_eq!(rc, 0, "{}", std::io::Error::last_os_error());
}

/// Its mark as a listener must not outlive that: neither may what it turned away pass for reorderings, nor its end for a
/// listener's.
#[test]
fn a_listener_that_connects_unobserved_is_a_connection() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    let mut watch = watch_sampling(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    // Some may be seen: the probe is attached an eighth of the time.
    let former: Vec<TcpStream> = (0..8)
        .map(|_| {
            let listening = stage.inside(&client, || TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))).unwrap();
            TcpStream::from(OwnedFd::from(listening))
        })
        .collect();
    watch.read();
    let mut pairs = Vec::new();
    for socket in former {
        disconnect(&socket);
        match rustix::net::connect(&socket, &to) {
            // A build of 6.18.44 refuses it.
            Err(rustix::io::Errno::INVAL) => {
                println!("SKIP {}: machine: this kernel connects no former listener", name_of(|| ()));
                return;
            }
            connected => connected.unwrap(),
        }
        pairs.push(Pair::of(socket, &listener));
    }
    pairs.iter_mut().for_each(|pair| pair.exchange(1_000, 1_000));
    watch.read();
    let mut at_client = Flow::default();
    for mut pair in pairs {
        pair.exchange(2_000, 5_000);
        at_client += pair.finish().0;
    }
    watch.read();
    let counted = watch.of(id(&client));
    assert_eq!(counted.reorderings, 0, "{counted:?}");
    assert_eq!(Flow::from(counted), at_client);
}

#[test]
fn all_sockets_are_counted_again_when_churn_is_low() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let open_many = || {
        for _ in 0..400 {
            Pair::open(&stage, &client, &listener, to).finish();
        }
    };
    // The agent judges the churn of the whole machine, which has other work.
    let churn_above = limit_between(&stage, open_many);
    let mut watch = stage.watch_with(Options { churn_above, ..Options::default() });
    read_until(&mut watch, true, open_many);
    read_until(&mut watch, false, || {});
    let (before, _) = (watch.of(id(&client)), watch.of(id(&server)));
    let (mut at_client, mut pairs) = (Flow::default(), Vec::new());
    for _ in 0..25 {
        pairs.push(Pair::open(&stage, &client, &listener, to));
    }
    for mut pair in pairs {
        pair.exchange(100, 100);
        at_client += pair.finish().0;
    }
    watch.read();
    let after = watch.of(id(&client));
    assert_eq!(after.connects(Role::Client) - before.connects(Role::Client), 25);
    assert_eq!(Flow::from(after) - Flow::from(before), at_client);
}

/// Handshakes are seen an eighth of the time. The kernel starts an accepted socket's figure with what its SYN-ACK took.
#[test]
fn lost_synacks_are_counted_once_whether_the_handshake_is_seen_or_not() {
    needs!(CHURN);
    let stage = stage!("a", "b");
    let mut watch = watch_sampling(&stage);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let resent = |node: &str| mib::read(stage.node(node), "Tcp", "RetransSegs");
    drop_at(stage.node("a"), "meta l4proto tcp");
    let mut clients: Vec<TcpStream> = std::thread::scope(|scope| {
        let connecting: Vec<_> = (0..12)
            .map(|_| {
                // Retransmitted one after the other, so that they don't all fall into one duty period.
                std::thread::sleep(Duration::from_millis(50));
                stage.inside(&client, || ());
                scope.spawn(|| on_node(stage.node("a"), || TcpStream::connect(to).unwrap()))
            })
            .collect();
        wait_until("a SYN-ACK is lost", || resent("b") > 0);
        heal(stage.node("a"));
        connecting.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // In whatever order they were completed.
    let servers: Vec<TcpStream> = clients.iter().map(|_| listener.accept().unwrap().0).collect();
    clients.iter_mut().for_each(|client| client.write_all(&[0; 100]).unwrap());
    watch.read();
    let counted = watch.all();
    assert_eq!(counted.retransmits[Retransmit::SynAck as usize], resent("b"), "{:?}", counted.retransmits);
    assert_eq!(counted.retransmitted(), resent("a") + resent("b"), "{:?}", counted.retransmits);
    drop((clients, servers));
    watch.read();
    assert_eq!(watch.all().retransmitted(), resent("a") + resent("b"), "nor when they close");
}

#[test]
fn the_handshake_probe_stays_off_while_the_agent_is_detached() {
    needs!(CHURN);
    let stage = stage!("a");
    stays_off_while_detached(watch_sampling(&stage), |loaded| {
        let stats = loaded.handshake_stats().unwrap();
        (stats.periods, stats.attached_seconds)
    });
}

#[test]
fn attempts_without_a_route_are_counted_one_by_one() {
    needs!(CHURN);
    let stage = stage!("a");
    edge_cases::without_route(&stage, watch_sampling(&stage));
}

/// An address whose last 32 bits are zero is an address.
#[test]
fn attempts_that_are_given_up_count_whatever_the_address() {
    needs!(CHURN);
    let stage = stage!("a");
    let mut watch = watch_sampling(&stage);
    let client = stage.pod("a", "client");
    let a = stage.node("a");
    a.run(&["ip", "-6", "route", "add", "2001:db8:7::/64", "dev", a.device]).unwrap();
    let to = std::net::IpAddr::from([0x2001u16, 0xdb8, 7, 0, 0, 1, 0, 0]);
    for _ in 0..5 {
        let socket = stage.inside(&client, || {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            socket_with(AddressFamily::INET6, SocketType::STREAM, flags, None).unwrap()
        });
        let error = rustix::net::connect(&socket, &std::net::SocketAddr::new(to, 80)).unwrap_err();
        assert_eq!(error, rustix::io::Errno::INPROGRESS);
    }
    watch.read();
    assert_eq!(watch.edge(id(&client), to).connect_failures.iter().sum::<u64>(), 5);
}
