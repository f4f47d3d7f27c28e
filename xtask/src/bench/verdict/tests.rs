use super::*;

const fn spread(low: f64, figure: f64, high: f64) -> Spread {
    Spread { figure, low, high, n: LEAST_VALUES }
}

#[test]
fn an_interval_that_holds_the_goal_decides_nothing() {
    // Five pairs once gave this, which was called ok.
    assert_eq!(Goal::AtLeast(-0.02).verdict(&spread(-0.18, -0.017, 0.12)), Verdict::Inconclusive);
    assert_eq!(Goal::AtMost(60.0).verdict(&spread(50.0, 55.0, 70.0)), Verdict::Inconclusive);
}

#[test]
fn an_interval_on_one_side_of_the_goal_decides() {
    assert_eq!(Goal::AtLeast(-0.02).verdict(&spread(-0.019, -0.01, 0.0)), Verdict::Ok);
    assert_eq!(Goal::AtLeast(-0.02).verdict(&spread(-0.05, -0.03, -0.021)), Verdict::Short);
    assert_eq!(Goal::AtMost(60.0).verdict(&spread(50.0, 55.0, 60.0)), Verdict::Ok);
    assert_eq!(Goal::AtMost(60.0).verdict(&spread(61.0, 65.0, 70.0)), Verdict::Short);
    assert_eq!((Verdict::of(true), Verdict::of(false)), (Verdict::Ok, Verdict::Short));
}

#[test]
fn too_few_values_decide_nothing_however_close_they_are() {
    let few = Spread { n: LEAST_VALUES - 1, ..spread(1.0, 1.0, 1.0) };
    assert_eq!(Goal::AtMost(60.0).verdict(&few), Verdict::Inconclusive);
    assert_eq!(Goal::AtLeast(60.0).verdict(&few), Verdict::Inconclusive);
    // All runs of a few lie there.
    assert_eq!(Goal::AtMost(60.0).of_range(1.0, 2.0), Verdict::Ok);
}
