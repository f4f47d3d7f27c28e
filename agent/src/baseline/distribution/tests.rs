use super::*;
use crate::metrics::fixture::fine_histogram;

#[test]
fn a_steady_load_has_the_quantiles_of_its_window() {
    let window = fine_histogram(&[&[900; 90][..], &[40_000; 10]].concat());
    let mut known = Distribution::default();
    for _ in 0..500 {
        known.learn(&window, 0.99, 0.1);
    }
    for q in [0.5, 0.95] {
        assert_eq!(known.quantile_us(q), window.quantile_us(q), "{q}");
    }
    assert!((known.share_above(1_000).unwrap() - 0.1).abs() < 1e-3);
    assert_eq!(known.share_above(10_000_000), Some(0.0));
}

#[test]
fn weights_halve_as_often_as_they_are_kept_by_half() {
    let (mut known, old, new) = (Distribution::default(), fine_histogram(&[1_000; 64]), fine_histogram(&[50_000; 1]));
    known.learn(&old, 1.0, 1.0);
    for _ in 0..4 {
        known.learn(&FineHistogram::default(), 0.5, 1.0);
    }
    assert_eq!(known.count(), 4.0);
    known.learn(&new, 1.0, 1.0);
    assert_eq!(known.share_above(10_000), Some(0.2));
}

#[test]
fn what_is_forgotten_takes_no_memory() {
    let mut known = Distribution::default();
    known.learn(&fine_histogram(&[100, 2_000, 30_000]), 1.0, 1.0);
    for _ in 0..10 {
        known.learn(&FineHistogram::default(), 0.5, 1.0);
    }
    assert_eq!(known, Distribution::default());
    assert_eq!((known.quantile_us(0.5), known.share_above(1)), (None, None));
}

#[test]
fn a_quantile_needs_a_duration_beyond_it() {
    let mut known = Distribution::default();
    known.learn(&fine_histogram(&[1_000; 30]), 1.0, 1.0);
    assert!(known.quantile_us(0.95).is_some());
    assert_eq!(known.quantile_us(0.99), None);
}
