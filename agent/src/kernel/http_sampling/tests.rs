use super::*;

const EIGHTH: Shares = Shares { http: 1 << 29, grpc: 1 << 29 };
const HALF: Shares = Shares { http: 1 << 31, grpc: 1 << 31 };

fn rates(http_share: f64, grpc_share: f64) -> Rates {
    Rates {
        rtt_every: 16,
        rtt_duty_above: 0,
        rtt_low_duty_above: 0,
        churn_above: 0,
        dns_above: 0,
        http_share,
        grpc_share,
    }
}

#[test]
fn shares_are_numbers_of_32_bits_and_the_smallest_is_not_none() {
    assert_eq!(shares(&rates(0.125, 0.5)), Shares { http: 1 << 29, grpc: 1 << 31 });
    assert_eq!(shares(&rates(1.0, 0.0)), Shares { http: u32::MAX, grpc: 1 });
}

#[test]
fn only_a_change_is_due_and_until_the_programs_know_it() {
    let mut sampling = HttpSampling::new(EIGHTH);
    assert_eq!(sampling.due(), None);
    sampling.configure(EIGHTH);
    assert_eq!(sampling.due(), None);
    sampling.configure(HALF);
    assert_eq!(sampling.due(), Some(HALF));
    // The kernel refused it.
    assert_eq!(sampling.due(), Some(HALF));
    sampling.note(HALF);
    assert_eq!(sampling.due(), None);
}

#[test]
fn what_is_off_samples_nothing_and_comes_back_with_the_newest_shares() {
    let mut sampling = HttpSampling::new(EIGHTH);
    sampling.set_off(true);
    assert_eq!(sampling.due(), Some(Shares::default()));
    sampling.note(Shares::default());
    sampling.configure(HALF);
    assert_eq!(sampling.due(), None);
    sampling.set_off(false);
    assert_eq!(sampling.due(), Some(HALF));
}
