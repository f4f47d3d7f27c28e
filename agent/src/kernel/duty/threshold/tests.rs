use super::*;

/// Updates once a second at this rate; returns the last answer.
fn run(threshold: &mut RateThreshold, clock: &mut u64, seconds: u64, rate: f64) -> bool {
    let mut is_exceeded = false;
    for _ in 0..seconds {
        *clock += 1;
        is_exceeded = threshold.update(Duration::from_secs(*clock), rate);
    }
    is_exceeded
}

#[test]
fn exceeded_after_seconds_of_a_high_rate_and_until_long_after_it() {
    let (mut threshold, mut clock) = (RateThreshold::new(10_000.0), 0);
    assert!(!run(&mut threshold, &mut clock, 60, 9_999.0));
    assert!(!run(&mut threshold, &mut clock, 2, 50_000.0));
    assert_eq!(threshold.duty(), Duty::Continuous);
    assert!(run(&mut threshold, &mut clock, 1, 50_000.0));
    assert_eq!(threshold.duty(), Duty::Reduced);
    assert!(run(&mut threshold, &mut clock, 60, 5_000.0), "above half of it nothing changes");
    assert!(run(&mut threshold, &mut clock, 10, 4_999.0));
    assert!(!run(&mut threshold, &mut clock, 1, 4_999.0));
    assert_eq!(threshold.duty(), Duty::Restored);
}

#[test]
fn a_short_burst_does_not_exceed_it() {
    let (mut threshold, mut clock) = (RateThreshold::new(10_000.0), 0);
    for _ in 0..5 {
        assert!(!run(&mut threshold, &mut clock, 2, 1e6));
        assert!(!run(&mut threshold, &mut clock, 1, 0.0));
    }
}

#[test]
fn a_threshold_of_zero_is_always_exceeded() {
    let (mut threshold, mut clock) = (RateThreshold::new(0.0), 0);
    assert!(run(&mut threshold, &mut clock, 3, 0.0));
    assert!(run(&mut threshold, &mut clock, 60, 0.0));
}

#[test]
fn the_rate_is_that_since_the_last_reading_and_starts_anew_after_a_restart() {
    let at = Duration::from_secs;
    let mut meter = RateMeter::default();
    assert_eq!(meter.update(at(1), 500, 1.0), 0.0);
    assert_eq!(meter.update(at(3), 700, 8.0), 800.0);
    assert_eq!(meter.update(at(3), 900, 8.0), 800.0, "no time passed");
    meter.restart();
    assert_eq!(meter.update(at(9), 5_000, 1.0), 800.0);
    assert_eq!(meter.update(at(10), 5_010, 1.0), 10.0);
}
