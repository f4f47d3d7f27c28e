use super::*;
use netwhy_abi::{FINE_BUCKETS, bucket_index, fine_bucket_index};

#[test]
fn export_bounds_are_kernel_bounds_so_that_counts_are_exact() {
    for us in RTT_US.iter().chain(&CONNECT_US).chain(&EDGE_US).chain(&DNS_US).chain(&RUN_QUEUE_US) {
        assert!(BOUNDS_US.contains(us), "{us}");
    }
    for us in RESPONSE_US {
        assert!(FINE_BOUNDS_US.contains(&us), "{us}");
    }
    assert_eq!(RTT_FINE.le.len(), BUCKETS);
}

#[test]
fn cumulative_export_equals_the_exact_count_at_each_bound() {
    let samples = [1, 50, 51, 99, 100, 101, 4_999, 5_000, 9_999_999, 10_000_000, 10_000_001, u32::MAX];
    for bounds in [&*RTT, &*RTT_FINE, &*EDGE, &*CONNECT, &*DNS, &*RUN_QUEUE] {
        is_exact::<BUCKETS>(bounds, &samples, bucket_index);
    }
    is_exact::<FINE_BUCKETS>(&RESPONSE, &samples, fine_bucket_index);
}

fn is_exact<const COUNT: usize>(bounds: &Bounds, samples: &[u32], index: fn(u32) -> usize) {
    let mut h = Histogram::<COUNT>::default();
    for us in samples {
        h.add(&Histogram::from_counts([(index(*us) as u8, 1)], u64::from(*us)));
    }
    let mut buckets = [(0.0, 0); BUCKETS];
    let (buckets, total) = bounds.fill(&h, &mut buckets);
    assert_eq!(total, samples.len() as u64);
    let mut cumulative = 0;
    for (le, n) in buckets {
        cumulative += n;
        let exact = samples.iter().filter(|us| f64::from(**us) / 1e6 <= *le).count();
        assert_eq!(cumulative, exact as u64, "le {le}");
    }
}
