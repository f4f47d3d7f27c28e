//! Averages that forget, and the clock that they share.

use crate::sample::Tally;
use std::time::Duration;

/// Segments that an edge must have sent before its own loss ratio weighs as much as its class's.
pub(crate) const SHRINK_SEGMENTS: f64 = 2000.0;
/// Clean ticks before an edge's RTT or rate baseline is believed: one whole window.
pub(crate) const MIN_TICKS: u32 = 10;

/// Decaying sums of episodes and segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    pub(crate) episodes: f64,
    pub(crate) segments: f64,
}

impl Loss {
    pub(crate) fn learn(&mut self, tally: &Tally, keep: f64, share: f64) {
        self.episodes = self.episodes * keep + tally.loss_episodes as f64 * share;
        self.segments = self.segments * keep + tally.data_segs_out as f64 * share;
    }

    pub(crate) fn ratio_towards(&self, prior: f64) -> f64 {
        (self.episodes + SHRINK_SEGMENTS * prior) / (self.segments + SHRINK_SEGMENTS)
    }
}

/// A mean that starts as the plain mean and forgets with [`HALF_LIFE`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    pub(crate) value: f64,
    pub(crate) ticks: u32,
}

impl Mean {
    pub(crate) fn learn(&mut self, x: f64, keep: f64) {
        self.ticks = self.ticks.saturating_add(1);
        self.value += (x - self.value) * (1.0 - keep).max(1.0 / f64::from(self.ticks));
    }

    pub(crate) fn get(&self) -> Option<f64> {
        (self.ticks >= MIN_TICKS).then_some(self.value)
    }
}

/// Time of a tick, as an edge sees it.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) at: Duration,
    pub(crate) window: Duration,
    /// The window reaches further back than the one before.
    pub(crate) window_grew: bool,
    pub(crate) hz: Option<u32>,
}

/// What is the same for all edges that learn in one tick.
#[derive(Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) window: Duration,
    pub(crate) hz: Option<u32>,
    /// What stays of the past.
    pub(crate) keep: f64,
    /// Share of the window that is new.
    pub(crate) share: f64,
}
