//! A switch that ignores short bursts and short pauses.

use std::time::Duration;

/// Turns on after the input is high for some time, and off after it is low for some time.
#[derive(Debug)]
pub(super) struct Hysteresis {
    is_on: bool,
    /// Since when the input contradicts the state.
    since: Option<Duration>,
    /// How long the input must be high before the switch turns on.
    rise: Duration,
    /// How long the input must be low before the switch turns off.
    fall: Duration,
}

impl Hysteresis {
    /// Starts off.
    pub(super) const fn new(rise: Duration, fall: Duration) -> Self {
        Self { is_on: false, since: None, rise, fall }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Takes the newest input and returns the new state. Between high and low, both are false.
    pub(super) fn update(&mut self, now: Duration, is_high: bool, is_low: bool) -> bool {
        let (contradicts, patience) = if self.is_on { (is_low, self.fall) } else { (is_high, self.rise) };
        if !contradicts {
            self.since = None;
        } else if now.saturating_sub(*self.since.get_or_insert(now)) >= patience {
            self.is_on = !self.is_on;
            self.since = None;
        }
        self.is_on
    }
}
