//! Moments of resets with answers between them: of connections that were cut while busy, and of refused attempts.
//!
//! A restart of the peer's program makes one such moment, and a trouble that comes and goes makes many.

use crate::sample::Tally;
use netwhy_abi::{Cut, Failure};
use std::time::Duration;

/// Time for which a moment is remembered.
const MEMORY: Duration = Duration::from_secs(120);
/// Moments that are remembered.
const MOST: usize = 8;
/// Longest time without a reset after which a trouble that comes and goes still goes on.
const PATIENCE: Duration = Duration::from_secs(30);
/// Terms of a sum over resets, at most, …
const TERMS: u64 = 32;
/// … and steps in the search for the lowest bound: both bound the work, and any value of them is on the safe side.
const STEPS: u32 = 16;

/// Resets that a client receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resets {
    /// Connections reset while something of the client was under way.
    pub(crate) cut: u64,
    /// Attempts to connect that were refused.
    pub(crate) refused: u64,
}

impl Resets {
    pub(crate) fn of(tally: &Tally) -> Self {
        Self { cut: tally.cuts[Cut::Busy as usize], refused: tally.failures(Failure::Refused) }
    }

    pub(crate) const fn all(self) -> u64 {
        self.cut + self.refused
    }

    /// Those that are new for certain: a sum rises only by new ones. `now`, `before`: sums over different times.
    pub(crate) fn growth(now: [Self; 2], before: [Self; 2]) -> Self {
        let grown = |of: fn(Self) -> u64| {
            let rises = now.iter().zip(before).map(|(now, before)| of(*now).saturating_sub(of(before)));
            rises.max().unwrap_or(0)
        };
        Self { cut: grown(|resets: Self| resets.cut), refused: grown(|resets: Self| resets.refused) }
    }

    const fn add(&mut self, more: Self) {
        self.cut += more.cut;
        self.refused += more.refused;
    }
}

/// One tick of an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Its time, monotonic.
    pub(crate) at: Duration,
    /// Resets that are new in it.
    pub(crate) new: Resets,
    /// The last seconds before it brought answers and no reset.
    pub(crate) was_well: bool,
    /// Requests that were answered in it.
    pub(crate) answers: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moment {
    /// First and last tick with resets, monotonic.
    begin: Duration,
    end: Duration,
    resets: Resets,
    /// Requests that were answered between its resets, and until the next moment.
    answers: f64,
    /// Requests that were answered in its ticks with resets.
    beside: f64,
}

/// The last moments of one edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments {
    /// Oldest first.
    last: Vec<Moment>,
    /// Resets and answers of those before, while any is left.
    resets_before: u64,
    answers_before: f64,
}

/// Moments that go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Series {
    /// Number of moments, at least 2 …
    pub(crate) moments: usize,
    /// … and of those with refused attempts.
    pub(crate) refusing: usize,
    /// Resets of all of them.
    pub(crate) resets: Resets,
    /// Requests that were answered since the first one began, but for those of ticks with resets, …
    pub(crate) answers: f64,
    /// … and those.
    pub(crate) beside: f64,
    /// Time since the first one began.
    pub(crate) span: Duration,
}

impl Moments {
    pub(crate) fn observe(&mut self, seen: &Seen) {
        let Seen { at, new, was_well, answers } = *seen;
        while self.last.first().is_some_and(|first| at.saturating_sub(first.begin) > MEMORY) {
            self.drop_first();
        }
        if self.last.is_empty() {
            *self = Self::default();
        }
        if new.all() == 0 {
            if let Some(newest) = self.last.last_mut() {
                newest.answers += answers;
            }
            return;
        }
        // Resets after a time without answers may be those of connections that the server closed because they idled.
        if was_well || self.last.is_empty() {
            if self.last.len() == MOST {
                self.drop_first();
            }
            self.last.push(Moment { begin: at, ..Moment::default() });
        }
        if let Some(newest) = self.last.last_mut() {
            newest.end = at;
            newest.resets.add(new);
            newest.beside += answers;
        }
    }

    fn drop_first(&mut self) {
        let first = self.last.remove(0);
        self.resets_before += first.resets.all();
        self.answers_before += first.answers;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// The moments, while they go on: the time since the newest one is no longer than the longest between two of them.
    /// `None`: there is one at most, or they are over.
    pub(crate) fn series(&self, at: Duration) -> Option<Series> {
        let (first, newest) = (self.last.first()?, self.last.last()?);
        let pairs = self.last.iter().zip(self.last.iter().skip(1));
        let longest = pairs.map(|(one, next)| next.begin.saturating_sub(one.end)).max()?;
        if at.saturating_sub(newest.end) > longest.min(PATIENCE) {
            return None;
        }
        let mut resets = Resets::default();
        self.last.iter().for_each(|moment| resets.add(moment.resets));
        Some(Series {
            moments: self.last.len(),
            refusing: self.last.iter().filter(|moment| moment.resets.refused > 0).count(),
            resets,
            answers: self.last.iter().map(|moment| moment.answers).sum(),
            beside: self.last.iter().map(|moment| moment.beside).sum(),
            span: at.saturating_sub(first.begin),
        })
    }

    /// Logarithm of the chance, at most, that dead connections of one pool make so few resets among so many answers. All
    /// died at once, each use of one is a reset and replaces it, and requests choose at random.
    ///
    /// There were as many as resets by now, or more. So after `n` of `all` resets, a request finds a live one with a chance
    /// of `n / all` at most. One after another, or the oldest first, they would be used up sooner.
    pub(crate) fn ln_pool(&self) -> f64 {
        let (mut resets, mut answers) = (self.resets_before, self.answers_before);
        let all = resets + self.last.iter().map(|moment| moment.resets.all()).sum::<u64>();
        let mut lowest = 0.0_f64;
        for moment in self.last.iter().take(self.last.len().saturating_sub(1)) {
            resets += moment.resets.all();
            answers += moment.answers;
            lowest = lowest.min(ln_waits(answers, resets, all));
        }
        // Each end of a moment is a test of its own.
        (lowest + (self.last.len().max(1) as f64).ln()).min(0.0)
    }
}

/// Upper bound (Chernoff) of the logarithm of the chance of so many answers before the next reset, where after `n` resets
/// each request is answered with a chance of `n / all`. `resets`: those so far, 1 or more and less than `all`.
fn ln_waits(answers: f64, resets: u64, all: u64) -> f64 {
    let most = all as f64 / resets as f64;
    let bound = |step: u32| {
        let z = 1.0 + (most - 1.0) * f64::from(step) / f64::from(STEPS);
        let (block, mut done, mut ln) = (resets.div_ceil(TERMS), 0_u64, -answers * z.ln());
        while done < resets {
            let terms = block.min(resets - done);
            done += terms;
            // The highest chance of the block stands for all of it.
            let chance = done as f64 / all as f64;
            ln += terms as f64 * ((1.0 - chance) / (1.0 - chance * z)).ln();
        }
        ln
    };
    (1..STEPS).map(bound).fold(0.0, f64::min)
}

#[cfg(test)]
mod tests;
