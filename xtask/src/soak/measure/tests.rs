use super::*;

#[test]
fn the_99th_percentile_of_few_ticks_is_the_longest() {
    assert_eq!(percentile(&mut [3.0, 9.0, 1.0]), 9.0);
    let mut many: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    assert_eq!(percentile(&mut many), 198.0);
    assert!(percentile(&mut []).is_nan());
}

#[test]
fn a_field_is_the_number_after_its_name() {
    let status = "VmHWM:\t   90 kB\nVmRSS:\t   80 kB\n";
    assert_eq!(field(status, "VmRSS:"), Some(80.0));
    assert_eq!(field(status, "VmSwap:"), None);
}
