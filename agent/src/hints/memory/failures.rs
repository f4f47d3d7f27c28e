//! Shares of failed calls in normal times.

use crate::{calls::CallCounts, hints::stats::binomial_tail_ln};

/// False-alarm rate of one test: the chance that the usual share alone makes so many errors.
pub(crate) const FAILURE_ALPHA: f64 = 1e-6;
/// Sampled calls of normal times that a usual share needs.
const MIN_KNOWN: f64 = 100.0;
/// Lowest share that is ever called usual: without it, one error would be a hint where there never was one.
pub(crate) const FLOOR: f64 = 0.001;
/// Errors and share of errors from which they matter …
const MIN_ERRORS: u64 = 5;
const MIN_SHARE: f64 = 0.01;
/// … and multiple of the usual share.
const MULTIPLE: f64 = 2.0;

/// Decaying sums of the sampled calls of normal windows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FailureMemory {
    calls: f64,
    errors: f64,
}

/// Calls that fail more often than usual.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) now: CallCounts,
    /// Share of errors in normal times.
    pub(crate) usual_share: f64,
    /// Logarithm of the chance that the usual share makes so many.
    pub(crate) ln_p: f64,
}

impl FailureMemory {
    /// Learns from a normal window. `keep`: what stays of the sums so far; `share`: the part of the window that is new.
    pub(crate) fn learn(&mut self, now: CallCounts, keep: f64, share: f64) {
        self.calls = self.calls * keep + now.calls as f64 * share;
        self.errors = self.errors * keep + now.errors as f64 * share;
    }

    /// Share of errors in normal times. `None`: not known yet.
    pub(crate) fn usual(&self) -> Option<f64> {
        (self.calls >= MIN_KNOWN).then(|| self.errors / self.calls)
    }

    /// Calls of the window, if more of them fail than usual.
    pub(crate) fn judge(&self, now: CallCounts) -> Option<Failing> {
        let usual_share = self.usual()?;
        let share = now.error_share()?;
        // As if two more calls were known, one of them failed: a share of few calls is not known exactly.
        let likely = ((self.errors + 1.0) / (self.calls + 2.0)).max(FLOOR);
        let ln_p = binomial_tail_ln(now.errors as f64, now.calls as f64, likely);
        let matters = now.errors >= MIN_ERRORS && share >= MIN_SHARE && share >= MULTIPLE * likely;
        (matters && ln_p <= FAILURE_ALPHA.ln()).then_some(Failing { now, usual_share, ln_p })
    }
}

#[cfg(test)]
mod tests;
