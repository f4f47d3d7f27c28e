use super::*;

fn points(value: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    (0..60).map(|i| (i as f64, value(i))).collect()
}

/// Noise between -1 and 1 that repeats.
fn noise(i: usize) -> f64 {
    ((i * 7919 + 13) % 101) as f64 / 50.0 - 1.0
}

#[test]
fn steady_noise_does_not_grow() {
    let growth = growth(&points(|i| 100.0 + 5.0 * noise(i))).unwrap();
    assert!(growth.over_run.abs() < 3.0 && growth.at_least <= 0.0, "{growth:?}");
}

#[test]
fn a_leak_below_the_noise_is_found() {
    let growth = growth(&points(|i| 100.0 + 0.1 * i as f64 + noise(i))).unwrap();
    assert!((growth.over_run - 5.9).abs() < 1.0 && growth.at_least > 4.0, "{growth:?}");
}

#[test]
fn a_quarter_of_outliers_moves_nothing() {
    let growth = growth(&points(|i| if i % 4 == 3 { 1e6 } else { 100.0 + noise(i) })).unwrap();
    assert!(growth.at_least <= 0.0 && growth.over_run.abs() < 1.0, "{growth:?}");
}

#[test]
fn too_few_points_say_nothing() {
    assert_eq!(growth(&points(|_| 1.0)[..7]), None);
    assert_eq!(growth(&[(1.0, 2.0); 9]), None);
}
