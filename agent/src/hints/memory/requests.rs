//! Memory of the requests of one edge or server.

use super::{
    failures::{Failing, FailureMemory},
    mean::Step,
    pending::{Past, Pending, Suspicion},
    stuck::{self, Stuck, Waits},
    tail::{Above, Gathered, Slow, Tail},
    young::{Part, Young},
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

/// The present window of one end.
#[derive(Clone, Copy)]
pub(crate) struct Requests<'a> {
    pub(crate) role: Role,
    pub(crate) now: &'a ResponseView,
    /// Payload that was acknowledged or received. `None`: not known.
    pub(crate) bytes: Option<u64>,
    /// Its end, monotonic.
    pub(crate) at: Duration,
    pub(crate) length: Duration,
}

/// Requests from which whole windows wait before they are learned: until then, a baseline that grows is the better one.
const MANY_REQUESTS: f64 = 100.0;

/// Response times, shares of slow requests and waits in normal times.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestMemory {
    times: ResponseBaseline,
    tail: Tail,
    waits: Waits,
    /// Waits look like an outage.
    suspicion: Suspicion,
    failures: FailureMemory,
    /// Windows that wait, until enough is known for whole ones.
    young: Young,
    pending: Pending,
    /// What the newest windows say beside those before.
    gathered: Gathered,
    /// Time of the newest tick, monotonic.
    at: Duration,
    /// Decaying sums of payload, and of the requests that it belongs to.
    bytes: f64,
    requests: f64,
}

impl RequestMemory {
    /// Takes note of the newest requests. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, requests: &Requests<'_>, thresholds: &Thresholds) {
        self.at = requests.at;
        self.tail.observe(requests.now);
        if self.is_settled() {
            self.pending.observe(requests);
        } else {
            self.pending.observe_only(requests);
        }
        self.gathered = self.tail.gather(requests.now, || self.pending.history(), thresholds);
    }

    /// The present window has a finding or a hint.
    pub(crate) fn distrust(&mut self) {
        self.pending.distrust(self.gathered.slow.map_or(1, |slow| slow.windows));
        self.young.distrust(self.at);
    }

    /// Learns in a normal window: that one while hardly anything is known, then those that are old enough.
    pub(crate) fn learn(&mut self, requests: &Requests<'_>, step: Step, thresholds: &Thresholds) {
        let Requests { role, now, at, .. } = *requests;
        let (is_settled, keep) = (self.is_settled(), keep_over(step.tick));
        self.at = at;
        if !self.suspicion.holds(at, stuck::look_stuck(now, &self.times)) {
            self.waits.learn(now, keep);
        }
        if !is_settled || self.failures.usual().is_none() {
            self.failures.learn(now.calls, keep, step.share);
            self.pending.forget_calls();
        }
        if is_settled {
            self.young = Young::default();
            self.learn_past(role, now, thresholds);
            return;
        }
        self.pending.restart(at);
        let known = if self.is_known() { self.times.time() } else { Duration::ZERO };
        self.young.add(requests, step.tick, known);
        if self.young.is_due(at, known) {
            self.learn_first(role, now, known, thresholds);
        }
    }

    /// Learns from the first windows that are old enough. While newer ones look slow, only those are learned that have no
    /// slow request.
    fn learn_first(&mut self, role: Role, now: &ResponseView, known: Duration, thresholds: &Thresholds) {
        let is_suspect = self.gathered.is_suspect || self.tail.suspects(now, std::iter::empty(), thresholds);
        let is_held_back = self.pending.is_held_back(is_suspect);
        while let Some(part) = self.young.take_due(self.at, known) {
            let Part { responses: window, bytes, length, elapsed, .. } = &part;
            if is_held_back && self.tail.is_exceeded_in(window) {
                continue;
            }
            self.learn_times(&Lesson { role, window, length: *length, elapsed: *elapsed }, *bytes);
            self.tail.learn(&self.times, window, keep_over(*elapsed), thresholds);
        }
    }

    /// Learns from the windows that are old enough, unless these and newer ones look slow.
    fn learn_past(&mut self, role: Role, now: &ResponseView, thresholds: &Thresholds) {
        let known = self.times.time();
        if !self.pending.is_due(known) {
            return;
        }
        let is_suspect = self.gathered.is_suspect || self.tail.suspects(now, self.pending.before(), thresholds);
        let is_held_back = self.pending.is_held_back(is_suspect);
        while let Some(past) = self.pending.take_due(known) {
            if !is_held_back {
                self.learn_window(role, &past, thresholds);
            }
        }
    }

    fn learn_window(&mut self, role: Role, past: &Past, thresholds: &Thresholds) {
        let Past { responses: window, calls, bytes, length, .. } = past;
        let keep = keep_over(*length);
        self.failures.learn(*calls, keep, 1.0);
        self.learn_times(&Lesson { role, window, length: *length, elapsed: *length }, *bytes);
        self.tail.learn_whole(&self.times, window, keep, thresholds);
    }

    fn learn_times(&mut self, lesson: &Lesson<'_>, bytes: Option<u64>) {
        self.times.learn(lesson);
        let Some(bytes) = bytes.filter(|_| !lesson.length.is_zero()) else { return };
        let keep = keep_over(lesson.elapsed);
        let share = (lesson.elapsed.as_secs_f64() / lesson.length.as_secs_f64()).min(1.0);
        self.bytes = self.bytes * keep + bytes as f64 * share;
        self.requests = self.requests * keep + lesson.window.durations.count() as f64 * share;
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

    /// Enough is known for whole windows to wait.
    fn is_settled(&self) -> bool {
        self.is_known() && self.times.observed() >= MANY_REQUESTS
    }

    /// So little is known that only a strict test is possible; see [`Tail::judge_few`].
    pub(crate) fn is_little_known(&self) -> bool {
        self.tail.are_few()
    }

    /// Requests that are slower than usual: of the window that was observed last, or of several ones that have few each;
    /// see [`Tail::judge`], [`Tail::judge_together`] and [`Tail::gather`].
    pub(crate) fn slow(&self, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        let together = || self.tail.judge_together(now, self.pending.before(), thresholds);
        self.tail.judge(now, thresholds).or_else(together).or(self.gathered.slow)
    }

    /// Requests that are slower than the few that are known; see [`Tail::judge_few`].
    pub(crate) fn slow_by_few(&self, now: &ResponseView, thresholds: &Thresholds) -> Option<Slow> {
        self.tail.judge_few(now, thresholds)
    }

    /// The newest requests that a delay makes slow; see [`Tail::above`].
    pub(crate) fn above(&self, now: &ResponseView, delay_us: f64) -> Option<Above> {
        self.tail.above(now, delay_us)
    }

    /// Requests of the whole window that a delay makes slow; see [`Tail::above_in`].
    pub(crate) fn above_in_window(&self, now: &ResponseView, delay_us: f64) -> Option<Above> {
        self.tail.above_in(&now.window, delay_us)
    }

    /// Share of its requests above a limit in normal times, above 0 … 1: one more than is known may be normal. `None`: too
    /// few are known. `limit_us`: one of the bounds of their histogram.
    pub(crate) fn usual_above(&self, limit_us: u32) -> Option<f64> {
        let durations = self.times.durations()?;
        let known = durations.count();
        Some((durations.share_above(limit_us)? * known + 1.0) / (known + 1.0))
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

/// Weight that the past keeps over a time.
pub(super) fn keep_over(time: Duration) -> f64 {
    0.5_f64.powf(time.as_secs_f64() / HALF_LIFE.as_secs_f64())
}

#[cfg(test)]
mod tests;
