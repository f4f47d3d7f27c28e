use super::*;

#[test]
fn only_allowances_of_the_cloud_are_taken_from_the_drivers_own_counters() {
    // As the ena driver names them.
    let names = ["tx_timeout", "suspend", "bw_in_allowance_exceeded", "bw_out_allowance_exceeded"];
    let more = ["pps_allowance_exceeded", "conntrack_allowance_exceeded", "linklocal_allowance_exceeded"];
    let names: Vec<String> = names.iter().chain(&more).map(|s| (*s).to_owned()).collect();
    let found = allowances(&names);
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], (2, Signal::AllowanceBandwidthIn));
    assert_eq!(allowances(&["rx_queue_0_packets".to_owned()]), []);
}

#[test]
fn what_a_driver_does_not_tell_is_absent() {
    assert_eq!(known(" N/A".into()), None);
    assert_eq!(known(String::new()), None);
    assert_eq!(known("5.1.0-k ".into()), Some("5.1.0-k".into()));
}
