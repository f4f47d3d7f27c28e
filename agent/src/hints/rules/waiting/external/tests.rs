use crate::{
    api::BlameKind,
    hints::testing::{Case, Run, firing, rtts, verdict},
};
use netwhy_abi::PeerClass;

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
