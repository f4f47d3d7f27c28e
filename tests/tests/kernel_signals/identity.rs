//! The identity of edges: role, port of the server's end, network namespace, redirection.

use crate::{
    socket::{Flow, Pair},
    stage::{Options, PATIENCE, Stage, Watch, edge_key, id, needs, on_node, stage},
};
use netwhy_abi::{Counter, EdgeKey, Failure, MAX_PORTS, Role};
use netwhy_agent::sample::Tally;
use netwhy_tests::lab::{Node, Pod};
use rustix::net::{AddressFamily, SocketType, bind, connect, ipproto, listen, socket};
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    time::Instant,
};

/// Exchanges in the life of one connection.
const EXCHANGES: usize = 20;

/// A listener in a Pod on one port of all addresses.
fn serve(stage: &Stage, pod: &Pod, port: u16) -> TcpListener {
    stage.inside(pod, || TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))).unwrap()
}

fn to(node: &Node, port: u16) -> SocketAddr {
    SocketAddr::new(node.ipv4.into(), port)
}

/// A connection with a life, ended.
fn live(mut pair: Pair) {
    (0..EXCHANGES).for_each(|_| pair.exchange(1_000, 1_000));
    pair.finish();
}

/// All segments give a sample, so that every kind of event of a connection is counted.
fn watch(stage: &Stage) -> Watch {
    stage.watch_with(Options { rtt_every: 1, ..Options::default() })
}

/// Edges of one cgroup, by key.
fn edges(watch: &Watch, pod: &Pod) -> Vec<(EdgeKey, Tally)> {
    let rows = watch.sums().edges.iter().filter(|(key, _)| key.cgroup == id(pod));
    let mut edges: Vec<(EdgeKey, Tally)> = rows.map(|(key, tally)| (*key, tally.clone())).collect();
    edges.sort_by_key(|(key, _)| *key);
    edges
}

/// Role and port of each edge of one cgroup; each with data, and `connects` handshakes of its role alone.
#[track_caller]
fn identities(watch: &Watch, pod: &Pod, connects: u64) -> Vec<(u16, Role)> {
    let mut found = Vec::new();
    for (key, tally) in edges(watch, pod) {
        let role = key.role().unwrap();
        let mut expected = [0; Role::ALL.len()];
        expected[role as usize] = connects;
        assert_eq!(tally.connects, expected, "{key:?}");
        assert!(tally.data_segs_out >= EXCHANGES as u64 && tally.rtt.count() > 0, "{key:?}: {tally:?}");
        assert_eq!((key.redirected, key.netns), (0, 0), "{key:?}");
        found.push((key.port, role));
    }
    found.sort_unstable();
    found
}

fn set_client_ports(node: &Node, range: &str) {
    let set = format!("echo {range} > /proc/sys/net/ipv4/ip_local_port_range");
    node.run(&["sh", "-c", &set]).unwrap();
}

#[test]
fn role_and_port_hold_for_any_range_of_client_ports() {
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    // Below every port that is usual for clients, and with the servers' ports inside.
    set_client_ports(stage.node("a"), "1024 30000");
    let listeners = [8080, 50051].map(|port| serve(&stage, &server, port));
    let mut watch = watch(&stage);
    for (listener, port) in listeners.iter().zip([8080, 50051]) {
        for _ in 0..2 {
            live(Pair::open(&stage, &client, listener, to(b, port)));
        }
    }
    watch.read();
    assert_eq!(identities(&watch, &client, 2), [(8080, Role::Client), (50051, Role::Client)]);
    assert_eq!(identities(&watch, &server, 2), [(8080, Role::Server), (50051, Role::Server)]);
    assert_eq!(watch.counter(Counter::RoleUnknown), 0);
    // Reply times are the clients' alone.
    for (key, tally) in edges(&watch, &client) {
        assert!(tally.reply_count() > 0, "{key:?}");
    }
    for (key, tally) in edges(&watch, &server) {
        assert_eq!(tally.reply_count(), 0, "{key:?}");
    }
}

#[test]
fn sockets_older_than_the_agent_have_role_and_port() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    let listeners = [8080, 50051].map(|port| serve(&stage, &server, port));
    let pairs: Vec<Pair> = (listeners.iter().zip([8080, 50051]))
        .map(|(listener, port)| Pair::open(&stage, &client, listener, to(b, port)))
        .collect();
    // An old connection needs no listener any more.
    drop(listeners);
    let mut watch = watch(&stage);
    pairs.into_iter().for_each(live);
    watch.read();
    assert_eq!(identities(&watch, &client, 0), [(8080, Role::Client), (50051, Role::Client)]);
    assert_eq!(identities(&watch, &server, 0), [(8080, Role::Server), (50051, Role::Server)]);
    assert_eq!(watch.counter(Counter::RoleUnknown), 0);
}

/// A client bound to a port below the clients' range, and a listener with a backlog of 0: no sign but the handshake.
fn signless(stage: &Stage, client: &Pod, listener: &TcpListener, from: u16, to: SocketAddr) -> Pair {
    let stream = stage.inside(client, || {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::TCP)).unwrap();
        bind(&socket, &SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), from)).unwrap();
        connect(&socket, &to).unwrap();
        TcpStream::from(socket)
    });
    Pair::of(stream, listener)
}

#[test]
fn a_role_that_only_the_handshake_shows_is_kept_or_unknown() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    let listener = serve(&stage, &server, 8080);
    listen(&listener, 0).unwrap();
    let old = signless(&stage, &client, &listener, 700, to(b, 8080));
    let mut watch = watch(&stage);
    live(signless(&stage, &client, &listener, 701, to(b, 8080)));
    watch.read();
    assert_eq!(identities(&watch, &client, 1), [(8080, Role::Client)]);
    assert_eq!(identities(&watch, &server, 1), [(8080, Role::Server)]);
    let before = watch.counter(Counter::RoleUnknown);
    live(old);
    watch.read();
    assert!(watch.counter(Counter::RoleUnknown) > before);
    for pod in [&client, &server] {
        let unknown: Vec<EdgeKey> =
            edges(&watch, pod).into_iter().map(|(key, _)| key).filter(|key| key.role().is_none()).collect();
        assert_eq!(unknown.iter().map(|key| key.port).collect::<Vec<_>>(), [0], "an unknown role has no port");
    }
}

#[test]
fn each_network_namespace_has_a_loopback_of_its_own() {
    let stage = stage!("a", "b");
    let pods = ["a", "b"].map(|node| stage.pod(node, "pod"));
    let mut watch = watch(&stage);
    for pod in &pods {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let listener = serve(&stage, pod, 9000);
            live(Pair::open(&stage, pod, &listener, SocketAddr::new(address, 9000)));
        }
    }
    watch.read();
    for pod in &pods {
        let netns = fs::metadata(format!("/run/netns/{}", stage.node(&pod.node).netns)).unwrap().ino();
        let found = edges(&watch, pod);
        assert_eq!(found.len(), 4, "two ends of two addresses: {found:?}");
        for (key, tally) in found {
            assert_eq!((u64::from(key.netns), key.port, key.redirected), (netns, 9000, 0), "{key:?}");
            assert_eq!(tally.connects.iter().sum::<u64>(), 1, "{key:?}");
        }
    }
}

#[test]
fn a_redirected_connection_is_told_from_one_that_leaves_the_node() {
    needs!(LIVING);
    let stage = stage!("a", "b");
    let (client, sidecar, server) = (stage.pod("a", "client"), stage.pod("a", "sidecar"), stage.pod("b", "server"));
    let (a, b) = (stage.node("a"), stage.node("b"));
    let (near, far) = (serve(&stage, &sidecar, 15001), serve(&stage, &server, 81));
    a.nft(&format!(
        "add table ip sidecar\n\
         add chain ip sidecar output {{ type nat hook output priority -100; }}\n\
         add rule ip sidecar output ip daddr {} tcp dport 80 redirect to :15001\n",
        b.ipv4
    ))
    .unwrap();
    let mut watch = watch(&stage);
    for _ in 0..3 {
        live(Pair::open(&stage, &client, &near, to(b, 80)));
        live(Pair::open(&stage, &client, &far, to(b, 81)));
        // The Node's own address is not redirected, though its packets take the same device.
        live(Pair::open(&stage, &client, &near, to(a, 15001)));
    }
    watch.read();
    let found = edges(&watch, &client);
    let of = |port: u16, redirected: u8| -> Tally {
        let mut all = found.iter().filter(|(key, _)| (key.port, key.redirected) == (port, redirected));
        let sum = all.next().map(|(_, tally)| tally.clone()).unwrap_or_default();
        assert!(all.next().is_none(), "{port} {redirected}: {found:?}");
        sum
    };
    let data = 3 * EXCHANGES as u64;
    // Until something arrives nobody knows: the first handshake alone.
    assert_eq!((of(80, 0).connects(Role::Client), of(80, 1).connects(Role::Client)), (1, 2));
    assert_eq!((of(80, 0).data_segs_out, of(80, 1).data_segs_out), (0, data));
    assert_eq!((of(81, 0).connects(Role::Client), of(81, 0).data_segs_out), (3, data));
    assert_eq!((of(15001, 0).connects(Role::Client), of(15001, 0).data_segs_out), (3, data));
    assert_eq!((of(81, 1).segs_out, of(15001, 1).segs_out), (0, 0));
    let netns = fs::metadata(format!("/run/netns/{}", a.netns)).unwrap().ino();
    let redirected: Vec<u64> =
        found.iter().filter(|(key, _)| key.redirected != 0).map(|(key, _)| key.netns.into()).collect();
    assert_eq!(redirected, [netns]);
}

#[test]
fn a_port_scanner_takes_no_more_edges_than_an_address_may_have() {
    const PORTS: u64 = 1_000;
    let stage = stage!("a", "b");
    let (scanner, b) = (stage.pod("a", "scanner"), stage.node("b"));
    let mut watch = watch(&stage);
    stage.inside(&scanner, || {
        for port in 1..=PORTS as u16 {
            assert!(TcpStream::connect(to(b, port)).is_err());
        }
    });
    watch.read();
    let found = edges(&watch, &scanner);
    assert_eq!(found.len() as u64, MAX_PORTS + 1, "{found:?}");
    let refused: u64 = found.iter().map(|(_, tally)| tally.failures(Failure::Refused)).sum();
    assert_eq!(refused, PORTS);
    let rest = found.iter().find(|(key, _)| key.port == 0).unwrap();
    assert_eq!(rest.1.failures(Failure::Refused), PORTS - MAX_PORTS);
    assert!(watch.counter(Counter::PortsFolded) >= PORTS - MAX_PORTS);
    // Another address has places of its own.
    let listener = on_node(stage.node("a"), || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    live(Pair::open(&stage, &scanner, &listener, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)));
    watch.read();
    let loopback = edge_key(id(&scanner), Ipv4Addr::LOCALHOST.into()).addr;
    assert!(edges(&watch, &scanner).iter().any(|(key, _)| key.addr == loopback && key.port == port));
}

/// Eight ports that are used now and then, and two that come later and are busy.
#[test]
fn the_busiest_ports_of_an_address_have_edges_and_no_count_is_lost() {
    needs!(LIVING);
    const BUSY: usize = 2;
    let stage = stage!("a", "b");
    let (client, server, b) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.node("b"));
    let ports: Vec<u16> = (9_001..).take(MAX_PORTS as usize + BUSY).collect();
    let listeners: Vec<TcpListener> = ports.iter().map(|port| serve(&stage, &server, *port)).collect();
    let mut watch = watch(&stage);
    let open = |(listener, port): (&TcpListener, &u16)| Pair::open(&stage, &client, listener, to(b, *port));
    let mut pairs: Vec<Pair> = listeners.iter().zip(&ports).map(open).collect();
    let (quiet, busy) = pairs.split_at_mut(MAX_PORTS as usize);
    let with_edges = |watch: &Watch| {
        let edges = edges(watch, &client).into_iter();
        edges.filter(|(_, tally)| tally.data_segs_out > 0).map(|(key, _)| key.port).collect::<Vec<_>>()
    };
    quiet.iter_mut().for_each(|pair| pair.exchange(10, 10));
    let end = Instant::now() + PATIENCE;
    while !ports[MAX_PORTS as usize..].iter().all(|port| with_edges(&watch).contains(port)) {
        assert!(Instant::now() < end, "{:?}", edges(&watch, &client));
        busy.iter_mut().for_each(|pair| (0..50).for_each(|_| pair.exchange(10, 10)));
        watch.read();
    }
    // Those that are less busy give up their places when they are silent.
    let rows = |watch: &Watch| watch.source.map_fill().iter().find(|map| map.name == "edges").unwrap().entries;
    // At the client eight and the rest; at the server as many.
    let expected = 2 * (MAX_PORTS + 1);
    while rows(&watch) > expected {
        assert!(Instant::now() < end, "{} rows", rows(&watch));
        watch.read();
    }
    let rest = |watch: &Watch| edges(watch, &client).iter().find(|(key, _)| key.port == 0).unwrap().1.data_segs_out;
    let before = rest(&watch);
    busy.iter_mut().for_each(|pair| (0..50).for_each(|_| pair.exchange(10, 10)));
    watch.read();
    assert_eq!(rest(&watch), before, "the busy ports count by themselves");
    quiet.iter_mut().for_each(|pair| pair.exchange(10, 10));
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    for pair in pairs {
        let (client, server) = pair.finish();
        at_client += client;
        at_server += server;
    }
    watch.read();
    assert_eq!(Flow::from(watch.of(id(&client))), at_client);
    assert_eq!(Flow::from(watch.of(id(&server))), at_server);
    let all = ports.len() as u64;
    assert_eq!(watch.of(id(&client)).connects(Role::Client), all);
    assert_eq!(watch.of(id(&server)).connects(Role::Server), all);
}
