use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, Run, candidates, firing, host, lossy, requests::Stream, rtts, set, verdict},
    sample::{Histogram, Signal, Tally},
};
use netwhy_abi::{PeerClass, Role};
use std::collections::BTreeSet;

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

/// The same with other round trips and payloads on these edges.
fn with_all(case: &Case, pods: &[&str], peers: &[&str], change: impl Fn(&mut Tally)) -> Case {
    let mut case = case.clone();
    pods.iter().flat_map(|pod| peers.iter().map(move |peer| (pod, peer))).for_each(|(pod, peer)| {
        change(case.tally(pod, peer));
    });
    case
}

/// RTTs of handshakes and data that differ as in a queue, `tenths` of the usual payload.
fn uneven(case: &Case, pods: &[&str], peers: &[&str], tenths: u64) -> Case {
    with_all(case, pods, peers, |tally| {
        let rtt = rtts(&[(5_000, 2 * tenths), (12_000, 4 * tenths), (25_000, 4 * tenths)]);
        (tally.rtt, tally.min_rtt_us) = (rtt, Some(5_000));
        carry(tally, tenths);
    })
}

fn carry(tally: &mut Tally, tenths: u64) {
    tally.bytes_acked = tally.bytes_acked * tenths / 10;
    tally.bytes_received = tally.bytes_received * tenths / 10;
}

/// The same under twice the usual load.
fn queue(case: &Case, pods: &[&str], peers: &[&str]) -> Case {
    uneven(case, pods, peers, 20)
}

/// All round trips take as much longer.
fn steady(case: &Case, pods: &[&str], peers: &[&str], us: u32) -> Case {
    with_all(case, pods, peers, |tally| {
        (tally.rtt, tally.min_rtt_us) = (rtts(&[(us + 100, 60), (us + 140, 40)]), Some(us + 80));
    })
}

#[test]
fn a_queue_before_one_address_of_a_fast_node_is_that_pods_own() {
    let normal = normal();
    let hints = firing(&Run::warm(&normal).ticks(5, &queue(&normal, &["cart", "web"], &[LIMITED])));
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
    let hints = firing(&Run::warm(&normal).ticks(5, &queue(&normal, &["cart", "web"], &[LIMITED])));
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
fn a_constant_delay_before_one_address_is_a_longer_path_to_that_pod_and_no_queue() {
    let normal = normal();
    for us in [10_000, 36_000] {
        let hints = firing(&Run::warm(&normal).ticks(5, &steady(&normal, &["cart", "web"], &[LIMITED], us)));
        assert_eq!(hints.len(), 2, "{hints:?}");
        for hint in &hints {
            assert_eq!(verdict(hint), ("path_latency", BlameKind::PeerPod, LIMITED));
            assert!(hint.ruled_out.iter().any(|one| one.cause == "pod_bandwidth_limited"), "{:?}", hint.ruled_out);
        }
    }
}

/// Two of the busiest Pods of a load test, beside one that is as near as ever.
#[test]
fn a_longer_way_inside_a_node_whose_cpus_are_used_up_is_none() {
    let mut normal = normal();
    for pod in ["cart", "web"] {
        let edge = normal.edge(pod, LIMITED);
        (edge.class, edge.peer_node) = (PeerClass::SameNode, Some("node-a".into()));
    }
    normal.host = Some(host());
    let longer = steady(&normal, &["cart", "web"], &[LIMITED], 10_000);
    let causes = |case: &Case| -> BTreeSet<String> {
        firing(&Run::warm(&normal).ticks(6, case)).into_iter().map(|hint| hint.cause).collect()
    };
    let calm = causes(&longer);
    assert!(calm.contains("path_latency"), "{calm:?}");
    let mut busy = longer.clone();
    let cpus = busy.host.as_mut().unwrap();
    set(cpus, Signal::CpuIdle, 1_000_000);
    set(cpus, Signal::PressureCpuSome, 6_000_000);
    let busy = causes(&busy);
    assert!(!busy.contains("path_latency"), "{busy:?}");
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
            carry(&mut edge.window, 20);
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
    let mut run = Run::warm(&normal);
    run.expect_silence(3, &queued);
    let hint = run.expect_one(&queued);
    assert_eq!(verdict(&hint), ("pod_bandwidth_limited", BlameKind::PeerPod, "10.0.1.7"));
}

const CLIENTS: [&str; 3] = ["10.0.1.7", "10.0.2.7", "10.0.3.7"];

#[test]
fn a_pod_that_alone_is_farther_from_all_its_clients_has_a_longer_path_of_its_own() {
    let normal = server(3);
    for us in [10_000, 36_000] {
        let longer = steady(&normal, &["api"], &CLIENTS, us);
        let mut run = Run::warm(&normal);
        run.expect_silence(3, &longer);
        let hint = run.expect_one(&longer);
        assert_eq!(verdict(&hint), ("path_latency", BlameKind::Pod, "api"));
    }
    // Of one client alone, either end may be at fault.
    let normal = server(1);
    let longer = steady(&normal, &["api"], &CLIENTS[..1], 36_000);
    let hint = firing(&Run::warm(&normal).ticks(6, &longer)).remove(0);
    assert_eq!((verdict(&hint), candidates(&hint).len()), (("path_latency", BlameKind::Undecided, ""), 2));
}

/// Nobody else reaches the second Node: without the first edge, that Node would be at fault as well.
#[test]
fn handshakes_that_are_slow_where_another_pods_are_fast_speak_against_their_pod() {
    let mut normal = normal();
    let is_left_out = [("cart", BESIDE), ("web", ELSEWHERE)];
    normal.edges.retain(|edge| {
        let peer = edge.peer.to_canonical().to_string();
        !is_left_out.contains(&(edge.subject.name.as_str(), peer.as_str()))
    });
    let hint = Run::warm(&normal).expect_one(&steady(&normal, &["cart"], &[LIMITED, ELSEWHERE], 20_000));
    assert_eq!((hint.cause.as_str(), candidates(&hint)[0].as_str()), ("path_latency", "cart"), "{:?}", hint.blame);
}

/// Round trips of the last `seconds`, one each tenth of a second. The delay grows by so much per second up to 82 ms.
fn growing(us_per_s: u32, at: u32, seconds: u32) -> Histogram {
    let tenths = (10 * at).saturating_sub(10 * seconds)..10 * at;
    let mut all = rtts(&[(100, u64::from((10 * seconds).saturating_sub(10 * at)))]);
    tenths.for_each(|tenth| all.add(&rtts(&[(100 + (us_per_s * tenth / 10).min(82_000), 1)])));
    all
}

/// Ticks through a growing delay of these edges. All that was ever told.
fn tell(normal: &Case, edges: &[(&str, &str)], us_per_s: u32) -> Vec<Vec<Hint>> {
    let mut run = Run::warm(normal);
    let tick = |at: u32| {
        let mut now = normal.clone();
        for (pod, peer) in edges {
            let edge = now.edge(pod, peer);
            edge.window.rtt = growing(us_per_s, at, 10);
            edge.window.min_rtt_us = Some(80 + (us_per_s * at.saturating_sub(10)).min(82_000));
            edge.recent = edge.window.clone();
            (edge.recent.rtt, edge.answered) = (growing(us_per_s, at, 3), true);
        }
        firing(&run.tick(&now))
    };
    (1..=45).map(tick).collect()
}

#[test]
fn a_growing_delay_is_one_longer_path_from_its_first_hint_on() {
    let both = [("cart", LIMITED), ("web", LIMITED)];
    let all = ["10.0.1.7", "10.0.2.7", "10.0.3.7"].map(|client| ("api", client));
    let cases =
        [(normal(), &both[..], (BlameKind::PeerPod, LIMITED), 2), (server(3), &all[..], (BlameKind::Pod, "api"), 1)];
    for (normal, edges, (kind, name), subjects) in &cases {
        // Over half a minute, 12 s and 4 s.
        for us_per_s in [2_700, 6_800, 20_500] {
            let told = tell(normal, edges, us_per_s);
            for hint in told.iter().flatten() {
                assert_eq!(verdict(hint), ("path_latency", *kind, *name), "{us_per_s}: {}", hint.summary);
                assert!(hint.evidence[0].baseline.is_some_and(|usual| usual < 2e-4), "{:?}", hint.evidence);
            }
            let ids: BTreeSet<&str> = told.iter().flatten().map(|hint| hint.id.as_str()).collect();
            let onsets: BTreeSet<&str> = told.iter().flatten().map(|hint| hint.first_seen.as_str()).collect();
            assert_eq!((ids.len(), onsets.len()), (*subjects, 1), "{us_per_s}");
            let first = told.iter().position(|hints| !hints.is_empty());
            assert!(first.is_some_and(|at| at < 15), "{us_per_s}: {first:?}");
            assert!(told[first.unwrap()..].iter().all(|hints| hints.len() == *subjects), "{us_per_s}");
        }
    }
}

#[test]
fn round_trips_that_differ_while_as_much_gets_through_as_usual_show_no_limit() {
    let normal = normal();
    let hints = firing(&Run::warm(&normal).ticks(13, &uneven(&normal, &["cart", "web"], &[LIMITED], 10)));
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert!(hints.iter().all(|hint| verdict(hint) == ("path_latency", BlameKind::PeerPod, LIMITED)), "{hints:?}");
}

/// Both carry less than usual. Behind a limit as much gets through whatever the delay is. Clients that wait for answers ask
/// for less the longer the delay is.
#[test]
fn less_payload_shows_a_limit_only_where_it_does_not_follow_the_delay() {
    let normal = normal();
    let ticked = |follows: bool| {
        let mut run = Run::warm(&normal);
        let tick = |at: usize| {
            let tenths = [10, 13, 16][at % 3];
            let passed = if follows { 60 / tenths } else { 6 };
            run.tick(&with_all(&normal, &["cart", "web"], &[LIMITED], |tally| {
                let us = tenths as u32 * 1_000;
                tally.rtt = rtts(&[(us / 2, 4 * passed), (us, 8 * passed), (2 * us, 8 * passed)]);
                tally.min_rtt_us = Some(us / 2);
                carry(tally, passed);
            }))
        };
        firing(&(0..9).map(tick).last().unwrap())
    };
    let hints = ticked(false);
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert!(
        hints.iter().all(|hint| verdict(hint) == ("pod_bandwidth_limited", BlameKind::PeerPod, LIMITED)),
        "{hints:?}"
    );
    let hints = ticked(true);
    assert!(hints.iter().all(|hint| hint.cause != "pod_bandwidth_limited"), "{hints:?}");
}

#[test]
fn loads_that_grow_are_neither_a_limit_nor_a_longer_path() {
    let normal = normal();
    let (pods, peers) = (["cart", "web"], [LIMITED]);
    // The round trips are as fast as ever.
    Run::warm(&normal).expect_silence(15, &with_all(&normal, &pods, &peers, |tally| carry(tally, 20)));
    // All of them are slower, alike: the load may do that, and no queue shows.
    let busy = with_all(&steady(&normal, &pods, &peers, 12_000), &pods, &peers, |tally| carry(tally, 20));
    Run::warm(&normal).expect_silence(15, &busy);
    // What gets through still grows.
    let mut run = Run::warm(&normal);
    for tenths in (20..60).step_by(4) {
        run.expect_silence(1, &uneven(&normal, &pods, &peers, tenths));
    }
}

#[test]
fn a_bulk_transfer_that_begins_waits_in_its_own_queue() {
    let normal = normal();
    let bulk = with_all(&queue(&normal, &["cart"], &[LIMITED]), &["cart"], &[LIMITED], |tally| {
        (tally.data_segs_out, tally.bytes_acked) = (20_000, 28_000_000);
    });
    let without_web = |case: &Case| {
        let mut case = case.clone();
        case.edges.retain(|edge| edge.subject.name != "web" || edge.peer.to_canonical().to_string() != LIMITED);
        case
    };
    Run::warm(&without_web(&normal)).expect_silence(15, &without_web(&bulk));
    // Requests of another Pod to that address wait too: packets of both pass the same limit.
    let both = queue(&bulk, &["web"], &[LIMITED]);
    let hints = firing(&Run::warm(&normal).ticks(6, &both));
    assert_eq!(hints.len(), 2, "{hints:?}");
    assert!(
        hints.iter().all(|hint| verdict(hint) == ("pod_bandwidth_limited", BlameKind::PeerPod, LIMITED)),
        "{hints:?}"
    );
}
