//! Loss that only a part of an edge's connections may have: counts of one time, and the evidence so far.
//!
//! Connections that lost a packet lately are compared with the others. If every segment has the same chance to be lost,
//! earlier losses of its connection say nothing about it. So the further losses of these connections should be as many as
//! their share of the segments, however few connections there are, and whichever lost first. That holds only for loss
//! that goes on.
//!
//! ```text
//! k further losses of n, on connections with the share s of the segments
//! all connections alike   k ~ binomial(n, s)
//! a part of them          k ~ binomial(n, r), any r from s to 1 as likely as any other
//! ```
//! The two are weighed (Bayes), so that few connections say what they can. Losses of one connection within a second may
//! have one reason: n is no more than the seconds for which connections were lossy, summed over these. Windows that share
//! no moment are evidence of their own, and add up while the loss goes on.

use super::walks::Walks;
use crate::{
    hints::stats::higher_chance_nats,
    sample::{RECENT, Tally},
    state::EdgeView,
};
use netwhy_abi::Retransmit;
use std::time::Duration;

/// Losses of the time before, which show that the fault is older than the counts that are judged.
const MIN_BEFORE: u64 = 3;
/// Payload per data segment from which an edge has bulk senders, bytes. Queues and policers drop their trains of segments
/// rather than single ones, so that they lose more on the same path.
const BULK_PAYLOAD: u64 = 700;
/// Time for which the kernel programs call a connection lossy after a loss.
const STAYS_LOSSY: Duration = Duration::from_secs(10);

/// Losses of some edges' connections over one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LossShare {
    /// Losses of connections that had lost before, and of others.
    pub(crate) again: u64,
    pub(crate) first: u64,
    /// Data segments on connections that had lost before, and all.
    pub(crate) lossy_segments: u64,
    pub(crate) segments: u64,
    /// Mean number of such connections.
    pub(crate) sockets: f64,
    /// Seconds for which connections were lossy, summed over these.
    lossy_seconds: f64,
}

impl LossShare {
    /// Of an edge that has unusual losses since `since`: of the window, or of its last seconds while segments of before
    /// the fault would make the others look clean. `at`: end of the window. `None`: the fault is too young.
    pub(crate) fn new(
        edge: &EdgeView,
        since: Option<Duration>,
        (at, window): (Duration, Duration),
        walks: &Walks,
    ) -> Option<Self> {
        if is_older(since, at, window) {
            return Some(Self::over(&edge.window, (at, window), walks));
        }
        let is_known = edge.window.loss_episodes >= edge.recent.loss_episodes + MIN_BEFORE;
        is_known.then(|| Self::over(&edge.recent, (at, RECENT), walks))
    }

    fn over(tally: &Tally, (at, time): (Duration, Duration), walks: &Walks) -> Self {
        let sockets = lossy_sockets(tally, (at, time), walks);
        let (again, first) = losses(tally, (sockets, time));
        Self {
            again,
            first,
            lossy_segments: tally.segs_after_loss,
            segments: tally.data_segs_out,
            sockets,
            lossy_seconds: sockets * time.as_secs_f64(),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.again += other.again;
        self.first += other.first;
        self.lossy_segments += other.lossy_segments;
        self.segments += other.segments;
        self.sockets += other.sockets;
        self.lossy_seconds += other.lossy_seconds;
    }

    /// Share of the segments on lossy connections, 0 … 1.
    pub(crate) fn share(&self) -> f64 {
        self.lossy_segments as f64 / self.segments.max(1) as f64
    }

    /// Evidence that a part of the connections loses, rather than all alike, nats. Below 0: all alike.
    pub(crate) fn nats(&self) -> f64 {
        let (again, all) = (self.again as f64, (self.again + self.first) as f64);
        let independent = if all > 0.0 { (self.lossy_seconds / all).min(1.0) } else { 0.0 };
        higher_chance_nats(again * independent, all * independent, self.share())
    }
}

/// Its segments are about as likely to be lost, and were counted over one time.
pub(crate) fn has_like_segments(edge: &EdgeView) -> bool {
    let tally = &edge.window;
    // Walks are frequent, so that the counts are of one time.
    edge.walked.is_none() && tally.full_size_timeouts == 0 && tally.bytes_acked < BULK_PAYLOAD * tally.data_segs_out
}

fn is_older(since: Option<Duration>, at: Duration, window: Duration) -> bool {
    since.is_some_and(|since| at.saturating_sub(since) >= window)
}

/// Mean number of lossy connections, as the walks of that time found them.
pub(crate) fn lossy_sockets(tally: &Tally, (at, time): (Duration, Duration), walks: &Walks) -> f64 {
    let walks = walks.after(at.saturating_sub(time));
    // Where their times are not known, there is one a second at most.
    let walks = if walks > 0 { walks as f64 } else { time.as_secs_f64() };
    tally.lossy_sockets as f64 / walks
}

/// Further losses of lossy connections, and losses of others. `sockets`: mean number of lossy ones in that time.
///
/// A connection that gets nothing through times out again and again, which is one loss and none of another connection. So
/// no more connections became lossy than those that still are: twice their mean where their number grows from nothing,
/// and new ones, which may have closed since. The timeouts that are left may resend what a probe or a timeout had
/// resent before: none of them is a further loss for certain.
fn losses(tally: &Tally, (sockets, time): (f64, Duration)) -> (u64, u64) {
    let others = tally.loss_episodes.saturating_sub(tally.repeated_episodes);
    let became_lossy = (2.0 * sockets).ceil() as u64 + tally.connects.iter().sum::<u64>();
    let first = if time <= STAYS_LOSSY { others.min(became_lossy) } else { others };
    let timeouts = tally.retransmits[Retransmit::Timeout as usize].saturating_sub(others - first);
    (tally.repeated_episodes.saturating_sub(tally.needless() + timeouts), first)
}

/// The memory of one edge: evidence of windows that share no moment, while its losses are unusual.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ShareMemory {
    /// Since when the losses are unusual, monotonic. `None`: they are not.
    since: Option<Duration>,
    /// Evidence of those before `last`, nats. It never falls below 0: a fault of a part may follow one of all.
    earlier: f64,
    /// The last one: its end, monotonic, and its evidence. The newest window may overlap it.
    last: Option<(Duration, f64)>,
}

impl ShareMemory {
    /// Takes note of a window with losses. Call once per tick, before judging. `since`: when they became unusual,
    /// monotonic. `at`: end of the window.
    pub(crate) fn observe(
        &mut self,
        edge: &EdgeView,
        since: Option<Duration>,
        (at, window): (Duration, Duration),
        walks: &Walks,
    ) {
        if self.since != since {
            *self = Self { since, ..Self::default() };
        }
        let is_apart = self.last.is_none_or(|(end, _)| at.saturating_sub(end) >= window);
        let counts = is_apart && is_older(since, at, window) && has_like_segments(edge);
        // A burst is no evidence.
        if !counts || edge.loss_ticks.are_most() == Some(false) {
            return;
        }
        let nats = LossShare::over(&edge.window, (at, window), walks).nats();
        let before = self.last.replace((at, nats)).map_or(0.0, |(_, nats)| nats);
        self.earlier = (self.earlier + before).max(0.0);
    }

    /// Evidence of windows that share no moment with the newest one, nats. `since`: when the losses became unusual.
    pub(crate) fn earlier(&self, since: Option<Duration>) -> f64 {
        if self.since == since { self.earlier } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
