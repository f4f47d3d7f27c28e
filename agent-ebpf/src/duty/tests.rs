use super::*;

#[test]
fn weight_and_ratio_are_reciprocal() {
    for n in [1, 8, 10, 32] {
        let cycle = DutyCycle::one_in(n);
        assert_eq!(cycle.weight(), n);
        assert!((cycle.ratio() * f64::from(n) - 1.0).abs() < 1e-12);
        assert_eq!(cycle.to_string(), format!("1/{n}"));
        assert_eq!(cycle.is_continuous(), n == 1);
    }
    assert_eq!(DutyCycle::one_in(0), DutyCycle::CONTINUOUS);
}
