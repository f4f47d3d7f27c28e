//! Seconds of the last minute in which an edge lost something, and those in which its peer answered.
//!
//! The sums of a window don't tell a fault that comes and goes from losses at any time.

use crate::{sample::Tally, state::EdgeView};
use netwhy_abi::{Retransmit, Role};
use std::time::Duration;

/// Seconds that are remembered, fewer than the bits of a set.
pub(crate) const REMEMBERED: u32 = 60;
const ALL: u64 = (1 << REMEMBERED) - 1;

/// Sets of seconds, one bit each; the newest second has the lowest. Those of all edges are the same seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    /// Something was sent again, SYNs among it.
    pub(crate) lost: u64,
    /// A timeout sent something again: nothing was acknowledged for at least the kernel's least timeout.
    pub(crate) timed_out: u64,
    /// The peer acknowledged or sent data, or shook hands.
    pub(crate) answered: u64,
    /// A connection was made.
    pub(crate) opened: u64,
}

impl Moments {
    /// Adds those of another edge.
    pub(crate) const fn add(&mut self, other: Self) {
        self.lost |= other.lost;
        self.timed_out |= other.timed_out;
        self.answered |= other.answered;
        self.opened |= other.opened;
    }

    fn age(&mut self, seconds: u64) {
        for set in [&mut self.lost, &mut self.timed_out, &mut self.answered, &mut self.opened] {
            let shifted = u32::try_from(seconds).ok().and_then(|n| set.checked_shl(n));
            *set = shifted.unwrap_or(0) & ALL;
        }
    }
}

/// The memory of one edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MomentMemory {
    /// The newest second, since the clock's begin.
    second: u64,
    moments: Moments,
    /// Retransmissions, those by timeouts, and connections that were made: in the window and in its last seconds, one
    /// tick ago.
    before: [[u64; 3]; 2],
}

impl MomentMemory {
    /// Takes note of the newest tick. Call once per tick, before judging. `at`: monotonic.
    pub(crate) fn observe(&mut self, edge: &EdgeView, at: Duration) {
        let second = at.as_secs();
        self.moments.age(second.saturating_sub(self.second));
        self.second = second;
        let now = [counts(&edge.window), counts(&edge.recent)];
        // A sum rises only by new ones.
        let is_new = |kind: usize| now.iter().zip(&self.before).any(|(now, before)| now[kind] > before[kind]);
        let [lost, timed_out, opened] = [0, 1, 2].map(|kind| u64::from(is_new(kind)));
        let newest = Moments { lost, timed_out, answered: u64::from(edge.answered), opened };
        self.before = now;
        self.moments.add(newest);
    }

    /// Of the last minute before the newest tick, and that tick.
    pub(crate) const fn get(&self) -> Moments {
        self.moments
    }
}

/// Data and SYNs that were sent again, those of them that a timeout sent, and handshakes that completed.
const fn counts(tally: &Tally) -> [u64; 3] {
    let [syns, timeouts, probes] = [
        tally.retransmits[Retransmit::Syn as usize],
        tally.retransmits[Retransmit::Timeout as usize],
        tally.retransmits[Retransmit::TailLossProbe as usize],
    ];
    let fast = tally.retransmits[Retransmit::Fast as usize];
    let made = tally.connects[Role::Client as usize] + tally.connects[Role::Server as usize];
    [syns + timeouts + probes + fast, syns + timeouts, made]
}

#[cfg(test)]
mod tests;
