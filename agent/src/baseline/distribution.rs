//! A histogram that forgets.

use crate::sample::{FineHistogram, bucket_middle_us};
use netwhy_abi::FINE_BOUNDS_US;

/// Weights below it are forgotten.
const NEGLIGIBLE: f32 = 0.01;

/// Weights of durations per bucket of [`FINE_BOUNDS_US`]. Only buckets in use take memory, 8 bytes each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// (bucket, weight), ascending.
    weights: Vec<(u8, f32)>,
}

impl Distribution {
    /// Keeps the share `keep` of all weights, and adds the share `share` of new durations.
    pub fn learn(&mut self, new: &FineHistogram, keep: f64, share: f64) {
        for (_, weight) in &mut self.weights {
            *weight *= keep as f32;
        }
        for (bucket, n) in new.counts() {
            let more = (*n as f64 * share) as f32;
            match self.weights.binary_search_by_key(bucket, |(b, _)| *b) {
                Ok(at) => self.weights[at].1 += more,
                Err(at) => self.weights.insert(at, (*bucket, more)),
            }
        }
        self.weights.retain(|(_, weight)| *weight >= NEGLIGIBLE);
    }

    /// Number of durations that it stands for.
    pub fn count(&self) -> f64 {
        self.weights.iter().map(|(_, weight)| f64::from(*weight)).sum()
    }

    /// The `q` quantile in µs, 0 ≤ q < 1, as [`FineHistogram::quantile_us`] gives it. `None`: fewer than one duration is
    /// expected above it, so that it is not known.
    pub fn quantile_us(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count * (1.0 - q) < 1.0 {
            return None;
        }
        let mut seen = 0.0;
        let bucket = self.weights.iter().find(|(_, weight)| {
            seen += f64::from(*weight);
            seen >= q * count
        });
        bucket.or(self.weights.last()).map(|(bucket, _)| bucket_middle_us(&FINE_BOUNDS_US, usize::from(*bucket)))
    }

    /// Share of the durations above `us`, 0 … 1, exact when `us` is one of [`FINE_BOUNDS_US`]. `None`: nothing is known.
    pub fn share_above(&self, us: u32) -> Option<f64> {
        let first = FINE_BOUNDS_US.partition_point(|bound| *bound <= us);
        let above = self.weights.iter().filter(|(bucket, _)| usize::from(*bucket) >= first);
        let count = self.count();
        (count > 0.0).then(|| above.map(|(_, weight)| f64::from(*weight)).sum::<f64>() / count)
    }
}

#[cfg(test)]
mod tests;
