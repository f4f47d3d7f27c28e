//! Names of peers, from the answers of a name server up to the API.

use super::PORT;
use crate::{
    program::{Agent, Scratch},
    socket::Pair,
    stage::{Options, PATIENCE, Stage, Watch, id, needs, on_node, stage, wait_until},
};
use netwhy_agent::{kernel::Mode, names::Answer};
use netwhy_tests::lab::{Node, Pod};
use serde_json::Value;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, spawn},
    time::Duration,
};

const NAME: &str = "api.example.com";
const ALIAS: &str = "edge.example.net";
const PROGRAM: &str = "nw_dns_name";
const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;
/// Lookups of one round. A resolver that is awake may take an answer before it is read.
const TIMES: usize = 8;

/// A name as a message has it.
fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn question(kind: u16) -> Vec<u8> {
    let header = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    [&header[..], &labels(NAME), &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A record of the name at this offset of the message, for a minute.
fn record(owner: u16, kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let head = [0xc000 | owner, kind, 1, 0, 60, length].map(u16::to_be_bytes).concat();
    [&head[..], data].concat()
}

/// The answer to a question: an alias, and the alias's address, which is a Node's.
fn answer(question: &[u8], v4: Ipv4Addr, v6: Ipv6Addr) -> Vec<u8> {
    let alias = record(12, CNAME, &labels(ALIAS));
    // The record's head is as long as the message's.
    let target = u16::try_from(question.len() + 12).unwrap();
    let is_v4 = u16::from(question[question.len() - 3]) == A;
    let address = if is_v4 { record(target, A, &v4.octets()) } else { record(target, AAAA, &v6.octets()) };
    let header = [&question[..2], &[0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]].concat();
    [&header[..], &question[12..], &alias, &address].concat()
}

/// Says that the name has a Node's addresses.
struct NameServer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    fn start(node: &Node) -> Self {
        let socket = on_node(node, || UdpSocket::bind((Ipv6Addr::UNSPECIFIED, PORT))).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (v4, v6) = (node.ipv4, node.ipv6);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = spawn(move || {
            let mut message = [0; 512];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((n, from)) = socket.recv_from(&mut message) else { continue };
                socket.send_to(&answer(&message[..n], v4, v6), from).unwrap();
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Looks up both types, a few times.
fn look_up(stage: &Stage, pod: &Pod, server: SocketAddr) {
    stage.inside(pod, || {
        for _ in 0..TIMES {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.connect(server).unwrap();
            for kind in [A, AAAA] {
                socket.send(&question(kind)).unwrap();
                socket.recv_from(&mut [0; 512]).unwrap();
            }
        }
    });
}

/// Clients' edges of the API to this address: their subject, and the name.
fn edges(agent: &Agent, peer: IpAddr) -> Vec<(Value, Option<String>)> {
    let (_, body) = agent.get("/api/v1/edges", "application/json").unwrap();
    let rows: Vec<Value> = serde_json::from_str(&body).unwrap();
    let of_peer = rows.into_iter().filter(|row| row["peer"] == peer.to_string() && row["role"] == "client");
    of_peer.map(|row| (row["subject"].clone(), row["peer_dns_name"].as_str().map(str::to_owned))).collect()
}

#[test]
fn an_edge_of_the_api_has_the_name_that_its_own_pod_looked_up() {
    needs!(DNS_NAMES);
    let stage = stage!("a", "b");
    let scratch = Scratch::new("names");
    let file = scratch.file("netwhy.yaml");
    fs::write(&file, "signals: {dns_names: \"on\"}\n").unwrap();
    let agent = Agent::start(&stage, &["--config".as_ref(), file.as_ref()]);
    let (asker, other, server) = (stage.pod("a", "asker"), stage.pod("a", "other"), stage.pod("b", "server"));
    let peers: [IpAddr; 2] = [stage.node("b").ipv4.into(), stage.node("b").ipv6.into()];
    let _names = NameServer::start(stage.node("b"));
    let listener = stage.listen(&server);
    let port = listener.local_addr().unwrap().port();
    let mut pairs = Vec::new();
    for pod in [&asker, &other] {
        for peer in peers {
            pairs.push(Pair::open(&stage, pod, &listener, SocketAddr::new(peer, port)));
        }
    }
    wait_until("the asker's edges have names, and all are there", || {
        look_up(&stage, &asker, SocketAddr::new(peers[0], PORT));
        pairs.iter_mut().for_each(|pair| pair.exchange(100, 100));
        let seen = peers.map(|peer| edges(&agent, peer));
        seen.iter().all(|edges| edges.len() == 2 && edges.iter().any(|(_, name)| name.is_some()))
    });
    for peer in peers {
        let edges = edges(&agent, peer);
        let named: Vec<_> = edges.iter().filter(|(_, name)| name.is_some()).collect();
        assert_eq!(named.len(), 1, "the other Pod asked nobody: {edges:?}");
        assert_eq!(named[0].1.as_deref(), Some(NAME), "{edges:?}");
    }
    stage.leave();
}

#[test]
fn answers_are_read_only_while_their_signal_is_on() {
    needs!(DNS_NAMES);
    let stage = stage!("a", "b");
    let options = || Options { modes: &[("dns_names", Mode::On)], ..Options::default() };
    let mut watch = stage.watch_with(options());
    let pod = stage.pod("a", "asker");
    let node = stage.node("b");
    let _names = NameServer::start(node);
    let server = SocketAddr::new(node.ipv4.into(), PORT);
    let read = |watch: &mut Watch| -> Vec<Answer> {
        look_up(&stage, &pod, server);
        watch.read();
        watch.last.answers.clone()
    };
    let wanted = [node.ipv4.to_ipv6_mapped(), node.ipv6].map(|address| Answer {
        cgroup: id(&pod),
        name: NAME.to_owned(),
        addresses: vec![address],
        ttl_seconds: 60,
    });
    for _ in 0..2 {
        let answers = read(&mut watch);
        assert!(wanted.iter().all(|wanted| answers.contains(wanted)), "{answers:?}");
        assert!(answers.iter().all(|answer| wanted.contains(answer)), "{answers:?}");
        watch.source.configure(&options().rates(), options().pace(), &[("dns_names", Mode::Off)]);
        assert!(read(&mut watch).is_empty());
        watch.source.configure(&options().rates(), options().pace(), options().modes);
    }
    drop(watch);
    let mut watch = stage.watch_with(Options { modes: &[("dns_names", Mode::Off)], ..Options::default() });
    assert!(read(&mut watch).is_empty());
    assert!(watch.source.program_runs().iter().all(|run| run.name != PROGRAM), "it is not even loaded");
    stage.leave();
}
