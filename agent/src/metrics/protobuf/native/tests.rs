use super::*;
use netwhy_abi::BUCKETS;
use std::collections::{BTreeMap, BTreeSet};

/// Bounds of a bucket, s.
fn bucket(schema: i32, index: i32) -> (f64, f64) {
    let bound = |index: i32| 2.0_f64.powf(f64::from(index) / f64::from(1 << schema));
    (bound(index - 1), bound(index))
}

/// Count by bucket, without empty ones.
fn expanded(sparse: &Sparse) -> BTreeMap<i32, i64> {
    let (mut out, mut index, mut count) = (BTreeMap::new(), 0, 0);
    let mut deltas = sparse.deltas.iter();
    for (skipped, length) in &sparse.spans {
        index += skipped;
        for _ in 0..*length {
            count += deltas.next().expect("a delta for each bucket");
            assert!(count >= 0, "{sparse:?}");
            if count > 0 {
                out.insert(index, count);
            }
            index += 1;
        }
    }
    assert!(deltas.next().is_none(), "{sparse:?}");
    out
}

fn is_one_to_one(schema: i32, bounds: &[u32]) -> bool {
    let indices = Schema::new(schema, bounds).indices;
    indices.iter().collect::<BTreeSet<_>>().len() == indices.len()
}

#[test]
fn schema_is_the_coarsest_in_which_kernel_buckets_stay_apart() {
    for (schema, bounds) in [(SCHEMA, &BOUNDS_US[..]), (FINE_SCHEMA, &FINE_BOUNDS_US[..])] {
        assert!(is_one_to_one(schema, bounds), "{schema}");
        assert!(!is_one_to_one(schema - 1, bounds), "{schema}");
    }
}

#[test]
fn any_value_of_the_new_bucket_is_near_every_sample_of_the_old_one() {
    for (bounds, above_us, limit) in
        [(&BOUNDS_US[..], 10, 1.19), (&FINE_BOUNDS_US[..], 10, 1.13), (&FINE_BOUNDS_US[..], 100, 1.081)]
    {
        let schema = if bounds.len() == BOUNDS_US.len() { &COARSE } else { &FINE };
        let mut worst = 0.0_f64;
        for (pair, index) in bounds.windows(2).zip(&schema.indices).filter(|(pair, _)| pair[0] >= above_us) {
            let (least, most) = bucket(schema.number, *index);
            let (from, to) = (f64::from(pair[0]) / 1e6, f64::from(pair[1]) / 1e6);
            assert!(least < (from * to).sqrt() && (from * to).sqrt() <= most, "{pair:?}");
            worst = worst.max(most / from).max(to / least);
        }
        assert!(worst <= limit && worst > limit - 0.01, "{worst} is not what the documentation says: {limit}");
    }
}

#[test]
fn first_bucket_is_exact_and_the_last_is_above_the_last_bound() {
    for (schema, buckets) in [(&*COARSE, BUCKETS), (&*FINE, FINE_BUCKETS)] {
        assert_eq!(schema.zero_threshold, 10e-6);
        let second = schema.sparse(&[(0, 7), (1, 5)]);
        assert_eq!(second.zero, 7);
        assert!(bucket(schema.number, second.spans[0].0).0 >= 10e-6, "no bucket overlaps the zero bucket");
        let last = schema.sparse(&[(buckets as u8 - 1, 3)]);
        let (least, most) = bucket(schema.number, last.spans[0].0);
        assert!((10.0..11.0).contains(&least) && most < 11.5, "{least} … {most}");
    }
}

#[test]
fn spans_and_deltas_hold_every_count() {
    for schema in [&*COARSE, &*FINE] {
        let all: Vec<(u8, u64)> = (0..=schema.indices.len()).map(|at| (at as u8, at as u64 % 5 + 1)).collect();
        let sparse = schema.sparse(&all);
        assert_eq!(sparse.spans.len(), 1, "neighbours make one run: {:?}", sparse.spans);
        let expected: BTreeMap<i32, i64> =
            schema.indices.iter().zip(&all[1..]).map(|(index, (_, n))| (*index, *n as i64)).collect();
        assert_eq!((expanded(&sparse), sparse.zero), (expected, 1));
        let some: Vec<(u8, u64)> = all.iter().copied().step_by(7).collect();
        let sparse = schema.sparse(&some);
        assert!(sparse.spans.len() > 5 && sparse.spans[1..].iter().all(|(skipped, _)| *skipped > MAX_GAP));
        let sum: i64 = expanded(&sparse).values().sum();
        assert_eq!(sum as u64 + sparse.zero, some.iter().map(|(_, n)| n).sum::<u64>());
    }
}

#[test]
fn recorded_buckets_beyond_the_last_are_not_lost() {
    let sparse = COARSE.sparse(&[(97, 2), (98, 3), (255, 4)]);
    assert_eq!(expanded(&sparse).into_values().collect::<Vec<_>>(), [9]);
    assert_eq!(COARSE.sparse(&[]), Sparse::default());
}
