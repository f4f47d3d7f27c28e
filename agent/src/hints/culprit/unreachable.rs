//! Missing answers as evidence.

use super::suspects::{CLEAN, Evidence, SHOWS, Suspects, Trouble};
use crate::{
    hints::context::{Context, Edge, EdgeIx},
    state::Endpoint,
};
use std::collections::BTreeSet;

/// Evidence of an answer in the last seconds, nats: the silence may be newer.
const ANSWERED: f64 = -2.0;

/// Endpoints with something unanswered and no completed handshake.
pub(crate) type SilentPeers = BTreeSet<Endpoint>;

/// `unanswered`: edges without answers. `established`: their connections fell silent, rather than handshakes.
pub(crate) fn suspects<'c, 'a>(context: &'c Context<'a>, unanswered: &[EdgeIx], established: bool) -> Suspects<'c, 'a> {
    let silent: Vec<&Edge<'_>> = unanswered.iter().map(|edge| context.edge(*edge)).collect();
    let would_share = |edge: &Edge<'_>| silent.iter().all(|bad| bad.would_share_with(edge));
    let answers = context.edges().iter().filter(|edge| !unanswered.contains(&edge.ix) && would_share(edge));
    let answers = answers.filter_map(|edge| {
        // Connections fall silent within moments: older answers say less about them than about handshakes.
        let nats = match edge.is_undisturbed() {
            true => CLEAN,
            false if edge.answers() && !established => ANSWERED,
            false => return None,
        };
        Some(Evidence::new(edge.ix, vec![nats]))
    });
    let silent = unanswered.iter().map(|edge| Evidence::new(*edge, vec![SHOWS]));
    Suspects::new(context, Trouble::Silence, silent.chain(answers).collect())
}
