use super::*;

const fn spread(low: f64, median: f64, high: f64) -> Spread {
    Spread { median, low, high, n: 5 }
}

#[test]
fn an_interval_that_holds_the_goal_decides_nothing() {
    // Five pairs once gave this, which was called ok.
    assert_eq!(Verdict::at_least(-0.02, &spread(-0.18, -0.017, 0.12)), Verdict::Inconclusive);
    assert_eq!(Verdict::at_most(60.0, &spread(50.0, 55.0, 70.0)), Verdict::Inconclusive);
}

#[test]
fn an_interval_on_one_side_of_the_goal_decides() {
    assert_eq!(Verdict::at_least(-0.02, &spread(-0.019, -0.01, 0.0)), Verdict::Ok);
    assert_eq!(Verdict::at_least(-0.02, &spread(-0.05, -0.03, -0.021)), Verdict::Short);
    assert_eq!(Verdict::at_most(60.0, &spread(50.0, 55.0, 60.0)), Verdict::Ok);
    assert_eq!(Verdict::at_most(60.0, &spread(61.0, 65.0, 70.0)), Verdict::Short);
    assert_eq!((Verdict::of(true), Verdict::of(false)), (Verdict::Ok, Verdict::Short));
}
