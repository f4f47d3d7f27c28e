//! Missing answers as evidence.

use super::suspects::{CLEAN, Evidence, SHOWS, Suspects, Trouble};
use crate::{
    hints::context::{Context, Edge, EdgeIx},
    state::Endpoint,
};
use netwhy_abi::Role;
use std::collections::{BTreeMap, BTreeSet};

/// Evidence of an answer in the last seconds, nats: the silence may be newer.
const ANSWERED: f64 = -2.0;
/// Magnitudes of a silence.
const MAGNITUDES: usize = 2;

/// Endpoints with something unanswered and no completed handshake.
pub(crate) type SilentPeers = BTreeSet<Endpoint>;

/// `unanswered`: edges without answers. `trouble`: of connections that fell silent, or of handshakes.
///
/// Two magnitudes: a silence that lasts, and one that came and went. Then open connections wait for their timers, which
/// back off. A server sends when a request got through, so that it had nothing to lose: its answers say nothing of it.
pub(crate) fn suspects<'c, 'a>(
    context: &'c Context<'a>,
    unanswered: &BTreeSet<EdgeIx>,
    trouble: Trouble,
) -> Suspects<'c, 'a> {
    let established = trouble == Trouble::Stalled;
    let full_size = unanswered.iter().any(|edge| context.edge(*edge).has_full_size_timeouts());
    let would_show = |edge: &&Edge<'_>| !unanswered.contains(&edge.ix) && edge.would_show(full_size);
    let answers = context.edges().iter().filter(would_show);
    let answers = answers.filter_map(|edge| {
        // Connections fall silent within moments: older answers say less about them than about handshakes.
        let nats = match edge.is_undisturbed() {
            true => CLEAN,
            false if edge.answers() && !established => ANSWERED,
            false => return None,
        };
        let is_spared = established && edge.view.role == Some(Role::Server);
        Some(Evidence::new(edge.ix, vec![nats, if is_spared { 0.0 } else { nats }]))
    });
    let silent = unanswered.iter().map(|edge| Evidence::new(*edge, vec![SHOWS; MAGNITUDES]));
    let (quiet, gone) = fell_quiet(context, unanswered);
    Suspects::with(context, trouble, silent.chain(answers).chain(quiet).collect(), gone)
}

/// Clients that usually ask and fell quiet: where their host answers nothing, they may share the reason. Also the edges
/// of those that the context doesn't have any more.
fn fell_quiet<'a>(context: &Context<'a>, unanswered: &BTreeSet<EdgeIx>) -> (Vec<Evidence>, Vec<Edge<'a>>) {
    let (mut rows, mut gone) = (Vec::new(), Vec::new());
    if unanswered.is_empty() {
        return (rows, gone);
    }
    let known: BTreeMap<u64, EdgeIx> = context.edges().iter().map(|edge| (edge.key, edge.ix)).collect();
    for (key, quiet) in context.memory.vanished.iter() {
        let ix = known.get(&key).copied().unwrap_or_else(|| {
            let ix = EdgeIx::new(context.edge_count() + gone.len());
            gone.push(Edge { ix, ..Edge::of_ends(&quiet.edge) });
            ix
        });
        if !unanswered.contains(&ix) {
            rows.push(Evidence::new(ix, vec![quiet.nats; MAGNITUDES]));
        }
    }
    (rows, gone)
}

#[cfg(test)]
mod tests;
