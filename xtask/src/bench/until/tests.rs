use super::*;

const fn until(goal: Option<Goal>) -> Until {
    Until { pace: Pace { windows: 6, window: Duration::from_secs(1) }, most: 40, goal }
}

const GOAL: Option<Goal> = Some(Goal::AtLeast(-0.005));

#[test]
fn an_effect_that_is_clear_takes_the_least_pairs() {
    let clear = [0.001, -0.001, 0.0, 0.002, -0.002, 0.0];
    assert!(!until(GOAL).is_enough(&clear[..5]));
    assert!(until(GOAL).is_enough(&clear));
    assert!(until(None).is_enough(&clear));
}

#[test]
fn an_effect_that_is_not_clear_is_measured_on_up_to_a_limit() {
    let noise: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { -0.1 } else { 0.09 }).collect();
    for n in 6..40 {
        assert!(!until(GOAL).is_enough(&noise[..n]), "{n}");
    }
    assert!(until(GOAL).is_enough(&noise));
}

#[test]
fn a_cost_near_its_limit_is_measured_on_too() {
    let limit = |limit| until(Some(Goal::AtMost(limit)));
    let costs = [40.0, 90.0, 45.0, 85.0, 50.0, 80.0];
    assert!(!limit(60.0).is_enough(&costs));
    assert!(limit(100.0).is_enough(&costs) && limit(30.0).is_enough(&costs));
}

#[test]
fn people_are_told_how_long_it_takes() {
    assert_eq!(until(GOAL).text(), "6 to 40 times 2.0 s");
    assert_eq!(until(None).text(), "6 times 2.0 s");
}
