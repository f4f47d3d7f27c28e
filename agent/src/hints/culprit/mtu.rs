//! Full-size segments as evidence: stuck ones, and those that pass.

use super::suspects::{CLEAN, Evidence, SHOWS, Suspects, Trouble};
use crate::hints::context::{Context, EdgeIx};
use std::collections::BTreeSet;

/// `stuck`: edges on which full-size segments time out.
pub(crate) fn suspects<'c, 'a>(context: &'c Context<'a>, stuck: &BTreeSet<EdgeIx>) -> Suspects<'c, 'a> {
    let passes = context.edges().iter().filter(|edge| edge.passes_full_size() && !stuck.contains(&edge.ix));
    let passes = passes.map(|edge| Evidence::new(edge.ix, vec![CLEAN]));
    let stuck = stuck.iter().map(|edge| Evidence::new(*edge, vec![SHOWS]));
    Suspects::new(context, Trouble::Path, stuck.chain(passes).collect())
}
