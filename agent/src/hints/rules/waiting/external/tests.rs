use crate::{
    api::BlameKind,
    hints::testing::{
        Case, Run, firing, host,
        requests::{Scene, quick},
        rtts, set, verdict,
    },
    sample::Signal,
};
use netwhy_abi::{PeerClass, Role};

const PEERS: [&str; 4] = ["203.0.113.7", "10.0.0.8", "10.0.0.9", "10.0.0.10"];

fn normal() -> Case {
    let mut case = Case::mesh(&["cart"], &PEERS);
    case.edge("cart", PEERS[0]).class = PeerClass::External;
    case
}

fn longer_path(case: &Case, peers: &[&str], us: u32) -> Case {
    let mut case = case.clone();
    for peer in peers {
        case.tally("cart", peer).rtt = rtts(&[(us, 100)]);
        case.tally("cart", peer).min_rtt_us = Some(us);
        // Requests on persistent connections, as to most external services.
        case.tally("cart", peer).connects = [0, 0];
    }
    case
}

#[test]
fn a_longer_path_to_an_external_peer_is_blamed_without_a_handshake() {
    let hint = Run::warm(&normal()).expect_one(&longer_path(&normal(), &PEERS[..1], 80_000));
    assert_eq!(verdict(&hint), ("external_slow", BlameKind::External, "203.0.113.7"));
    assert_eq!(hint.ruled_out[0].because, "3 peers inside the cluster are as fast as usual");
}

#[test]
fn late_replies_of_an_external_peer_are_the_same_cause() {
    let mut slow = normal();
    slow.tally("cart", PEERS[0]).rtt = rtts(&[(100, 15), (80_000, 80)]);
    let hints = firing(&Run::warm(&normal()).ticks(15, &slow));
    assert_eq!(hints.len(), 1);
    assert_eq!(verdict(&hints[0]), ("external_slow", BlameKind::External, "203.0.113.7"));
}

#[test]
fn longer_paths_inside_acquit_the_external_peer() {
    Run::warm(&normal()).expect_silence(20, &longer_path(&normal(), &PEERS, 80_000));
}

#[test]
fn a_pod_with_external_peers_only_gets_less_confidence() {
    let mut only = Case::mesh(&["cart"], &PEERS[..1]);
    only.edge("cart", PEERS[0]).class = PeerClass::External;
    let alone = Run::warm(&only).expect_one(&longer_path(&only, &PEERS[..1], 80_000));
    let beside = Run::warm(&normal()).expect_one(&longer_path(&normal(), &PEERS[..1], 80_000));
    assert!(alone.confidence < beside.confidence);
    // Nothing tells what is outside from this Node's own way out.
    assert_eq!(alone.blame.kind, BlameKind::Undecided);
    assert_eq!(alone.blame.other_names(), ["203.0.113.7", "node-a"]);
}

#[test]
fn longer_paths_of_other_pods_of_the_node_acquit_the_external_peer() {
    let mut case = Case::mesh(&["cart", "other"], &PEERS);
    case.edge("cart", PEERS[0]).class = PeerClass::External;
    let mut now = longer_path(&case, &PEERS[..1], 80_000);
    now.tally("other", PEERS[1]).rtt = rtts(&[(80_000, 100)]);
    now.tally("other", PEERS[1]).min_rtt_us = Some(80_000);
    let hints = firing(&Run::warm(&case).ticks(15, &now));
    assert!(hints.iter().all(|hint| hint.cause != "external_slow"), "{hints:?}");
}

#[test]
fn a_rise_within_what_the_address_usually_varies_is_silent() {
    let distant = longer_path(&normal(), &PEERS[..1], 30_000);
    Run::warm(&distant).expect_silence(20, &longer_path(&normal(), &PEERS[..1], 42_000));
}

/// Acknowledgements that wait for answers, or for a timer: the answers come as ever.
#[test]
fn requests_that_are_as_fast_as_ever_acquit_an_external_peer() {
    for per_second in [1, 5, 50] {
        let mut scene = Scene::new(normal(), ("cart", PEERS[0]), Role::Client);
        scene.is_silent(60, per_second, quick);
        let tally = scene.case.tally("cart", PEERS[0]);
        (tally.rtt, tally.connects) = (rtts(&[(41_000, 30)]), [0, 0]);
        scene.is_silent(30, per_second, quick);
        // The path is longer, so that requests are.
        let (_, hint) = scene.first_hint(20, per_second, |random| quick(random) + 80_000);
        assert!(hint.cause == "external_slow" && hint.blame.mentions("203.0.113.7"), "{hint:?}");
    }
}

/// A server's answers are acknowledged when its client likes to.
#[test]
fn a_server_waits_for_no_client_outside() {
    let mut normal = normal();
    let edge = normal.edge("cart", PEERS[0]);
    (edge.role, edge.window.connects) = (Some(Role::Server), [0, 2]);
    let later = longer_path(&normal, &PEERS[..1], 40_000);
    Run::warm(&normal).expect_silence(20, &later);
    // Handshakes wait for no program.
    let longer = later.with("cart", PEERS[0], |tally| tally.connects = [0, 2]);
    assert_eq!(Run::warm(&normal).expect_one(&longer).cause, "external_slow");
}

#[test]
fn a_rise_below_think_time_needs_a_proof() {
    let later = longer_path(&normal(), &PEERS[..1], 3_500);
    Run::warm(&normal()).expect_silence(20, &later);
    let longer = later.with("cart", PEERS[0], |tally| tally.connects = [2, 0]);
    let proven = Run::warm(&normal()).expect_one(&longer);
    assert_eq!(proven.cause, "external_slow");
    let unproven = Run::warm(&normal()).expect_one(&longer_path(&normal(), &PEERS[..1], 80_000));
    assert!(unproven.confidence < 0.9 && unproven.confidence < proven.confidence, "{}", unproven.confidence);
}

/// Round trips of requests that nobody timed.
#[test]
fn a_stall_of_seconds_blames_nobody_outside_and_a_rise_that_lasts_does() {
    let mut stall = longer_path(&normal(), &PEERS[..1], 80_000);
    let edge = stall.edge("cart", PEERS[0]);
    edge.recent = edge.window.clone();
    edge.window.rtt = rtts(&[(100, 60), (80_000, 40)]);
    Run::warm(&normal()).expect_silence(5, &stall);
    stall.edge("cart", PEERS[0]).window.rtt = rtts(&[(100, 20), (80_000, 80)]);
    assert_eq!(Run::warm(&normal()).expect_one(&stall).cause, "external_slow");
}

#[test]
fn a_machine_without_free_cpus_blames_nobody_outside_without_a_proof() {
    let with_host = |case: &Case, idle_us: u64| {
        let mut host = host();
        set(&mut host, Signal::CpuIdle, idle_us);
        set(&mut host, Signal::PressureCpuSome, 6_000_000);
        Case { host: Some(host), ..case.clone() }
    };
    let usual = with_host(&normal(), 10_000_000);
    let later = longer_path(&normal(), &PEERS[..1], 80_000);
    Run::warm(&usual).expect_silence(20, &with_host(&later, 1_000_000));
    assert_eq!(Run::warm(&usual).expect_one(&with_host(&later, 10_000_000)).cause, "external_slow");
    let proven = later.with("cart", PEERS[0], |tally| tally.connects = [2, 0]);
    assert_eq!(Run::warm(&usual).expect_one(&with_host(&proven, 1_000_000)).cause, "external_slow");
}
