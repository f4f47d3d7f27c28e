use crate::{
    api::{BlameKind, Hint},
    hints::testing::{Case, NODE, Run, candidates, firing, host, requests::Stream, rtts, set, verdict},
    sample::Signal,
};
use netwhy_abi::{PeerClass, Role};

const PODS: [&str; 3] = ["cart", "payment", "search"];
const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Keep-alive requests only, to peers on Nodes of their own.
fn keep_alive() -> Case {
    let mut case = Case::mesh(&PODS, &PEERS);
    for edge in &mut case.edges {
        edge.window.connects = [0, 0];
        edge.peer_node = Some(format!("node-{}", edge.peer.to_canonical()).into());
    }
    case
}

/// Round trips to the peers take `us` longer.
fn longer(case: &Case, peers: &[&str], us: u32) -> Case {
    let mut case = case.clone();
    for (pod, peer) in PODS.iter().flat_map(|pod| peers.iter().map(move |peer| (pod, peer))) {
        let tally = case.tally(pod, peer);
        (tally.rtt, tally.min_rtt_us) = (rtts(&[(us + 100, 60), (us + 140, 40)]), Some(us + 80));
    }
    case
}

/// The first hints, and after how many seconds they came.
fn first(run: &mut Run, within: u64, case: &Case) -> (u64, Vec<Hint>) {
    let hints = (1..=within).map(|second| (second, firing(&run.tick(case)))).find(|(_, hints)| !hints.is_empty());
    hints.expect("a hint")
}

#[test]
fn a_small_rise_that_independent_programs_share_names_their_node() {
    let normal = keep_alive();
    for us in [1_500, 2_500, 4_000] {
        let (second, hints) = first(&mut Run::warm(&normal), 10, &longer(&normal, &PEERS, us));
        assert!(second > 3, "one window proves nothing: {second}");
        assert_eq!(hints.len(), 3, "{hints:?}");
        for hint in &hints {
            assert_eq!(verdict(hint), ("path_latency", BlameKind::Node, NODE), "{:?}", hint.blame);
            assert!(hint.ruled_out[0].because.contains("12 connections of independent programs"), "{hint:?}");
            assert!(hint.confidence < 0.9, "{}", hint.confidence);
        }
    }
}

#[test]
fn fewer_independent_edges_need_more_time() {
    let mut normal = keep_alive();
    // Two servers there.
    let there = |edge: &crate::state::EdgeView| PEERS[..2].contains(&edge.peer.to_canonical().to_string().as_str());
    normal.edges.iter_mut().filter(|edge| there(edge)).for_each(|edge| edge.peer_node = Some("node-0".into()));
    let (all, _) = first(&mut Run::warm(&normal), 10, &longer(&normal, &PEERS, 1_500));
    let (second, hints) = first(&mut Run::warm(&normal), 20, &longer(&normal, &PEERS[..2], 1_500));
    assert!(second > all, "{second}");
    for hint in &hints {
        assert_eq!(verdict(hint), ("path_latency", BlameKind::Undecided, ""));
        assert_eq!(candidates(hint), ["node-0", "node-a↔node-0"]);
    }
}

#[test]
fn a_small_rise_stays_until_the_path_is_as_fast_as_before() {
    let normal = keep_alive();
    let slow = longer(&normal, &PEERS, 1_500);
    let mut run = Run::warm(&normal);
    let (_, hints) = first(&mut run, 10, &slow);
    assert_eq!(firing(&run.ticks(300, &slow)).len(), hints.len());
    assert_eq!(firing(&run.ticks(10, &normal)), vec![]);
    // It is no noise, and shows again.
    first(&mut run, 10, &slow);
}

#[test]
fn small_rises_that_programs_do_not_share_prove_nothing() {
    let normal = keep_alive();
    // Of one peer.
    Run::warm(&normal).expect_silence(20, &longer(&normal, &PEERS[..1], 1_500));
    // Of different sizes.
    let by = [1_300, 2_000, 3_200, 4_800];
    let each = |case: Case, at: usize| longer(&case, &PEERS[at..=at], by[at]);
    Run::warm(&normal).expect_silence(20, &(0..4).fold(normal.clone(), each));
    // One after the other.
    let mut run = Run::warm(&normal);
    for n in 1..=3 {
        run.expect_silence(9, &longer(&normal, &PEERS[..n], 1_500));
    }
    // Below `rtt_floor_ms`.
    Run::warm(&normal).expect_silence(20, &longer(&normal, &PEERS, 900));
}

#[test]
fn jitter_of_milliseconds_raises_the_limit() {
    let normal = keep_alive();
    let slow = longer(&normal, &PEERS, 1_500);
    let mut run = Run::warm(&normal);
    run.expect_silence(4, &slow);
    run.expect_silence(4, &normal);
    run.expect_silence(30, &slow);
}

#[test]
fn two_fast_samples_of_another_program_acquit_the_path() {
    let normal = keep_alive();
    let mut slow = longer(&normal, &PEERS, 1_500);
    for peer in PEERS {
        slow.tally("cart", peer).rtt = rtts(&[(100, 2), (1_600, 98)]);
    }
    Run::warm(&normal).expect_silence(20, &slow);
}

#[test]
fn small_rises_under_more_traffic_or_without_free_cpus_are_silent() {
    let mut normal = keep_alive();
    normal.host = Some(host());
    let slow = longer(&normal, &PEERS, 1_500);
    let mut busier = slow.clone();
    busier.edges.iter_mut().for_each(|edge| {
        (edge.window.bytes_acked, edge.window.bytes_received) = (600_000, 3_000_000);
    });
    Run::warm(&normal).expect_silence(20, &busier);
    let mut contended = slow.clone();
    let host = contended.host.as_mut().unwrap();
    set(host, Signal::CpuIdle, 1_000_000);
    set(host, Signal::PressureCpuSome, 6_000_000);
    Run::warm(&normal).expect_silence(20, &contended);
    // The same on a kernel without pressure.
    contended.host.as_mut().unwrap().counters.retain(|(signal, _), _| *signal != Signal::PressureCpuSome);
    Run::warm(&normal).expect_silence(20, &contended);
    first(&mut Run::warm(&normal), 10, &slow);
}

/// A machine that stalls delays what never leaves it too.
#[test]
fn small_rises_within_the_node_too_are_no_path() {
    let mut normal = keep_alive();
    PODS.iter().for_each(|pod| normal.edge(pod, PEERS[3]).class = PeerClass::SameNode);
    Run::warm(&normal).expect_silence(20, &longer(&normal, &PEERS, 1_500));
    let (_, hints) = first(&mut Run::warm(&normal), 10, &longer(&normal, &PEERS[..3], 1_500));
    assert!(hints.iter().all(|hint| verdict(hint) == ("path_latency", BlameKind::Node, NODE)), "{hints:?}");
}

/// Clients of the peers, which listen on these ports.
fn of_clients(case: &Case, ports: [u16; 4]) -> Case {
    let mut case = case.clone();
    for (pod, (peer, port)) in PODS.iter().flat_map(|pod| PEERS.iter().zip(ports).map(move |one| (pod, one))) {
        let edge = case.edge(pod, peer);
        (edge.role, edge.port) = (Some(Role::Client), port);
    }
    case
}

/// Replicas of one server may wait for the same dependency.
#[test]
fn clients_of_one_service_prove_no_longer_path() {
    let normal = of_clients(&keep_alive(), [80; 4]);
    Run::warm(&normal).expect_silence(20, &longer(&normal, &PEERS, 1_500));
    let normal = of_clients(&keep_alive(), [80, 80, 81, 81]);
    first(&mut Run::warm(&normal), 10, &longer(&normal, &PEERS, 1_500));
    // Clients that call another server in between.
    let mut normal = keep_alive();
    normal.edges.iter_mut().for_each(|edge| edge.role = Some(Role::Server));
    Run::warm(&normal).expect_silence(20, &longer(&normal, &PEERS, 1_500));
}

/// Acknowledgements that are merely delayed harm no request.
#[test]
fn clients_whose_requests_are_as_fast_as_usual_have_no_longer_path() {
    let with = |case: &Case, us: u32| {
        let mut stream = Stream::default();
        stream.second(Role::Client, &[us; 20], 100);
        let mut case = case.clone();
        case.edges.iter_mut().for_each(|edge| edge.responses = Some(Box::new(stream.view())));
        case
    };
    let normal = of_clients(&keep_alive(), [80, 81, 81, 81]);
    let slow = longer(&normal, &PEERS, 1_500);
    Run::warm(&with(&normal, 1_500)).expect_silence(20, &with(&slow, 1_500));
    let (_, hints) = first(&mut Run::warm(&with(&normal, 1_500)), 10, &with(&slow, 3_000));
    assert!(hints.iter().all(|hint| hint.cause == "path_latency"), "{hints:?}");
}
