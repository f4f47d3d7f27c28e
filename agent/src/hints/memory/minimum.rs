//! The lowest round trips of an edge in normal times: of windows without a handshake apart from all.
//!
//! A handshake waits for no program. On connections that stay, acknowledgements ride on answers and requests, so the
//! lowest round trips are higher, however short the path is. Each kind is compared with its own.

use super::{
    edge::MIN_LEARN_SAMPLES,
    mean::{Mean, Step},
    path::{Normal, newest, rise_limit},
};
use crate::{hints::thresholds::Thresholds, sample::Tally, state::EdgeView};

/// Clean ticks after which an edge's own minimum weighs as much as its class's.
const SHRINK_TICKS: f64 = 10.0;

/// The lowest round trips of one kind of windows.
#[derive(Clone, Debug, Default)]
struct Lows {
    /// Mean of the logarithm of the lowest, µs.
    ln_min: Mean,
    /// Samples above the path's limit, decaying sum.
    above: f64,
    /// All samples, decaying sum.
    samples: f64,
}

impl Lows {
    /// `lowest_us`: lowest sample. `None`: not known.
    fn learn(&mut self, tally: &Tally, lowest_us: Option<f64>, step: Step, thresholds: &Thresholds) {
        if let Some(us) = lowest_us.filter(|_| tally.rtt.count() >= MIN_LEARN_SAMPLES) {
            self.ln_min.learn(us.max(1.0).ln(), step.keep);
        }
        if let Some(usual) = self.ln_min.get().map(f64::exp) {
            let all = tally.rtt.count();
            let fast = tally.rtt.count_up_to(rise_limit(usual, thresholds));
            self.above = self.above * step.keep + (all - fast) as f64 * step.share;
            self.samples = self.samples * step.keep + all as f64 * step.share;
        }
    }
}

/// The lowest round trips of one edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct MinimumMemory {
    /// Of all windows.
    all: Lows,
    /// Of those without a handshake.
    kept: Lows,
}

impl MinimumMemory {
    /// Logarithm of the minimum of all windows, µs. `None`: not known yet.
    pub(crate) fn ln_us(&self) -> Option<f64> {
        self.all.ln_min.get()
    }

    /// Minimum of windows that have a handshake if the newest samples have one, µs. `None`: not known yet.
    pub(crate) fn of_newest_us(&self, edge: &EdgeView) -> Option<f64> {
        self.lows(edge).ln_min.get().map(f64::exp)
    }

    /// The usual samples, for the newest. While few windows are known, the minimum is never below the usual one
    /// of its class. `class`: logarithm of that. `None`: not known yet.
    pub(crate) fn normal(&self, edge: &EdgeView, class: Option<f64>) -> Option<Normal> {
        let lows = self.lows(edge);
        let own = lows.ln_min.get()?;
        let (ticks, class) = (f64::from(lows.ln_min.ticks()), class.map_or(own, |ln| ln.max(own)));
        let min_us = ((ticks * own + SHRINK_TICKS * class) / (ticks + SHRINK_TICKS)).exp();
        Some(Normal { min_us, above: lows.above, samples: lows.samples })
    }

    /// The kind of the newest samples, if it is known: else all windows.
    fn lows(&self, edge: &EdgeView) -> &Lows {
        let is_kept = newest(edge).is_some_and(|tally| !has_handshakes(tally)) && self.kept.ln_min.get().is_some();
        if is_kept { &self.kept } else { &self.all }
    }

    /// Learns in a normal window.
    pub(crate) fn learn(&mut self, tally: &Tally, step: Step, thresholds: &Thresholds) {
        self.all.learn(tally, tally.min_rtt_us.map(f64::from), step, thresholds);
        if !has_handshakes(tally) {
            // The minimum reaches back before the window, to a handshake.
            self.kept.learn(tally, tally.rtt.quantile_us(0.0), step, thresholds);
        }
    }
}

/// A handshake of either role completed among these samples.
pub(super) fn has_handshakes(tally: &Tally) -> bool {
    tally.connects.iter().any(|n| *n > 0)
}

#[cfg(test)]
mod tests;
