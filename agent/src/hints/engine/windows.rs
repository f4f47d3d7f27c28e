//! Evidence of windows in a row. Only those that share no moment are evidence of their own.

use std::time::Duration;

/// Windows in which a rule held, without one between them in which it did not.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    /// Evidence of those that share no moment with each other, with `last`, or with the newest one, nats.
    earlier: f64,
    /// The first one after these: its end, monotonic, and its evidence. The newest one may overlap it.
    last: Option<(Duration, f64)>,
}

impl Windows {
    /// The rule holds by evidence of so long a time, which ends now: a window's length or more. Returns the evidence of all windows in a row that share
    /// no moment, this one among them, nats.
    pub(crate) fn hold(&mut self, nats: f64, at: Duration, length: Duration) -> f64 {
        let nats = nats.max(0.0);
        match self.last {
            Some((end, before)) if at.saturating_sub(end) >= length => {
                self.earlier += before;
                self.last = Some((at, nats));
            }
            Some(_) => {}
            None => self.last = Some((at, nats)),
        }
        self.earlier + nats
    }

    /// The rule does not hold: what comes later may be another trouble.
    pub(crate) fn miss(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LENGTH: Duration = Duration::from_secs(10);

    /// Evidence after so many windows, one a second.
    fn after(windows: &mut Windows, seconds: std::ops::Range<u32>) -> f64 {
        seconds.fold(0.0, |_, second| windows.hold(4.0, second * SECOND, LENGTH))
    }

    #[test]
    fn windows_that_overlap_are_one_evidence() {
        assert_eq!(after(&mut Windows::default(), 0..10), 4.0);
    }

    #[test]
    fn windows_that_share_no_moment_add_up() {
        assert_eq!(after(&mut Windows::default(), 0..11), 8.0);
        assert_eq!(after(&mut Windows::default(), 0..31), 16.0);
    }

    /// Twice as long as they are apart, and ever longer, as one request that waits.
    #[test]
    fn evidence_of_several_windows_counts_no_moment_twice() {
        let mut windows = Windows::default();
        let mut every_window = |n: u32, length: Duration| windows.hold(4.0, 10 * n * SECOND, length);
        assert_eq!([0, 1, 2, 3].map(|n| every_window(n, 2 * LENGTH)), [4.0, 4.0, 8.0, 8.0]);
        let mut windows = Windows::default();
        assert_eq!((1..60).map(|n| windows.hold(4.0, n * SECOND, (n + 1) * SECOND)).last(), Some(4.0));
    }

    #[test]
    fn a_window_without_it_begins_anew() {
        let mut windows = Windows::default();
        after(&mut windows, 0..25);
        windows.miss();
        assert_eq!(after(&mut windows, 26..30), 4.0);
    }
}
