//! Losses that say nothing about the path.

use super::{Context, Edge};
use crate::{hints::thresholds::Thresholds, sample::Tally};
use netwhy_abi::Retransmit;

/// Up to so many times `loss_ratio` a bulk sender with a standing queue makes its own losses.
const SELF_LOSS_FACTOR: f64 = 5.0;
/// Payload per data segment from which a sender counts as bulk, bytes.
const BULK_BYTES_PER_SEGMENT: u64 = 1000;
/// A queue stands when the median RTT is this many times the minimum …
const QUEUE_RATIO: f64 = 2.0;
/// … and this far above it, µs.
const QUEUE_US: f64 = 200.0;

/// The sender itself was free to send, and its retransmissions were needed.
pub(crate) fn can_be_judged(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.tally().data_segs_out > 0
        && !answers_nothing(edge)
        && !edge.is_limited(context.thresholds)
        && !is_late(context, edge)
        && !is_excused(edge.tally(), context.thresholds)
}

/// What was resent says nothing of the path: packets overtook each other, or the sender's own fill a queue.
pub(crate) fn is_excused(tally: &Tally, thresholds: &Thresholds) -> bool {
    was_reordered(tally) || makes_its_own_loss(tally, SELF_LOSS_FACTOR * thresholds.loss_ratio)
}

/// At least half of what was resent was not needed. What timers sent without need is no episode; all else is reordering.
fn was_reordered(tally: &Tally) -> bool {
    let late = tally.needless();
    let spurious = tally.retransmits[Retransmit::Spurious as usize] - late;
    2 * spurious >= tally.retransmitted_data().saturating_sub(late).max(1)
}

/// Nothing comes back, or has ceased to within the last second.
fn answers_nothing(edge: &Edge<'_>) -> bool {
    edge.silent || (edge.hushed && edge.only_timeouts())
}

/// Only timers ran out, and round trips became so long that they would: what is late is not lost.
fn is_late(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.tally().retransmits[Retransmit::Fast as usize] == 0
        && edge.memory.is_some_and(|memory| memory.outran_timers(edge.view, context.thresholds))
}

/// A bulk sender that fills a queue until it overflows: large segments, the median RTT far above the minimum, and a
/// modest ratio.
fn makes_its_own_loss(t: &Tally, limit: f64) -> bool {
    let (Some(p50), Some(min)) = (t.rtt.quantile_us(0.5), t.min_rtt_us.map(f64::from)) else { return false };
    let queue = p50 >= QUEUE_RATIO * min && p50 - min >= QUEUE_US;
    queue
        && t.bytes_acked >= BULK_BYTES_PER_SEGMENT * t.data_segs_out
        && t.loss_episodes as f64 <= limit * t.data_segs_out as f64
}
