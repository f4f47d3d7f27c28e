//! The fastest round trips of an edge: how much they vary in normal times, and whether they rose far above that.

use super::{
    mean::{Mean, Step},
    minimum::has_handshakes,
    path::{MANY_PATH_SAMPLES, MIN_PATH_SAMPLES, NEW_FAST_SAMPLES, Rise, UNDECIDED, limit_above},
};
use crate::{
    hints::thresholds::Thresholds,
    sample::{Histogram, Tally},
    state::{EdgeView, RECENT},
};
use std::time::Duration;

/// Quantile that stands for the fastest round trips: a single one may be an outlier.
const LOWEST: f64 = 0.1;
/// Multiple of the noise that a rise exceeds.
const NOISE_RATIO: f64 = 3.0;
/// Windows in a row that count at most.
const MAX_WINDOWS: f64 = 20.0;

/// The fastest round trips against those of normal times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lowest {
    /// Some samples of the last seconds are as fast as usual.
    Usual,
    /// All samples were slower than usual for several windows, far above the edge's own noise.
    Rose(Slight),
}

/// A rise that may be small. Its chance is that of one edge alone, which proves nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slight {
    pub(crate) rise: Rise,
    /// When it began at the earliest, monotonic.
    pub(crate) began: Duration,
}

/// The fastest round trips of normal times.
#[derive(Clone, Debug, Default)]
pub(crate) struct LowestMemory {
    /// Mean of the lowest tenths, µs.
    usual_us: Mean,
    /// Largest distance from it, which decays, µs.
    noise_us: f64,
    /// Windows without common samples that were learned, decaying sum.
    windows: f64,
    /// Samples with a handshake among them, which waits for no program, are left out. Nothing else was learned.
    leaves_out_handshakes: bool,
    /// `None`: they are as fast as usual.
    raised: Option<Raised>,
    /// Those of this tick. `None`: too few samples.
    newest: Option<Newest>,
}

/// Round trips that are slower than usual.
#[derive(Clone, Copy, Debug)]
struct Raised {
    /// First and last tick that found it, monotonic.
    since: Duration,
    last: Duration,
    /// Largest rise that no finding explains, µs.
    peak_us: f64,
}

impl LowestMemory {
    /// Takes note of a rise, and of its end. Call once per tick, before judging. `at`: time of the tick.
    pub(crate) fn observe(&mut self, edge: &EdgeView, at: Duration, window: Duration, thresholds: &Thresholds) {
        self.take(edge, at, window, thresholds);
        self.follow_kind(edge);
    }

    fn take(&mut self, edge: &EdgeView, at: Duration, window: Duration, thresholds: &Thresholds) {
        self.newest = Newest::of(edge, self.leaves_out_handshakes);
        let Some((newest, usual_us)) = self.newest.zip(self.usual_us.get()) else {
            if self.raised.is_some_and(|raised| at.saturating_sub(raised.last) > window) {
                self.settle();
            }
            return;
        };
        if newest.lowest_us > f64::from(limit_above(usual_us, thresholds.rtt_floor_ms)) {
            let raised = self.raised.get_or_insert(Raised { since: at, last: at, peak_us: 0.0 });
            raised.last = at;
            raised.peak_us = raised.peak_us.max(newest.lowest_us - usual_us);
            return;
        }
        // Older samples of a whole window may date from before the rise.
        let span = newest.span(window);
        let is_over = |raised: Raised| span <= RECENT || at.saturating_sub(raised.since) > span;
        if self.raised.is_some_and(is_over) {
            self.settle();
        }
    }

    /// Connections that stay have other round trips than those that begin: once a window has no handshake, their own
    /// are learned, and alone. Not during a rise, which may keep new connections from coming.
    fn follow_kind(&mut self, edge: &EdgeView) {
        let is_kept = edge.window.rtt.count() >= MIN_PATH_SAMPLES && !has_handshakes(&edge.window);
        if is_kept && !self.leaves_out_handshakes && self.raised.is_none() {
            *self = Self { newest: Newest::of(edge, true), leaves_out_handshakes: true, ..Self::default() };
        }
    }

    /// A rise that ended and that no finding explains is noise.
    fn settle(&mut self) {
        if let Some(raised) = self.raised.take() {
            self.noise_us = self.noise_us.max(raised.peak_us);
        }
    }

    /// A finding or a hint explains the rise.
    pub(crate) const fn distrust(&mut self) {
        if let Some(raised) = &mut self.raised {
            raised.peak_us = 0.0;
        }
    }

    /// Learns in a normal window, which was observed.
    pub(crate) fn learn(&mut self, at: Duration, step: Step) {
        let Step { window, tick, keep, .. } = step;
        match self.raised {
            Some(raised) if at.saturating_sub(raised.since) < UNDECIDED => return,
            // A rise that lasts is the new normal.
            Some(_) => {
                let leaves_out_handshakes = self.leaves_out_handshakes;
                *self = Self { newest: self.newest, leaves_out_handshakes, ..Self::default() };
            }
            None => {}
        }
        let Some(newest) = self.newest else { return };
        let lowest_us = newest.lowest_us;
        let distance_us = self.usual_us.so_far().map_or(0.0, |usual_us| (lowest_us - usual_us).abs());
        self.noise_us = (self.noise_us * keep).max(distance_us);
        self.usual_us.learn(lowest_us, keep);
        self.windows = self.windows * keep + tick.as_secs_f64() / newest.span(window).as_secs_f64();
    }

    /// The newest round trips against those of normal times. `edge`: as it was observed in this tick. `None`: too few
    /// samples, no baseline, or neither as fast as usual nor slower for long and by far.
    pub(crate) fn judge(&self, edge: &EdgeView, window: Duration, thresholds: &Thresholds) -> Option<Lowest> {
        let usual_us = self.usual_us.get()?;
        let newest = self.newest?;
        let Newest { samples, lowest_us: now_us, .. } = newest;
        let (rtt, span) = (newest.rtt(edge), newest.span(window));
        let fast = rtt.count_up_to(limit_above(usual_us, thresholds.rtt_floor_ms));
        if fast >= NEW_FAST_SAMPLES {
            return (span <= RECENT).then_some(Lowest::Usual);
        }
        let raised = self.raised?;
        let lasts = raised.last.saturating_sub(raised.since);
        let is_far = now_us - usual_us >= NOISE_RATIO * self.noise_us;
        if lasts < RECENT || !is_far || (fast > 0 && samples < MANY_PATH_SAMPLES) {
            return None;
        }
        let windows = 1.0 + (lasts.as_secs_f64() / span.as_secs_f64()).floor();
        let rise = Rise {
            now_us,
            median_us: rtt.quantile_us(0.5)?,
            usual_us,
            samples,
            ln_p: ln_highest(self.windows, windows.min(MAX_WINDOWS)),
            handshakes: 0,
            bulk: false,
            full: false,
            shortest_us: None,
        };
        Some(Lowest::Rose(Slight { rise, began: raised.since.saturating_sub(span) }))
    }
}

/// The newest samples: those of the last seconds, or of the window when they are too few. A tick asks for them several
/// times, on each of thousands of edges, so they are found once.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Newest {
    /// They are those of the last seconds.
    are_recent: bool,
    samples: u64,
    /// Their lowest tenth, µs.
    lowest_us: f64,
}

impl Newest {
    /// `None`: too few samples.
    fn of(edge: &EdgeView, without_handshakes: bool) -> Option<Self> {
        let spans = [(&edge.recent, true), (&edge.window, false)];
        let counts = |(tally, _): &(&Tally, bool)| !(without_handshakes && has_handshakes(tally));
        let counted = spans.into_iter().filter(counts).map(|(tally, are_recent)| (&tally.rtt, are_recent));
        let mut counted = counted.map(|(rtt, are_recent)| (rtt, are_recent, rtt.count()));
        let (rtt, are_recent, samples) = counted.find(|(_, _, samples)| *samples >= MIN_PATH_SAMPLES)?;
        Some(Self { are_recent, samples, lowest_us: rtt.quantile_us(LOWEST)? })
    }

    fn rtt(self, edge: &EdgeView) -> &Histogram {
        if self.are_recent { &edge.recent.rtt } else { &edge.window.rtt }
    }

    /// Time that they cover.
    const fn span(self, window: Duration) -> Duration {
        if self.are_recent { RECENT } else { window }
    }
}

/// Logarithm of the chance that the last windows are the highest of all, if all are alike, however they are distributed:
/// one in the number of ways to choose so many.
pub(super) fn ln_highest(usual: f64, newest: f64) -> f64 {
    (1..=newest as u64).map(|n| (n as f64 / (usual + n as f64)).ln()).sum()
}

#[cfg(test)]
mod tests;
