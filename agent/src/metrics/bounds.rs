//! Export bounds of histograms: the kernel's buckets, or fewer of the same bounds so that counts stay exact.

use super::decimal::float;
use crate::sample::Histogram;
use netwhy_abi::{BOUNDS_US, BUCKETS, FINE_BOUNDS_US};
use std::sync::LazyLock;

/// 50 µs … 10 s. Dense where data centres are (the same Node, the same zone, another zone), else a step of four or
/// five: each bound costs every Pod one series per class of peers, and a Pod's budget is 60.
pub(super) const RTT_US: [u32; 9] = [50, 200, 500, 1_000, 5_000, 20_000, 100_000, 1_000_000, 10_000_000];

/// Fewer than for RTTs: at once, at the pace of a long path, or after a SYN was sent again, which takes 1 s or more.
pub(super) const CONNECT_US: [u32; 3] = [1_000, 20_000, 1_000_000];

/// Of DNS lookups: from a cache near by, from elsewhere, slow, and after a resolver asked again.
pub(super) const DNS_US: [u32; 3] = [5_000, 100_000, 1_000_000];

/// Of requests: from memory, one look-up, several, slow, what people feel.
pub(super) const RESPONSE_US: [u32; 5] = [1_000, 5_000, 20_000, 100_000, 1_000_000];

/// Of waits for a CPU: a wake-up, a neighbour's slice, several of them, starvation.
pub(super) const RUN_QUEUE_US: [u32; 4] = [100, 1_000, 10_000, 100_000];

/// Of this Node's edges: a Node has few, so they can afford steps of 1, 2, 5.
pub(super) const EDGE_US: [u32; 17] = [
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
    5_000_000, 10_000_000,
];

/// Coarse RTT bounds.
pub(super) static RTT: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&RTT_US, &BOUNDS_US));
/// Every bound of the kernel.
pub(super) static RTT_FINE: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&BOUNDS_US, &BOUNDS_US));
/// Bounds of RTTs to another Node.
pub(super) static EDGE: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&EDGE_US, &BOUNDS_US));
/// Bounds of handshake durations.
pub(super) static CONNECT: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&CONNECT_US, &BOUNDS_US));
/// Bounds of DNS lookups.
pub(super) static DNS: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&DNS_US, &BOUNDS_US));
/// Bounds of response times.
pub(super) static RESPONSE: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&RESPONSE_US, &FINE_BOUNDS_US));
/// Bounds of waits for a CPU.
pub(super) static RUN_QUEUE: LazyLock<Bounds> = LazyLock::new(|| Bounds::new(&RUN_QUEUE_US, &BOUNDS_US));

/// Upper bounds of the exported buckets.
pub(super) struct Bounds {
    /// Seconds, ascending; the last is infinite.
    le: Vec<f64>,
    /// The same as label values.
    texts: Vec<String>,
    /// Exported bucket of each kernel bucket.
    index: Vec<usize>,
}

impl Bounds {
    /// From bounds in µs, ascending, each one of the kernel's.
    fn new(us: &[u32], kernel: &[u32]) -> Self {
        // Division of two exact numbers rounds once, so that the shortest decimal form is the intended one.
        let le: Vec<f64> = us.iter().map(|us| f64::from(*us) / 1e6).chain([f64::INFINITY]).collect();
        let texts = le.iter().map(|le| if le.is_infinite() { "+Inf".to_owned() } else { decimal(*le) }).collect();
        let index = kernel.iter().map(|kernel| us.partition_point(|export| export < kernel)).collect();
        Self { le, texts, index }
    }

    /// Number of exported buckets.
    pub(super) fn len(&self) -> usize {
        self.le.len()
    }

    /// Values of the `le` label, ascending.
    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Exported bucket that a time of so many seconds is in.
    pub(super) fn bucket_of(&self, seconds: f64) -> usize {
        self.le.partition_point(|le| *le < seconds).min(self.le.len() - 1)
    }

    /// Writes (upper bound, count in this bucket alone) into `buckets`; returns the used buckets and the total.
    pub(super) fn fill<'b, const COUNT: usize>(
        &self,
        values: &Histogram<COUNT>,
        buckets: &'b mut [(f64, u64); BUCKETS],
    ) -> (&'b [(f64, u64)], u64) {
        for (bucket, le) in buckets.iter_mut().zip(&self.le) {
            *bucket = (*le, 0);
        }
        let mut total = 0;
        for (kernel, n) in values.counts() {
            let export = self.index.get(usize::from(*kernel)).copied().unwrap_or(self.le.len() - 1);
            buckets[export].1 += n;
            total += n;
        }
        (&buckets[..self.le.len()], total)
    }
}

fn decimal(seconds: f64) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = float(&mut text, seconds);
    text
}

#[cfg(test)]
mod tests;
