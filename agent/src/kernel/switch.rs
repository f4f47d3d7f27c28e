//! A switch that neither a short burst turns on nor a short pause turns off.

use std::time::Duration;

/// On or off, and since when the facts have spoken against that.
#[derive(Debug)]
pub(super) struct Switch {
    on: bool,
    since: Option<Duration>,
    /// How long they must speak against off, and against on.
    patience: (Duration, Duration),
}

impl Switch {
    /// Off. `rise`: how long it must be high before it is on; `fall`: how long low before it is off.
    pub(super) const fn new(rise: Duration, fall: Duration) -> Self {
        Self { on: false, since: None, patience: (rise, fall) }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.on
    }

    /// Takes the newest facts, of which both may be false, and says whether it is on from now on.
    pub(super) fn update(&mut self, now: Duration, high: bool, low: bool) -> bool {
        let (against, patience) = if self.on { (low, self.patience.1) } else { (high, self.patience.0) };
        if !against {
            self.since = None;
        } else if now.saturating_sub(*self.since.get_or_insert(now)) >= patience {
            self.on = !self.on;
            self.since = None;
        }
        self.on
    }
}
