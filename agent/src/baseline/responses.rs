//! Response times in normal times.

use super::Distribution;
use crate::sample::{Responses, stage_names};
use netwhy_abi::Role;
use std::time::Duration;

/// Time after which a window weighs half. A slowdown that nothing judges is shown beside the old times for as long.
const HALF_LIFE: Duration = Duration::from_secs(3600);
/// Lessons before the times are believed: one whole window. One of several seconds counts as so many.
const MIN_LESSONS: u32 = 10;
/// Observed requests before they are believed. So few are a reference for a strict test only.
const MIN_REQUESTS: f64 = 8.0;
/// Stages of one role at most.
const STAGES: usize = 3;

/// A window to learn from.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The end that was measured.
    pub role: Role,
    /// Response times of the window.
    pub window: &'a Responses,
    /// Length of the window.
    pub length: Duration,
    /// Time since the lesson before, above zero: the part of the window that is new.
    pub elapsed: Duration,
}

/// Memory of the response times of one edge or server in normal times. Takes at most 1.7 kB.
#[derive(Clone, Debug, Default)]
pub struct ResponseBaseline {
    durations: Distribution,
    /// Decaying sums by stage, µs, in the order of [`stage_names`].
    stages_us: [f64; STAGES],
    /// Decaying number of requests that these are of.
    divided: f64,
    /// Decaying number of requests, and the time in which they ended, s.
    requests: f64,
    seconds: f64,
    /// Decaying number of requests as tests count them; see [`Responses::independence`].
    observed: f64,
    lessons: u32,
}

/// Response times in normal times.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalResponses {
    /// Requests per second.
    pub per_second: f64,
    /// Median, µs.
    pub p50_us: f64,
    /// 95th percentile, µs. `None`: too few requests for it.
    pub p95_us: Option<f64>,
    /// 99th percentile, µs. `None`: too few requests for it.
    pub p99_us: Option<f64>,
    /// Mean time by stage, µs, in the order of a request. They add up to the mean response time.
    pub stages_us: Vec<(&'static str, f64)>,
}

impl ResponseBaseline {
    /// Learns from a window that is normal. A window without a request teaches nothing, and one whose stages are not known
    /// nothing about these.
    pub fn learn(&mut self, lesson: &Lesson<'_>) {
        let Lesson { role, window, length, elapsed } = *lesson;
        if window.durations.is_empty() || length.is_zero() {
            return;
        }
        let seconds = elapsed.as_secs_f64();
        let keep = 0.5_f64.powf(seconds / HALF_LIFE.as_secs_f64());
        let share = (seconds / length.as_secs_f64()).min(1.0);
        self.durations.learn(&window.durations, keep, share);
        let (stages, requests) = (window.stages(role), window.durations.count() as f64 * share);
        let is_divided = stages.len() == stage_names(role).len();
        for (sum, (_, us)) in self.stages_us.iter_mut().zip(stages).filter(|_| is_divided) {
            *sum = *sum * keep + us as f64 * share;
        }
        if is_divided {
            self.divided = self.divided * keep + requests;
        }
        self.requests = self.requests * keep + requests;
        self.seconds = self.seconds * keep + length.as_secs_f64() * share;
        let observed = window.durations.count() as f64 * window.independence();
        self.observed = self.observed * keep + observed * share;
        self.lessons = self.lessons.saturating_add(u32::try_from(elapsed.as_secs()).map_or(u32::MAX, |n| n.max(1)));
    }

    /// Response times in normal times. `None`: too few windows or requests are known.
    pub fn durations(&self) -> Option<&Distribution> {
        (self.lessons >= MIN_LESSONS && self.observed >= MIN_REQUESTS).then_some(&self.durations)
    }

    /// Requests that it stands for, as tests count them: sampled ones for what they tell. It decays.
    pub fn observed(&self) -> f64 {
        self.observed
    }

    /// Time that the baseline stands for. It decays.
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Requests per second in normal times. `None`: as [`ResponseBaseline::durations`].
    pub fn per_second(&self) -> Option<f64> {
        self.durations().map(|_| self.requests / self.seconds)
    }

    /// The figures of this role. `None`: too few windows or requests are known.
    pub fn normal(&self, role: Role) -> Option<NormalResponses> {
        let durations = self.durations()?;
        let means = self.stages_us.map(|us| us / self.divided);
        Some(NormalResponses {
            per_second: self.requests / self.seconds,
            p50_us: durations.quantile_us(0.5)?,
            p95_us: durations.quantile_us(0.95),
            p99_us: durations.quantile_us(0.99),
            stages_us: stage_names(role).iter().copied().zip(means).filter(|_| self.divided > 0.0).collect(),
        })
    }
}

impl NormalResponses {
    /// Mean response time, µs.
    pub fn mean_us(&self) -> f64 {
        self.stages_us.iter().map(|(_, us)| us).sum()
    }
}

#[cfg(test)]
mod tests;
