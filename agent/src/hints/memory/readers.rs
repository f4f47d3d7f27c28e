//! Whether data often waits to be read on an edge, and whether its traffic is steady.

use super::path::UNDECIDED;
use crate::sample::Tally;
use std::{mem::take, time::Duration};

/// Share of windows from which something is normal.
const USUAL: f64 = 0.05;
/// Windows' worth of weight that the first windows have, so that one among few does not excuse an edge.
const MIN_TICKS: f64 = 100.0;
/// Windows after which an edge is known, as of a [`Mean`](super::mean::Mean).
const KNOWN: f64 = 10.0;

/// Clean windows of an edge, decaying sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReaderMemory {
    windows: f64,
    /// Those in which the subject left data unread from one walk to the next.
    late: f64,
    /// Others with far less payload than usual.
    quiet: f64,
    /// Windows of the present run of late ones, which are not learned yet: a reader that becomes slow must not become
    /// normal.
    pending: f64,
    /// When that run began, monotonic. `None`: there is none.
    since: Option<Duration>,
}

impl ReaderMemory {
    /// Learns from a clean window that ends at `at`. `is_quiet`: it has far less payload than usual. `keep`: weight that
    /// the past keeps.
    pub(crate) fn learn(&mut self, tally: &Tally, is_quiet: bool, at: Duration, keep: f64) {
        self.windows = self.windows * keep + 1.0;
        self.late *= keep;
        self.quiet *= keep;
        if tally.late_readers == 0 {
            self.late += take(&mut self.pending);
            self.since = None;
            self.quiet += f64::from(u8::from(is_quiet));
            return;
        }
        self.pending += 1.0;
        let since = *self.since.get_or_insert(at);
        // What was so from the first is normal, and so is what goes on for long without a finding.
        if self.windows <= KNOWN || at.saturating_sub(since) >= UNDECIDED {
            self.late += take(&mut self.pending);
        }
    }

    /// The window has a finding or a hint.
    pub(crate) fn distrust(&mut self) {
        (self.pending, self.since) = (0.0, None);
    }

    /// Data often waits to be read here in normal times, or the traffic often pauses: less of it says nothing.
    pub(crate) fn excuses(&self) -> bool {
        self.late.max(self.quiet) > USUAL * self.windows.max(MIN_TICKS)
    }
}

#[cfg(test)]
mod tests;
