//! The moments of an edge while all its round trips are longer than usual.

use super::path::{Path, are_recent};
use crate::state::{EdgeView, RECENT};
use std::{collections::VecDeque, time::Duration};

/// Time that is remembered: a window, and what ticks may be late.
const KEPT: Duration = Duration::from_secs(12);
/// Least time between two beats: ticks may be shorter.
const APART: Duration = Duration::from_millis(500);

/// One moment of a rise. Sums are those of the last seconds; see [`RECENT`](crate::state::RECENT).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beat {
    /// Monotonic.
    pub(crate) at: Duration,
    /// Median of the round trips that showed the rise, µs.
    pub(crate) median_us: f64,
    /// Payload both ways, bytes.
    pub(crate) bytes: u64,
    /// Round trips.
    pub(crate) samples: u64,
}

/// A rise, from its first moment on.
#[derive(Clone, Debug, Default)]
pub(crate) struct RiseMemory {
    since: Option<Duration>,
    /// When it began, monotonic; see [`RiseMemory::began`].
    began: Option<Duration>,
    /// When it was found last, monotonic.
    last: Duration,
    /// Oldest first.
    beats: VecDeque<Beat>,
}

impl RiseMemory {
    /// Takes note of the path's state. Call once per tick. `path`: `None` where nothing is known, as in
    /// [`super::path::judge`]. A rise goes on through such moments, for as long as a window.
    pub(crate) fn observe(&mut self, path: Option<Path>, edge: &EdgeView, at: Duration, window: Duration) {
        let is_over = path == Some(Path::Usual) || at.saturating_sub(self.last) > KEPT;
        if is_over {
            (self.since, self.began) = (None, None);
        }
        let Some(Path::Longer(rise)) = path else {
            if path == Some(Path::Usual) {
                self.beats = VecDeque::new();
            }
            return;
        };
        self.last = at;
        if self.since.is_none() {
            let span = if are_recent(edge) { RECENT } else { window };
            (self.since, self.began) = (Some(at), Some(at.saturating_sub(span)));
        }
        self.beats.retain(|beat| at.saturating_sub(beat.at) <= KEPT);
        if self.beats.back().is_none_or(|last| at.saturating_sub(last.at) >= APART) {
            let recent = &edge.recent;
            let bytes = recent.bytes_acked + recent.bytes_received;
            self.beats.push_back(Beat { at, median_us: rise.median_us, bytes, samples: recent.rtt.count() });
        }
    }

    /// When all its newest round trips were found to be longer, monotonic. `None`: they are not.
    pub(crate) const fn since(&self) -> Option<Duration> {
        self.since
    }

    /// When they became longer at the earliest, monotonic: so long before as those samples reach back. Where there are
    /// few, that is a window. `None`: they are not longer.
    pub(crate) const fn began(&self) -> Option<Duration> {
        self.began
    }

    /// It is so young that a window reaches back before it.
    pub(crate) fn is_young(&self, at: Duration) -> bool {
        self.since.is_some_and(|since| at.saturating_sub(since) <= KEPT)
    }

    /// The last seconds of the rise, oldest first. Moments in which too little was known are missing.
    pub(crate) fn beats(&self) -> impl Iterator<Item = &Beat> {
        self.beats.iter()
    }

    /// The newest beat that is not newer than `at`, monotonic. `None`: the rise, or what is remembered, is younger.
    pub(crate) fn at(&self, at: Duration) -> Option<&Beat> {
        self.beats.iter().rev().find(|beat| beat.at <= at)
    }
}

#[cfg(test)]
mod tests;
