use super::*;
use crate::{
    api::Hint,
    hints::testing::{Case, Run, firing, host, lose, set, verdict},
};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Two Pods on a Node whose signals are read.
fn normal() -> Case {
    Case { host: Some(host()), ..Case::mesh(&["cart", "shop"], &PEERS) }
}

/// The same with counters that grew in the window.
fn dropping(case: &Case, counters: &[(Signal, u64)]) -> Case {
    let mut case = case.clone();
    for (signal, window) in counters {
        set(case.host.as_mut().unwrap(), *signal, *window);
    }
    case
}

/// The same with losses of one Pod to all peers.
fn losing(case: &Case, pod: &str, episodes: u64) -> Case {
    let mut case = case.clone();
    PEERS.iter().for_each(|peer| lose(case.tally(pod, peer), episodes));
    case
}

/// The same with one Pod's SYNs unanswered, and no other handshake.
fn refused(case: &Case, pod: &str, syns: u64) -> Case {
    let mut case = case.clone();
    for other in ["cart", "shop"] {
        case.tally(other, PEERS[0]).connects = [0, 0];
    }
    case.with(pod, PEERS[0], |t| t.retransmits[netwhy_abi::Retransmit::Syn as usize] = syns)
}

fn causes(hints: &[Hint]) -> Vec<&str> {
    let mut causes: Vec<&str> = hints.iter().map(|h| h.cause.as_str()).collect();
    causes.sort_unstable();
    causes.dedup();
    causes
}

fn after(case: &Case) -> Vec<Hint> {
    firing(&Run::warm(&normal()).ticks(3, case))
}

#[test]
fn a_dropping_interface_is_named_with_its_driver_and_explains_the_loss() {
    let mut faulty = dropping(&normal(), &[(Signal::NicRxMissed, 400), (Signal::NicRxCrcErrors, 5)]);
    for pod in ["cart", "shop"] {
        faulty = losing(&faulty, pod, 20);
    }
    let hints = after(&faulty);
    assert_eq!(causes(&hints), ["node_nic_drops"], "{hints:?}");
    assert_eq!(hints.len(), 2, "one for each Pod that suffers");
    let hint = &hints[0];
    assert_eq!(verdict(hint), ("node_nic_drops", BlameKind::Node, "node-a"));
    assert_eq!(hint.chain, ["node_nic_drops", "node_packet_loss", "packet_loss"]);
    let said = "eth0 (driver ixgbe 5.1.0, firmware 0x800003e7) lost 400 packets";
    assert!(hint.summary.contains(said) && hint.summary.contains("rx_missed"), "{}", hint.summary);
    let number = hint.evidence.iter().find(|e| e.signal == "nic_rx_missed").unwrap();
    assert_eq!((number.observed, number.baseline, number.place.as_str()), (40.0, Some(0.0), "eth0"));
    assert!(hint.ruled_out.iter().any(|r| r.cause == "node_softnet_drops" && r.because.starts_with("0 ")));
}

#[test]
fn drops_without_a_victim_blame_nobody() {
    for signal in [Signal::NicRxDropped, Signal::QdiscDrops, Signal::SoftnetDropped, Signal::ConntrackDrop] {
        let mut case = dropping(&normal(), &[(signal, 100_000)]);
        case.host.as_mut().unwrap().gauges.insert((Gauge::ConntrackEntries, None), 1000);
        assert_eq!(after(&case), [], "{signal:?}");
    }
}

#[test]
fn a_victim_without_drops_is_silent() {
    let hints = after(&losing(&normal(), "cart", 20));
    assert!(!hints.is_empty() && !causes(&hints).iter().any(|c| c.ends_with("_drops")), "{hints:?}");
}

#[test]
fn fewer_drops_than_half_of_the_losses_explain_nothing() {
    let lossy = losing(&normal(), "cart", 50);
    let said = |drops| causes(&after(&dropping(&lossy, &[(Signal::QdiscDrops, drops)]))).join(" ");
    assert!(!said(99).contains("node_qdisc_drops"), "200 episodes");
    assert!(said(100).contains("node_qdisc_drops"));
}

#[test]
fn usual_drops_are_silent() {
    // Frames of an unknown protocol are dropped all day.
    let normal = dropping(&normal(), &[(Signal::NicRxDropped, 200)]);
    let lossy = losing(&normal, "cart", 20);
    let hints = firing(&Run::warm(&normal).ticks(3, &lossy));
    assert!(!hints.is_empty() && !causes(&hints).contains(&"node_nic_drops"), "{hints:?}");
    let more = dropping(&lossy, &[(Signal::NicRxDropped, 700)]);
    let hints = firing(&Run::warm(&normal).ticks(3, &more));
    assert_eq!(causes(&hints), ["node_nic_drops"]);
    let number = hints[0].evidence.iter().find(|e| e.signal == "nic_rx_dropped").unwrap();
    assert!(number.baseline.is_some_and(|b| (b - 20.0).abs() < 0.5), "{number:?}");
}

#[test]
fn the_baseline_does_not_learn_from_an_open_hint() {
    let faulty = losing(&dropping(&normal(), &[(Signal::QdiscDrops, 500)]), "cart", 20);
    let mut run = Run::warm(&normal());
    let hints = firing(&run.ticks(200, &faulty));
    assert_eq!(causes(&hints), ["node_qdisc_drops"]);
    let number = hints[0].evidence.iter().find(|e| e.signal == "qdisc_drops").unwrap();
    assert_eq!(number.baseline, Some(0.0));
}

#[test]
fn a_queue_that_overflows_is_named_with_its_kind() {
    let mut faulty = losing(&dropping(&normal(), &[(Signal::QdiscDrops, 300)]), "shop", 20);
    faulty.host.as_mut().unwrap().gauges.insert((Gauge::QdiscBacklogBytes, Some("eth0".into())), 30_000);
    let hint = Run::warm(&normal()).expect_one(&faulty);
    assert_eq!(verdict(&hint), ("node_qdisc_drops", BlameKind::Node, "node-a"));
    assert_eq!(hint.subject.name, "shop");
    assert!(hint.summary.contains("the pfifo_fast queue of eth0 dropped 300 packets"), "{}", hint.summary);
    assert!(hint.evidence.iter().any(|e| e.unit == "bytes" && e.observed == 30_000.0));
}

#[test]
fn a_bulk_sender_that_overflows_its_own_queue_is_no_victim() {
    let mut bulk = dropping(&normal(), &[(Signal::QdiscDrops, 300)]);
    for peer in PEERS {
        let t = bulk.tally("cart", peer);
        lose(t, 5);
        t.bytes_acked = 1_448_000;
        t.rtt = crate::hints::testing::rtts(&[(5_000, 100)]);
    }
    Run::warm(&normal()).expect_silence(10, &bulk);
}

#[test]
fn a_full_backlog_names_the_cpu_and_may_hurt_traffic_within_the_node() {
    let mut faulty = dropping(&normal(), &[(Signal::SoftnetDropped, 250)]);
    faulty.host.as_mut().unwrap().counters.insert(
        (Signal::SoftnetDropped, Some("3".into())),
        crate::state::HostCount { total: 250, window: 250, baseline: None },
    );
    for peer in PEERS {
        faulty.edge("cart", peer).class = netwhy_abi::PeerClass::SameNode;
    }
    let faulty = losing(&faulty, "cart", 20);
    let hints = after(&faulty);
    assert_eq!(causes(&hints), ["node_softnet_drops"], "{hints:?}");
    assert!(hints[0].summary.contains("250 of them on CPU 3"), "{}", hints[0].summary);
    // That traffic does not pass an interface.
    let nic = dropping(&dropping(&faulty, &[(Signal::SoftnetDropped, 0)]), &[(Signal::NicRxDropped, 250)]);
    assert!(!causes(&after(&nic)).contains(&"node_nic_drops"));
}

#[test]
fn a_full_connection_table_is_blamed_for_handshakes_that_nobody_answers() {
    let mut full = dropping(&normal(), &[(Signal::ConntrackDrop, 40)]);
    full.host.as_mut().unwrap().gauges.insert((Gauge::ConntrackEntries, None), 1000);
    let hint = Run::warm(&normal()).expect_one(&refused(&full, "cart", 6));
    assert_eq!(verdict(&hint), ("node_conntrack_full", BlameKind::Node, "node-a"));
    assert_eq!(hint.chain, ["node_conntrack_full", "peer_unreachable", "connect_failures"]);
    assert!(hint.summary.contains("1000 of 1000 connections (100 %)"), "{}", hint.summary);
    // Established connections keep their entries: their loss has another cause.
    assert!(!causes(&after(&losing(&full, "cart", 20))).contains(&"node_conntrack_full"));
    // A table below its limit does not drop for lack of space.
    let mut room = refused(&full, "cart", 6);
    room.host.as_mut().unwrap().gauges.insert((Gauge::ConntrackEntries, None), 500);
    assert_eq!(causes(&after(&room)), ["peer_unreachable"]);
}

#[test]
fn the_clouds_own_limit_of_connections_counts_without_a_full_table() {
    let key = (Signal::AllowanceConntrack, Some("eth0".into()));
    let mut normal = normal();
    normal.host.as_mut().unwrap().counters.insert(key.clone(), crate::state::HostCount::default());
    let mut faulty = refused(&normal, "cart", 6);
    faulty.host.as_mut().unwrap().counters.get_mut(&key).unwrap().window = 30;
    let hint = Run::warm(&normal).expect_one(&faulty);
    assert_eq!(hint.cause, "node_conntrack_full");
    assert!(hint.evidence.iter().any(|e| e.source == "ethtool:conntrack_allowance_exceeded"));
}

#[test]
fn without_node_signals_the_rules_abstain() {
    let mut blind = losing(&dropping(&normal(), &[(Signal::QdiscDrops, 500)]), "cart", 20);
    blind.host = None;
    assert!(!causes(&after(&blind)).iter().any(|c| c.ends_with("_drops")));
}
