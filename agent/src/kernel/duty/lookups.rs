//! DNS lookups: all are observed, or on a machine with many those of one socket in [`DNS_SHARE`].

use super::threshold::{RateMeter, RateThreshold};
use netwhy_abi::{DNS_SHARE, KEPT_NS};
use std::time::Duration;

/// Whose lookups are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Observed {
    /// One socket's in this many.
    pub(in crate::kernel) share: u32,
    /// Whether lookups of other sockets may still be under way.
    pub(in crate::kernel) is_mixed: bool,
}

impl Observed {
    /// All.
    pub(in crate::kernel) const ALL: Self = Self { share: 1, is_mixed: false };
}

/// Follows the rate of lookups.
pub(in crate::kernel) struct LookupShare {
    begun: RateMeter,
    many: RateThreshold,
    observed: Observed,
    /// When the share became smaller.
    since: Duration,
}

impl LookupShare {
    /// `above`: lookups per second on this machine above which a share is observed.
    pub(in crate::kernel) fn new(above: u64) -> Self {
        let many = RateThreshold::new(above as f64);
        Self { begun: RateMeter::default(), many, observed: Observed::ALL, since: Duration::ZERO }
    }

    /// Another rate above which a share is observed.
    pub(in crate::kernel) fn configure(&mut self, above: u64) {
        self.many.set_rate(above as f64);
    }

    /// Takes the number of observed lookups that began so far.
    pub(in crate::kernel) fn follow(&mut self, now: Duration, begun: u64) {
        let rate = self.begun.update(now, begun, f64::from(self.observed.share));
        let share = if self.many.update(now, rate) { DNS_SHARE } else { 1 };
        if share > self.observed.share {
            self.since = now;
        }
        // No lookup waits longer: what is left by then waits for nothing.
        let is_fresh = now.saturating_sub(self.since) < Duration::from_nanos(KEPT_NS);
        self.observed = Observed { share, is_mixed: share > 1 && is_fresh };
    }

    /// Whose lookups are to be observed.
    pub(in crate::kernel) const fn observed(&self) -> Observed {
        self.observed
    }
}

#[cfg(test)]
mod tests;
