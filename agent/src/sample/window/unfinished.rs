//! In which of the last seconds servers sent SYN-ACKs again while no handshake completed: sums don't tell clients that
//! try again and again from one whose handshake the kernel's timers repeat.

use crate::sample::Frame;
use netwhy_abi::{EdgeKey, Retransmit, Role};
use std::{collections::HashMap, time::Duration};

/// Ticks that end within this time share a second, ms.
const SHARED_MS: u128 = 750;

/// The newest seconds of all edges.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    /// End of the first tick of the newest second.
    newest: Duration,
    /// One bit for each second, the newest second has the lowest. Edges without any are absent.
    edges: HashMap<EdgeKey, u16>,
}

impl Unfinished {
    /// Adds a tick. A second lasts from 0.75 to 1.25 s, as ticks allow. Of longer ticks only the last second has its
    /// bit.
    pub(super) fn push(&mut self, frame: &Frame) {
        // What the first frame counts is of any time.
        if frame.elapsed.is_zero() {
            return;
        }
        let passed_ms = frame.at.saturating_sub(self.newest).as_millis();
        if passed_ms >= SHARED_MS {
            self.newest = frame.at;
            self.age((passed_ms + SHARED_MS) / 1_000);
        }
        for (key, tally) in &frame.growth.edges {
            if tally.connects(Role::Server) > 0 {
                self.edges.remove(key);
            } else if tally.retransmits[Retransmit::SynAck as usize] > 0 {
                *self.edges.entry(*key).or_default() |= 1;
            }
        }
    }

    fn age(&mut self, seconds: u128) {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.edges.retain(|_, set| {
            *set = set.checked_shl(seconds).unwrap_or(0);
            *set != 0
        });
    }

    /// Those of one edge since its last completed handshake.
    pub(super) fn of(&self, key: &EdgeKey) -> u16 {
        self.edges.get(key).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
