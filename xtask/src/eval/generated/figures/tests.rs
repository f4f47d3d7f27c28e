use super::*;

fn seconds(count: usize, done: f64, failures: u64, ms: f64) -> Vec<Second> {
    vec![Second { done, failures, p50_ms: Some(ms), p99_ms: Some(ms * 2.0) }; count]
}

fn severity(before: Vec<Second>, during: Vec<Second>) -> f64 {
    Figures { before, during }.severity()
}

#[test]
fn the_same_figures_are_not_noticed() {
    assert_eq!(severity(seconds(10, 20.0, 0, 3.0), seconds(30, 20.0, 0, 3.0)), 0.0);
    assert_eq!(severity(Vec::new(), seconds(30, 20.0, 9, 3.0)), 0.0, "nothing to compare with");
    assert!(severity(seconds(10, 20.0, 0, 3.0), seconds(30, 18.0, 0, 3.4)) < 1.0, "a little worse");
}

#[test]
fn failures_lost_throughput_and_late_answers_are_noticed() {
    let before = || seconds(10, 20.0, 0, 3.0);
    assert!(severity(before(), seconds(30, 19.0, 1, 3.0)) >= 1.0, "5 % fail");
    assert!(severity(before(), seconds(30, 12.0, 0, 3.0)) >= 1.0, "40 % less");
    assert!(severity(before(), seconds(30, 20.0, 0, 12.0)) >= 1.0, "four times as slow");
    let bursts = [seconds(25, 20.0, 0, 3.0), seconds(5, 20.0, 0, 40.0)].concat();
    assert!(severity(before(), bursts) >= 1.0, "late in every sixth second");
    let once = [seconds(29, 20.0, 0, 3.0), seconds(1, 20.0, 0, 40.0)].concat();
    assert!(severity(before(), once) < 1.0, "late in one second");
}

#[test]
fn a_fault_bites_where_it_is_and_not_elsewhere() {
    let bites = Bite::of(&[(true, 0.2), (true, 3.0), (false, 0.1), (false, 0.4), (false, 2.0)]);
    assert!(bites.is_noticed() && !bites.is_disturbed());
    let everywhere = Bite::of(&[(true, 3.0), (false, 2.0), (false, 2.5)]);
    assert!(!everywhere.is_noticed() && everywhere.is_disturbed());
    let alone = Bite::of(&[(true, 1.5)]);
    assert!(alone.is_noticed() && !alone.is_disturbed());
    assert!(!Bite::of(&[(true, 0.9), (false, 0.0)]).is_noticed());
}
