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
fn noise_that_lasts_some_samples_seldom_passes_for_growth() {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let mut grows = || {
        let mut value = 0.0;
        let points: Vec<(f64, f64)> = (0..120)
            .map(|i| {
                value = 0.8 * value + random();
                (f64::from(i), value)
            })
            .collect();
        growth(&points).unwrap().at_least > 0.0
    };
    let passed = (0..100).filter(|_| grows()).count();
    assert!(passed < 12, "{passed} of 100; 31 if its samples were taken for independent, 2.5 if they were");
}

#[test]
fn growth_that_levels_off_is_small_lately_and_a_late_leak_is_large() {
    let levelling = growth(&points(|i| 100.0 - 20.0 * (-(i as f64) / 10.0).exp())).unwrap();
    assert!(levelling.over_run > 5.0 && levelling.lately < 2.0, "{levelling:?}");
    let late = growth(&points(|i| 100.0 + 0.4 * i.saturating_sub(30) as f64)).unwrap();
    assert!((late.lately - 23.6).abs() < 0.01 && late.over_run > 8.0 && late.at_least > 0.0, "{late:?}");
}

#[test]
fn too_few_points_say_nothing() {
    assert_eq!(growth(&points(|_| 1.0)[..7]), None);
    assert_eq!(growth(&[(1.0, 2.0); 9]), None);
}
