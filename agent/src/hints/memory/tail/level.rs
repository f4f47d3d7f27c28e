//! One quantile of the usual response times: the limit above which a request is slow, and what is known of such requests.

use crate::{
    hints::{stats::binomial_tail_ln, thresholds::Thresholds},
    sample::{FineHistogram, Responses},
};
use netwhy_abi::FINE_BOUNDS_US;

/// Chance of as many slow requests from which a window, or a part of it, is not as usual.
pub(super) const PART_ALPHA: f64 = 0.05;
/// Share of slow requests that is always called normal.
pub(super) const MIN_SHARE: f64 = 0.005;
/// Requests that the assumption of one slow request weighs as much as.
const SHARE_WEIGHT: f64 = 20.0;
/// Requests by which a window's share is shrunk before it counts as one that normal windows reach.
const WORST_WEIGHT: f64 = 200.0;
/// A request is slow from this multiple of the usual quantile on …
const LONGER: f64 = 1.5;
/// … and from `rtt_inflation` times it, or from so much above it, µs: people notice a tenth of a second.
const MUCH_LONGER_US: f64 = 100_000.0;
/// Times that slow requests come at least, among the last 32 ticks with requests: fewer are stalls.
const MIN_STALLS: u32 = 3;
/// Ticks of which it is remembered whether their requests were slow: a window's.
const TICKS: u16 = (1 << 10) - 1;

/// A quantile in normal times, and the limit above which requests count as slow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    /// One of [`FINE_BOUNDS_US`].
    pub(super) us: u32,
    /// Usual share of requests above it.
    pub(super) share: f32,
}

/// One quantile of the baseline.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Level {
    pub(super) limit: Option<Limit>,
    /// Largest share above the limit that normal windows reached and came back from. It decays.
    pub(super) worst: f32,
    /// Largest share since windows were last as usual. It may be the begin of a slowdown.
    peak: f32,
    /// Whether the requests of each of the last [`TICKS`] were slow, newest in bit 0.
    ticks: u16,
    /// Whether the last ticks with requests had slow ones, newest in bit 0.
    had_slow: u32,
}

impl Level {
    /// Takes a new limit. Shares above a much lower one say nothing about it.
    pub(super) fn set(&mut self, limit: Option<Limit>) {
        let (old, new) = (self.limit.map(|limit| f64::from(limit.us)), limit.map(|limit| f64::from(limit.us)));
        if old != new {
            (self.peak, self.ticks) = (0.0, 0);
        }
        if old.zip(new).is_none_or(|(old, new)| new > LONGER * old) {
            (self.worst, self.had_slow) = (0.0, 0);
        }
        self.limit = limit;
    }

    /// Share of slow requests that is normal. `known`: requests that the usual share stands for.
    pub(super) fn normal(&self, limit: Limit, known: f64) -> f64 {
        let share = (f64::from(limit.share) * known + 1.0) / (known + SHARE_WEIGHT);
        share.max(MIN_SHARE).max(self.worst.into())
    }

    pub(super) fn observe(&mut self, newest: &Responses, known: f64) {
        let Some(limit) = self.limit else { return };
        let is_slow = is_odd(counts(newest, limit.us), self.normal(limit, known));
        self.ticks = (self.ticks << 1 | u16::from(is_slow)) & TICKS;
        if !newest.durations.is_empty() {
            self.had_slow = self.had_slow << 1 | u32::from(self.is_exceeded_in(newest));
        }
    }

    /// Some request is slow.
    pub(super) fn is_exceeded_in(&self, of: &Responses) -> bool {
        self.limit.is_some_and(|limit| above(&of.durations, limit.us) > 0)
    }

    /// Slow requests came and went several times.
    pub(super) fn is_scattered(&self) -> bool {
        (self.had_slow & !(self.had_slow << 1)).count_ones() >= MIN_STALLS
    }

    /// Whether the slow requests are those of one stall that has ended. `newest`: requests of the last tick; `share`: of
    /// slow ones among those before.
    pub(super) fn is_over(&self, newest: (f64, f64), share: f64) -> bool {
        let stalls = (self.ticks & !(self.ticks << 1)).count_ones();
        // Of few requests the newest may be fast by chance.
        stalls == 1 && binomial_tail_ln(newest.1 - newest.0, newest.1, 1.0 - share) <= PART_ALPHA.ln()
    }

    pub(super) fn learn(&mut self, window: &Responses, known: f64, is_due: bool) {
        let Some(limit) = self.limit else { return };
        let (slow, requests) = counts(window, limit.us);
        self.peak = self.peak.max((slow / (requests + WORST_WEIGHT)) as f32);
        if is_due && !is_odd((slow, requests), self.normal(limit, known)) {
            self.worst = self.worst.max(self.peak);
            self.peak = 0.0;
        }
    }
}

/// Requests above a limit.
pub(super) fn above(durations: &FineHistogram, us: u32) -> u64 {
    durations.count() - durations.count_up_to(us)
}

/// Requests above a limit, and all, as tests count them: sampled ones for what they tell, not for what they stand for.
pub(super) fn counts(of: &Responses, us: u32) -> (f64, f64) {
    let independence = of.independence();
    (above(&of.durations, us) as f64 * independence, of.durations.count() as f64 * independence)
}

pub(super) fn is_odd((slow, requests): (f64, f64), normal: f64) -> bool {
    binomial_tail_ln(slow, requests, normal) <= PART_ALPHA.ln()
}

/// The limit above which a request is slow, µs. `None`: the usual quantile is too long to tell.
pub(super) fn limit_us(usual_us: f64, thresholds: &Thresholds) -> Option<u32> {
    let much = (thresholds.rtt_inflation * usual_us).min(usual_us + MUCH_LONGER_US);
    let limit = much.max(LONGER * usual_us).max(usual_us + thresholds.think_time_ms * 1_000.0);
    FINE_BOUNDS_US.iter().find(|bound| f64::from(**bound) >= limit).copied()
}
