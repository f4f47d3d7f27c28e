use super::*;

#[test]
fn the_more_segments_the_lower_the_duty_cycle() {
    let (mut share, mut clock) = (Share::new(RttLimits { duty_above: 10_000, low_duty_above: 100_000 }), 0);
    let mut weights = |rate: f64| -> Vec<u32> {
        let mut weights: Vec<u32> = (0..20)
            .map(|_| {
                clock += 1;
                share.update(Duration::from_secs(clock), rate).weight()
            })
            .collect();
        weights.dedup();
        weights
    };
    assert_eq!(weights(9_000.0), [1]);
    assert_eq!(weights(20_000.0), [1, 8]);
    assert_eq!(weights(200_000.0), [8, 32]);
    assert_eq!(weights(60_000.0), [32], "more than half");
    assert_eq!(weights(40_000.0), [32, 8]);
    assert_eq!(weights(0.0), [8, 1]);
    assert_eq!(weights(200_000.0), [1, 32], "at once");
}

#[test]
fn without_the_first_threshold_the_second_has_no_effect() {
    let mut share = Share::new(RttLimits { duty_above: u64::MAX, low_duty_above: 0 });
    for second in 0..10 {
        assert_eq!(share.update(Duration::from_secs(second), 1e6), DutyCycle::CONTINUOUS);
    }
}
