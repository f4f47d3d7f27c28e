//! Connections of one edge that are reset while busy, and refused attempts: how many are usual, and whether they go on.
//!
//! A peer that restarts resets each of its connections once, and a rollout those to each replica. That is over within
//! moments. Each connection finds out when it is used next, so that the resets of one restart may be seconds apart.

use super::{
    edge::ODD_LOSS,
    mean::{Loss, Mean, Step},
    resets::{Moments, Resets, Seen},
};
use crate::{
    hints::stats::poisson_tail_ln,
    sample::{Losses, RECENT, Tally},
    state::EdgeView,
};
use netwhy_abi::{Cut, Role};
use std::time::Duration;

/// Resets per data segment, and refusals per attempt, that are always called normal.
const FLOOR: f64 = 2e-5;
/// Chance below which a window's resets don't become normal at once: not even the first one where there was none.
const ODD: f64 = 0.05;
/// Time in which resets are of one moment. Less than the three ticks after which they are of another.
const MOMENT: Duration = Duration::from_millis(2_500);
/// Time after which resets in the last seconds, 3.5 s at most, are of another moment although no sum rises: as many leave
/// the sums as come.
const STEADY: Duration = Duration::from_secs(6);
/// Moments that restarts explain: one each of the replicas behind an address, of which few restart at a time.
const RESTARTS: usize = 3;
/// Time in which these moments are, and one more.
const SERIES: Duration = Duration::from_secs(30);
/// Moments that a rollout explains where nobody knows how many replicas there are: as many as of resets that come and go.
const REPLICAS: usize = 7;
/// Time in which these are, and one more: they may go on at a steady rate.
const LONG_SERIES: Duration = Duration::from_secs(60);

/// The programs behind an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// One, or a few.
    Few,
    /// Nobody knows how many: a Service's replicas.
    Many,
}

/// The memory of one edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct CutMemory {
    /// Resets per data segment.
    usual: Loss,
    /// Refused attempts per second.
    refused_per_s: Mean,
    /// When these became unusual.
    odd_since: Option<Duration>,
    /// Resets in the window and in its last seconds, one tick ago.
    before: [Resets; 2],
    /// When the last moments with resets began, monotonic, newest first.
    moments: [Option<Duration>; REPLICAS + 1],
    /// Moments with answers between them. `None`: no reset in the last minutes.
    apart: Option<Box<Moments>>,
    /// When the peer answered last, monotonic.
    answered_at: Option<Duration>,
}

impl CutMemory {
    /// Connections reset while busy per data segment in normal times, at least [`FLOOR`].
    pub(crate) fn ratio(&self) -> f64 {
        self.usual.ratio_towards(FLOOR).max(FLOOR)
    }

    /// Resets and refusals that normal times make in a window of this length.
    pub(crate) fn expected(&self, tally: &Tally, window: Duration) -> f64 {
        self.ratio() * tally.data_segs_out as f64 + self.expected_refusals(tally, window)
    }

    fn expected_refusals(&self, tally: &Tally, window: Duration) -> f64 {
        let attempts = tally.failed_attempts() + tally.connects(Role::Client);
        let usual = self.refused_per_s.so_far().unwrap_or(0.0) * window.as_secs_f64();
        usual.max(FLOOR * attempts as f64)
    }

    /// Takes note of the newest resets. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, edge: &EdgeView, at: Duration) {
        let now = [Resets::of(&edge.window), Resets::of(&edge.recent)];
        let new = Resets::growth(now, self.before);
        self.observe_apart(edge, at, new);
        self.before = now;
        let since = self.moments[0].map(|begin| at.saturating_sub(begin));
        let begins = new.cut > 0 && since.is_none_or(|since| since >= MOMENT);
        let goes_on = now[1].cut > 0 && since.is_some_and(|since| since >= STEADY);
        if begins || goes_on {
            self.moments.rotate_right(1);
            self.moments[0] = Some(at);
        }
    }

    fn observe_apart(&mut self, edge: &EdgeView, at: Duration, new: Resets) {
        let answers = answers(edge);
        if self.apart.is_some() || new.all() > 0 {
            let was_well =
                self.before[1].all() == 0 && self.answered_at.is_some_and(|last| at.saturating_sub(last) <= RECENT);
            let apart = self.apart.get_or_insert_default();
            apart.observe(&Seen { at, new, was_well, answers });
            if apart.is_empty() {
                self.apart = None;
            }
        }
        if answers > 0.0 {
            self.answered_at = Some(at);
        }
    }

    /// Moments of resets with answers between them. `None`: no reset in the last minutes.
    pub(crate) fn apart(&self) -> Option<&Moments> {
        self.apart.as_deref()
    }

    /// Whether resets came in more moments of late than restarts explain of what is behind the address.
    pub(crate) fn go_on(&self, at: Duration, behind: Behind) -> bool {
        let (restarts, series) = match behind {
            Behind::Few => (RESTARTS, SERIES),
            Behind::Many => (REPLICAS, LONG_SERIES),
        };
        self.moments[restarts].is_some_and(|first| at.saturating_sub(first) <= series)
    }

    /// Learns from a normal window that ends at `at`.
    pub(crate) fn learn(&mut self, tally: &Tally, at: Duration, step: Step) {
        let cuts = Losses { episodes: busy(tally), segments: tally.data_segs_out };
        let refused = Resets::of(tally).refused;
        let is_odd = |events: u64, expected: f64| poisson_tail_ln(events, expected) <= ODD.ln();
        let are_odd = is_odd(cuts.episodes, self.ratio() * cuts.segments as f64)
            || is_odd(refused, self.expected_refusals(tally, step.window));
        self.odd_since = if are_odd { self.odd_since.or(Some(at)) } else { None };
        if self.odd_since.is_none_or(|since| at.saturating_sub(since) >= ODD_LOSS) {
            self.usual.learn(cuts, Step { loss_share: step.share, ..step });
            self.refused_per_s.learn(refused as f64 / step.window.as_secs_f64(), step.keep);
        }
    }
}

/// Connections of a client that were reset while something of them was under way.
pub(crate) fn busy(tally: &Tally) -> u64 {
    tally.cuts[Cut::Busy as usize]
}

/// Requests answered in the last tick, at least. Of weighted ones, as many as they are worth.
fn answers(edge: &EdgeView) -> f64 {
    let requests = edge.responses.as_deref().map_or(0.0, |times| {
        let answered = times.newest.durations.count().saturating_sub(times.newest.unanswered);
        answered as f64 * times.newest.independence()
    });
    if edge.answered { requests.max(1.0) } else { requests }
}
