//! A bound on look-ups a minute.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The time that the bound is for.
const MINUTE: Duration = Duration::from_secs(60);

/// At most so many begins in any minute.
#[derive(Debug)]
pub(super) struct Rate {
    most: usize,
    /// Begins within the last minute.
    begins: VecDeque<Instant>,
}

impl Rate {
    pub(super) fn new(most: u16) -> Self {
        Self { most: usize::from(most), begins: VecDeque::new() }
    }

    /// Counts a begin. `Some`: it must wait for so long, and is not counted.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Duration> {
        while self.begins.front().is_some_and(|begin| now.saturating_duration_since(*begin) >= MINUTE) {
            self.begins.pop_front();
        }
        if let Some(first) = self.begins.front().filter(|_| self.begins.len() >= self.most) {
            return Some(MINUTE.saturating_sub(now.saturating_duration_since(*first)));
        }
        self.begins.push_back(now);
        None
    }
}

#[cfg(test)]
mod tests;
