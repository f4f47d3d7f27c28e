//! The Node's own signals: what the agent reads is what the kernel's own tools show.

use crate::stage::{PATIENCE, Stage, needs, on_node, stage, wait_until};
use netwhy_agent::{
    api::{BlameKind, HintState},
    app,
    config::{Config, cli},
    kernel,
    node::{HostPaths, HostReader},
    pipeline::Pipeline,
    sample::{Gauge, Group, HostSample, SampleSource as _, Signal, State},
};
use netwhy_tests::lab::Node;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use std::{
    ffi::OsString,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A reader of the network namespace that a process is in.
fn reader(process: &str) -> HostReader {
    let paths = HostPaths { procfs: "/proc".into(), sysfs: "/sys".into(), process: process.to_owned() };
    HostReader::new(paths, Some(kernel::ethtool_calls()))
}

fn count(sample: &HostSample, signal: Signal) -> u64 {
    let on = |name: &Option<std::sync::Arc<str>>| name.as_deref().is_none_or(|name| name == "eth0");
    let mut found = sample.counters.iter().filter(|(s, name, _)| *s == signal && on(name));
    let (_, _, value) = found.next().unwrap_or_else(|| panic!("no {} in {:?}", signal.label(), sample.states));
    assert!(found.next().is_none(), "{} is there twice", signal.label());
    *value
}

/// A sample with the queue disciplines: on a slow machine the answer may come too late for the first, which has no
/// counters of them then.
fn read_queues(reader: &mut HostReader, now: Duration) -> HostSample {
    let mut sample = reader.read(now);
    wait_until("the answer comes", || {
        let is_there = sample.counters.iter().any(|(signal, ..)| *signal == Signal::QdiscDrops);
        if !is_there {
            sample = reader.read(now);
        }
        is_there
    });
    sample
}

/// Counters of the root queue discipline as iproute2 shows them: packets, drops, overlimits, backlog.
fn shown_by_tc(node: &Node) -> [u64; 4] {
    let text = node.run(&["tc", "-s", "-j", "qdisc", "show", "dev", node.device, "root"]).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    ["packets", "drops", "overlimits", "backlog"].map(|key| all[0][key].as_u64().unwrap())
}

/// Sends datagrams of 1400 bytes as fast as possible.
fn flood(from: &Node, to: Ipv4Addr, port: u16, datagrams: usize) {
    on_node(from, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        for _ in 0..datagrams {
            // The kernel reports no error for datagrams that the queue drops.
            let _ = socket.send_to(&[0; 1400], (to, port));
        }
    });
}

#[test]
fn drops_of_an_overflowing_queue_are_counted_as_tc_counts_them() {
    let stage = stage!("a", "b");
    let (a, b) = (stage.node("a"), stage.node("b"));
    let sink = on_node(b, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let port = sink.local_addr().unwrap().port();
    // A process in the Node's namespace, as the first one is in a real Node's.
    let server = stage.lab.start(&stage.pod("a", "init"), &["server"]).unwrap();
    let process = server.pid().to_string();
    let inode = |path: String| std::fs::read_link(path).ok();
    let (here, there) = (inode("/proc/self/ns/net".into()), || inode(format!("/proc/{process}/ns/net")));
    wait_until("the process is in the namespace", || there().is_some_and(|ns| Some(ns) != here));

    let mut reader = reader(&process);
    a.run(&[
        "tc", "qdisc", "replace", "dev", a.device, "root", "tbf", "rate", "200kbit", "burst", "5k", "limit", "20k",
    ])
    .unwrap();
    let before = read_queues(&mut reader, Duration::from_secs(1));
    assert_eq!(before.states[&Group::Qdiscs], State::Ok, "{before:?}");
    let [packets, drops, ..] = shown_by_tc(a);
    assert_eq!((count(&before, Signal::QdiscPackets), count(&before, Signal::QdiscDrops)), (packets, drops));
    assert_eq!(before.devices.len(), 1);
    assert_eq!(before.devices[0].qdisc.as_deref(), Some("tbf"));
    assert_eq!(before.devices[0].driver.as_deref(), Some("veth"), "asked in its namespace");

    flood(a, b.ipv4, port, 500);
    // The queue empties in a second; then nothing moves.
    wait_until("the queue is empty", || shown_by_tc(a)[3] == 0);
    let after = read_queues(&mut reader, Duration::from_secs(2));
    let [packets, drops, overlimits, _] = shown_by_tc(a);
    // Twenty fit, and each second that sending takes lets eighteen more pass.
    assert!(drops > 400, "500 datagrams of 1400 bytes into 20 kB: {drops}");
    assert_eq!(count(&after, Signal::QdiscDrops), drops);
    assert_eq!(count(&after, Signal::QdiscPackets), packets);
    assert_eq!(count(&after, Signal::QdiscOverlimits), overlimits);
    let backlog = after.gauges.iter().find(|(gauge, _, _)| *gauge == Gauge::QdiscBacklogBytes).unwrap();
    assert_eq!(backlog.2, 0);
    drop(sink);
}

#[test]
fn what_is_read_from_outside_is_what_is_read_inside() {
    let stage = stage!("a", "b");
    let (a, b) = (stage.node("a"), stage.node("b"));
    let sink = on_node(b, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let server = stage.lab.start(&stage.pod("a", "init"), &["server"]).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    flood(a, b.ipv4, sink.local_addr().unwrap().port(), 50);
    let outside = reader(&server.pid().to_string()).read(Duration::from_secs(1));
    let inside = on_node(a, || reader("thread-self").read(Duration::from_secs(1)));
    for group in Group::ALL.into_iter().filter(|group| *group != Group::TcpMemory) {
        assert_eq!(outside.states[&group], inside.states[&group], "{group:?}");
    }
    // The limits are the whole machine's, but shown in its own namespace only.
    assert_eq!(outside.states[&Group::TcpMemory], State::Ok);
    assert!(matches!(&inside.states[&Group::TcpMemory], State::Unsupported(why) if why.contains("hostNetwork")));
    assert_eq!(outside.devices, inside.devices);
    assert_eq!(outside.states[&Group::Ports], State::Ok);
    for signal in [Signal::NicRxDropped, Signal::ActiveOpens, Signal::QdiscDrops] {
        assert_eq!(count(&outside, signal), count(&inside, signal), "{}", signal.label());
    }
    // IPv6 sends a packet of its own now and then.
    let sent = |sample| count(sample, Signal::NicTxPackets);
    let last = on_node(a, || reader("thread-self").read(Duration::from_secs(1)));
    assert!(50 <= sent(&outside) && sent(&outside) <= sent(&inside) && sent(&inside) <= sent(&last));
    // The machine's own namespace is another one.
    let machine = reader("1").read(Duration::from_secs(1));
    assert_ne!(machine.devices, outside.devices);
}

#[test]
fn with_the_charts_rights_and_a_network_of_its_own_the_agent_still_counts_the_nodes() {
    let stage = stage!("a");
    let rights = CapabilitySet::BPF | CapabilitySet::PERFMON;
    // A thread of its own, on which nothing else will run.
    let sample = on_node(stage.node("a"), || {
        let sets = CapabilitySets { effective: rights, permitted: rights, inheritable: CapabilitySet::empty() };
        set_capabilities(None, sets).unwrap();
        reader("1").read(Duration::from_secs(1))
    });
    let machine = reader("1").read(Duration::from_secs(1));
    for group in [Group::Pressure, Group::Cpu, Group::Softnet, Group::Conntrack, Group::Tcp] {
        assert_eq!(sample.states[&group], machine.states[&group], "{group:?}");
    }
    assert!(count(&machine, Signal::SegmentsSent) >= count(&sample, Signal::SegmentsSent));
    assert!(count(&sample, Signal::SegmentsSent) > 0, "the machine's, where the new namespace has sent none");
    for group in [Group::Ports, Group::Qdiscs] {
        let state = &sample.states[&group];
        assert!(matches!(state, State::Unsupported(why) if why.contains("hostNetwork")), "{group:?}: {state:?}");
    }
    // With the machine's /sys in view; without it the routes tell, which the reader's own tests show.
    let names = |sample: &HostSample| sample.devices.iter().map(|device| device.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&sample), names(&machine));
}

#[test]
fn what_is_open_in_the_nodes_namespace_stays_readable_without_rights() {
    let stage = stage!("a");
    let server = stage.lab.start(&stage.pod("a", "init"), &["server"]).unwrap();
    server.wait_ready(PATIENCE).unwrap();
    let mut reader = reader(&server.pid().to_string());
    // A thread of its own, on which nothing else will run. It may not enter the namespace.
    let [first, later] = std::thread::scope(|scope| {
        let without = || {
            let none = CapabilitySet::empty();
            set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
            // The second reading looks for interfaces again.
            [1, 100].map(|second| reader.read(Duration::from_secs(second)))
        };
        scope.spawn(without).join().unwrap()
    });
    for sample in [first, later] {
        for group in [Group::Qdiscs, Group::Ports, Group::TcpMemory, Group::Devices] {
            let state = &sample.states[&group];
            let is_read = match state {
                State::Ok => true,
                // sysfs shows the machine's interfaces.
                State::Unsupported(why) => group == Group::Devices && why.starts_with("only packets"),
                _ => false,
            };
            assert!(is_read, "{group:?}: {state:?}");
        }
        assert_eq!(sample.devices[0].driver.as_deref(), Some("veth"), "asked in its namespace");
    }
}

/// Fills a Node's queue until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    /// Sends datagrams of 1400 bytes at a rate.
    fn start(from: &Node, to: Ipv4Addr, port: u16, per_second: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (node, stopped) = (from.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            on_node(&node, || {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                let mut next = Instant::now();
                while !stopped.load(Ordering::Relaxed) {
                    let _ = socket.send_to(&[0; 1400], (to, port));
                    next += Duration::from_secs(1) / per_second;
                    std::thread::sleep(next.saturating_duration_since(Instant::now()));
                }
            });
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Makes the packets of a Pod with a network of its own pass through a Node, as in a cluster. A socket of the Node
/// itself loses nothing to a full queue: the kernel tells it, and it waits.
fn route_through(node: &Node, pod: &Node, to: Ipv4Addr) {
    let forward = "net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0";
    node.run(&[["sysctl", "-q", "-w"].as_slice(), &forward.split(' ').collect::<Vec<_>>()].concat()).unwrap();
    pod.run(&["ip", "route", "add", &format!("{to}/32"), "via", &node.ipv4.to_string()]).unwrap();
}

/// An agent over the laboratory, with the network of this process.
fn command_line(stage: &Stage, process: u32) -> cli::Cli {
    let process = process.to_string();
    let args = ["netwhy-agent", "--kube=off", "--net-process", &process, "--cgroup-root"].map(OsString::from);
    let args: Vec<OsString> = args.into_iter().chain([OsString::from(stage.lab.cgroups().root())]).collect();
    cli::parse(&args, |_| None).unwrap()
}

#[test]
fn an_overflowing_queue_is_blamed_for_what_pods_behind_it_lose() {
    needs!(LIVING);
    let stage = stage!("a", "b", "p");
    let (a, b, p) = (stage.node("a"), stage.node("b"), stage.node("p"));
    route_through(a, p, b.ipv4);
    let sink = on_node(b, || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    let (client, server) = (stage.pod("p", "client"), stage.pod("b", "server"));
    let init = stage.lab.start(&stage.pod("a", "init"), &["server"]).unwrap();
    init.wait_ready(PATIENCE).unwrap();
    let serving = stage.lab.start(&server, &["server"]).unwrap();
    let port = serving.wait_ready(PATIENCE).unwrap().port.unwrap();
    let to = format!("{}:{port}", b.ipv4);
    // Too few requests to fill a queue. They are as long as the datagrams that fill it: the queue counts bytes, and
    // shorter packets would find room in it.
    let size = ["--rate", "400", "--request-bytes", "1400"];
    let client_args = ["client", "--connections", "8", "--timeout-ms", "20000", "--to", &to];
    let calling = stage.lab.start(&client, &[client_args.as_slice(), &size].concat()).unwrap();
    calling.wait_ready(PATIENCE).unwrap();
    a.run(&[
        "tc", "qdisc", "replace", "dev", a.device, "root", "tbf", "rate", "20mbit", "burst", "10k", "limit", "30k",
    ])
    .unwrap();

    let cli = command_line(&stage, init.pid());
    let config = Config::default();
    let (mut source, peers) = app::open(&cli, &config).map_err(|failure| failure.error).unwrap();
    let mut pipeline = Pipeline::new("a", &config);
    pipeline.set_peers(Arc::new(peers));
    let mut tick = || {
        // A tick's length: what is waited for is time itself.
        std::thread::sleep(Duration::from_millis(500));
        let view = pipeline.take(&source.sample().unwrap().unwrap());
        let firing = view.hints.iter().filter(|h| h.state == HintState::Firing).cloned().collect::<Vec<_>>();
        (view, firing)
    };
    for _ in 0..24 {
        let (_, hints) = tick();
        assert!(hints.iter().all(|h| !h.cause.ends_with("_drops")), "nothing was dropped yet: {hints:?}");
    }
    // A little more than the rate takes.
    let flood = Flood::start(a, b.ipv4, sink.local_addr().unwrap().port(), 2_000);
    let mut found = None;
    wait_until("the queue is blamed", || {
        let (view, hints) = tick();
        let hint = hints.into_iter().find(|h| h.cause == "node_qdisc_drops");
        found = hint.map(|hint| (hint, view));
        found.is_some()
    });
    drop(flood);
    let (hint, view) = found.unwrap();
    assert_eq!((hint.blame.kind, hint.blame.name.as_str()), (BlameKind::Node, "a"));
    assert_eq!(hint.subject.name, client.name);
    assert!(hint.summary.contains("the tbf queue of eth0 dropped"), "{}", hint.summary);
    assert!(hint.evidence.iter().any(|e| e.signal == "qdisc_drops" && e.observed > 0.0 && e.place == "eth0"));
    let host = view.host.unwrap();
    assert_eq!(host.states[&Group::Qdiscs], State::Ok);
    stage.leave();
}
