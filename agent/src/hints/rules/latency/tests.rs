use crate::{
    api::BlameKind,
    hints::testing::{Case, NODE, Run, candidates, firing, host, requests::Stream, rtts, verdict},
    sample::Gauge,
    state::EdgeView,
};
use netwhy_abi::{PeerClass, Role};
use std::sync::Arc;

mod pools;

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// All RTTs to the peers, of handshakes too, take `us` longer.
fn longer_path(case: &Case, pods: &[&str], peers: &[&str], us: u32) -> Case {
    let mut case = case.clone();
    for pod in pods {
        for peer in peers {
            let tally = case.tally(pod, peer);
            tally.rtt = rtts(&[(us + 100, 60), (us + 140, 40)]);
            tally.min_rtt_us = Some(us + 80);
        }
    }
    case
}

/// Gives the peers Nodes and zones.
fn on_nodes(case: &mut Case, zones: &[&str]) {
    case.zone = Some("z1".into());
    for edge in &mut case.edges {
        let at = PEERS.iter().position(|peer| edge.peer.to_ipv4_mapped().unwrap().to_string() == *peer).unwrap();
        edge.peer_node = Some(format!("node-{at}").into());
        edge.peer_zone = Some(zones[at].into());
    }
}

#[test]
fn a_longer_path_of_several_pods_to_one_peer_blames_peer_or_path() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let hints = firing(&Run::warm(&normal).ticks(2, &longer_path(&normal, &["cart", "payment"], &PEERS[..1], 20_000)));
    assert_eq!(hints.len(), 2);
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_latency", BlameKind::Undecided, ""));
        assert_eq!(candidates(hint), ["10.0.0.7", "node-a↔10.0.0.7"]);
        assert!(hint.evidence[0].observed > 0.018 && hint.evidence[0].baseline.is_some_and(|b| b < 0.0002));
        assert!(hint.summary.contains("all packets alike; 1 of 4 peers"), "{}", hint.summary);
        assert!(hint.ruled_out[0].because.contains("4 handshakes"), "{:?}", hint.ruled_out);
    }
}

#[test]
fn one_pods_longer_path_leaves_path_and_peer_undecided() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..1], 20_000));
    assert_eq!(candidates(&hint), ["10.0.0.7", "node-a↔10.0.0.7"]);
}

#[test]
fn longer_paths_to_all_peers_blame_this_node_and_show_its_queue() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    let mut eth0 = host();
    eth0.gauges.insert((Gauge::QdiscBacklogBytes, Some(Arc::from("eth0"))), 180_000);
    normal.host = Some(eth0);
    let mut queued = longer_path(&normal, &["cart", "payment"], &PEERS, 5_000);
    queued.edges.iter_mut().for_each(|e| e.window.rtt = rtts(&[(5_000, 20), (12_000, 40), (30_000, 40)]));
    let hints = firing(&Run::warm(&normal).ticks(3, &queued));
    assert_eq!(hints.len(), 2);
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_latency", BlameKind::Node, NODE));
        assert!(hint.summary.contains("packets wait in a queue; 4 of 4 peers"), "{}", hint.summary);
        assert!(hint.evidence.iter().any(|e| e.signal == "netwhy_node_qdisc_backlog_bytes" && e.observed == 180_000.0));
    }
}

#[test]
fn two_peers_are_too_few_to_blame_this_node() {
    let normal = Case::mesh(&["cart"], &PEERS[..2]);
    let hint = Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..2], 20_000));
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert!(hint.blame.mentions(NODE), "{:?}", hint.blame);
}

#[test]
fn all_nodes_of_another_zone_blame_the_path_between_the_zones() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    on_nodes(&mut normal, &["z2", "z2", "z2", "z1"]);
    let hints = firing(&Run::warm(&normal).ticks(3, &longer_path(&normal, &["cart", "payment"], &PEERS[..3], 20_000)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| verdict(h) == ("path_latency", BlameKind::ZonePair, "z1↔z2")), "{hints:?}");
    // One of its Nodes is as fast as usual: the path between the zones is acquitted.
    let hints = firing(&Run::warm(&normal).ticks(3, &longer_path(&normal, &["cart", "payment"], &PEERS[..2], 20_000)));
    assert!(hints.iter().all(|h| h.blame.kind == BlameKind::Undecided), "{hints:?}");
}

/// Candidates of the hint about the first peer. `normal` has all peers; in `bad` the path to the first is longer.
fn suspects(normal: &Case, bad: &Case) -> Vec<String> {
    let hint = Run::warm(normal).expect_one(bad);
    assert_eq!(verdict(&hint), ("path_latency", BlameKind::Undecided, ""));
    let mut names = candidates(&hint);
    // One address of the Node: its Pod is a suspect too, though a weak one.
    names.retain(|name| !["cart", PEERS[0]].contains(&name.as_str()));
    names.sort();
    names
}

#[test]
fn with_one_peer_alone_this_node_and_the_path_to_its_zone_stay_suspects() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..1]);
    on_nodes(&mut normal, &["z2"]);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    assert_eq!(suspects(&normal, &bad), ["node-0", NODE, "node-a↔node-0", "z1↔z2"]);
    // Within a zone there is no path between zones.
    on_nodes(&mut normal, &["z1"]);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    assert_eq!(suspects(&normal, &bad), ["node-0", NODE, "node-a↔node-0"]);
}

#[test]
fn this_node_is_a_suspect_until_another_peer_is_as_fast_as_usual() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..2]);
    on_nodes(&mut normal, &["z2", "z1"]);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    assert_eq!(suspects(&normal, &bad), ["node-0", NODE, "node-a↔node-0", "z1↔z2"]);
    // Too few samples in the last seconds. Older ones may date from before.
    let mut quiet = bad.clone();
    let edge = quiet.edge("cart", PEERS[1]);
    edge.recent = edge.window.clone();
    edge.recent.rtt = rtts(&[(100, 7)]);
    assert_eq!(suspects(&normal, &quiet), ["node-0", NODE, "node-a↔node-0", "z1↔z2"]);
    // Traffic within this Node says nothing about its paths.
    let mut same = normal.clone();
    same.edge("cart", PEERS[1]).class = PeerClass::SameNode;
    let bad = longer_path(&same, &["cart"], &PEERS[..1], 20_000);
    assert_eq!(suspects(&same, &bad), ["node-0", NODE, "node-a↔node-0", "z1↔z2"]);
}

#[test]
fn the_path_to_a_zone_is_a_suspect_until_another_peer_there_is_fast() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..3]);
    on_nodes(&mut normal, &["z2", "z2", "z1"]);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    assert!(!suspects(&normal, &bad).contains(&NODE.to_owned()));
    let quiet = bad.with("cart", PEERS[1], |t| t.rtt = rtts(&[(100, 7)]));
    assert!(suspects(&normal, &quiet).contains(&"z1↔z2".to_owned()));
}

#[test]
fn two_longer_paths_beside_a_fast_one_leave_this_node_a_suspect() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..3]);
    on_nodes(&mut normal, &["z1", "z1", "z1"]);
    let hint = Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..2], 20_000));
    assert_eq!(hint.blame.kind, BlameKind::Undecided);
    assert!(hint.blame.mentions(NODE), "{:?}", hint.blame);
}

#[test]
fn rises_below_the_floor_or_the_ratio_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(20, &longer_path(&normal, &["cart"], &PEERS, 1_500));
    Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..1], 3_000));
    let distant = longer_path(&normal, &["cart"], &PEERS, 40_000);
    Run::warm(&distant).expect_silence(20, &longer_path(&normal, &["cart"], &PEERS, 55_000));
    Run::warm(&distant).expect_one(&longer_path(&normal, &["cart"], &PEERS[..1], 80_000));
}

#[test]
fn two_fast_samples_acquit_the_path() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut some = longer_path(&normal, &["cart"], &PEERS[..1], 4_000);
    some.tally("cart", PEERS[0]).rtt = rtts(&[(100, 2), (4_000, 98)]);
    Run::warm(&normal).expect_silence(20, &some);
}

#[test]
fn a_fast_edge_of_another_pod_acquits_the_path() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    Run::warm(&normal).expect_silence(20, &longer_path(&normal, &["cart"], &PEERS[..1], 20_000));
}

#[test]
fn slow_acknowledgements_without_handshakes_prove_nothing_unless_the_sender_is_bulk() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edges.iter_mut().for_each(|e| e.window.connects = [0, 0]);
    Run::warm(&normal).expect_silence(20, &longer_path(&normal, &["cart"], &PEERS[..1], 20_000));
    let tally = normal.tally("cart", PEERS[0]);
    (tally.data_segs_out, tally.bytes_acked) = (10_000, 14_000_000);
    Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..1], 20_000));
}

#[test]
fn handshakes_that_were_resent_prove_nothing() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let resent = longer_path(&normal, &["cart"], &PEERS[..1], 20_000).with("cart", PEERS[0], |t| {
        t.retransmits[netwhy_abi::Retransmit::Syn as usize] = 1;
    });
    Run::warm(&normal).expect_silence(20, &resent);
}

#[test]
fn a_slow_reader_or_small_buffer_is_not_the_path() {
    let normal = Case::mesh(&["cart"], &PEERS);
    for (receiver, buffer) in [(300, 0), (0, 300)] {
        // Below the limits of those rules, above the share from which RTTs mean nothing.
        let held = longer_path(&normal, &["cart"], &PEERS[..1], 20_000).with("cart", PEERS[0], |t| {
            (t.busy_jiffies, t.rwnd_jiffies, t.sndbuf_jiffies) = (1000, receiver, buffer);
        });
        Run::warm(&normal).expect_silence(20, &held);
    }
}

#[test]
fn a_throttled_pod_is_silent_about_paths() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut bad = longer_path(&normal, &["cart"], &PEERS, 20_000);
    bad.subject("cart").window_cpu.as_mut().unwrap().throttled_periods = 30;
    let hints = firing(&Run::warm(&normal).ticks(20, &bad));
    assert!(hints.iter().all(|h| h.cause == "pod_cpu_throttled"), "{hints:?}");
}

#[test]
fn a_queue_of_the_nodes_own_making_is_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let bulk = longer_path(&normal, &["cart"], &PEERS, 8_000).with("cart", PEERS[0], |t| {
        (t.data_segs_out, t.bytes_acked) = (200_000, 280_000_000);
    });
    Run::warm(&normal).expect_silence(20, &bulk);
}

/// Handshakes that never leave this Node take as long.
#[test]
fn a_machine_that_is_slow_for_all_its_pods_has_no_longer_paths() {
    const PODS: [&str; 2] = ["cart", "payment"];
    let with_local = |peers: &[&str]| {
        let mut case = Case::mesh(&PODS, &PEERS);
        for (pod, peer) in PODS.iter().flat_map(|pod| peers.iter().map(move |peer| (pod, peer))) {
            case.edge(pod, peer).class = PeerClass::SameNode;
        }
        case
    };
    let normal = with_local(&PEERS[2..]);
    Run::warm(&normal).expect_silence(10, &longer_path(&normal, &PODS, &PEERS, 20_000));
    // One Pod, or one address, may be slow for itself.
    let one_pod = longer_path(&longer_path(&normal, &PODS, &PEERS[..1], 20_000), &PODS[..1], &PEERS[2..], 20_000);
    let of_one_address = with_local(&PEERS[3..]);
    let one_address = longer_path(&of_one_address, &PODS, &[PEERS[0], PEERS[3]], 20_000);
    for (normal, slow) in [(&normal, &one_pod), (&of_one_address, &one_address)] {
        let hints = firing(&Run::warm(normal).ticks(3, slow));
        assert!(hints.iter().any(|hint| hint.cause == "path_latency"), "{hints:?}");
    }
}

#[test]
fn a_longer_path_does_not_become_normal_while_its_hint_is_open() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    let mut run = Run::warm(&normal);
    let first = run.expect_one(&bad);
    let later = firing(&run.ticks(1200, &bad));
    assert_eq!(later.len(), 1);
    assert_eq!(later[0].evidence[0].baseline, first.evidence[0].baseline);
}

#[test]
fn few_samples_and_no_baseline_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let bad = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    Run::new().expect_silence(60, &bad);
    let few = bad.with("cart", PEERS[0], |t| t.rtt = rtts(&[(20_000, 7)]));
    Run::warm(&normal).expect_silence(20, &few);
}

#[test]
fn external_peers_have_a_rule_of_their_own() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).class = PeerClass::External;
    let hint = Run::warm(&normal).expect_one(&longer_path(&normal, &["cart"], &PEERS[..1], 20_000));
    assert_eq!(hint.cause, "external_slow");
}

/// 20 ms more from one second to the next. The last 3 s show it while the window still holds fast samples.
#[test]
fn a_delay_is_named_within_five_seconds() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let mut run = Run::warm(&normal);
    let named = (1..=10u64).find(|second| {
        let mut now = normal.clone();
        for pod in ["cart", "payment"] {
            let edge = now.edge(pod, PEERS[0]);
            edge.window.rtt = rtts(&[(100, 100 - 10 * second), (20_000, 10 * second)]);
            edge.recent = edge.window.clone();
            let slow = (*second).min(3);
            edge.recent.rtt = rtts(&[(100, 30 - 10 * slow), (20_000, 10 * slow)]);
        }
        !firing(&run.tick(&now)).is_empty()
    });
    assert!(named.is_some_and(|s| s <= 5), "{named:?}");
}

/// Persistent connections alone: a client whose peer may think, and a server that sends several full segments at once.
#[test]
fn two_independent_programs_prove_a_longer_path_without_handshakes() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    normal.edges.iter_mut().for_each(|e| e.window.connects = [0, 0]);
    normal.edge("cart", PEERS[0]).peer_node = Some("node-b".into());
    let answers = normal.edge("payment", PEERS[1]);
    answers.peer_node = Some("node-b".into());
    (answers.window.data_segs_out, answers.window.bytes_acked) = (300, 400_000);
    let mut longer = longer_path(&normal, &["cart"], &PEERS[..1], 20_000);
    Run::warm(&normal).expect_silence(20, &longer);
    longer = longer_path(&longer, &["payment"], &PEERS[1..2], 20_000);
    let hints = firing(&Run::warm(&normal).ticks(3, &longer));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| h.cause == "path_latency" && h.blame.mentions("node-b")), "{hints:?}");
    // Small messages in both directions may wait for programs.
    longer.tally("payment", PEERS[1]).bytes_acked = 100_000;
    let small = |case: &Case| {
        let mut case = case.clone();
        case.tally("payment", PEERS[1]).bytes_acked = 90_000;
        case
    };
    Run::warm(&small(&normal)).expect_silence(20, &small(&longer));
}

#[test]
fn a_redirected_connection_does_not_acquit_the_path_to_its_address() {
    let normal = Case::mesh(&["cart", "payment"], &PEERS);
    let beside = |case: &Case, redirected: bool| {
        let mut case = case.clone();
        let mut edge = normal.edges[0].clone();
        edge.port = 80;
        if redirected {
            (edge.redirected, edge.netns, edge.class) = (true, 7, PeerClass::SameNode);
        }
        case.edges.push(edge);
        case
    };
    let longer = longer_path(&normal, &["cart", "payment"], &PEERS[..1], 20_000);
    // Another port of the address: the same path, and it is as fast as usual.
    let hints = firing(&Run::warm(&beside(&normal, false)).ticks(2, &beside(&longer, false)));
    assert!(hints.iter().all(|hint| hint.cause != "path_latency"), "{hints:?}");
    let hints = firing(&Run::warm(&beside(&normal, true)).ticks(2, &beside(&longer, true)));
    assert_eq!(hints.len(), 2);
    assert!(hints.iter().all(|h| h.cause == "path_latency" && h.blame.mentions("10.0.0.7")), "{hints:?}");
}

/// Keep-alive requests only: acknowledgements ride on answers, and no handshake tells a path from a program.
fn keep_alive(pods: &[&str], zones: &[&str]) -> Case {
    let mut normal = Case::mesh(pods, &PEERS);
    on_nodes(&mut normal, zones);
    normal.edges.iter_mut().for_each(|edge| edge.window.connects = [0, 0]);
    normal
}

const ZONES: [&str; 4] = ["z1", "z1", "z1", "z1"];

#[test]
fn independent_programs_that_shift_together_name_their_node_without_a_handshake() {
    let pods = ["cart", "payment", "search"];
    let normal = keep_alive(&pods, &ZONES);
    let hints = firing(&Run::warm(&normal).ticks(3, &longer_path(&normal, &pods, &PEERS, 17_000)));
    assert!(!hints.is_empty());
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_latency", BlameKind::Node, NODE), "{:?}", hint.blame);
        assert!(hint.ruled_out[0].because.contains("12 connections of independent programs"), "{:?}", hint.ruled_out);
        assert!(hint.confidence < 0.9, "{}", hint.confidence);
    }
}

#[test]
fn a_shift_of_all_edges_to_one_node_leaves_that_node_and_the_pair() {
    let pods = ["cart", "payment", "search"];
    let mut normal = keep_alive(&pods, &ZONES);
    // Two servers there.
    for edge in &mut normal.edges {
        edge.peer_node = edge.peer_node.take().map(|node| if &*node == "node-1" { "node-0".into() } else { node });
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &longer_path(&normal, &pods, &PEERS[..2], 13_000)));
    assert!(!hints.is_empty());
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_latency", BlameKind::Undecided, ""));
        assert_eq!(candidates(hint), ["node-0", "node-a↔node-0"]);
    }
}

#[test]
fn shifts_that_independent_programs_do_not_share_prove_nothing() {
    // Of one Pod: it, or what its servers wait for.
    let normal = keep_alive(&["cart"], &ZONES);
    Run::warm(&normal).expect_silence(20, &longer_path(&normal, &["cart"], &PEERS, 17_000));
    // Of different sizes: servers that wait for one dependency.
    let pods = ["cart", "payment", "search"];
    let normal = keep_alive(&pods, &ZONES);
    let by = [9_000, 21_000, 48_000, 110_000];
    let each = |case: Case, at: usize| longer_path(&case, &pods, &PEERS[at..=at], by[at]);
    Run::warm(&normal).expect_silence(20, &(0..4).fold(normal.clone(), each));
    // One after the other.
    let mut run = Run::warm(&normal);
    for n in 1..=3 {
        run.expect_silence(9, &longer_path(&normal, &pods, &PEERS[..n], 17_000));
    }
}

/// A server's round trips wait for none of its programs: with a client's that rose alike, they show a longer path.
#[test]
fn edges_of_both_roles_that_rise_alike_prove_a_longer_path_under_keep_alive() {
    let mut normal = keep_alive(&["cart", "api"], &ZONES);
    for edge in &mut normal.edges {
        // The peer of the client and that of the server are two Pods of one Node.
        edge.peer_node = edge.peer_node.take().map(|node| if &*node == "node-1" { "node-0".into() } else { node });
        edge.role = Some(if edge.subject.name == "api" { Role::Server } else { Role::Client });
    }
    let pairs = [("cart", PEERS[0]), ("api", PEERS[1])];
    let of = |edge: &EdgeView, (pod, peer): (&str, &str)| {
        edge.subject.name == pod && edge.peer.to_ipv4_mapped().is_some_and(|v4| v4.to_string() == peer)
    };
    normal.edges.retain(|edge| edge.peer_node.as_deref() != Some("node-0") || pairs.iter().any(|pair| of(edge, *pair)));
    let rise = |by: [u32; 2]| {
        pairs.iter().zip(by).fold(normal.clone(), |case, ((pod, peer), us)| longer_path(&case, &[*pod], &[*peer], us))
    };
    let hints = firing(&Run::warm(&normal).ticks(3, &rise([12_000, 12_000])));
    assert_eq!(hints.len(), 2, "{hints:?}");
    for hint in &hints {
        assert_eq!(hint.cause, "path_latency");
        assert!(hint.blame.mentions("node-0") && hint.confidence < 0.9, "{hint:?}");
        assert!(hint.ruled_out[0].because.starts_with("a client's and a server's connections"), "{:?}", hint.ruled_out);
    }
    // By different amounts: a slow server, and something else.
    Run::warm(&normal).expect_silence(5, &rise([25_000, 9_000]));
    // A client that thinks between requests lets its kernel delay acknowledgements.
    Run::warm(&normal).expect_silence(5, &rise([41_000, 41_000]));
    Run::warm(&normal).expect_silence(5, &rise([12_000, 0]));
}

/// A server under keep-alive: its answers are quick, and even delayed acknowledgements would come sooner.
#[test]
fn acknowledgements_that_no_kernel_delays_so_long_prove_a_longer_path() {
    let mut normal = keep_alive(&["cart", "api"], &ZONES);
    let mut stream = Stream::default();
    stream.second(Role::Server, &[1_500; 20], 100);
    let at = |edge: &EdgeView| PEERS.iter().position(|peer| *peer == edge.peer.to_ipv4_mapped().unwrap().to_string());
    normal.edges.retain(|edge| (at(edge) < Some(2)) == (edge.subject.name == "api"));
    for edge in &mut normal.edges {
        let is_server = edge.subject.name == "api";
        edge.role = Some(if is_server { Role::Server } else { Role::Client });
        edge.responses = is_server.then(|| Box::new(stream.view()));
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &longer_path(&normal, &["api"], &PEERS[..2], 58_000)));
    assert!(!hints.is_empty());
    for hint in &hints {
        assert_eq!(hint.cause, "path_latency");
        assert!(hint.ruled_out[0].because.starts_with("acknowledgements of its own quick"), "{:?}", hint.ruled_out);
        // Another Pod's paths from this Node are as usual.
        let first = &hint.blame.alternatives[0];
        assert_eq!((first.kind, first.name.as_str()), (BlameKind::Pod, "api"), "{:?}", hint.blame);
        assert!(first.probability > 0.6, "{:?}", hint.blame);
    }
    // 40 ms is what kernels delay.
    Run::warm(&normal).expect_silence(5, &longer_path(&normal, &["api"], &PEERS[..2], 41_000));
    // A client whose server thinks for long has a long smoothed RTT, and may delay as long.
    let mut thinks = longer_path(&normal, &["api"], &PEERS[..2], 58_000);
    stream.second(Role::Server, &[60_000; 400], 100);
    thinks.edges.iter_mut().filter(|edge| edge.responses.is_some()).for_each(|edge| {
        edge.responses = Some(Box::new(stream.view()));
    });
    let hints = firing(&Run::warm(&normal).ticks(3, &thinks));
    assert!(hints.iter().all(|hint| hint.cause != "path_latency"), "{hints:?}");
}
