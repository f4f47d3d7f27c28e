use super::*;

#[test]
fn a_count_that_steps_back_counts_zero_and_then_only_what_is_new() {
    let mut high = 0u64;
    let mut sum = 0;
    for now in [10, 30, 25, 60, 3u64.wrapping_neg(), 61] {
        sum += now.growth(&high);
        high.raise(&now);
    }
    assert_eq!(sum, 61);
}

#[test]
fn sums_of_nanoseconds_add_up_to_the_microseconds_of_the_whole() {
    let mut high = <Durations<1_000>>::ZERO;
    let mut sum = <Histogram>::default();
    for ns in [900, 1_900, 2_900] {
        let mut now = high;
        now.buckets[0] += 1;
        now.sum = ns;
        sum.add(&now.growth(&high));
        high.raise(&now);
    }
    assert_eq!((sum.count(), sum.sum_us), (3, 2));
}

#[test]
fn a_bucket_that_wraps_keeps_counting() {
    assert_eq!(4u32.growth(&u32::MAX), 5);
}

#[test]
fn a_list_longer_than_the_enum_is_refused() {
    let error = <[u64; 2]>::restore(&json!([1, 2, 3])).unwrap_err();
    assert_eq!(error, "a list of 3 values is longer than 2");
}
