//! Reordered packets as evidence.

use super::suspects::{CLEAN, Evidence, SHOWS, Suspects, Trouble};
use crate::hints::context::{Context, Edge, EdgeIx};

/// Needless fast retransmissions that an edge should have before their absence counts.
const SHOWN: f64 = 5.0;

/// `reordered`: edges with needless fast retransmissions, at least one. Another edge counts against what it shares with
/// them if it has none and would show some at their least share of the segments: only full segments come in trains that
/// packets can overtake.
pub(crate) fn suspects<'c, 'a>(context: &'c Context<'a>, reordered: &[EdgeIx]) -> Suspects<'c, 'a> {
    let share = |edge: &EdgeIx| {
        let tally = context.edge(*edge).tally();
        tally.needless_fast() as f64 / tally.data_segs_out.max(1) as f64
    };
    let least = reordered.iter().map(share).fold(f64::INFINITY, f64::min);
    let is_clean = |edge: &&Edge<'_>| {
        let tally = edge.tally();
        edge.is_remote()
            && edge.passes_full_size()
            && tally.reorderings == 0
            && tally.needless_fast() == 0
            && tally.data_segs_out as f64 * least >= SHOWN
    };
    let clean = context.edges().iter().filter(is_clean).map(|edge| Evidence::new(edge.ix, vec![CLEAN]));
    let shown = reordered.iter().map(|edge| Evidence::new(*edge, vec![SHOWS]));
    Suspects::new(context, Trouble::Path, shown.chain(clean).collect())
}
