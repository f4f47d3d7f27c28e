use super::*;

#[test]
fn every_duration_lies_within_two_percent_of_its_bucket() {
    for us in (0..2_000).chain((11..32).map(|bits| (1 << bits) - 1)).chain((11..32).map(|bits| 1 << bits)) {
        let middle = middle(index(us)) as f64;
        assert!((middle - us as f64).abs() <= us as f64 * 0.016 + 0.5, "{us} became {middle}");
    }
    assert_eq!(index(u64::MAX), BUCKETS - 1);
}

#[test]
fn quantiles_of_an_empty_histogram_are_absent_and_draining_empties() {
    let histogram = Histogram::default();
    assert_eq!(histogram.drain().quantile_us(0.5), None);
    for us in 1..=100 {
        histogram.record(Duration::from_micros(us));
    }
    let counted = histogram.drain();
    assert_eq!(counted.quantile_us(0.5), Some(50));
    assert!(counted.quantile_us(0.99).is_some_and(|us| (98..=100).contains(&us)));
    assert_eq!(histogram.drain().quantile_us(0.5), None);
}
