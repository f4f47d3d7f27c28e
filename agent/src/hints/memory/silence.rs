//! Ends of an edge that fell silent: the peer, while this end sends again, or the client of itself.

use super::mean::{Mean, Step};
use crate::state::EdgeView;
use netwhy_abi::Retransmit;
use std::time::Duration;

/// Ticks over which silence is measured.
const SILENCE_TICKS: usize = 3;
/// Share of the usual traffic without an acknowledgement from which a peer counts as silent.
const SILENT: f64 = 0.9;
/// Evidence that a client's silence needs to be unusual, nats.
const RARELY_QUIET: f64 = 2.0;
/// Most ticks of one silence that count.
const MAX_QUIET: u16 = 60;
/// Newest RTT samples that end a silence.
const ANSWERS: u64 = 3;

/// Sums of one window.
#[derive(Clone, Copy, Debug)]
struct Sums {
    bytes_acked: u64,
    timeouts: u64,
    loss_episodes: u64,
}

/// The memory of one edge: how much is usually answered, and whether nothing is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct SilenceMemory {
    acked_per_s: Mean,
    /// Share of normal ticks whose last seconds brought nothing from the peer.
    quiet: Mean,
    /// Ticks for which it has been quiet by now. They count once something comes again.
    quiet_for: u16,
    /// Sums of the last windows, newest first.
    recent: [Option<Sums>; 4],
    /// See [`SilenceMemory::is_silent`].
    silent: bool,
}

impl SilenceMemory {
    /// Almost nothing of the usual traffic was acknowledged in the last seconds while timeouts went on, and nothing
    /// answered since.
    pub(crate) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The same in the last tick alone, while something was sent again: the peer may be going silent.
    pub(crate) fn is_going_silent(&self, tick: Duration) -> bool {
        self.unacknowledged(tick, 1, |now, then| now.loss_episodes > then.loss_episodes)
    }

    /// Evidence of a client that sent nothing in the last seconds, nats: how rare that is here. It says nothing of the
    /// reason: clients may stop for themselves. `None`: it is usual, or nothing is known.
    pub(crate) fn quiet(&self) -> Option<f64> {
        let ticks = f64::from(self.quiet.ticks());
        let share = (self.quiet.get()? * ticks + 1.0) / (ticks + 2.0);
        Some(-share.ln()).filter(|nats| *nats >= RARELY_QUIET)
    }

    /// Takes note of a window. Call once per tick, before judging.
    pub(crate) fn observe(&mut self, edge: &EdgeView, tick: Duration) {
        let (bytes_acked, loss_episodes) = (edge.window.bytes_acked, edge.window.loss_episodes);
        let timeouts = edge.window.retransmits[Retransmit::Timeout as usize];
        self.recent.rotate_right(1);
        self.recent[0] = Some(Sums { bytes_acked, timeouts, loss_episodes });
        // Timeouts back off: a silent peer stays silent until something answers.
        let answers = edge.recent.connects.iter().sum::<u64>() > 0 || edge.recent.rtt.count() >= ANSWERS;
        self.silent = self.unacknowledged(tick, SILENCE_TICKS, |now, then| now.timeouts > then.timeouts)
            || (self.silent && timeouts > 0 && !answers);
    }

    /// Learns from a normal window.
    pub(crate) fn learn(&mut self, edge: &EdgeView, step: Step) {
        let Step { window, keep, .. } = step;
        self.acked_per_s.learn(edge.window.bytes_acked as f64 / window.as_secs_f64(), keep);
        if !edge.recent.has_answer() {
            self.quiet_for = self.quiet_for.saturating_add(1).min(MAX_QUIET);
            return;
        }
        (0..self.quiet_for).for_each(|_| self.quiet.learn(1.0, keep));
        self.quiet_for = 0;
        self.quiet.learn(0.0, keep);
    }

    /// Whether at least 90 % of the usual traffic went unacknowledged over the last `ticks` (at most 3). It compares
    /// the fall of the window's sum with the amount that leaves a window in that time. False without a baseline,
    /// without so many windows, or when `resent` finds nothing new: a client that merely stopped is not silent.
    fn unacknowledged(&self, tick: Duration, ticks: usize, resent: impl Fn(Sums, Sums) -> bool) -> bool {
        let usual = self.acked_per_s.get().filter(|acked| *acked > 0.0);
        let (Some(usual), Some(now), Some(then)) = (usual, self.recent[0], self.recent.get(ticks).copied().flatten())
        else {
            return false;
        };
        let leaves = usual * tick.as_secs_f64() * ticks as f64;
        resent(now, then) && then.bytes_acked.saturating_sub(now.bytes_acked) as f64 >= SILENT * leaves
    }
}
