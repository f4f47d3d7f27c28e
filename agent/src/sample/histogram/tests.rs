use super::*;
use netwhy_abi::{bucket_index, fine_bucket_index};

fn of(samples: &[u32]) -> Histogram {
    let mut h = Histogram::default();
    for us in samples {
        h.add(&Histogram::from_counts([(bucket_index(*us) as u8, 1)], u64::from(*us)));
    }
    h
}

#[test]
fn quantiles_stay_within_ten_percent_of_the_sorted_samples() {
    let mut samples: Vec<u32> = (0..10_000u64).map(|i| 50 + ((i * i * 7919) % 900_000) as u32).collect();
    let h = of(&samples);
    samples.sort_unstable();
    for q in [0.01, 0.1, 0.5, 0.9, 0.99] {
        let exact = f64::from(samples[((q * 10_000.0) as usize).max(1) - 1]);
        let got = h.quantile_us(q).unwrap();
        assert!((got / exact - 1.0).abs() <= 0.1, "q {q}: {got} against {exact}");
    }
}

#[test]
fn quantiles_of_fine_histograms_stay_within_four_percent() {
    for us in (101..2_000_000).step_by(977) {
        let got = FineHistogram::from_counts([(fine_bucket_index(us) as u8, 1)], us.into()).quantile_us(0.5).unwrap();
        assert!((got / f64::from(us) - 1.0).abs() <= 0.036, "{got} against {us}");
    }
}

#[test]
fn no_sample_is_no_quantile() {
    assert_eq!(of(&[]).quantile_us(0.5), None);
    assert_eq!(of(&[]).mean_us(), None);
}

#[test]
fn cumulative_count_is_exact_on_a_bound() {
    let h = of(&[50, 51, 100, 101, 20_000_000]);
    assert_eq!(h.count_up_to(50), 1);
    assert_eq!(h.count_up_to(100), 3);
    assert_eq!(h.count_up_to(10_000_000), 4);
    assert_eq!(h.count(), 5);
}
