//! Every segment belongs to the cgroup that made its socket, whatever happened since.

use crate::{
    socket::{Flow, Pair},
    stage::{LIVING, Options, Stage, Watch, enter, id, id_of, stage},
};
use netwhy_abi::Role;
use netwhy_tests::lab::Pod;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

/// Nothing was counted for any cgroup but these, and for these exactly what their sockets said.
fn belongs_to(watch: &Watch, expected: &[(u64, Flow)]) {
    let mut ids: Vec<u64> = expected.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(watch.cgroups(), ids, "cgroups that something was counted for");
    for (id, flow) in expected {
        assert_eq!(Flow::from(watch.of(*id)), *flow, "cgroup {id}");
    }
}

fn talk_and_finish(mut pair: Pair) -> (Flow, Flow) {
    (0..10).for_each(|_| pair.exchange(1_000, 2_000));
    pair.finish()
}

#[test]
fn clients_and_servers_in_one_namespace_are_told_apart() {
    let stage = stage!("a");
    let mut watch = stage.watch();
    let pods: Vec<Pod> = (0..4).map(|n| stage.pod("a", &format!("pod-{n}"))).collect();
    let mut expected: Vec<(u64, Flow)> = pods.iter().map(|pod| (id(pod), Flow::default())).collect();
    // Each asks its neighbour.
    for (n, pod) in pods.iter().enumerate() {
        let neighbour = (n + 1) % pods.len();
        let listener = stage.listen(&pods[neighbour]);
        let pair = Pair::open(&stage, pod, &listener, stage.address(&pods[neighbour], &listener));
        let (client, server) = talk_and_finish(pair);
        expected[n].1 += client;
        expected[neighbour].1 += server;
    }
    watch.read();
    belongs_to(&watch, &expected);
}

#[test]
fn an_accepted_socket_belongs_to_its_listeners_cgroup_whoever_accepts_it() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server, acceptor) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.pod("b", "acceptor"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let socket = stage.connect(&client, to).unwrap();
    enter(&acceptor.cgroup).unwrap();
    let (at_client, at_server) = talk_and_finish(Pair::of(socket, &listener));
    watch.read();
    belongs_to(&watch, &[(id(&client), at_client), (id(&server), at_server)]);
}

#[test]
fn a_socket_stays_with_its_cgroup_when_its_process_moves() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server, elsewhere) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.pod("a", "elsewhere"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    pair.exchange(100, 100);
    watch.read();
    enter(&elsewhere.cgroup).unwrap();
    let (at_client, at_server) = talk_and_finish(pair);
    watch.read();
    belongs_to(&watch, &[(id(&client), at_client), (id(&server), at_server)]);
}

#[test]
fn a_socket_outlives_its_cgroup_and_is_still_counted_there() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (client, server, elsewhere) = (stage.pod("a", "client"), stage.pod("b", "server"), stage.pod("a", "elsewhere"));
    let listener = stage.listen(&server);
    let mut pair = Pair::open(&stage, &client, &listener, stage.address(&server, &listener));
    pair.exchange(100, 100);
    let gone = id(&client);
    enter(&elsewhere.cgroup).unwrap();
    client.remove().unwrap();
    assert!(!client.cgroup.exists());
    (0..10).for_each(|_| pair.exchange(1_000, 2_000));
    watch.read();
    if LIVING.is_lacking() {
        assert_eq!(watch.of(gone).data_segs_out, 0, "it counts when it closes");
    } else {
        assert!(watch.of(gone).data_segs_out >= 11, "while it lives");
    }
    let (at_client, at_server) = talk_and_finish(pair);
    watch.read();
    belongs_to(&watch, &[(gone, at_client), (id(&server), at_server)]);
}

#[test]
fn sockets_older_than_the_agent_count_from_its_start() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let listener = stage.listen(&server);
    let to = stage.address(&server, &listener);
    let mut pairs: Vec<Pair> = (0..3).map(|_| Pair::open(&stage, &client, &listener, to)).collect();
    pairs.iter_mut().for_each(|pair| pair.bulk(3 << 20));
    // One is closed at one end, one waits in the accept queue: both are older too.
    let queued = stage.connect(&client, to).unwrap();
    let past: Vec<(Flow, Flow)> = pairs.iter().map(Pair::flows).collect();
    let mut watch = stage.watch();
    watch.read();
    let before = watch.all();
    assert_eq!((before.connects, before.rtt.count()), ([0, 0], 0), "what was before is not counted");
    assert!(before.data_segs_out == 0 && before.bytes_acked == 0, "{before:?}");
    pairs.iter_mut().for_each(|pair| (0..300).for_each(|_| pair.exchange(500, 500)));
    watch.read();
    let (mut at_client, mut at_server) = (Flow::default(), Flow::default());
    for (pair, past) in pairs.into_iter().zip(past) {
        // Without storage nothing keeps a base: they count whole.
        let past = if LIVING.is_lacking() { <(Flow, Flow)>::default() } else { past };
        let (client, server) = pair.finish();
        at_client += client - past.0;
        at_server += server - past.1;
    }
    watch.read();
    let counted = (Flow::from(watch.of(id(&client))), Flow::from(watch.of(id(&server))));
    // An ACK may have been sent between the sockets' figures and the first walk.
    for (counted, expected) in [(counted.0, at_client), (counted.1, at_server)] {
        assert_eq!((counted.data_segs_out, counted.bytes_acked), (expected.data_segs_out, expected.bytes_acked));
        assert_eq!(counted.bytes_received, expected.bytes_received);
        assert!(expected.segs_out - counted.segs_out <= 3, "{counted:?} against {expected:?}");
    }
    drop(queued);
}

#[test]
fn equal_addresses_in_two_namespaces_are_told_apart_by_cgroup() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let mut expected = Vec::new();
    for node in ["a", "b"] {
        let (client, server) = (stage.pod(node, "client"), stage.pod(node, "server"));
        let listener = stage.listen(&server);
        let to = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), listener.local_addr().unwrap().port());
        let (at_client, at_server) = talk_and_finish(Pair::open(&stage, &client, &listener, to));
        expected.extend([(id(&client), at_client), (id(&server), at_server)]);
    }
    watch.read();
    belongs_to(&watch, &expected);
    for (cgroup, flow) in &expected {
        assert_eq!(Flow::from(watch.edge(*cgroup, Ipv4Addr::LOCALHOST.into())), *flow);
    }
}

#[test]
fn peers_are_named_by_their_ipv6_and_mapped_ipv4_addresses() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (a, b) = (stage.node("a"), stage.node("b"));
    let server = stage.pod("b", "server");
    let listener = stage.listen(&server);
    let port = listener.local_addr().unwrap().port();
    let mut of_server = Flow::default();
    let mapped: IpAddr = b.ipv4.to_ipv6_mapped().into();
    let cases: [(&str, IpAddr, IpAddr, IpAddr); 3] = [
        ("v6", b.ipv6.into(), b.ipv6.into(), a.ipv6.into()),
        ("v4", b.ipv4.into(), b.ipv4.into(), a.ipv4.into()),
        // An IPv6 socket that talks IPv4: the same peer as without the mapping.
        ("mapped", mapped, b.ipv4.into(), a.ipv4.into()),
    ];
    let mut from_a_v4 = Flow::default();
    for (name, to, seen_by_client, seen_by_server) in cases {
        let client = stage.pod("a", name);
        let pair = Pair::open(&stage, &client, &listener, SocketAddr::new(to, port));
        let (at_client, at_server) = talk_and_finish(pair);
        watch.read();
        assert_eq!(Flow::from(watch.edge(id(&client), seen_by_client)), at_client, "{name}");
        of_server += at_server;
        if seen_by_server.is_ipv4() {
            from_a_v4 += at_server;
        }
        let expected = if seen_by_server.is_ipv4() { from_a_v4 } else { at_server };
        assert_eq!(Flow::from(watch.edge(id(&server), seen_by_server)), expected, "{name}");
    }
    assert_eq!(Flow::from(watch.of(id(&server))), of_server);
    assert_eq!(watch.of(id(&server)).connects(Role::Server), 3);
}

#[test]
fn two_agents_see_their_own_subtree_each() {
    let stage = stage!("a", "b");
    let (client, server) = (stage.pod("a", "client"), stage.pod("b", "server"));
    let subtree = |node: &str| stage.lab.cgroups().root().join(node);
    let over = |dir: &Path| Watch::over(dir, Options::default());
    let (mut of_a, mut of_b, mut of_all) = (over(&subtree("a")), over(&subtree("b")), stage.watch());
    let mut of_one_pod = over(&client.cgroup);
    let listener = stage.listen(&server);
    let (at_client, at_server) = talk(&stage, &client, &server, &listener);
    for watch in [&mut of_a, &mut of_b, &mut of_all, &mut of_one_pod] {
        watch.read();
    }
    belongs_to(&of_a, &[(id(&client), at_client)]);
    belongs_to(&of_one_pod, &[(id(&client), at_client)]);
    belongs_to(&of_b, &[(id(&server), at_server)]);
    belongs_to(&of_all, &[(id(&client), at_client), (id(&server), at_server)]);
    // One goes, the others go on.
    drop(of_all);
    let (again, _) = talk(&stage, &client, &server, &listener);
    of_a.read();
    let mut sum = at_client;
    sum += again;
    belongs_to(&of_a, &[(id(&client), sum)]);
}

fn talk(stage: &Stage, client: &Pod, server: &Pod, listener: &TcpListener) -> (Flow, Flow) {
    talk_and_finish(Pair::open(stage, client, listener, stage.address(server, listener)))
}

#[test]
fn a_cgroup_below_a_pod_is_counted_under_its_own_id() {
    let stage = stage!("a", "b");
    let mut watch = stage.watch();
    let (pod, server) = (stage.pod("a", "pod"), stage.pod("b", "server"));
    let below = Pod { cgroup: pod.cgroup.join("container"), ..pod.clone() };
    std::fs::create_dir(&below.cgroup).unwrap();
    let listener = stage.listen(&server);
    let (at_client, at_server) = talk(&stage, &below, &server, &listener);
    watch.read();
    belongs_to(&watch, &[(id_of(&below.cgroup), at_client), (id(&server), at_server)]);
}
