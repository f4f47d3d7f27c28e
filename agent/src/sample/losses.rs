//! Loss episodes and segments over the same time, also where walks are rarer than the window.
//!
//! Episodes arrive at once; segments of a socket that nobody samples arrive with the next walk. From walk to walk both
//! are complete.

use super::{Frame, Snapshot, Sum as _, Tally};
use netwhy_abi::{EdgeKey, Retransmit};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Walks are rare when they are further apart than this share of the window: then a window's ratios may be a third too
/// high.
const RARE: u32 = 4;

/// Loss episodes and data segments sent over one and the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Loss episodes.
    pub episodes: u64,
    /// Data segments sent, retransmissions included.
    pub segments: u64,
}

impl Losses {
    /// Adds those of another edge.
    pub fn add(&mut self, other: Self) {
        self.episodes += other.episodes;
        self.segments += other.segments;
    }
}

/// The counters that losses are computed from.
#[derive(Clone, Debug, Default)]
struct Counts {
    episodes: u64,
    segments: u64,
    retransmits: [u64; Retransmit::ALL.len()],
}

impl Counts {
    fn of(tally: &Tally) -> Self {
        let Tally { loss_episodes, data_segs_out, retransmits, .. } = tally;
        Self { episodes: *loss_episodes, segments: *data_segs_out, retransmits: *retransmits }
    }

    fn add(&mut self, other: &Self) {
        self.episodes.add(&other.episodes);
        self.segments.add(&other.segments);
        self.retransmits.add(&other.retransmits);
    }

    fn subtract(&mut self, other: &Self) {
        self.episodes.subtract(&other.episodes);
        self.segments.subtract(&other.segments);
        self.retransmits.subtract(&other.retransmits);
    }

    fn is_zero(&self) -> bool {
        self.episodes.is_zero() && self.segments.is_zero() && self.retransmits.is_zero()
    }

    fn losses(&self) -> Losses {
        let tally = Tally { loss_episodes: self.episodes, retransmits: self.retransmits, ..Tally::default() };
        Losses { episodes: tally.without_needless().loss_episodes, segments: self.segments }
    }
}

/// Counts from one walk to a later one.
#[derive(Debug, Default)]
struct Interval {
    begin: Duration,
    end: Duration,
    edges: HashMap<EdgeKey, Counts>,
}

impl Interval {
    fn length(&self) -> Duration {
        self.end.saturating_sub(self.begin)
    }

    fn add(&mut self, frame: &Frame) {
        self.end = frame.at;
        for (key, tally) in &frame.growth.edges {
            let counts = Counts::of(tally);
            if !counts.is_zero() {
                self.edges.entry(*key).or_default().add(&counts);
            }
        }
    }
}

/// Losses over the newest whole intervals between walks that cover a window.
#[derive(Debug)]
pub(super) struct WalkSpan {
    window: Duration,
    /// When the newest walk was, as in [`Snapshot`]. `None`: none yet, or a recording without walk times.
    walked_at: Option<Duration>,
    /// From the newest walk to now.
    open: Interval,
    whole: VecDeque<Interval>,
    /// Distance of the two newest walks.
    distance: Duration,
    sums: HashMap<EdgeKey, Counts>,
}

impl WalkSpan {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            walked_at: None,
            open: Interval::default(),
            whole: VecDeque::new(),
            distance: Duration::ZERO,
            sums: HashMap::new(),
        }
    }

    pub(super) fn set_length(&mut self, window: Duration) {
        self.window = window;
    }

    /// Takes the next frame.
    pub(super) fn push(&mut self, frame: &Frame) {
        let Some(walked_at) = frame.walked_at else { return };
        if walked_at == Snapshot::NEVER {
            self.walked_at = Some(walked_at);
            return;
        }
        let Some(last) = self.walked_at.filter(|at| *at != Snapshot::NEVER) else {
            // Counts of before the first frame belong to no interval.
            (self.walked_at, self.open) = (Some(walked_at), Interval { begin: frame.at, ..Interval::default() });
            return;
        };
        self.open.add(frame);
        if walked_at != last {
            self.walked_at = Some(walked_at);
            self.close();
        }
    }

    /// Ends the open interval at a walk.
    fn close(&mut self) {
        let next = Interval { begin: self.open.end, end: self.open.end, ..Interval::default() };
        let done = std::mem::replace(&mut self.open, next);
        self.distance = done.length();
        for (key, counts) in &done.edges {
            self.sums.entry(*key).or_default().add(counts);
        }
        // Short intervals are kept as one, so that there are never more than a few.
        match self.whole.back_mut() {
            Some(last) if last.length() * RARE < self.window => {
                last.end = done.end;
                for (key, counts) in done.edges {
                    last.edges.entry(key).or_default().add(&counts);
                }
            }
            _ => self.whole.push_back(done),
        }
        while self.whole.front().is_some_and(|first| self.length().saturating_sub(first.length()) >= self.window) {
            let Some(first) = self.whole.pop_front() else { break };
            for (key, counts) in first.edges {
                if let Some(sum) = self.sums.get_mut(&key) {
                    sum.subtract(&counts);
                    if sum.is_zero() {
                        self.sums.remove(&key);
                    }
                }
            }
        }
    }

    /// Time that the whole intervals cover; zero before the second walk, and where there are none: segments then arrive
    /// when their sockets close. `None`: walks are frequent, so that a window's own counts will do, or their times are
    /// not known.
    pub(super) fn covered(&self) -> Option<Duration> {
        if self.walked_at? == Snapshot::NEVER {
            return Some(Duration::ZERO);
        }
        let is_rare = self.distance.max(self.open.length()) * RARE > self.window;
        is_rare.then(|| self.length())
    }

    fn length(&self) -> Duration {
        let (first, last) = (self.whole.front(), self.whole.back());
        first.zip(last).map_or(Duration::ZERO, |(first, last)| last.end.saturating_sub(first.begin))
    }

    /// An edge's losses over that time. `None` as in [`covered`](Self::covered).
    pub(super) fn of(&self, key: &EdgeKey) -> Option<Losses> {
        self.covered()?;
        Some(self.sums.get(key).map(Counts::losses).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
