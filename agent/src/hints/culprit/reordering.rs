//! Reordered packets as evidence.

use super::suspects::{CLEAN, Evidence, SHOWS, Suspects, Trouble};
use crate::{
    hints::context::{Context, Edge, EdgeIx},
    sample::Tally,
};
use netwhy_abi::Retransmit;

/// Needless fast retransmissions that an edge should have before their absence counts.
const SHOWN: f64 = 5.0;

/// Fast retransmissions that were needless for certain. Each needless timeout, probe or handshake segment, and each
/// segment of unknown kind, may be what another duplicate was.
pub(crate) fn needless_fast(tally: &Tally) -> u64 {
    let of = |kind: Retransmit| tally.retransmits[kind as usize];
    let others = tally.retransmitted() - of(Retransmit::Fast);
    of(Retransmit::Spurious).saturating_sub(others).min(of(Retransmit::Fast))
}

/// `reordered`: edges with needless fast retransmissions, at least one. Another edge counts against what it shares with
/// them if it has none and would show some at their least share of the segments: only full segments come in trains that
/// packets can overtake.
pub(crate) fn suspects<'c, 'a>(context: &'c Context<'a>, reordered: &[EdgeIx]) -> Suspects<'c, 'a> {
    let share = |edge: &EdgeIx| {
        let tally = context.edge(*edge).tally();
        needless_fast(tally) as f64 / tally.data_segs_out.max(1) as f64
    };
    let least = reordered.iter().map(share).fold(f64::INFINITY, f64::min);
    let is_clean = |edge: &&Edge<'_>| {
        let tally = edge.tally();
        edge.is_remote()
            && edge.passes_full_size()
            && tally.reorderings == 0
            && needless_fast(tally) == 0
            && tally.data_segs_out as f64 * least >= SHOWN
    };
    let clean = context.edges().iter().filter(is_clean).map(|edge| Evidence::new(edge.ix, vec![CLEAN]));
    let shown = reordered.iter().map(|edge| Evidence::new(*edge, vec![SHOWS]));
    Suspects::new(context, Trouble::Path, shown.chain(clean).collect())
}
