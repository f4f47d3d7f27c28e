use super::*;

#[test]
fn bounds_ascend_and_no_bucket_is_wider_than_a_fifth() {
    assert_eq!(BOUNDS_US[0], 10);
    assert_eq!(BOUNDS_US[BOUNDS - 1], 10_000_000);
    for pair in BOUNDS_US.windows(2) {
        assert!(pair[0] < pair[1], "{pair:?}");
        assert!(f64::from(pair[1]) / f64::from(pair[0]) <= 1.2 + 1e-9, "{pair:?}");
    }
}

#[test]
fn coarse_bounds_one_two_five_are_exact_bounds() {
    for us in [50, 100, 200, 500, 1_000, 2_000, 5_000, 1_000_000, 5_000_000, 10_000_000] {
        assert!(BOUNDS_US.contains(&us), "{us}");
    }
}

#[test]
fn reply_buckets_are_powers_of_two() {
    for (jiffies, bucket) in
        [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (10, 4), (16_383, 14), (16_384, 15), (u32::MAX, 15)]
    {
        assert_eq!(reply_bucket(jiffies), bucket, "{jiffies}");
    }
}

#[test]
fn index_is_the_first_bound_not_below_the_value() {
    let linear = |us: u32| BOUNDS_US.iter().position(|b| *b >= us).unwrap_or(BUCKETS - 1);
    let mut us = 0u32;
    while us < 40_000_000 {
        assert_eq!(bucket_index(us), linear(us), "{us}");
        us = us + us / 97 + 1;
    }
    for bound in BOUNDS_US {
        assert_eq!(bucket_index(bound), linear(bound));
        assert_eq!(bucket_index(bound + 1), linear(bound + 1));
    }
    assert_eq!(bucket_index(u32::MAX), BUCKETS - 1);
}

#[test]
fn fine_buckets_are_within_four_percent_of_their_values_and_meet_coarse_bounds() {
    for pair in FINE_BOUNDS_US.windows(2).filter(|pair| pair[0] >= 100) {
        assert!((f64::from(pair[1]) / f64::from(pair[0])).sqrt() < 1.036, "{pair:?}");
    }
    for us in [10, 50, 100, 1_000, 5_000, 20_000, 100_000, 1_000_000, 10_000_000] {
        assert!(FINE_BOUNDS_US.contains(&us), "{us}");
    }
    assert!(FINE_BOUNDS_US.is_sorted());
    assert_eq!(FINE_BOUNDS_US[FINE_BOUNDS - 1], 10_000_000);
    // A bucket's number is one byte in the agent.
    const { assert!(FINE_BUCKETS <= 256) };
}

#[test]
fn fine_index_is_the_first_bound_not_below_the_value() {
    let linear = |us: u32| FINE_BOUNDS_US.iter().position(|b| *b >= us).unwrap_or(FINE_BUCKETS - 1);
    let mut us = 0u32;
    while us < 40_000_000 {
        assert_eq!(fine_bucket_index(us), linear(us), "{us}");
        us = us + us / 97 + 1;
    }
    for bound in FINE_BOUNDS_US {
        assert_eq!(fine_bucket_index(bound), linear(bound));
        assert_eq!(fine_bucket_index(bound + 1), linear(bound + 1));
    }
    assert_eq!(fine_bucket_index(u32::MAX), FINE_BUCKETS - 1);
}
