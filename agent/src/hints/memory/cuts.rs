//! Connections of one edge that are reset while busy: how many are usual, and whether resets go on.
//!
//! A peer that restarts resets each of its connections once, and a rollout those to each replica. That is over within
//! moments. Each connection finds out when it is used next, so that the resets of one restart may be seconds apart.

use super::{
    edge::ODD_LOSS,
    mean::{Loss, Step},
};
use crate::{
    hints::stats::poisson_tail_ln,
    sample::{Losses, Tally},
    state::EdgeView,
};
use netwhy_abi::Cut;
use std::time::Duration;

/// Resets per data segment that are always called normal.
const FLOOR: f64 = 2e-5;
/// Chance below which a window's resets don't become normal at once: not even the first one where there was none.
const ODD: f64 = 0.05;
/// Time in which resets are of one moment. Less than the three ticks after which they are of another.
const MOMENT: Duration = Duration::from_millis(2_500);
/// Moments that restarts explain: one each of the replicas behind an address, of which few restart at a time.
const RESTARTS: usize = 3;
/// Time in which these moments are.
const SERIES: Duration = Duration::from_secs(30);

/// The memory of one edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CutMemory {
    /// Resets per data segment.
    usual: Loss,
    /// When these became unusual.
    odd_since: Option<Duration>,
    /// Resets in the window and in its last seconds, one tick ago.
    before: [u64; 2],
    /// When the last moments with resets began, monotonic, newest first.
    moments: [Option<Duration>; RESTARTS + 1],
}

impl CutMemory {
    /// Connections reset while busy per data segment in normal times, at least [`FLOOR`].
    pub(crate) fn ratio(&self) -> f64 {
        self.usual.ratio_towards(FLOOR).max(FLOOR)
    }

    /// Takes note of the newest resets. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, edge: &EdgeView, at: Duration) {
        let now = [busy(&edge.window), busy(&edge.recent)];
        // A sum rises only by new ones.
        let is_any_new = now.iter().zip(self.before).any(|(now, before)| *now > before);
        self.before = now;
        let is_other_moment = self.moments[0].is_none_or(|begin| at.saturating_sub(begin) >= MOMENT);
        if is_any_new && is_other_moment {
            self.moments.rotate_right(1);
            self.moments[0] = Some(at);
        }
    }

    /// Whether resets came in more moments of late than restarts explain.
    pub(crate) fn go_on(&self, at: Duration) -> bool {
        self.moments[RESTARTS].is_some_and(|first| at.saturating_sub(first) <= SERIES)
    }

    /// Learns from a normal window that ends at `at`.
    pub(crate) fn learn(&mut self, tally: &Tally, at: Duration, step: Step) {
        let cuts = Losses { episodes: busy(tally), segments: tally.data_segs_out };
        let are_odd = poisson_tail_ln(cuts.episodes, self.ratio() * cuts.segments as f64) <= ODD.ln();
        self.odd_since = if are_odd { self.odd_since.or(Some(at)) } else { None };
        if self.odd_since.is_none_or(|since| at.saturating_sub(since) >= ODD_LOSS) {
            self.usual.learn(cuts, Step { loss_share: step.share, ..step });
        }
    }
}

/// Connections of a client that were reset while something of them was under way.
pub(crate) fn busy(tally: &Tally) -> u64 {
    tally.cuts[Cut::Busy as usize]
}
