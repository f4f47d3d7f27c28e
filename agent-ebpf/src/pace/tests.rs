use super::*;
use crate::random_bits;

/// Mean number of times that an exchange counts which ends so long after the one before, over many.
fn mean(since_us: u64, pace_us: u32) -> f64 {
    let (exchanges, mut sum) = (400_000_u32, 0_u32);
    for n in 0..exchanges {
        sum += times(since_us, pace_us, random_bits(n * 100, 7_000 + n * 300).0);
    }
    f64::from(sum) / f64::from(exchanges)
}

#[test]
fn each_exchange_counts_once_on_average_whatever_its_duration() {
    for since_us in [0, 1, 20, 99, 300, 1_000, 3_999, 4_000, 4_001, 1 << 40] {
        let mean = mean(since_us, 4_000);
        assert!((0.97..1.03).contains(&mean), "{since_us} µs: {mean}");
    }
}

#[test]
fn a_connection_adds_one_count_per_pace_at_most() {
    for since_us in [100_u64, 300, 1_000, 3_000] {
        let drawn = (0..100_000_u32).filter(|n| times(since_us, 4_000, random_bits(n * 100, *n).0) != 0).count();
        let paces = 100_000.0 * since_us as f64 / 4_000.0;
        assert!(drawn as f64 <= paces * 1.05, "{since_us} µs: {drawn} in {paces} paces");
    }
}

#[test]
fn an_exchange_that_lasts_longer_than_the_pace_always_counts_once() {
    for random in [0, 1 << 31, u32::MAX] {
        assert_eq!([4_001, 1 << 33, u64::MAX].map(|since_us| times(since_us, 4_000, random)), [1; 3]);
        assert_eq!([0, 1, 4_000].map(|since_us| times(since_us, 0, random)), [1; 3], "without a pace each counts");
    }
}

#[test]
fn one_exchange_stands_for_a_bounded_number() {
    assert_eq!(times(0, u32::MAX, 0), MOST);
    assert_eq!(times(1, 1_000_000, 0), MOST);
    assert_eq!((times(1, 1_000_000, u32::MAX / MOST), times(1, 1_000_000, u32::MAX / MOST + 2)), (MOST, 0));
}
