use super::*;

#[test]
fn poisson_tail_agrees_with_the_sum_of_its_terms() {
    for (k, lambda) in [(1u64, 0.02), (3, 0.1), (10, 0.5), (40, 20.0), (200, 100.0)] {
        let below: f64 = (0..k).map(|i| (i as f64 * f64::ln(lambda) - lambda - ln_factorial(i)).exp()).sum::<f64>();
        let exact = 1.0 - below;
        let got = poisson_tail_ln(k, lambda).exp();
        // The complement itself loses digits once it is tiny.
        assert!((got - exact).abs() <= exact.abs() * 1e-3 + 1e-12, "{k} {lambda}: {got} against {exact}");
    }
}

#[test]
fn as_many_as_expected_is_no_evidence() {
    assert_eq!(poisson_tail_ln(5, 5.0), 0.0);
    assert_eq!(poisson_tail_ln(0, 0.0), 0.0);
    assert_eq!(poisson_tail_ln(1, 0.0), f64::NEG_INFINITY);
}

#[test]
fn factorial_series_joins_the_exact_sum() {
    let exact: f64 = (2..=65u64).map(|i| (i as f64).ln()).sum();
    assert!((ln_factorial(65) - exact).abs() < 1e-9);
}

#[test]
fn confidence_begins_at_one_half_and_never_reaches_one() {
    assert_eq!(confidence(0.0, 1.0), 0.5);
    assert_eq!(confidence(f64::INFINITY, 1.0), 0.99);
    assert!(confidence(10.0, 0.8) < confidence(10.0, 1.0));
}

#[test]
fn binomial_bound_is_above_the_exact_tail_and_not_far() {
    // Exact tails by summation of the mass function.
    for (k, n, p, exact) in [(6.0, 30.0, 0.01, 4.84e-7_f64), (4.0, 10.0, 0.05, 1.03e-3), (50.0, 50.0, 0.5, 8.9e-16)] {
        let bound = binomial_tail_ln(k, n, p);
        assert!(bound >= exact.ln() - 0.1, "{k} of {n}: {bound} and {}", exact.ln());
        assert!(bound <= exact.ln() + 3.0, "{k} of {n}: {bound} and {}", exact.ln());
    }
    assert_eq!(binomial_tail_ln(1.0, 100.0, 0.01), 0.0, "as many as expected");
    assert_eq!(binomial_tail_ln(0.0, 0.0, 0.01), 0.0, "no trial");
}

#[test]
fn fewer_events_than_expected_are_evidence_by_their_lower_tail() {
    assert_eq!(fewer_nats(0.0, 4.0), 4.0, "none of 4: a chance of e^-4");
    assert_eq!((fewer_nats(4.0, 4.0), fewer_nats(5.0, 4.0), fewer_nats(0.0, 0.0)), (0.0, 0.0, 0.0));
    // P(at most 3 of 44) = 1.1e-15.
    let bound = fewer_nats(3.0, 44.0);
    assert!(bound <= -(1.1e-15_f64.ln()) + 1.0 && bound >= 30.0, "{bound}");
}

#[test]
fn a_higher_chance_is_weighed_by_all_that_are_possible() {
    // All of n: (1 − p^(n+1)) / ((n+1)·(1−p)·p^n).
    for (n, p) in [(4.0_f64, 0.3_f64), (12.0, 1.0 / 3.0), (40.0, 0.5)] {
        let exact = ((1.0 - p.powf(n + 1.0)) / ((n + 1.0) * (1.0 - p) * p.powf(n))).ln();
        let got = higher_chance_nats(n, n, p);
        assert!((got - exact).abs() < 0.01, "{n} {p}: {got} against {exact}");
    }
    assert!(higher_chance_nats(10.0, 100.0, 0.1) < -0.5, "as many as expected");
    assert!(higher_chance_nats(0.0, 20.0, 0.3) < -3.0, "fewer than expected");
    assert_eq!(higher_chance_nats(0.0, 0.0, 0.3), 0.0, "no trial");
    assert_eq!(higher_chance_nats(5.0, 5.0, 1.0), 0.0, "nothing is higher");
}

#[test]
fn intervals_of_shares_hold_the_share_and_shrink_with_the_sample() {
    let (low, high) = share_interval(4.0, 12.0);
    assert!((low - 0.138).abs() < 0.001 && (high - 0.609).abs() < 0.001, "{low} {high}");
    let (least, most) = share_interval(400.0, 1200.0);
    assert!(least > low && most < high && least < 1.0 / 3.0 && most > 1.0 / 3.0, "{least} {most}");
    assert_eq!(share_interval(0.0, 0.0), (0.0, 1.0));
}
