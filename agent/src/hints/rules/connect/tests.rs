use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, firing, verdict},
    peers::PeerKind,
    sample::Tally,
};
use netwhy_abi::{Failure, PeerClass, Retransmit, Role};

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

fn address(peer: &str) -> std::net::Ipv6Addr {
    peer.parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped()
}

/// SYNs without an answer.
fn unanswered(tally: &mut Tally, syns: u64, timed_out: u64) {
    *tally = Tally::default();
    tally.retransmits[Retransmit::Syn as usize] = syns;
    tally.connect_failures[Failure::TimedOut as usize] = timed_out;
}

#[test]
fn connections_turned_away_blame_the_pod() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut full = normal.clone();
    full.subject("cart").window_connects.accept_drops = 10;
    let hint = Run::warm(&normal).expect_one(&full);
    assert_eq!(verdict(&hint), ("pod_accept_queue_full", BlameKind::Pod, "cart"));
    assert_eq!(hint.ruled_out[0].because, "0 of 100 periods throttled");
}

#[test]
fn fewer_connections_turned_away_than_the_threshold_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut full = normal.clone();
    full.subject("cart").window_connects.accept_drops = 4;
    let mut run = Run::warm(&normal);
    run.thresholds.accept_drops = 5;
    run.expect_silence(5, &full);
    full.subject("cart").window_connects.accept_full = 1;
    run.expect_one(&full);
}

#[test]
fn repeated_syns_whose_answer_got_lost_are_no_full_queue() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut lossy = normal.clone();
    lossy.subject("cart").window_connects.accept_drops = 10;
    lossy.subject("cart").window.retransmits[Retransmit::SynAck as usize] = 3;
    let mut run = Run::warm(&normal);
    run.expect_silence(5, &lossy);
    lossy.subject("cart").window_connects.accept_drops = 13;
    assert_eq!(run.expect_one(&lossy).cause, "pod_accept_queue_full");
}

#[test]
fn a_full_queue_of_a_throttled_pod_is_an_effect() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut both = normal.clone();
    both.subject("cart").window_connects.accept_drops = 12;
    let cpu = both.subject("cart").window_cpu.as_mut().unwrap();
    cpu.throttled_periods = 40;
    let hint = Run::warm(&normal).expect_one(&both);
    assert_eq!(hint.cause, "pod_cpu_throttled");
    assert_eq!(hint.chain, ["pod_cpu_throttled", "pod_accept_queue_full", "cpu_throttling"]);
    assert!(hint.evidence.iter().any(|e| e.signal == "netwhy_tcp_accept_queue_overflows_total"));
}

#[test]
fn unanswered_syns_while_other_peers_answer_blame_the_peer() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| unanswered(t, 3, 0)));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
    assert!(hint.summary.contains("3 other peers answer"), "{}", hint.summary);
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| unanswered(t, 0, 3)));
    assert_eq!(hint.cause, "peer_unreachable");
}

#[test]
fn with_one_address_on_a_node_its_pod_stays_a_suspect() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).peer_node = Some("node-b".into());
    let gone = |normal: &Case| normal.with("cart", PEERS[0], |t| unanswered(t, 3, 0));
    let hint = Run::warm(&normal).expect_one(&gone(&normal));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Undecided, ""));
    assert_eq!(hint.blame.other_names()[..2], ["10.0.0.7", "node-b"]);
}

/// A Pod on the silent one's Node used to ask a server here, and asks no more: they share their Node.
#[test]
fn clients_that_fell_quiet_point_at_their_node() {
    let mut normal = Case::mesh(&["cart", "api"], &PEERS);
    for edge in &mut normal.edges {
        let is_there = edge.peer == address(PEERS[0]) || edge.peer == address(PEERS[1]);
        (edge.peer_node, edge.role) = (is_there.then(|| "node-b".into()), Some(Role::Client));
        edge.recent.bytes_acked = 1;
    }
    let served = normal.edge("api", PEERS[1]);
    (served.role, served.window.connects) = (Some(Role::Server), [0, 2]);
    normal.edges.retain(|edge| edge.subject.name != "cart" || edge.peer != address(PEERS[1]));
    normal.edges.retain(|edge| edge.subject.name != "api" || edge.peer != address(PEERS[0]));
    let dead = normal.with("cart", PEERS[0], |t| unanswered(t, 3, 0));
    let probability = |run: &mut Run, case: &Case| {
        let blame = run.expect_one(case).blame;
        blame.candidates().find(|one| one.name == "node-b").map_or(0.0, |one| one.probability)
    };
    let asks_on = probability(&mut Run::warm(&normal), &dead);
    let mut quiet = dead.clone();
    let edge = quiet.edge("api", PEERS[1]);
    (edge.recent, edge.answered) = (Tally { segs_out: 1, ..Tally::default() }, false);
    let mut run = Run::warm(&normal);
    let fell_quiet = probability(&mut run, &quiet);
    run.ticks(5, &quiet);
    assert!(fell_quiet > 0.6 && fell_quiet > 2.0 * asks_on, "{fell_quiet} {asks_on}");
    // Its edge leaves the window, and stays evidence.
    quiet.edges.retain(|edge| edge.subject.name != "api" || edge.peer != address(PEERS[1]));
    run.ticks(20, &quiet);
    assert!(probability(&mut run, &quiet) > 0.6);
}

#[test]
fn two_unanswered_syns_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &normal.with("cart", PEERS[0], |t| unanswered(t, 2, 2)));
}

#[test]
fn resent_syns_with_a_completed_handshake_to_the_same_peer_are_silent() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    Run::warm(&normal).expect_silence(5, &normal.with("cart", PEERS[0], |t| unanswered(t, 9, 3)));
}

#[test]
fn a_host_that_answers_on_old_connections_is_up_and_its_listener_is_blamed() {
    let normal = Case::mesh(&["cart"], &PEERS).with("cart", PEERS[0], |t| t.connects = [0, 0]);
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| {
        t.retransmits[Retransmit::Syn as usize] = 5;
    }));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
}

#[test]
fn the_only_peer_silent_leaves_the_path_undecided() {
    let normal = Case::mesh(&["cart"], &PEERS[..1]);
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| unanswered(t, 4, 0)));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Undecided, ""));
    assert_eq!(hint.blame.other_names(), ["10.0.0.7", NODE, "cart", "node-a↔10.0.0.7"]);
}

#[test]
fn most_peers_silent_blames_this_node() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut bad = normal.clone();
    PEERS.iter().for_each(|p| unanswered(bad.tally("cart", p), 4, 0));
    let hint = Run::warm(&normal).expect_one(&bad);
    // With one Pod alone it may be cut off itself.
    assert_eq!(hint.blame.other_names()[..2], [NODE, "cart"]);
    assert!(hint.summary.ends_with("(and on 3 more edges)"), "{}", hint.summary);
}

#[test]
fn established_connections_with_timeouts_and_no_answer_are_dead() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let dead = |timeouts| {
        normal.with("cart", PEERS[0], |t| {
            *t = Tally { data_segs_out: 8, ..Tally::default() };
            t.retransmits[Retransmit::Timeout as usize] = timeouts;
            t.loss_episodes = timeouts;
        })
    };
    let hint = Run::warm(&normal).expect_one(&dead(3));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
    Run::warm(&normal).expect_silence(5, &dead(2));
}

/// A black hole from one second to the next. The window still holds older traffic.
#[test]
fn a_peer_that_falls_silent_is_named_before_the_window_has_emptied() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    let timeouts = [1, 2, 3, 3, 4, 4, 4, 5];
    let mut named = None;
    for (i, n) in timeouts.into_iter().enumerate() {
        let left = 10 - (i as u64 + 1);
        let hints = firing(&run.tick(&normal.with("cart", PEERS[0], |t| {
            t.bytes_acked = t.bytes_acked * left / 10;
            t.bytes_received = t.bytes_received * left / 10;
            t.data_segs_out = t.data_segs_out * left / 10 + n;
            t.retransmits[Retransmit::Timeout as usize] = n;
            t.loss_episodes = n;
        })));
        assert!(hints.iter().all(|h| h.cause == "peer_unreachable"), "{hints:?}");
        named = named.or((!hints.is_empty()).then_some(i + 1));
    }
    assert!(named.is_some_and(|s| s <= 6), "{named:?}");
}

#[test]
fn a_client_that_merely_stops_is_silent() {
    // Three timeouts some seconds ago, then no requests.
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    for left in (4..10).rev() {
        let stopping = normal.with("cart", PEERS[0], |t| {
            t.bytes_acked = t.bytes_acked * left / 10;
            t.bytes_received = t.bytes_received * left / 10;
            t.data_segs_out = t.data_segs_out * left / 10;
            t.retransmits[Retransmit::Timeout as usize] = 3;
        });
        run.expect_silence(1, &stopping);
    }
}

#[test]
fn refused_connections_blame_the_peer() {
    let normal = Case::mesh(&["cart"], &PEERS);
    // Refusals and successes before the last 3 s, and in them.
    let refuse = |before: [u64; 2], now: [u64; 2]| {
        let count = |tally: &mut Tally, [refused, ok]: [u64; 2]| {
            tally.connects[0] = ok;
            tally.connect_failures[Failure::Refused as usize] = refused;
        };
        let all = [before[0] + now[0], before[1] + now[1]];
        let mut case = normal.with("cart", PEERS[0], |t| count(t, all));
        let edge = case.edge("cart", PEERS[0]);
        (edge.recent, edge.answered) = (edge.window.clone(), true);
        count(&mut edge.recent, now);
        case
    };
    // The third tries in bursts, the last one is refused two times of three.
    for (before, now) in [([3, 3], [3, 3]), ([2, 1], [1, 0]), ([3, 0], [0, 0]), ([9, 0], [3, 3]), ([5, 2], [2, 1])] {
        let hint = Run::warm(&normal).expect_one(&refuse(before, now));
        assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::PeerPod, "10.0.0.7"), "{before:?} {now:?}");
    }
    Run::warm(&normal).expect_silence(5, &refuse([3, 4], [3, 3]));
    Run::warm(&normal).expect_silence(5, &refuse([1, 0], [1, 0]));
    // A restart: it has just begun, or is over.
    Run::warm(&normal).expect_silence(5, &refuse([0, 70], [30, 0]));
    Run::warm(&normal).expect_silence(5, &refuse([2, 70], [20, 10]));
    Run::warm(&normal).expect_silence(5, &refuse([22, 70], [0, 30]));
}

/// One of several Pods behind a Service's address refuses its share, and goes on.
#[test]
fn a_pod_that_refuses_behind_a_service_is_told_from_those_that_accept() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).kind = PeerKind::Service;
    let refuse = |before, now| {
        let mut case = normal.with("cart", PEERS[0], |t| {
            t.connects[0] = 60;
            t.connect_failures[Failure::Refused as usize] = before + now;
        });
        let edge = case.edge("cart", PEERS[0]);
        edge.recent = edge.window.clone();
        edge.answered = true;
        (edge.recent.connects[0], edge.recent.connect_failures[Failure::Refused as usize]) = (18, now);
        case
    };
    let hint = Run::warm(&normal).expect_one(&refuse(14, 6));
    assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::Service, "10.0.0.7"));
    assert!(hint.summary.ends_with("it accepts 18 in the last 3 s: some of the Pods behind it refuse, others work"));
    // A rollout: connections that came late, all at once.
    Run::warm(&normal).expect_silence(5, &refuse(20, 0));
    Run::warm(&normal).expect_silence(5, &refuse(0, 20));
}

/// Checks of a port that was never open, and scans: nobody has an outage.
#[test]
fn ports_that_never_accepted_a_connection_are_no_outage() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let asks = |port: u16, refused: u64, silent: u64| {
        let mut edge = crate::hints::testing::healthy("cart", "10.0.0.99");
        (edge.role, edge.port, edge.window) = (Some(Role::Client), port, Tally::default());
        edge.window.connect_failures[Failure::Refused as usize] = refused;
        edge.window.retransmits[Retransmit::Syn as usize] = silent;
        let mut case = normal.clone();
        case.edges.push(edge);
        case
    };
    // Twice a second; many ports that refuse; many that a firewall hides.
    for case in [asks(9100, 20, 0), asks(0, 900, 0), asks(0, 0, 60)] {
        Run::new().expect_silence(40, &case);
    }
    // A Pod that never accepted since this agent began, a program that needs the port, and a check of one that was open.
    let mut pod = asks(9100, 20, 0);
    pod.edges.last_mut().unwrap().kind = PeerKind::Pod;
    assert_eq!(Run::warm(&normal).expect_one(&pod).cause, "peer_refusing");
    let hint = Run::warm(&normal).expect_one(&asks(9100, 30, 0));
    assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::PeerPod, "10.0.0.99"));
    let mut open = asks(9100, 0, 0);
    open.edges.last_mut().unwrap().window.connects = [20, 0];
    let hint = Run::warm(&open).expect_one(&asks(9100, 20, 0));
    assert_eq!(hint.cause, "peer_refusing");
}

#[test]
fn one_health_check_reset_is_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(
        12,
        &normal.with("cart", PEERS[0], |t| {
            t.connect_failures[Failure::Refused as usize] = 1;
            t.resets_received = 1;
            t.resets_sent = 1;
        }),
    );
}

#[test]
fn an_unanswered_address_within_this_node_blames_that_address() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    let edge = normal.edge("cart", PEERS[0]);
    (edge.class, edge.kind, edge.peer_node) = (PeerClass::SameNode, PeerKind::Pod, Some(NODE.into()));
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| unanswered(t, 4, 0)));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
}

/// Older answers date from before the silence. Only newer ones acquit the peer's Node and the local Pod.
#[test]
fn a_silent_address_blames_its_pod_while_its_node_and_the_local_pod_work() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    for peer in &PEERS[..2] {
        normal.edge("cart", peer).peer_node = Some("node-b".into());
    }
    let dead = normal.with("cart", PEERS[0], |t| {
        (t.bytes_acked, t.bytes_received, t.connects) = (0, 0, [0, 0]);
        t.retransmits[Retransmit::Timeout as usize] = 4;
    });
    let hint = Run::warm(&normal).expect_one(&dead);
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
    let quiet = |peers: &[&str]| {
        let mut case = dead.clone();
        for peer in peers {
            let edge = case.edge("cart", peer);
            (edge.recent, edge.answered) = (edge.window.clone(), false);
        }
        case
    };
    let hint = Run::warm(&normal).expect_one(&quiet(&PEERS[1..2]));
    assert!(hint.blame.name.is_empty() && hint.blame.mentions("node-b"), "{:?}", hint.blame);
    let hint = Run::warm(&normal).expect_one(&quiet(&PEERS[1..]));
    let all = ["10.0.0.7", "node-b", "cart", NODE];
    assert!(all.iter().all(|name| hint.blame.mentions(name)), "{:?}", hint.blame);
    // Answers after an outage of all peers: the last one to return is not at fault.
    let mut outage = dead;
    for peer in &PEERS[1..] {
        outage.tally("cart", peer).retransmits[Retransmit::Timeout as usize] = 1;
    }
    let hint = Run::warm(&normal).expect_one(&outage);
    assert!(all.iter().all(|name| hint.blame.mentions(name)), "{:?}", hint.blame);
}

#[test]
fn one_silent_port_of_an_address_is_told_although_another_answers() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    (normal.edge("cart", PEERS[0]).port, normal.edge("cart", PEERS[0]).role) = (8080, Some(Role::Client));
    let mut filtered = normal.clone();
    let mut port = normal.edge("cart", PEERS[0]).clone();
    port.port = 9090;
    unanswered(&mut port.window, 6, 0);
    filtered.edges.push(port);
    let hint = Run::warm(&normal).expect_one(&filtered);
    // The host is up: its listener, or a filter.
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::PeerPod, "10.0.0.7"));
}

#[test]
fn loopback_addresses_of_two_pods_are_two_peers() {
    let mut normal = Case::mesh(&["cart", "payment"], &["127.0.0.1"]);
    for edge in &mut normal.edges {
        edge.class = PeerClass::SameNode;
    }
    let silent = |namespaces: [u32; 2]| {
        let mut case = normal.clone();
        for (pod, netns) in ["cart", "payment"].into_iter().zip(namespaces) {
            case.edge(pod, "127.0.0.1").netns = netns;
        }
        let normal = case.clone();
        unanswered(case.tally("cart", "127.0.0.1"), 6, 0);
        (normal, case)
    };
    // Two processes on one host: the other's handshakes acquit the address.
    let (normal_shared, shared) = silent([7, 7]);
    Run::warm(&normal_shared).expect_silence(5, &shared);
    let (normal_own, own) = silent([7, 8]);
    let hint = Run::warm(&normal_own).expect_one(&own);
    assert_eq!((hint.cause.as_str(), hint.subject.name.as_str()), ("peer_unreachable", "cart"));
}

/// A program on this Node's own address refuses: neither the Node itself, nor the path.
#[test]
fn a_program_refuses_and_not_the_node_whose_address_it_has() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    let edge = normal.edge("cart", PEERS[0]);
    (edge.class, edge.kind, edge.peer_node) = (PeerClass::SameNode, PeerKind::Node, Some(NODE.into()));
    let refuse = |case: &Case| case.with("cart", PEERS[0], |t| t.connect_failures[Failure::Refused as usize] = 9);
    let hint = Run::warm(&normal).expect_one(&refuse(&normal));
    assert!(hint.summary.starts_with("10.0.0.7 on node-a refuses cart"), "{}", hint.summary);
    assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::PeerPod, "10.0.0.7"));
    // In the Pod's own network namespace it is a container of its own.
    normal.edge("cart", PEERS[0]).netns = 7;
    let hint = Run::warm(&normal).expect_one(&refuse(&normal));
    assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::Pod, "cart"));
}

/// Several Pods are behind a Service's address: none of them, and no host, is named.
#[test]
fn a_service_address_is_no_host() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).kind = PeerKind::Service;
    let hint = Run::warm(&normal).expect_one(&normal.with("cart", PEERS[0], |t| unanswered(t, 3, 0)));
    assert_eq!(verdict(&hint), ("peer_unreachable", BlameKind::Service, "10.0.0.7"));
}

/// Two Pods with a sidecar at the same loopback address, of which one refuses.
#[test]
fn a_sidecar_at_a_loopback_address_belongs_to_the_pod_itself() {
    let mut normal = Case::mesh(&["cart", "web"], &["10.0.0.7"]);
    for (netns, pod) in (7..).zip(["cart", "web"]) {
        let sidecar = crate::hints::testing::healthy(pod, "127.0.0.1");
        let (class, role) = (PeerClass::SameNode, Some(Role::Client));
        let peer_node = Some(NODE.into());
        normal.edges.push(crate::state::EdgeView { netns, class, role, peer_node, port: 5432, ..sidecar });
    }
    let mut refused = normal.clone();
    refused.tally("cart", "127.0.0.1").connect_failures[Failure::Refused as usize] = 20;
    let hint = Run::warm(&normal).expect_one(&refused);
    assert_eq!(verdict(&hint), ("peer_refusing", BlameKind::Pod, "cart"));
    assert!(hint.summary.starts_with("127.0.0.1:5432 in its own network namespace refuses cart"), "{}", hint.summary);
}
