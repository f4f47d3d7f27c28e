use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, candidates, firing, lossy, requests::Stream, rtts, verdict},
};
use netwhy_abi::{PeerClass, Role};

const LIMITED: &str = "10.0.0.7";
const BESIDE: &str = "10.0.0.8";
const ELSEWHERE: &str = "10.0.0.9";

/// Two Pods of one Node, and one of another Node, called by two Pods.
fn normal() -> Case {
    let mut case = Case::mesh(&["cart", "web"], &[LIMITED, BESIDE, ELSEWHERE]);
    for edge in &mut case.edges {
        let node = if edge.peer.to_canonical().to_string() == ELSEWHERE { "node-c" } else { "node-b" };
        edge.peer_node = Some(node.into());
    }
    case
}

/// RTTs of handshakes and data that wait in a queue.
fn queue(case: &Case, pods: &[&str], peers: &[&str]) -> Case {
    let mut case = case.clone();
    for pod in pods {
        for peer in peers {
            let tally = case.tally(pod, peer);
            (tally.rtt, tally.min_rtt_us) = (rtts(&[(5_000, 20), (12_000, 40), (25_000, 40)]), Some(5_000));
        }
    }
    case
}

#[test]
fn a_queue_before_one_address_of_a_fast_node_is_that_pods_own() {
    let normal = normal();
    let hints = firing(&Run::warm(&normal).ticks(3, &queue(&normal, &["cart", "web"], &[LIMITED])));
    assert_eq!(hints.len(), 2, "{hints:?}");
    for hint in &hints {
        assert_eq!(verdict(hint), ("pod_bandwidth_limited", BlameKind::PeerPod, LIMITED));
        assert!(hint.summary.contains("other addresses on node-b are as near as ever"), "{}", hint.summary);
    }
}

#[test]
fn an_address_of_this_node_has_no_path_but_its_interface() {
    let mut normal = normal();
    for pod in ["cart", "web"] {
        let edge = normal.edge(pod, LIMITED);
        (edge.class, edge.peer_node) = (PeerClass::SameNode, Some("node-a".into()));
    }
    let hints = firing(&Run::warm(&normal).ticks(3, &queue(&normal, &["cart", "web"], &[LIMITED])));
    assert!(!hints.is_empty());
    assert!(
        hints.iter().all(|hint| verdict(hint) == ("pod_bandwidth_limited", BlameKind::PeerPod, LIMITED)),
        "{hints:?}"
    );
}

#[test]
fn a_pod_that_alone_waits_everywhere_has_a_limit_of_its_own() {
    let normal = normal();
    let queued = queue(&normal, &["cart"], &[LIMITED, BESIDE, ELSEWHERE]);
    let mut run = Run::warm(&normal);
    // The newest samples of the other Pod may be older than the queue: it may wait there as well.
    run.expect_silence(3, &queued);
    let hint = run.expect_one(&queued);
    assert_eq!(verdict(&hint), ("pod_bandwidth_limited", BlameKind::Pod, "cart"));
}

#[test]
fn a_constant_delay_is_no_queue() {
    let normal = normal();
    let mut far = normal.clone();
    for pod in ["cart", "web"] {
        let tally = far.tally(pod, LIMITED);
        (tally.rtt, tally.min_rtt_us) = (rtts(&[(20_000, 60), (20_040, 40)]), Some(20_000));
    }
    let hints = firing(&Run::warm(&normal).ticks(5, &far));
    assert!(hints.iter().all(|hint| hint.cause != "pod_bandwidth_limited"), "{hints:?}");
}

#[test]
fn a_queue_before_all_addresses_of_a_node_is_not_one_pods() {
    let normal = normal();
    let hints = firing(&Run::warm(&normal).ticks(3, &queue(&normal, &["cart", "web"], &[LIMITED, BESIDE])));
    assert!(!hints.is_empty() && hints.iter().all(|hint| hint.cause == "path_latency"), "{hints:?}");
}

#[test]
fn replies_that_come_late_and_unevenly_prove_no_queue() {
    let mut normal = normal();
    for pod in ["cart", "web"] {
        normal.tally(pod, LIMITED).connects = [0, 0];
    }
    let queued = queue(&normal, &["cart", "web"], &[LIMITED]);
    let hints = firing(&Run::warm(&normal).ticks(5, &queued));
    assert!(hints.iter().all(|hint| hint.cause != "pod_bandwidth_limited"), "{hints:?}");
    // Losses do: no program makes them, and they are an effect of the queue.
    let lossy = lossy(&queued, &["cart", "web"], &[LIMITED], 20);
    let hints = firing(&Run::warm(&normal).ticks(5, &lossy));
    assert!(!hints.is_empty(), "a queue that overflows");
    assert!(
        hints.iter().all(|hint| verdict(hint) == ("pod_bandwidth_limited", BlameKind::PeerPod, LIMITED)),
        "{hints:?}"
    );
    assert!(hints.iter().any(|hint| hint.chain.contains(&"path_loss".to_owned())), "{hints:?}");
}

/// A server, and a client that asks other addresses on the Nodes of its clients.
fn server(clients: usize) -> Case {
    let (asking, asked) = (["10.0.1.7", "10.0.2.7", "10.0.3.7"], ["10.0.1.8", "10.0.2.8", "10.0.3.8"]);
    let mut case = Case::mesh(&["api", "web"], &[&asking[..clients], &asked[..]].concat());
    let mut answers = Stream::default();
    (0..10).for_each(|_| answers.second(Role::Server, &[3_000; 30], 100));
    case.edges.retain(|edge| (edge.subject.name == "api") == (edge.peer.octets()[15] == 7));
    for edge in &mut case.edges {
        let is_server = edge.subject.name == "api";
        edge.role = Some(if is_server { Role::Server } else { Role::Client });
        edge.peer_node = Some(format!("node-{}", edge.peer.octets()[14]).into());
        edge.responses = is_server.then(|| Box::new(answers.view()));
    }
    case
}

#[test]
fn a_server_that_waits_to_all_its_clients_has_the_limit_and_none_of_them() {
    let normal = server(3);
    let queued = queue(&normal, &["api"], &["10.0.1.7", "10.0.2.7", "10.0.3.7"]);
    let mut run = Run::warm(&normal);
    run.expect_silence(3, &queued);
    let hint = run.expect_one(&queued);
    assert_eq!(verdict(&hint), ("pod_bandwidth_limited", BlameKind::Pod, "api"));
}

#[test]
fn of_a_server_with_one_client_either_may_have_the_limit() {
    let normal = server(1);
    let queued = queue(&normal, &["api"], &["10.0.1.7"]);
    let mut run = Run::warm(&normal);
    run.expect_silence(3, &queued);
    let hint = run.expect_one(&queued);
    assert_eq!(verdict(&hint), ("pod_bandwidth_limited", BlameKind::Undecided, ""));
    assert_eq!(candidates(&hint), ["api", "10.0.1.7"]);
}

/// Without handshakes: the fastest round trips may be delayed acknowledgements, and most take longer.
#[test]
fn round_trips_beyond_all_delayed_acknowledgements_prove_a_queue_of_a_server() {
    let mut normal = server(3);
    normal.edges.iter_mut().for_each(|edge| edge.window.connects = [0, 0]);
    let waits = |us: [u32; 2]| {
        let mut case = normal.clone();
        for edge in case.edges.iter_mut().filter(|edge| edge.subject.name == "api") {
            (edge.window.rtt, edge.window.min_rtt_us) = (rtts(&[(us[0], 30), (us[1], 70)]), Some(us[0]));
        }
        case
    };
    let hints = firing(&Run::warm(&normal).ticks(8, &waits([41_000, 85_000])));
    assert!(hints.iter().any(|hint| verdict(hint) == ("pod_bandwidth_limited", BlameKind::Pod, "api")), "{hints:?}");
    let hints = firing(&Run::warm(&normal).ticks(8, &waits([12_000, 41_000])));
    assert!(hints.iter().all(|hint| hint.cause != "pod_bandwidth_limited"), "{hints:?}");
}

/// The other clients ask seldom: their newest round trips may be older than the queue.
#[test]
fn a_client_has_no_limit_because_others_were_fast_some_seconds_ago() {
    let normal = server(3);
    let mut queued = queue(&normal, &["api"], &["10.0.1.7"]);
    for edge in queued.edges.iter_mut().filter(|edge| edge.subject.name == "api" && edge.peer.octets()[14] > 1) {
        edge.recent = edge.window.clone();
        (edge.recent.rtt, edge.answered) = (rtts(&[(100, 3)]), true);
    }
    Run::warm(&normal).expect_silence(8, &queued);
    // They are as fast in the last seconds: so is the server's interface.
    let queued = queue(&normal, &["api"], &["10.0.1.7"]);
    let hint = Run::warm(&normal).expect_one(&queued);
    assert_eq!(verdict(&hint), ("pod_bandwidth_limited", BlameKind::PeerPod, "10.0.1.7"));
}
