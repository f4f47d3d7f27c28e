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
