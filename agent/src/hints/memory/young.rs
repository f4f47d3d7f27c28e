//! Windows that wait to be learned while little is known of an edge or server.
//!
//! A baseline of seconds must grow, and the begin of a fault must not be learned. So the newest third of the time waits.
//! Whole windows would be too few, so these overlap, and each is learned by the part that is new.

use super::{pending::lag, requests::Requests};
use crate::sample::Responses;
use std::{collections::VecDeque, time::Duration};

/// Windows that wait at most, beside one that is due.
const MAX_WINDOWS: u32 = 6;

/// A window of which a part is new.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) responses: Responses,
    /// Payload that was acknowledged or received. `None`: not known.
    pub(crate) bytes: Option<u64>,
    pub(crate) length: Duration,
    /// The part that is new: time since the window before.
    pub(crate) elapsed: Duration,
    /// Monotonic.
    end: Duration,
}

/// The newest windows of one edge or server. Takes about a kilobyte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Young {
    /// Oldest first.
    windows: VecDeque<Part>,
    /// Time since the newest of them.
    elapsed: Duration,
    /// When trouble was last seen, monotonic. `None`: never.
    troubled_at: Option<Duration>,
}

impl Young {
    /// Takes note of a normal window. `tick`: time since the tick before; `known`: time that the baseline stands for.
    pub(crate) fn add(&mut self, requests: &Requests<'_>, tick: Duration, known: Duration) {
        let Requests { now, bytes, at, length, .. } = *requests;
        if self.troubled_at.is_some_and(|troubled| at.saturating_sub(length) < troubled) {
            return;
        }
        self.elapsed += tick;
        if self.elapsed >= lag(known) / MAX_WINDOWS {
            let (responses, elapsed) = (now.window.clone(), std::mem::take(&mut self.elapsed));
            self.windows.push_back(Part { responses, bytes, length, elapsed, end: at });
        }
    }

    /// A finding or a hint explains the window that ends at `at`: nothing that waits is normal for certain.
    pub(crate) fn distrust(&mut self, at: Duration) {
        *self = Self { troubled_at: Some(at), ..Self::default() };
    }

    /// Whether a window is old enough to be learned.
    pub(crate) fn is_due(&self, at: Duration, known: Duration) -> bool {
        self.windows.front().is_some_and(|part| part.is_old(at, known))
    }

    /// Takes the oldest of these windows.
    pub(crate) fn take_due(&mut self, at: Duration, known: Duration) -> Option<Part> {
        self.windows.pop_front_if(|part| part.is_old(at, known))
    }
}

impl Part {
    fn is_old(&self, at: Duration, known: Duration) -> bool {
        at.saturating_sub(self.end) >= lag(known)
    }
}

#[cfg(test)]
mod tests;
