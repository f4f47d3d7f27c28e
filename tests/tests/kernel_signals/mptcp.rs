//! Servers that listen with MPTCP, as Go's do from 1.24 on, and clients with and without it.

mod connections;

use crate::{
    loss::{agrees_with_out_segs, out_segments},
    mib,
    socket::Flow,
    stage::{Options, Stage, Watch, id, needs, since, stage, wait_until},
};
use connections::{Connections, subflows};
use netwhy_abi::{Counter, Role};
use netwhy_agent::{
    api::{ProbeState, Refusal},
    sample::Connects,
};
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

/// Ends a test where the kernel refuses the walk over subflows, and the agent says so.
macro_rules! subflows {
    ($watch:ident) => {
        if let Some(why) = no_subflows(&$watch) {
            println!("SKIP {}: machine: {why}", crate::stage::name_of(|| ()));
            return;
        }
    };
}

/// Why the subflows of MPTCP connections are not visited. `None`: they are.
fn no_subflows(watch: &Watch) -> Option<String> {
    let status = watch.source.loaded().probes.iter().find(|status| status.name == "mptcp").unwrap();
    if status.state == ProbeState::Ok {
        return None;
    }
    let is_refused = status.state == ProbeState::Unsupported && status.refusal != Some(Refusal::Other);
    assert!(is_refused && status.why.contains("quiet MPTCP connections"), "{status:?}");
    Some(status.why.clone())
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
    needs!(ACCEPT_QUEUES);
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
    needs!(ACCEPT_QUEUES);
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

/// Whether all payload was counted, and beside it no more than the SYN and the FIN of each connection.
#[track_caller]
fn is_whole(counted: u64, payload: u64, connections: usize) {
    assert!((payload..=payload + 2 * connections as u64).contains(&counted), "{counted} of {payload}");
}

/// An agent's counts at the clients and at the servers.
fn counted(stage: &Stage, watch: &Watch) -> (Flow, Flow) {
    let of = |pod: Pod| Flow::from(watch.of(id(&pod)));
    (of(stage.pod("a", "client")), of(stage.pod("b", "server")))
}

/// Reads until nothing changes meanwhile; returns the kernel's figures.
fn read_at_rest(watch: &mut Watch, connections: &Connections) -> (Flow, Flow) {
    loop {
        let before = connections.flows();
        watch.read();
        if connections.flows() == before {
            return before;
        }
    }
}

#[test]
fn quiet_mptcp_connections_count_at_each_walk_and_whole_when_they_close() {
    const CONNECTIONS: usize = 20;
    since!(5, 16);
    let stage = stage!("a", "b");
    mptcp!(stage);
    // No segment gives a sample: walks alone count.
    let mut watch = stage.watch_with(Options { rtt_every: 1 << 30, ..Options::default() });
    subflows!(watch);
    let mut connections = Connections::open(&stage, CONNECTIONS);
    for _ in 0..3 {
        connections.exchange(1_000, 2_000);
        let kernel = read_at_rest(&mut watch, &connections);
        assert_eq!(counted(&stage, &watch), kernel);
    }
    connections.exchange(1_000, 2_000);
    connections.close(&stage);
    watch.read();
    let (at_client, at_server) = counted(&stage, &watch);
    let (asked, answered) = (4_000 * CONNECTIONS as u64, 8_000 * CONNECTIONS as u64);
    for (counted, payload) in [
        (at_client.bytes_acked, asked),
        (at_server.bytes_received, asked),
        (at_server.bytes_acked, answered),
        (at_client.bytes_received, answered),
    ] {
        is_whole(counted, payload, CONNECTIONS);
    }
    agrees_with_out_segs(&stage, &watch.all());
    assert_eq!(watch.counter(Counter::NoCgroup) + watch.counter(Counter::BadRead), 0);
}

#[test]
fn mptcp_connections_older_than_the_agent_count_from_its_start() {
    const CONNECTIONS: usize = 20;
    since!(5, 16);
    let stage = stage!("a", "b");
    mptcp!(stage);
    let mut connections = Connections::open(&stage, CONNECTIONS);
    connections.exchange(5_000, 7_000);
    let mut before = connections.flows();
    let mut watch = loop {
        let watch = stage.watch_with(Options { rtt_every: 1 << 30, ..Options::default() });
        let now = connections.flows();
        if before == now {
            break watch;
        }
        before = now;
    };
    let segments = out_segments(&stage);
    read_at_rest(&mut watch, &connections);
    assert_eq!(counted(&stage, &watch), Default::default(), "their past is no news");
    connections.exchange(1_000, 2_000);
    connections.close(&stage);
    watch.read();
    let (at_client, at_server) = counted(&stage, &watch);
    let (asked, answered) = (1_000 * CONNECTIONS as u64, 2_000 * CONNECTIONS as u64);
    is_whole(at_client.bytes_acked, asked, CONNECTIONS);
    is_whole(at_server.bytes_received, asked, CONNECTIONS);
    is_whole(at_server.bytes_acked, answered, CONNECTIONS);
    is_whole(at_client.bytes_received, answered, CONNECTIONS);
    let all = watch.all();
    // A side that waits for a FIN may acknowledge one meanwhile.
    let by_kernel = out_segments(&stage) - segments + all.retransmitted();
    assert!(all.segs_out.abs_diff(by_kernel) <= all.retransmitted() + 8, "{} for {by_kernel}", all.segs_out);
}

#[test]
fn a_further_path_belongs_to_the_connection_that_it_joins() {
    since!(5, 16);
    let stage = stage!("a", "b");
    mptcp!(stage);
    let (a, b) = (stage.node("a"), stage.node("b"));
    let mut second = a.ipv4.octets();
    second[3] += 100;
    let second = Ipv4Addr::from(second).to_string();
    a.run(&["ip", "address", "add", &format!("{second}/16"), "dev", a.device]).unwrap();
    for node in [a, b] {
        node.run(&["ip", "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2"]).unwrap();
    }
    a.run(&["ip", "mptcp", "endpoint", "add", &second, "dev", a.device, "subflow"]).unwrap();
    let mut watch = stage.watch();
    subflows!(watch);
    let opened = mib::read(a, "Tcp", "ActiveOpens");
    let mut connections = Connections::open(&stage, 1);
    wait_until("the second path is there", || {
        connections.exchange(100, 100);
        connections.pairs.iter().all(|(asks, answers)| subflows(asks).len() == 2 && subflows(answers).len() == 2)
    });
    for _ in 0..20 {
        connections.exchange(20_000, 20_000);
    }
    let kernel = read_at_rest(&mut watch, &connections);
    assert_eq!(counted(&stage, &watch), kernel);
    assert_eq!(mib::read(a, "Tcp", "ActiveOpens") - opened, 2);
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    assert_eq!((at_client.connects(Role::Client), at_server.connects(Role::Server)), (1, 1));
    let timed = |pod: &Pod, role: Role| at(&watch, pod).durations[role as usize].count();
    assert_eq!((timed(&client, Role::Client), timed(&server, Role::Server)), (1, 1));
    // Each path has an edge of its own at the server.
    let paths = watch.sums().edges.keys().filter(|key| key.cgroup == id(&server)).count();
    assert_eq!(paths, 2);
    drop(connections);
    wait_until("both paths are closed", || [a, b].iter().all(|node| mib::read(node, "Tcp", "CurrEstab") == 0));
    watch.read();
    assert_eq!(watch.all().connects.iter().sum::<u64>(), 2);
}

#[test]
fn connections_with_and_without_mptcp_count_once_at_each_end() {
    const EACH: usize = 20;
    const BYTES: usize = 1000;
    let stage = stage!("a", "b");
    mptcp!(stage);
    let mut watch = stage.watch();
    subflows!(watch);
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
    assert_eq!(bytes(&watch), 2 * EACH * BYTES, "a walk finds quiet connections of both kinds");
    drop(open);
    let current = || mib::read(stage.node("b"), "Tcp", "CurrEstab") + mib::read(stage.node("a"), "Tcp", "CurrEstab");
    wait_until("all are closed", || current() == 0);
    watch.read();
    // SYN and FIN take one byte of the sequence each.
    let (all, sent) = (2 * EACH * BYTES, watch.of(id(&client)).bytes_acked as usize);
    assert!((all..=all + 4 * EACH).contains(&sent), "{sent} bytes");
    is_whole(bytes(&watch) as u64, all as u64, 2 * EACH);
    let (at_client, at_server) = (watch.of(id(&client)), watch.of(id(&server)));
    let both = 2 * EACH as u64;
    assert_eq!((at_client.connects(Role::Client), at_client.connects(Role::Server)), (both, 0));
    assert_eq!((at_server.connects(Role::Client), at_server.connects(Role::Server)), (0, both));
    drop(listener);
    watch.read();
    let Connects { accept_drops, accept_full, listen_drops, .. } = at(&watch, &server);
    assert_eq!((accept_drops, accept_full, listen_drops.iter().sum::<u64>()), (0, 0, 0));
}
