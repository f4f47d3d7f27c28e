//! Losses that say nothing about the path.

use super::{Context, Edge};
use crate::{
    hints::{memory::edge::EdgeMemory, thresholds::Thresholds},
    sample::Tally,
    state::EdgeView,
};
use netwhy_abi::Retransmit;

/// Multiple of `loss_ratio` up to which a bulk sender with a standing queue makes its own losses.
const SELF_LOSS_FACTOR: f64 = 5.0;
/// Payload per data segment from which a sender counts as bulk, bytes.
const BULK_BYTES_PER_SEGMENT: u64 = 1000;
/// A queue stands when the median RTT is this many times the minimum …
const QUEUE_RATIO: f64 = 2.0;
/// … and this far above it, µs.
const QUEUE_US: f64 = 200.0;

/// The sender was free to send, and its retransmissions were needed.
pub(crate) fn can_be_judged(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.losses().segments > 0
        && !is_unanswered(edge)
        && !edge.is_limited(context.thresholds)
        && !is_late(context, edge)
        && !is_excused(edge.view, edge.memory, context.thresholds)
        && !context.is_excused_beside(edge)
}

/// The retransmissions say nothing about the path: packets overtake each other or are copied, or the sender fills a queue
/// itself. `memory`: of the edge. `None`: it has none yet.
pub(crate) fn is_excused(edge: &EdgeView, memory: Option<&EdgeMemory>, thresholds: &Thresholds) -> bool {
    is_reordered(&edge.window)
        || memory.is_some_and(|memory| memory.resends_needlessly(&edge.window))
        || is_self_inflicted(edge, SELF_LOSS_FACTOR * thresholds.loss_ratio)
}

/// At least half of the retransmissions were spurious. Spurious timeouts are no loss episodes; the rest is reordering.
fn is_reordered(tally: &Tally) -> bool {
    let late = tally.needless();
    let spurious = tally.retransmits[Retransmit::Spurious as usize] - late;
    2 * spurious >= tally.retransmitted_data().saturating_sub(late).max(1)
}

/// The peer answers nothing, or stopped answering within the last second.
fn is_unanswered(edge: &Edge<'_>) -> bool {
    edge.silent || (edge.going_silent && edge.only_timeouts())
}

/// Only timers fired, and the RTT became long enough to make them: late, not lost.
fn is_late(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.fast_retransmits() == 0
        && edge.memory.is_some_and(|memory| memory.outran_timers(edge.view, context.thresholds))
}

/// A bulk sender fills a queue until it overflows: large segments, a median RTT far above the minimum, a modest ratio.
fn is_self_inflicted(edge: &EdgeView, limit: f64) -> bool {
    let (tally, losses) = (&edge.window, edge.losses());
    let (Some(p50), Some(min)) = (tally.rtt.quantile_us(0.5), tally.min_rtt_us.map(f64::from)) else { return false };
    let queue = p50 >= QUEUE_RATIO * min && p50 - min >= QUEUE_US;
    queue
        && tally.bytes_acked >= BULK_BYTES_PER_SEGMENT * tally.data_segs_out
        && losses.episodes as f64 <= limit * losses.segments as f64
}
