use super::*;

#[test]
fn stolen_time_is_the_eighth_figure_and_guests_are_not_counted_twice() {
    let text = "cpu  10 1 20 60 2 3 4 50 7 8\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
    let cpu = CpuTime::of(text).unwrap();
    assert_eq!((cpu.all, cpu.stolen), (150, 50));
    assert!(CpuTime::of("cpu0 1 2 3\n").is_none() && CpuTime::of("cpu  1 2 3\n").is_none());
}

const fn until(least: Option<f64>) -> Until {
    Until { pace: Pace { windows: 5, window: Duration::ZERO }, most: 40, least }
}

#[test]
fn an_effect_that_is_clear_takes_the_least_pairs() {
    let clear = [0.001, -0.001, 0.0, 0.002, -0.002];
    assert!(!until(Some(-0.005)).is_enough(&clear[..4]));
    assert!(until(Some(-0.005)).is_enough(&clear));
    assert!(until(None).is_enough(&clear));
}

#[test]
fn an_effect_that_is_not_clear_is_measured_on_up_to_a_limit() {
    let noise: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { -0.1 } else { 0.09 }).collect();
    for n in 5..40 {
        assert!(!until(Some(-0.005)).is_enough(&noise[..n]), "{n}");
    }
    assert!(until(Some(-0.005)).is_enough(&noise));
}
