//! DNS lookups of one cgroup at one server, or sums of such.

use super::Histogram;
use netwhy_abi::DnsStats;

/// Sums of [`DnsStats`]; same units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookups {
    /// Durations of answered lookups: from the first query to the last reply.
    pub durations: Histogram,
    /// Lookups that ended with every answer that was waited for.
    pub answered: u64,
    /// Lookups that ended without.
    pub unanswered: u64,
}

impl Lookups {
    /// What was counted between two reads of one row.
    pub fn between(last: &DnsStats, now: &DnsStats) -> Self {
        let pairs = last.buckets.iter().zip(&now.buckets).enumerate();
        let counts = pairs.map(|(i, (a, b))| (i as u8, u64::from(b.wrapping_sub(*a))));
        Self {
            durations: Histogram::from_counts(counts, now.sum_us.saturating_sub(last.sum_us)),
            answered: now.answered.saturating_sub(last.answered),
            unanswered: now.unanswered.saturating_sub(last.unanswered),
        }
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        let Self { durations, answered, unanswered } = other;
        self.durations.add(durations);
        self.answered += answered;
        self.unanswered += unanswered;
    }

    /// All of them.
    pub fn count(&self) -> u64 {
        self.answered + self.unanswered
    }
}
