use super::*;

#[test]
fn every_kind_is_described_and_parses_back_by_its_name() {
    for kind in FaultKind::all() {
        assert_eq!(kind.description().kind, kind);
        assert_eq!(kind.name().parse::<Fault>().unwrap().kind, kind);
    }
}

#[test]
fn magnitudes_outside_their_range_are_refused() {
    assert_eq!("loss=5".parse::<Fault>().unwrap().magnitude, 5.0);
    assert!("loss=5:per-packet".parse::<Fault>().unwrap().per_packet);
    for wrong in ["loss=0", "loss=101", "loss=x", "refused=1", "delay:per-packet", "rain"] {
        assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
    }
}

#[test]
fn a_fault_reads_with_its_magnitude() {
    let fault: Fault = "loss=0.5:per-packet".parse().unwrap();
    assert_eq!(fault.to_string(), "0.5 % of the TCP packets that node b receives are dropped, packet by packet");
}

#[test]
fn a_hint_matches_by_cause_and_subject_unless_it_is_about_a_node() {
    let expected = Expectation { hints: vec![("path_loss", vec!["web-a"])], blame: Vec::new() };
    assert!(expected.matches("path_loss", "Unit", "web-a"));
    assert!(expected.matches("path_loss", "Node", "a"));
    assert!(!expected.matches("path_loss", "Unit", "api-c"));
    assert!(!expected.matches("path_latency", "Unit", "web-a"));
}
