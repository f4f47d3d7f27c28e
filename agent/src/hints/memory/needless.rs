//! Fast retransmissions of one edge that were needless, over the last minute.
//!
//! A window shows too few of them: the verdict on those of a connection that ends comes too late. But packets that
//! overtake each other, or that the network copies, make senders resend what has arrived for longer than a window.

use crate::sample::Tally;
use netwhy_abi::Retransmit;
use std::time::Duration;

/// Time after which they weigh half.
const HALF_LIFE: Duration = Duration::from_secs(30);
/// Needless ones from which the past counts.
const MIN_NEEDLESS: f64 = 5.0;

/// Decaying sums of fast retransmissions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NeedlessMemory {
    needless: f64,
    all: f64,
}

impl NeedlessMemory {
    /// Takes note of the newest tick. Call once per tick. `window`: length of the sums.
    pub(crate) fn observe(&mut self, tally: &Tally, tick: Duration, window: Duration) {
        if tick.is_zero() || window.is_zero() {
            return;
        }
        let keep = 0.5_f64.powf(tick.as_secs_f64() / HALF_LIFE.as_secs_f64());
        let share = (tick.as_secs_f64() / window.as_secs_f64()).min(1.0);
        self.needless = self.needless * keep + tally.needless_fast() as f64 * share;
        self.all = self.all * keep + fast(tally) * share;
    }

    /// Whether at least half of the fast retransmissions were needless, those of the window and of the past together. A
    /// loss that begins has more than the past. A timeout is none of these.
    pub(crate) fn are_most(&self, tally: &Tally) -> bool {
        let (needless, all) = (self.needless + tally.needless_fast() as f64, self.all + fast(tally));
        tally.retransmits[Retransmit::Timeout as usize] == 0 && self.needless >= MIN_NEEDLESS && 2.0 * needless >= all
    }
}

fn fast(tally: &Tally) -> f64 {
    tally.retransmits[Retransmit::Fast as usize] as f64
}
