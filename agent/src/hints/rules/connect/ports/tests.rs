use super::*;
use crate::hints::testing::{Case, Run, host, verdict};

const PEERS: [&str; 2] = ["10.0.0.7", "10.0.0.8"];

fn exhausted(case: &Case, failed: u64) -> Case {
    case.with("cart", PEERS[0], |t| t.connect_failures[Failure::NoLocalPort as usize] = failed)
}

#[test]
fn attempts_without_a_local_port_blame_the_pod_and_not_the_peer() {
    let normal = Case::mesh(&["cart"], &PEERS);
    let hint = Run::warm(&normal).expect_one(&exhausted(&normal, 18));
    assert_eq!(verdict(&hint), ("port_exhaustion", BlameKind::Pod, "cart"));
    assert!(hint.summary.contains("18 of 20 attempts (90 %)"), "{}", hint.summary);
    assert!(hint.blame.alternatives.is_empty());
}

#[test]
fn fewer_than_the_limit_and_other_failures_are_silent() {
    let normal = Case::mesh(&["cart"], &PEERS);
    Run::warm(&normal).expect_silence(5, &exhausted(&normal, 2));
    let other = normal.with("cart", PEERS[0], |t| t.connect_failures[Failure::Other as usize] = 50);
    Run::warm(&normal).expect_silence(5, &other);
}

#[test]
fn full_ports_of_the_node_make_it_an_alternative() {
    let mut normal = Case { host: Some(host()), ..Case::mesh(&["cart"], &PEERS) };
    let gauges = &mut normal.host.as_mut().unwrap().gauges;
    gauges.extend([((Gauge::PortsUsed, None), 27_000), ((Gauge::PortsRange, None), 28_232)]);
    let hint = Run::warm(&normal).expect_one(&exhausted(&normal, 18));
    assert_eq!(hint.blame.other_names(), ["node-a"]);
    assert!(hint.evidence.iter().any(|e| e.observed == 27_000.0 && e.unit == "of 28232 ports"));
}
