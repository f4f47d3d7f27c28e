//! Slow requests that ended without an answer. Their times are lower bounds: how long the answer would have taken is not
//! known.

use super::MAIN;
use crate::{
    hints::{
        context::Edge,
        memory::{requests::RequestMemory, stuck::USUAL_WAITS, tail::Slow},
    },
    state::ResponseView,
};
use netwhy_abi::{Failure, Retransmit, turn::UNANSWERED_US};

/// The slow requests of the newest window.
#[derive(Clone, Copy)]
pub(super) struct Abandoned {
    /// Those that ended without an answer.
    pub(super) unanswered: u64,
    /// All.
    late: u64,
}

impl Abandoned {
    pub(super) fn of(now: &ResponseView, slow: &Slow) -> Self {
        let durations = &now.window.durations;
        let late = durations.count() - durations.count_up_to(slow.limit_us);
        Self { unanswered: now.window.unanswered.min(late), late }
    }

    /// They are half of the slow ones at least, so that the median of those is no answer's time.
    pub(super) fn are_most(self) -> bool {
        self.unanswered > 0 && self.unanswered as f64 >= MAIN * self.late as f64
    }

    /// The same where nothing but a peer that does not answer makes them: its kernel acknowledges all, and long waits are
    /// not normal there.
    pub(super) fn are_the_peers(self, edge: &Edge<'_>, known: &RequestMemory) -> bool {
        let tally = edge.tally();
        let acknowledged = tally.retransmits[Retransmit::Timeout as usize] == 0
            && tally.failures(Failure::Refused) == 0
            && !edge.silent
            && !edge.going_silent;
        let long = known.times().durations().and_then(|usual| usual.share_above(UNANSWERED_US as u32));
        self.are_most() && acknowledged && long.is_some_and(|share| share <= USUAL_WAITS)
    }
}

/// Whether a quantile of the window is of a request without an answer, which is longer than all others.
pub(super) fn hides(now: &ResponseView, q: f64) -> bool {
    now.window.unanswered as f64 > (1.0 - q) * now.window.durations.count() as f64
}
