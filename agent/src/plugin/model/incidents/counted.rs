//! Firings from `netwhy_hint_seconds_total`, as Prometheus kept it.
//!
//! A series is there while its hint fires and 15 minutes longer, and counts the seconds for which it fired. Of each step
//! the highest value is known. What it grew by is the time that the hint fired in that step, so that no incident
//! between two scrapes is lost.

use super::Firing;

/// An agent keeps a series for so long after its last hint, ms. Later it begins at zero.
const KEPT: i64 = 900_000;

/// One series.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// End of a step, ms since the Unix epoch, and the highest value in it, s. In order.
    pub samples: &'a [(i64, f64)],
    /// End of the first step that was asked for, ms. What had been counted then was before.
    pub first: i64,
    /// End of the last step, ms.
    pub last: i64,
    /// Length of a step, ms.
    pub step: i64,
}

/// A run of steps in which it fired.
struct Run {
    first: i64,
    first_fired: i64,
    last: i64,
    last_fired: i64,
    fired: i64,
}

impl Counted<'_> {
    /// The firings, with the names of `like`. Values that no counter has are left out.
    pub fn firings(&self, like: &Firing) -> Vec<Firing> {
        let mut runs: Vec<Run> = Vec::new();
        let mut before: Option<(i64, f64)> = None;
        for &(at, value) in self.samples.iter().filter(|(_, value)| value.is_finite() && *value >= 0.0) {
            let fired = match before {
                Some((then, known)) if value >= known && at.saturating_sub(then) <= self.step + KEPT => value - known,
                None if at <= self.first => 0.0,
                _ => value,
            };
            before = Some((at, value));
            // The last scrape of a step may be older than its end by a scrape's interval, which is no longer than a step.
            let fired = ((fired * 1e3) as i64).clamp(0, self.step.saturating_mul(2));
            if fired == 0 {
                continue;
            }
            match runs.last_mut() {
                Some(run) if at.saturating_sub(run.last) <= self.step => {
                    (run.last, run.last_fired) = (at, fired);
                    run.fired += fired;
                }
                _ => runs.push(Run { first: at, first_fired: fired, last: at, last_fired: fired, fired }),
            }
        }
        runs.iter().map(|run| self.firing(run, like)).collect()
    }

    fn firing(&self, run: &Run, like: &Firing) -> Firing {
        // In one step it may have fired at any time. In several it fired to the end of the first one.
        let is_one = run.first == run.last;
        let from = run.first.saturating_sub(if is_one { self.step } else { run.first_fired.min(self.step) });
        let to = if is_one { run.last } else { run.last.saturating_sub(self.step) + run.last_fired.min(self.step) };
        Firing {
            from,
            to,
            lasts: run.last >= self.last,
            fired_ms: run.fired as f64,
            resolution: self.step,
            ..like.clone()
        }
    }
}

#[cfg(test)]
mod tests;
