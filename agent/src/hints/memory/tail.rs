//! The share of requests that are slower than they are in normal times.
//!
//! A quantile of the response times has grown when more requests than it leaves above itself are slower than a limit.
//! The limit follows from the usual quantile. Several quantiles are tried: the median shows a slow server, the 95th
//! percentile a server that is slow now and then. Where requests are few, several windows are judged together, also beside a
//! young baseline. Of a few known requests no quantile is sure: then all of the newest must be slower than all that are
//! known.

mod gathered;
mod level;

pub(crate) use gathered::Gathered;

use super::lowest::ln_highest;
use crate::{
    baseline::{Distribution, ResponseBaseline},
    hints::{stats::binomial_tail_ln, thresholds::Thresholds},
    sample::Responses,
    state::ResponseView,
};
use level::{Level, Limit, above, counts, is_odd, limit_us};

/// Quantiles that are judged.
const LEVELS: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];
/// Chance, per window and quantile, that as many normal requests are slow.
pub(crate) const TAIL_ALPHA: f64 = 1e-6;
/// Slow requests at least.
const MIN_SLOW: f64 = 4.0;
/// Share of a delay that the limit may take, so that it still shows in most of the requests.
const VISIBLE: f64 = 0.75;
/// Requests of the last seconds from which they speak alone.
const MIN_RECENT: f64 = 8.0;
/// Lessons between two looks at the usual quantiles, once they are known well, and at the shares that windows reach. As
/// long as a window: a slowdown that begins is not learned step by step.
const REFRESH: u32 = 10;

/// Windows that are judged together at most.
const MAX_TOGETHER: u32 = 4;
/// Requests of a window from which it speaks alone.
const MANY_REQUESTS: u64 = 100;
/// Requests that are known per request that is judged with those of other windows.
const MANY_KNOWN: f64 = 2.0;
/// Chance from which windows look slow, and are not learned at once.
const SUSPECT_ALPHA: f64 = 1e-3;
/// Known requests below which they are few.
const FEW: f64 = 20.0;
/// Newest requests in a row that count at most.
const MAX_IN_A_ROW: f64 = 100.0;

/// Requests that are slower than usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slow {
    /// Limit above which a request is slow, µs.
    pub(crate) limit_us: u32,
    /// Slow requests of the window.
    pub(crate) slow: u64,
    /// All requests of the window.
    pub(crate) requests: u64,
    /// Share of slow requests in normal times, 0 … 1.
    pub(crate) usual_share: f64,
    /// Median of the slow ones, µs.
    pub(crate) typical_us: f64,
    /// Median in normal times, µs.
    pub(crate) usual_us: f64,
    /// Logarithm of the chance that normal requests look like that.
    pub(crate) ln_p: f64,
    /// Windows that they are of.
    pub(crate) windows: u32,
}

impl Slow {
    /// Share of slow requests, 0 … 1.
    pub(crate) fn share(&self) -> f64 {
        self.slow as f64 / self.requests as f64
    }

    /// Slow requests per window.
    pub(crate) fn per_window(&self) -> f64 {
        self.slow as f64 / f64::from(self.windows)
    }

    /// Time by which a slow request is longer than usual, µs.
    pub(crate) fn increase_us(&self) -> f64 {
        self.typical_us - self.usual_us
    }
}

/// How windows are judged together.
#[derive(Clone, Copy)]
struct Bar {
    ln_alpha: f64,
    /// Every window has slow requests, and they are not of one or two stalls. Far more requests are known than judged.
    is_strict: bool,
}

/// The limits of one edge or server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail {
    levels: [Level; LEVELS.len()],
    /// Median, µs.
    usual_us: f64,
    /// Requests that the usual shares stand for.
    requests: f64,
    /// Newest requests, all slower than the limit of the highest quantile that is known.
    in_a_row: f64,
    lessons: u32,
}

/// Requests above a limit, as tests count them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Above {
    pub(crate) slow: f64,
    pub(crate) requests: f64,
    /// Share of slow requests that is normal, above 0.
    pub(crate) normal: f64,
}

impl Tail {
    /// Takes note of the newest requests. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, now: &ResponseView) {
        let known = self.requests;
        self.levels.iter_mut().for_each(|level| level.observe(&now.newest, known));
        if let Some(limit) = self.highest().filter(|_| !now.newest.durations.is_empty()) {
            let (slow, requests) = counts(&now.newest, limit.us);
            self.in_a_row = if slow < requests { 0.0 } else { (self.in_a_row + slow).min(MAX_IN_A_ROW) };
        }
    }

    /// The limit of the highest quantile that is known.
    fn highest(&self) -> Option<Limit> {
        self.levels.iter().rev().find_map(|level| level.limit)
    }

    /// The lowest quantile that is known.
    fn lowest(&self) -> Option<&Level> {
        self.levels.iter().find(|level| level.limit.is_some())
    }

    /// Some request is slow by the lowest limit.
    pub(crate) fn is_exceeded_in(&self, of: &Responses) -> bool {
        self.lowest().is_some_and(|lowest| lowest.is_exceeded_in(of))
    }

    /// So few requests are known that a quantile says little.
    pub(crate) fn are_few(&self) -> bool {
        self.requests < FEW
    }

    /// Learns from a normal window, after `times` did. `keep`: weight that the past keeps.
    pub(crate) fn learn(&mut self, times: &ResponseBaseline, window: &Responses, keep: f64, thresholds: &Thresholds) {
        let Some(durations) = times.durations() else { return };
        let is_due = self.lessons.is_multiple_of(REFRESH);
        if is_due || self.lessons < 4 * REFRESH {
            self.refresh(durations, times.observed(), thresholds);
        }
        self.lessons = self.lessons.saturating_add(1);
        for level in &mut self.levels {
            level.worst *= keep as f32;
            level.learn(window, self.requests, is_due);
        }
    }

    /// The same from a window that overlaps no other one.
    pub(crate) fn learn_whole(
        &mut self,
        times: &ResponseBaseline,
        window: &Responses,
        keep: f64,
        thresholds: &Thresholds,
    ) {
        self.lessons = self.lessons.next_multiple_of(REFRESH);
        self.learn(times, window, keep, thresholds);
    }

    /// `observed`: requests that are known, as tests count them.
    fn refresh(&mut self, durations: &Distribution, observed: f64, thresholds: &Thresholds) {
        let Some(usual_us) = durations.quantile_us(0.5) else { return };
        (self.usual_us, self.requests) = (usual_us, observed);
        for (level, q) in self.levels.iter_mut().zip(LEVELS) {
            let us = durations.quantile_us(q).and_then(|usual_us| limit_us(usual_us, thresholds));
            let share = us.and_then(|us| durations.share_above(us));
            level.set(us.zip(share).map(|(us, share)| Limit { us, share: share as f32 }));
        }
    }

    /// Judges a window. `None`: its requests are as fast as usual, or too few are known.
    pub(crate) fn judge(&self, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        let found = (0..LEVELS.len()).filter_map(|at| self.slow(at, now, thresholds));
        slowest(found.filter(|found| found.ln_p <= TAIL_ALPHA.ln()))
    }

    /// The same where few requests are known, whatever the chance: those of several edges may be enough together. `None`
    /// also where many are known.
    pub(crate) fn judge_few(&self, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        if !self.are_few() {
            return None;
        }
        slowest((0..LEVELS.len()).filter_map(|at| self.slow(at, now, thresholds)))
    }

    /// Judges the window with those before it, of which each alone has few requests: as few windows as suffice. `before`:
    /// newest first.
    pub(crate) fn judge_together<'a>(
        &self,
        now: &ResponseView,
        before: impl Iterator<Item = &'a Responses>,
        thresholds: &Thresholds,
    ) -> Option<Slow> {
        if now.window.durations.count() >= MANY_REQUESTS || !self.is_exceeded_in(&now.window) {
            return None;
        }
        // Each number of windows is a test of its own.
        let ln_alpha = (TAIL_ALPHA / f64::from(MAX_TOGETHER - 1)).ln();
        self.together(now, before, Bar { ln_alpha, is_strict: true }, thresholds)
    }

    /// Whether the window, alone or with those before it, looks slow, though not for certain.
    pub(crate) fn suspects<'a>(
        &self,
        now: &ResponseView,
        before: impl Iterator<Item = &'a Responses>,
        thresholds: &Thresholds,
    ) -> bool {
        let bar = Bar { ln_alpha: SUSPECT_ALPHA.ln(), is_strict: false };
        let mut alone = (0..LEVELS.len()).filter_map(|at| self.found(at, &now.window, thresholds));
        alone.any(|found| found.ln_p <= bar.ln_alpha) || self.together(now, before, bar, thresholds).is_some()
    }

    fn together<'a>(
        &self,
        now: &ResponseView,
        before: impl Iterator<Item = &'a Responses>,
        bar: Bar,
        thresholds: &Thresholds,
    ) -> Option<Slow> {
        let mut all = now.window.clone();
        let mut lasts = self.levels.map(|level| level.is_scattered() && level.is_exceeded_in(&now.window));
        for (windows, window) in (2..=MAX_TOGETHER).zip(before) {
            all.add(window);
            for (lasts, level) in lasts.iter_mut().zip(&self.levels) {
                *lasts &= level.is_exceeded_in(window);
            }
            let judged = all.durations.count() as f64 * all.independence();
            let is_known = !self.are_few() && self.requests >= MANY_KNOWN * judged;
            let at = (0..LEVELS.len()).filter(|at| !bar.is_strict || (is_known && lasts[*at]));
            let found = at.filter_map(|at| self.found(at, &all, thresholds));
            if let Some(found) = slowest(found.filter(|found| found.ln_p <= bar.ln_alpha)) {
                return Some(Slow { windows, ..found });
            }
        }
        None
    }

    /// The newest requests above the highest limit that most requests exceed when all are later by `delay_us`. `None`:
    /// such a delay hardly shows, or too little is known.
    pub(crate) fn above(&self, now: &ResponseView, delay_us: f64) -> Option<Above> {
        self.above_in(&now.recent, delay_us)
            .filter(|above| above.requests >= MIN_RECENT)
            .or_else(|| self.above_in(&now.window, delay_us))
    }

    /// The same of other requests, such as the whole window's: a delay that comes and goes spares some seconds.
    pub(crate) fn above_in(&self, of: &Responses, delay_us: f64) -> Option<Above> {
        let shows = |limit: &Limit| f64::from(limit.us) - self.usual_us <= VISIBLE * delay_us;
        let level = self.levels.iter().rev().find(|level| level.limit.as_ref().is_some_and(shows))?;
        let limit = level.limit?;
        let (slow, requests) = counts(of, limit.us);
        (requests > 0.0).then(|| Above { slow, requests, normal: level.normal(limit, self.requests) })
    }

    /// Requests above one quantile's limit. `None`: too few, or they take little time.
    fn found(&self, at: usize, of: &Responses, thresholds: &Thresholds) -> Option<Slow> {
        let level = self.levels[at];
        let limit = level.limit?;
        let (requests, slow) = (of.durations.count(), above(&of.durations, limit.us));
        let all = counts(of, limit.us);
        if all.0 < MIN_SLOW || (slow as f64) < (1.0 - LEVELS[at]) * requests as f64 {
            return None;
        }
        let normal = level.normal(limit, self.requests);
        let ln_p = binomial_tail_ln(all.0, all.1, normal);
        let typical_us = of.durations.quantile_us(1.0 - 0.5 * slow as f64 / requests as f64)?;
        let (usual_share, usual_us) = (f64::from(limit.share), self.usual_us);
        let found = Slow { limit_us: limit.us, slow, requests, usual_share, typical_us, usual_us, ln_p, windows: 1 };
        // The time that the slow ones take longer, spread over all: a client that waits for many of them notices.
        let lost_us = (found.share() - normal) * found.increase_us();
        (lost_us >= thresholds.think_time_ms * 1_000.0).then_some(found)
    }

    /// Judges one quantile, but for the chance.
    fn slow(&self, at: usize, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        let found = self.found(at, &now.window, thresholds)?;
        let level = self.levels[at];
        let limit = level.limit?;
        let normal = level.normal(limit, self.requests);
        let all = counts(&now.window, limit.us);
        let new = counts(&now.recent, limit.us);
        let old = ((all.0 - new.0).max(0.0), (all.1 - new.1).max(0.0));
        let share = (new.0 / new.1).max(all.0 / all.1);
        let lasts = [new, old].into_iter().all(|part| is_odd(part, normal))
            && !level.is_over(counts(&now.newest, limit.us), share);
        let ln_p = if self.are_few() { self.ln_slowest()? } else { found.ln_p };
        lasts.then_some(Slow { ln_p, ..found })
    }

    /// Logarithm of the chance that the newest requests are the slowest of all, if they and those that are known are
    /// alike, however they are distributed. `None`: they are not.
    fn ln_slowest(&self) -> Option<f64> {
        let known_slow = f64::from(self.highest()?.share) * self.requests;
        let are_slowest = self.in_a_row >= MIN_SLOW && known_slow < 1.0;
        are_slowest.then(|| ln_highest(self.requests.floor(), self.in_a_row))
    }
}

/// The quantile that explains most of the time that requests take longer.
fn slowest(found: impl Iterator<Item = Slow>) -> Option<Slow> {
    found.max_by(|a, b| (a.share() * a.increase_us()).total_cmp(&(b.share() * b.increase_us())))
}

#[cfg(test)]
mod tests;
