use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, firing, host, lose, rtts, set, verdict},
    sample::Signal,
};
use netwhy_abi::PeerClass;

const PEERS: [&str; 4] = ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

/// Replies after `us`; `fast` samples still show the path.
fn slow(case: &Case, peers: &[&str], us: u32, fast: u64) -> Case {
    let mut case = case.clone();
    for peer in peers {
        case.tally("cart", peer).rtt = rtts(&[(100, fast), (us, 80)]);
    }
    case
}

#[test]
fn late_replies_over_an_unchanged_path_blame_the_peer() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    run.expect_silence(10, &slow(&normal, &PEERS[..1], 20_000, 15));
    let hint = run.expect_one(&slow(&normal, &PEERS[..1], 20_000, 15));
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::PeerPod, "10.0.0.7"));
    let because: Vec<&str> = hint.ruled_out.iter().map(|r| r.because.as_str()).collect();
    assert!(because.contains(&"minimum RTT 0.08 ms at its baseline 0.08 ms"), "{because:?}");
    assert!(because.contains(&"0 loss episodes in 1000 segments"), "{because:?}");
    assert!(because.contains(&"0 of 100 periods throttled"), "{because:?}");
    assert!(because.contains(&"0 % of the busy time"), "{because:?}");
}

#[test]
fn new_fast_samples_acquit_the_path_at_once() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    run.expect_silence(2, &slow(&normal, &PEERS[..1], 20_000, 15));
    run.expect_silence(1, &slow(&normal, &PEERS[..1], 20_000, 17));
    assert_eq!(run.expect_one(&slow(&normal, &PEERS[..1], 20_000, 17)).cause, "peer_slow");
}

#[test]
fn inflation_and_think_time_below_their_limits_are_silent() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    // 3 ms is thirty times the baseline, but too short to matter.
    Run::warm(&normal).expect_silence(30, &slow(&normal, &PEERS[..1], 3_000, 15));
    // 20 ms matters, but is only twice the baseline of this peer.
    normal.tally("cart", PEERS[0]).rtt = rtts(&[(100, 15), (10_000, 80)]);
    Run::warm(&normal).expect_silence(30, &slow(&normal, &PEERS[..1], 20_000, 15));
}

#[test]
fn a_path_that_became_longer_is_not_the_peers_think_time() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    // The window's minimum covers up to 17 s: its fast samples only become fewer.
    for fast in [40, 30, 20, 10, 5, 2, 0] {
        run.expect_silence(1, &slow(&normal, &PEERS[..1], 10_000, fast));
    }
    // Handshakes are as slow: no program answers them.
    for _ in 0..40 {
        let hints = firing(&run.tick(&slow(&normal, &PEERS[..1], 10_000, 0)));
        assert!(hints.iter().all(|h| h.cause == "path_latency"), "{hints:?}");
    }
    // Without handshakes the rules abstain: a longer path, or constant think time.
    let keep_alive = normal.with("cart", PEERS[0], |t| t.connects = [0, 0]);
    let mut run = Run::warm(&normal);
    run.expect_silence(40, &slow(&keep_alive, &PEERS[..1], 10_000, 0));
}

#[test]
fn a_servers_rtt_contains_client_think_time_and_is_silent() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edges.iter_mut().for_each(|e| e.window.connects = [0, 2]);
    Run::warm(&normal).expect_silence(30, &slow(&normal, &PEERS, 40_000, 15));
    // Connections older than the agent: the role is unknown.
    normal.edges.iter_mut().for_each(|e| e.window.connects = [0, 0]);
    Run::warm(&normal).expect_silence(30, &slow(&normal, &PEERS, 40_000, 15));
}

#[test]
fn without_a_baseline_nothing_is_slow() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::new().expect_silence(60, &slow(&normal, &PEERS[..1], 20_000, 15));
}

#[test]
fn a_throttled_pod_does_not_blame_its_peers() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    let mut bad = slow(&normal, &PEERS[..2], 20_000, 15);
    bad.subject("cart").window_cpu.as_mut().unwrap().throttled_periods = 30;
    let hints = firing(&run.ticks(20, &bad));
    assert_eq!(hints.iter().map(|h| h.cause.as_str()).collect::<Vec<_>>(), ["pod_cpu_throttled"]);
}

#[test]
fn a_lossy_edge_is_not_also_slow() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut bad = slow(&normal, &PEERS[..1], 20_000, 15);
    lose(bad.tally("cart", PEERS[0]), 20);
    let hints = firing(&Run::warm(&normal).ticks(20, &bad));
    assert_eq!(hints.iter().map(|h| h.cause.as_str()).collect::<Vec<_>>(), ["path_loss"]);
}

#[test]
fn all_peers_slow_at_once_under_own_pressure_blames_the_application() {
    let normal = Case::mesh(&["cart"], &PEERS[..3]);
    let mut bad = slow(&normal, &PEERS[..3], 20_000, 15);
    // Its own threads wait for each other: the Node's CPUs are not used up.
    bad.subject("cart").window_pressure.as_mut().unwrap().cpu_some_us = 3_000_000;
    let mut run = Run::warm(&normal);
    run.ticks(11, &bad);
    let hint = run.expect_one(&bad);
    assert_eq!(verdict(&hint), ("pod_application_slow", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("cpu 30 %"), "{}", hint.summary);
    // The IO stall is a cause of its own, and the slowness is its effect.
    let psi = bad.subject("cart").window_pressure.as_mut().unwrap();
    (psi.cpu_some_us, psi.io_some_us) = (0, 3_000_000);
    let mut run = Run::warm(&normal);
    run.ticks(11, &bad);
    let hint = run.expect_one(&bad);
    assert_eq!(verdict(&hint), ("pod_io_pressure", BlameKind::Pod, "cart"));
    assert_eq!(hint.chain, ["pod_io_pressure", "pod_application_slow", "io_stall"]);
}

#[test]
fn all_peers_slow_at_once_without_own_pressure_stay_suspect_beside_the_pod() {
    let normal = Case::mesh(&["cart"], &PEERS[..3]);
    let mut run = Run::warm(&normal);
    let hints = firing(&run.ticks(15, &slow(&normal, &PEERS[..3], 20_000, 15)));
    assert_eq!(hints.len(), 1);
    for hint in &hints {
        assert_eq!(hint.cause, "peer_slow");
        assert_eq!(hint.blame.kind, BlameKind::Undecided, "{:?}", hint.blame);
        assert_eq!(hint.blame.other_names()[..2], ["10.0.0.7", "cart"]);
        assert!(hint.confidence < 0.8);
    }
}

#[test]
fn external_peer_is_external() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.edge("cart", PEERS[0]).class = PeerClass::External;
    let hints = firing(&Run::warm(&normal).ticks(15, &slow(&normal, &PEERS[..1], 20_000, 15)));
    assert_eq!(verdict(&hints[0]), ("external_slow", BlameKind::External, "10.0.0.7"));
}

#[test]
fn a_window_that_reaches_further_back_brings_no_new_fast_samples() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let mut run = Run::warm(&normal);
    run.expect_silence(2, &slow(&normal, &PEERS[..1], 20_000, 5));
    run.window_ms = 11_000;
    run.expect_silence(1, &slow(&normal, &PEERS[..1], 20_000, 15));
    run.window_ms = 10_000;
    run.expect_silence(6, &slow(&normal, &PEERS[..1], 20_000, 5));
}

#[test]
fn a_modest_slowdown_fires_after_the_wait_for_proof() {
    let mut normal = Case::mesh(&["cart"], &PEERS);
    normal.tally("cart", PEERS[0]).rtt = rtts(&[(100, 15), (5_000, 80)]);
    let hints = firing(&Run::warm(&normal).ticks(15, &slow(&normal, &PEERS[..1], 17_000, 15)));
    assert_eq!(hints.len(), 1);
}

/// Every reply comes 15 ms later, and every acknowledgement with it. Another Pod's connections to the same Node are
/// fast.
#[test]
fn replies_that_are_all_late_suspect_the_peer_first_when_another_connection_there_is_fast() {
    let mut normal = Case::mesh(&["cart", "payment"], &PEERS);
    normal.edges.iter_mut().for_each(|e| e.window.connects = [1, 0]);
    normal.edge("cart", PEERS[0]).peer_node = Some("node-b".into());
    normal.edge("payment", PEERS[1]).peer_node = Some("node-b".into());
    let late = normal.with("cart", PEERS[0], |t| {
        (t.rtt, t.min_rtt_us, t.connects) = (rtts(&[(15_000, 40), (16_000, 40)]), Some(15_000), [0, 0]);
    });
    let mut run = Run::warm(&normal);
    let hint = run.expect_one(&late);
    // One quick connection does not acquit a share of the paths, or a queue that it doesn't use.
    assert_eq!(verdict(&hint), ("peer_slow", BlameKind::Undecided, ""));
    assert_eq!(hint.blame.other_names()[0], "10.0.0.7");
    assert!(!hint.summary.contains("not for the network"), "{}", hint.summary);
    assert!(hint.summary.contains("other connections to node-b are as fast as ever"), "{}", hint.summary);
    // A few fast samples there may date from before both paths became longer.
    let mut both = late.clone();
    both.edge("payment", PEERS[1]).recent.rtt = rtts(&[(100, 6), (15_000, 20)]);
    let hints = firing(&Run::warm(&normal).ticks(3, &both));
    assert!(hints.iter().all(|hint| hint.cause != "peer_slow"), "{hints:?}");
    // A server's RTT contains its clients' think time.
    normal.edges.iter_mut().for_each(|e| e.window.connects = [0, 1]);
    let mut server = late.clone();
    server.edges.iter_mut().for_each(|e| e.window.connects = [0, 0]);
    Run::warm(&normal).expect_silence(20, &server);
}

/// A check beside the requests, to which the peer takes its time: the requests are as many and as fast as ever.
#[test]
fn round_trips_that_come_on_top_are_another_kind() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let with = |quick: u64, slow: u64| {
        normal.with("cart", PEERS[0], |tally| tally.rtt = rtts(&[(100, quick), (20_000, slow)]))
    };
    Run::warm(&normal).expect_silence(30, &with(100, 110));
    // Half of the usual ones became slow as well.
    let hints = firing(&Run::warm(&normal).ticks(15, &with(50, 110)));
    assert_eq!(verdict(&hints[0]), ("peer_slow", BlameKind::PeerPod, PEERS[0]));
}

#[test]
fn more_payload_explains_late_replies_without_response_times() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let late = slow(&normal, &PEERS[..1], 20_000, 15);
    let more = late.with("cart", PEERS[0], |tally| (tally.bytes_acked, tally.bytes_received) = (340_000, 1_700_000));
    Run::warm(&normal).expect_silence(20, &more);
    assert_eq!(firing(&Run::warm(&normal).ticks(15, &late)).len(), 1);
}

#[test]
fn all_peers_slow_at_once_without_free_cpus_are_silent() {
    let mut normal = Case::mesh(&["cart"], &PEERS[..3]);
    normal.host = Some(host());
    let mut late = slow(&normal, &PEERS[..3], 20_000, 15);
    assert_eq!(firing(&Run::warm(&normal).ticks(15, &late)).len(), 1);
    let busy = late.host.as_mut().unwrap();
    set(busy, Signal::CpuIdle, 1_000_000);
    set(busy, Signal::PressureCpuSome, 6_000_000);
    Run::warm(&normal).expect_silence(20, &late);
    let two = Case { edges: late.edges[..2].to_vec(), ..late.clone() };
    Run::warm(&Case { edges: normal.edges[..2].to_vec(), ..normal.clone() }).expect_silence(20, &two);
    // One that is as fast as ever shows that the CPUs are not the reason.
    late.tally("cart", PEERS[2]).rtt = rtts(&[(100, 95)]);
    assert!(!firing(&Run::warm(&normal).ticks(15, &late)).is_empty());
}
