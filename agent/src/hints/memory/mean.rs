//! Averages that forget, and the step by which they learn.

use crate::{sample::Losses, state::NodeView};
use std::time::Duration;

/// Half-life of everything that is learned.
const HALF_LIFE: Duration = Duration::from_secs(300);
/// Segments after which an edge's own loss ratio weighs as much as its class's.
pub(crate) const SHRINK_SEGMENTS: f64 = 2000.0;
/// Clean ticks before a mean is believed: one whole window.
const MIN_TICKS: u32 = 10;

/// Decaying sums of loss episodes and segments.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    pub(crate) episodes: f64,
    pub(crate) segments: f64,
}

impl Loss {
    pub(crate) fn learn(&mut self, losses: Losses, step: Step) {
        self.episodes = self.episodes * step.keep + losses.episodes as f64 * step.loss_share;
        self.segments = self.segments * step.keep + losses.segments as f64 * step.loss_share;
    }

    /// Episodes per segment, shrunk towards `prior` while few segments are known.
    pub(crate) fn ratio_towards(&self, prior: f64) -> f64 {
        (self.episodes + SHRINK_SEGMENTS * prior) / (self.segments + SHRINK_SEGMENTS)
    }
}

/// A mean that starts as the plain mean and forgets with [`HALF_LIFE`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    value: f64,
    ticks: u32,
}

impl Mean {
    pub(crate) fn learn(&mut self, x: f64, keep: f64) {
        self.ticks = self.ticks.saturating_add(1);
        self.value += (x - self.value) * (1.0 - keep).max(1.0 / f64::from(self.ticks));
    }

    pub(crate) fn get(&self) -> Option<f64> {
        (self.ticks >= MIN_TICKS).then_some(self.value)
    }

    /// The mean as of now, however few values it has. `None`: no value yet.
    pub(crate) fn so_far(&self) -> Option<f64> {
        (self.ticks > 0).then_some(self.value)
    }

    pub(crate) const fn ticks(&self) -> u32 {
        self.ticks
    }
}

/// How one tick changes every average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) window: Duration,
    /// Time since the tick before.
    pub(crate) tick: Duration,
    /// Jiffies per second. `None`: not measured yet.
    pub(crate) hz: Option<u32>,
    /// Weight that the past keeps.
    pub(crate) keep: f64,
    /// Share of the window that is new: windows overlap, so each tick adds only its newest seconds.
    pub(crate) share: f64,
    /// The same of the time that losses cover.
    pub(crate) loss_share: f64,
}

impl Step {
    /// `tick`: time since the tick before. `None`: no time passed.
    pub(crate) fn new(view: &NodeView, tick: Duration) -> Option<Self> {
        let (seconds, window) = (tick.as_secs_f64(), view.window.as_secs_f64());
        let keep = 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64());
        let losses = view.losses_cover.map_or(window, |cover| cover.as_secs_f64());
        let share = |of: f64| (seconds / of).min(1.0);
        let step =
            Self { window: view.window, tick, hz: view.hz, keep, share: share(window), loss_share: share(losses) };
        (!tick.is_zero()).then_some(step)
    }
}
