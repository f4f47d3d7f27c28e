//! Exchanges of busy connections: each counts, or while very many are counted, about one per [pace](netwhy_abi::pace).

use super::threshold::RateMeter;
use std::time::Duration;

/// Counted exchanges per second and CPU above which the pace rises. In 10 s, a window of judgement, 100 of so many are
/// above their 99th percentile, and their number is sure to 10 % (Poisson). More would tell little more, and would cost
/// as much again.
const MOST: f64 = 1_000.0;
/// Share of that below which the pace falls again.
const FEW: f64 = 0.25;

/// How long the rate must be above it before exchanges are left out at all, between two further steps, and how long it
/// must be low.
const RISE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(500);
const FALL: Duration = Duration::from_secs(10);

/// The shortest pace, µs: most connections have fewer exchanges. And the longest, which a window still holds ten times.
const SHORTEST_US: u32 = 250;
const LONGEST_US: u32 = 1_000_000;
/// Bounds of one step upwards.
const STEPS: (f64, f64) = (2.0, 16.0);

/// Follows the rate of counted exchanges.
pub(in crate::kernel) struct Pace {
    timed: RateMeter,
    /// Counted exchanges per second of this machine.
    most: f64,
    /// 0: each exchange counts.
    us: u32,
    /// Whether the last reading has one before it, so that there is a rate.
    has_begun: bool,
    /// Since when the rate is high, or low; after a step, since that.
    high_since: Option<Duration>,
    low_since: Option<Duration>,
}

impl Pace {
    /// `cpus`: of this machine.
    pub(in crate::kernel) fn new(cpus: u64) -> Self {
        let most = MOST * cpus.max(1) as f64;
        Self { timed: RateMeter::default(), most, us: 0, has_begun: false, high_since: None, low_since: None }
    }

    /// No exchanges were counted for a while, for another reason. The pace stays until there is a rate again.
    pub(in crate::kernel) fn restart(&mut self) {
        self.timed.restart();
        (self.has_begun, self.high_since, self.low_since) = (false, None, None);
    }

    /// Takes the number of exchanges counted so far, and returns the pace from now on, µs; 0: each exchange counts, as
    /// always while the machine is not busy.
    pub(in crate::kernel) fn follow(&mut self, now: Duration, timed: u64, is_busy: bool) -> u32 {
        let rate = self.timed.update(now, timed, 1.0);
        let has_rate = std::mem::replace(&mut self.has_begun, true);
        let (is_high, is_low) = (has_rate && rate > self.most, has_rate && rate < self.most * FEW);
        self.high_since = is_high.then_some(self.high_since.unwrap_or(now));
        self.low_since = is_low.then_some(self.low_since.unwrap_or(now));
        let lasts = |since: Option<Duration>, patience: Duration| {
            since.is_some_and(|since| now.saturating_sub(since) >= patience)
        };
        if !is_busy {
            self.us = 0;
        } else if lasts(self.high_since, if self.us == 0 { RISE } else { STEP }) {
            let longer = f64::from(self.us.max(SHORTEST_US)) * (rate / self.most).clamp(STEPS.0, STEPS.1);
            self.us = longer.min(f64::from(LONGEST_US)) as u32;
            self.high_since = Some(now);
        } else if lasts(self.low_since, FALL) {
            self.us = if self.us > SHORTEST_US { self.us / 2 } else { 0 };
            self.low_since = Some(now);
        }
        self.us
    }
}

#[cfg(test)]
mod tests;
