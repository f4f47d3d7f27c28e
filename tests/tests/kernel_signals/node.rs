//! The Node's own signals: what the agent reads is what the kernel's own tools show.

use crate::stage::{on_node, stage, wait_until};
use netwhy_agent::{
    kernel,
    node::{HostPaths, HostReader},
    sample::{Gauge, Group, HostSample, Signal, State},
};
use netwhy_tests::lab::Node;
use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Duration,
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

/// Counters of the root queue discipline as iproute2 shows them: packets, drops, overlimits, backlog.
fn shown_by_tc(node: &Node) -> [u64; 4] {
    let text = node.run(&["tc", "-s", "-j", "qdisc", "show", "dev", node.device, "root"]).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    ["packets", "drops", "overlimits", "backlog"].map(|key| all[0][key].as_u64().unwrap())
}

/// Sends so many datagrams of 1400 bytes as fast as it goes.
fn flood(from: &Node, to: Ipv4Addr, port: u16, datagrams: usize) {
    on_node(from, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        for _ in 0..datagrams {
            // What the queue drops is told to nobody.
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
    a.run(&["tc", "qdisc", "replace", "dev", a.device, "root", "tbf", "rate", "1mbit", "burst", "5k", "limit", "20k"])
        .unwrap();
    let before = reader.read(Duration::from_secs(1));
    assert_eq!(before.states[&Group::Qdiscs], State::Ok, "{before:?}");
    let [packets, drops, ..] = shown_by_tc(a);
    assert_eq!((count(&before, Signal::QdiscPackets), count(&before, Signal::QdiscDrops)), (packets, drops));
    assert_eq!(before.devices.len(), 1);
    assert_eq!(before.devices[0].qdisc.as_deref(), Some("tbf"));
    assert_eq!(before.devices[0].driver.as_deref(), Some("veth"), "asked in its namespace");

    flood(a, b.ipv4, port, 500);
    // The queue empties in a quarter of a second; then nothing moves.
    wait_until("the queue is empty", || shown_by_tc(a)[3] == 0);
    let after = reader.read(Duration::from_secs(2));
    let [packets, drops, overlimits, _] = shown_by_tc(a);
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
    server.wait_ready(Duration::from_secs(10)).unwrap();
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
