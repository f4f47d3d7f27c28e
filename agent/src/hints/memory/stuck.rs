//! Requests that get no answer at all, while answers usually come.

use crate::{
    baseline::ResponseBaseline,
    state::{RECENT, ResponseView},
};
use netwhy_abi::turn::UNANSWERED_US;
use std::time::Duration;

/// Chance that normal requests wait as long.
pub(crate) const STUCK_ALPHA: f64 = 1e-5;
/// Share of requests, or of walks, from which long waits are normal: streams, and polls that the server holds back.
pub(crate) const USUAL_WAITS: f64 = 0.01;
/// Walks' worth of weight that the first ticks have, so that one wait among few does not excuse an edge.
const MIN_TICKS: f64 = 100.0;
/// Answers per usual answer above which a few waiting requests are no outage.
const ANSWERED: f64 = 0.75;
/// Time between the first and the newest walk that find requests: the same ones wait on.
const MIN_RUN: Duration = Duration::from_millis(900);
/// Requests given up in the last seconds that speak without a walk.
const MIN_GIVEN_UP: u64 = 3;
/// Requests that an upper quantile needs to be taken for the 99th percentile.
const MANY_REQUESTS: f64 = 100.0;
/// Known requests that say something of far longer ones.
const MIN_KNOWN: f64 = 20.0;

/// Requests without an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stuck {
    /// Requests that wait.
    pub(crate) waiting: u64,
    /// Requests that ended in the last seconds without an answer.
    pub(crate) given_up: u64,
    /// Time for which requests have waited, µs. 0: none waits, all were given up.
    pub(crate) age_us: f64,
    /// Answers in the last seconds.
    pub(crate) answered: u64,
    /// Answers in as many seconds of normal times.
    pub(crate) usually: f64,
    /// 99th percentile of normal response times, µs; of few requests their highest known quantile.
    pub(crate) usual_us: f64,
    /// Logarithm of the chance that normal requests wait as long.
    pub(crate) ln_p: f64,
}

impl Stuck {
    /// Time for which requests have waited. Zero: none waits.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_micros(self.age_us as u64)
    }
}

/// How often walks find requests that wait, in normal times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waits {
    ticks: f64,
    waiting: f64,
}

impl Waits {
    /// Learns from a normal tick. `keep`: weight that the past keeps.
    pub(crate) fn learn(&mut self, now: &ResponseView, keep: f64) {
        self.ticks = self.ticks * keep + 1.0;
        self.waiting = self.waiting * keep + f64::from(u8::from(now.waiting.is_some()));
    }

    fn are_usual(self) -> bool {
        self.waiting > USUAL_WAITS * self.ticks.max(MIN_TICKS)
    }
}

/// Requests wait, and answers fell far below their usual rate meanwhile: that may be the begin of an outage.
pub(crate) fn look_stuck(now: &ResponseView, times: &ResponseBaseline) -> bool {
    let usually = times.per_second().map(|per_second| per_second * RECENT.as_secs_f64());
    now.waiting.is_some() && usually.is_some_and(|usually| answered(now) as f64 <= ANSWERED * usually)
}

/// Answers in the last seconds.
fn answered(now: &ResponseView) -> u64 {
    now.recent.durations.count().saturating_sub(now.recent.unanswered)
}

/// Judges the requests that the walk at `walked_at` found without an answer, or that their clients gave up. `None`: there
/// are none, such waits are normal here, answers go on, or too little is known.
pub(crate) fn judge(now: &ResponseView, times: &ResponseBaseline, waits: Waits, walked_at: Duration) -> Option<Stuck> {
    let durations = times.durations().filter(|_| times.observed() >= MIN_KNOWN)?;
    let slow_share = durations.share_above(UNANSWERED_US as u32)?;
    if waits.are_usual() || slow_share > USUAL_WAITS {
        return None;
    }
    let (recent, answered) = (&now.recent, answered(now));
    let late = recent.durations.count() - recent.durations.count_up_to(UNANSWERED_US as u32);
    let usually = times.per_second()? * RECENT.as_secs_f64();
    // Late answers are answers.
    if late > recent.unanswered || answered as f64 > ANSWERED * usually {
        return None;
    }
    let known = durations.count().min(MANY_REQUESTS);
    let usual_us = [0.99, 0.95, 0.9, 0.5].into_iter().find_map(|q| durations.quantile_us(q))?;
    // Long waits are rarer than short ones, in proportion at least. That is a long tail.
    let chance_ln = |age_us: f64| {
        let above = durations.share_above(age_us.min(f64::from(u32::MAX)) as u32).unwrap_or(0.0);
        above.max((usual_us / age_us).min(1.0) / known).ln()
    };
    let each_ln = chance_ln(UNANSWERED_US as f64);
    let waiting = now.waiting.map(|waiting| (waiting.requests, walked_at.saturating_sub(waiting.since)));
    if let Some((requests, run)) = waiting.filter(|(_, run)| *run >= MIN_RUN) {
        let age_us = UNANSWERED_US as f64 + run.as_micros() as f64;
        let rest = requests.saturating_sub(1) + recent.unanswered;
        let ln_p = chance_ln(age_us) + rest as f64 * each_ln;
        return Some(Stuck {
            waiting: requests,
            given_up: recent.unanswered,
            age_us,
            answered,
            usually,
            usual_us,
            ln_p,
        });
    }
    // Clients of little patience leave nothing for a walk to find. Nothing at all is answered, then.
    let is_outage = answered == 0 && recent.unanswered >= MIN_GIVEN_UP && usually >= MIN_GIVEN_UP as f64;
    let ln_p = recent.unanswered as f64 * each_ln;
    let given_up = recent.unanswered;
    is_outage.then_some(Stuck { waiting: 0, given_up, age_us: 0.0, answered, usually, usual_us, ln_p })
}

#[cfg(test)]
mod tests;
