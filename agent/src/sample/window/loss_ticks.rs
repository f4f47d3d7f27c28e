//! In which of the last ticks edges lost something: sums tell no loss that goes on from a burst.

use crate::sample::Frame;
use netwhy_abi::EdgeKey;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Ticks that are remembered at most.
const MOST: usize = u64::BITS as usize;

/// The ticks of a window in which there was a loss episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossTicks {
    /// One bit for each such tick; the newest tick has the lowest.
    pub lossy: u64,
    /// Ticks that are known, at most 64. 0: none, so that nothing follows from `lossy`.
    pub all: u32,
}

impl LossTicks {
    /// Adds those of another edge at the same time.
    pub fn add(&mut self, other: Self) {
        self.lossy |= other.lossy;
        self.all = self.all.max(other.all);
    }

    /// Whether at least half of the ticks have a loss episode. `None`: the ticks are not known.
    pub fn are_most(self) -> Option<bool> {
        (self.all > 0).then(|| 2 * self.lossy.count_ones() >= self.all)
    }
}

/// The newest ticks of all edges.
#[derive(Debug, Default)]
pub(super) struct AllLossTicks {
    /// Ends of the ticks, oldest first.
    ends: VecDeque<Duration>,
    /// See [`LossTicks::lossy`]; edges without any are absent.
    lossy: HashMap<EdgeKey, u64>,
}

impl AllLossTicks {
    /// Adds a tick and forgets those that ended `length` or more before its end.
    pub(super) fn push(&mut self, frame: &Frame, length: Duration) {
        // What the first frame counts is of any time.
        if frame.elapsed.is_zero() {
            return;
        }
        self.ends.push_back(frame.at);
        let begin = frame.at.saturating_sub(length);
        while self.ends.len() > MOST || self.ends.front().is_some_and(|end| *end <= begin) {
            self.ends.pop_front();
        }
        let known = u64::MAX.checked_shr(u64::BITS - self.all()).unwrap_or(0);
        self.lossy.retain(|_, ticks| {
            *ticks = (*ticks << 1) & known;
            *ticks != 0
        });
        for (key, _) in frame.growth.edges.iter().filter(|(_, tally)| tally.loss_episodes > 0) {
            *self.lossy.entry(*key).or_default() |= 1;
        }
    }

    /// Those of one edge.
    pub(super) fn of(&self, key: &EdgeKey) -> LossTicks {
        LossTicks { lossy: self.lossy.get(key).copied().unwrap_or(0), all: self.all() }
    }

    fn all(&self) -> u32 {
        self.ends.len() as u32
    }
}

#[cfg(test)]
mod tests;
