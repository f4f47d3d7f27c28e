//! Event rates, and the rate above which a probe runs on a duty cycle.

use super::hysteresis::Hysteresis;
use netwhy_abi::Duty;
use std::time::Duration;

/// How long the rate must be above the threshold before it counts as exceeded …
const RISE: Duration = Duration::from_secs(2);
/// … and below half of it before it no longer does.
const FALL: Duration = Duration::from_secs(10);

/// A rate threshold with hysteresis.
#[derive(Debug)]
pub(super) struct RateThreshold {
    /// Events per second.
    rate: f64,
    hysteresis: Hysteresis,
    was_exceeded: bool,
}

impl RateThreshold {
    pub(super) fn new(rate: f64) -> Self {
        Self { rate, hysteresis: Hysteresis::new(RISE, FALL), was_exceeded: false }
    }

    /// Another threshold from now on, in events per second.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
    }

    /// The probe did not run for a while, for another reason.
    pub(super) fn note_gap(&mut self) {
        self.was_exceeded = true;
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.hysteresis.is_on()
    }

    /// Takes the newest rate and returns whether the threshold is exceeded now.
    pub(super) fn update(&mut self, now: Duration, rate: f64) -> bool {
        let is_exceeded = self.hysteresis.update(now, rate >= self.rate, rate < self.rate / 2.0);
        self.was_exceeded |= is_exceeded;
        is_exceeded
    }

    /// Duty of a probe that runs on a duty cycle while the threshold is exceeded.
    pub(super) fn duty(&self) -> Duty {
        match (self.is_exceeded(), self.was_exceeded) {
            (true, _) => Duty::Reduced,
            (false, true) => Duty::Restored,
            (false, false) => Duty::Continuous,
        }
    }
}

/// Events per second, from a counter.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    /// Counter and time at the last reading.
    last: Option<(u64, Duration)>,
    rate: f64,
}

impl RateMeter {
    /// The last rate.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes the counter at `time` and returns the rate since the last reading. `weight`: events that one count stands
    /// for. The rate stays when no time passed.
    pub(super) fn update(&mut self, time: Duration, count: u64, weight: f64) -> f64 {
        if let Some((before, since)) = self.last.replace((count, time)) {
            let seconds = time.saturating_sub(since).as_secs_f64();
            if seconds > 0.0 {
                self.rate = count.saturating_sub(before) as f64 * weight / seconds;
            }
        }
        self.rate
    }

    /// Forgets the last reading: the next one starts anew.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests;
