//! Slow requests of several windows against those of all the time before.
//!
//! Where requests are few and the baseline is young, no window proves a share of slow ones, and the usual share is hardly
//! known. So the present window is judged with up to three before it, against everything that was seen before these,
//! whether it was learned or not.
//!
//! ```text
//! before     K slow ones of N
//! since      k slow ones of n
//! no change  each of the K + k slow ones is a newer one with chance n / (N + n), whatever their share
//! ```
//! So k follows a hypergeometric distribution, whose tail is no larger than the binomial one with the same chance
//! (Hoeffding). Slow requests that were as frequent before are silent, and a baseline without any proves no more than its
//! length allows.
//!
//! A look has the chance 0.03 / j² of a false alarm at most, where j windows were seen: a young baseline may prove
//! something, and one of half an hour keeps to [`TAIL_ALPHA`]. Windows that share no moment add up to 0.03 · Σ 1/j² for
//! j ≥ 2: at most 1.9 % of the edges have a false alarm before their baseline is old. The bounds are wide: of 2,500 edges
//! that a test simulates for 40 windows each, fewer than 0.2 % have one. That holds for requests that are slow
//! independently of each other. Stalls make many slow at once, so slow ones must come at least three times, too.

use super::{
    MIN_SLOW, Slow, TAIL_ALPHA, Tail,
    level::{Level, MIN_SHARE, PART_ALPHA, above, counts},
    slowest,
};
use crate::{
    hints::{memory::history::History, stats::binomial_tail_ln, thresholds::Thresholds},
    sample::Responses,
    state::ResponseView,
};

/// Chance of a false alarm in the first window.
const FIRST_ALPHA: f64 = 0.03;
/// Windows that are judged together at most.
const MAX_WINDOWS: u32 = 4;
/// Requests of a window from which it speaks alone: with [`TAIL_ALPHA`], 1 slow one in 20 of so many is above
/// [`MIN_SHARE`].
const MANY_REQUESTS: u64 = 200;

/// Slow requests of the windows until now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Gathered {
    /// Those that are certainly more than before. `None`: not certain.
    pub(crate) slow: Option<Slow>,
    /// They may be more. Its chance is the root of that of a false alarm.
    pub(crate) is_suspect: bool,
}

/// Requests above a limit, and all, since and before a moment, as tests count them.
#[derive(Clone, Copy, Debug)]
struct Counts {
    since: (f64, f64),
    before: (f64, f64),
}

impl Counts {
    /// Logarithm of the chance that so many of the slow ones are newer, if nothing changed.
    fn ln_p(self) -> f64 {
        let ((slow, requests), (slow_before, before)) = (self.since, self.before);
        binomial_tail_ln(slow, slow + slow_before, requests / (requests + before))
    }
}

impl Tail {
    /// Judges the present window, and those before it with it: as few as suffice.
    pub(crate) fn gather<'a>(
        &self,
        now: &ResponseView,
        history: impl FnOnce() -> History<'a>,
        thresholds: &Thresholds,
    ) -> Gathered {
        let mut out = Gathered::default();
        let is_rare = now.window.durations.count() < MANY_REQUESTS;
        if self.are_few() || !is_rare || !self.is_exceeded_in(&now.window) {
            return out;
        }
        let (history, levels) = (history(), self.distinct());
        let mut all = now.window.clone();
        for (windows, joined) in (1..=MAX_WINDOWS).zip(0_usize..) {
            if joined > 0 {
                let Some(next) = history.newest.get(joined - 1) else { break };
                all.add(next.responses);
            }
            let ln_alpha = ln_alpha(seen(&history, windows, joined), levels.len());
            let more = |level: &&Level| self.more(level, (&all, windows), (&history, joined), thresholds);
            let found: Vec<(&Level, Slow)> = levels.iter().filter_map(|level| Some((*level, more(level)?))).collect();
            out.is_suspect |= found.iter().any(|(_, slow)| slow.ln_p <= 0.5 * ln_alpha);
            let proven = found.iter().filter(|(level, slow)| slow.ln_p <= ln_alpha && level.goes_on(now, slow.share()));
            if let Some(slow) = slowest(proven.map(|(_, slow)| *slow)) {
                return Gathered { slow: Some(slow), ..out };
            }
        }
        out
    }

    /// Levels with a limit that no lower one has.
    fn distinct(&self) -> Vec<&Level> {
        let mut out: Vec<&Level> = self.levels.iter().filter(|level| level.limit.is_some()).collect();
        out.dedup_by_key(|level| level.limit.map(|limit| limit.us));
        out
    }

    /// Requests above one limit. `None`: too few, no more than before, or they take little time. `all`: those of so many
    /// windows; `joined`: how many of the history's windows are among them.
    fn more(
        &self,
        level: &Level,
        (all, windows): (&Responses, u32),
        (history, joined): (&History<'_>, usize),
        thresholds: &Thresholds,
    ) -> Option<Slow> {
        let limit = level.limit?;
        let counts = Counts { since: counts(all, limit.us), before: before(history, joined, limit.us) };
        let (slow, requests) = counts.since;
        if slow < MIN_SLOW || counts.before.1 <= 0.0 {
            return None;
        }
        // However long the baseline is, some are always normal.
        let ln_p = counts.ln_p().max(binomial_tail_ln(slow, requests, MIN_SHARE.max(level.worst.into())));
        let (slow, requests) = (above(&all.durations, limit.us), all.durations.count());
        let found = Slow {
            limit_us: limit.us,
            slow,
            requests,
            usual_share: counts.before.0 / counts.before.1,
            typical_us: all.durations.quantile_us(1.0 - 0.5 * slow as f64 / requests as f64)?,
            usual_us: self.usual_us,
            ln_p,
            windows,
        };
        let lost_us = (found.share() - found.usual_share) * found.increase_us();
        (lost_us >= thresholds.think_time_ms * 1_000.0).then_some(found)
    }
}

impl Level {
    /// Slow requests come again and again, and the present window has no fewer than the others. `share`: of slow ones.
    fn goes_on(&self, now: &ResponseView, share: f64) -> bool {
        self.limit.is_some_and(|limit| {
            let (slow, requests) = counts(&now.window, limit.us);
            let ln_fewer = binomial_tail_ln(requests - slow, requests, 1.0 - share);
            self.is_scattered() && slow > 0.0 && ln_fewer > PART_ALPHA.ln()
        })
    }
}

/// Requests above a limit, and all, before the newest `joined` windows of the history.
fn before(history: &History<'_>, joined: usize, limit_us: u32) -> (f64, f64) {
    let each = history.normal(joined).map(|window| counts(window, limit_us));
    each.fold(history.older.above(limit_us), |sum, more| (sum.0 + more.0, sum.1 + more.1))
}

/// Windows that are judged, and those that they are judged by.
fn seen(history: &History<'_>, windows: u32, joined: usize) -> f64 {
    f64::from(windows) + f64::from(history.older.windows()) + history.normal(joined).count() as f64
}

/// Logarithm of the chance that is a finding, where so many windows were seen. Each limit, and each number of windows, is
/// a test of its own.
fn ln_alpha(seen: f64, limits: usize) -> f64 {
    let tests = f64::from(MAX_WINDOWS) * limits as f64;
    ((FIRST_ALPHA / (seen * seen)).max(TAIL_ALPHA) / tests).ln()
}

#[cfg(test)]
mod tests;
