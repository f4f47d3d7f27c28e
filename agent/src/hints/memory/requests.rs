//! Memory of the requests of one edge or server.

use super::{
    failures::{Failing, FailureMemory},
    mean::Step,
    stuck::{self, Stuck, Waits},
    tail::{Above, Slow, Tail},
};
use crate::{
    baseline::{Lesson, ResponseBaseline},
    hints::thresholds::Thresholds,
    state::ResponseView,
};
use netwhy_abi::Role;
use std::time::Duration;

/// Time after which a normal window weighs half.
const HALF_LIFE: Duration = Duration::from_secs(3600);

/// A normal window of one end.
#[derive(Clone, Copy)]
pub(crate) struct Requests<'a> {
    pub(crate) role: Role,
    pub(crate) now: &'a ResponseView,
    /// Payload that was acknowledged or received. `None`: not known.
    pub(crate) bytes: Option<u64>,
}

/// Response times, shares of slow requests and waits in normal times.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestMemory {
    times: ResponseBaseline,
    tail: Tail,
    waits: Waits,
    failures: FailureMemory,
    /// Decaying sums of payload, and of the requests that it belongs to.
    bytes: f64,
    requests: f64,
}

impl RequestMemory {
    /// Takes note of the newest requests. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, now: &ResponseView) {
        self.tail.observe(now);
    }

    /// Learns from a normal window.
    pub(crate) fn learn(&mut self, requests: Requests<'_>, step: Step, thresholds: &Thresholds) {
        let Requests { role, now, bytes } = requests;
        let keep = 0.5_f64.powf(step.tick.as_secs_f64() / HALF_LIFE.as_secs_f64());
        self.times.learn(&Lesson { role, window: &now.window, length: step.window, elapsed: step.tick });
        self.tail.learn(&self.times, &now.window, keep, thresholds);
        self.waits.learn(now, keep);
        self.failures.learn(now.calls, keep, step.share);
        if let Some(bytes) = bytes {
            self.bytes = self.bytes * keep + bytes as f64 * step.share;
            self.requests = self.requests * keep + now.window.durations.count() as f64 * step.share;
        }
    }

    /// Payload per request in normal times. `None`: not known.
    pub(crate) fn bytes_each(&self) -> Option<f64> {
        (self.is_known() && self.requests >= 1.0).then(|| self.bytes / self.requests)
    }

    /// Response times in normal times.
    pub(crate) fn times(&self) -> &ResponseBaseline {
        &self.times
    }

    /// Enough is known to judge with.
    pub(crate) fn is_known(&self) -> bool {
        self.times.durations().is_some()
    }

    /// Requests of the window that are slower than usual; see [`Tail::judge`].
    pub(crate) fn slow(&self, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        self.tail.judge(now, thresholds)
    }

    /// The newest requests that a delay makes slow; see [`Tail::above`].
    pub(crate) fn above(&self, now: &ResponseView, delay_us: f64) -> Option<Above> {
        self.tail.above(now, delay_us)
    }

    /// Share of errors among sampled calls in normal times. `None`: not known yet.
    pub(crate) fn usual_errors(&self) -> Option<f64> {
        self.failures.usual()
    }

    /// Sampled calls of the window, if more fail than usual; see [`FailureMemory::judge`].
    pub(crate) fn failing(&self, now: &ResponseView) -> Option<Failing> {
        self.failures.judge(now.calls)
    }

    /// Requests that get no answer; see [`stuck::judge`].
    pub(crate) fn stuck(&self, now: &ResponseView, walked_at: Duration) -> Option<Stuck> {
        stuck::judge(now, &self.times, self.waits, walked_at)
    }
}
