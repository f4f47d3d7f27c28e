//! Edges of which few requests are known so far. Those of several clients to one server are judged together.

use crate::{
    hints::{
        context::{Context, Edge},
        memory::{
            requests::RequestMemory,
            tail::{Slow, TAIL_ALPHA},
        },
    },
    state::{Endpoint, ResponseView},
};
use netwhy_abi::Role;
use std::collections::BTreeMap;

/// All such edges of clients.
pub(in crate::hints::rules::waiting) struct Few {
    /// Logarithm of the chance that normal requests of all edges to an endpoint look as slow. `None`: those of some edge
    /// don't.
    ln_p: BTreeMap<Endpoint, Option<f64>>,
}

impl Few {
    pub(in crate::hints::rules::waiting) fn new(context: &Context<'_>) -> Self {
        let mut ln_p = BTreeMap::new();
        for edge in context.edges() {
            if let Some((now, known)) = little_known(edge) {
                let slow = known.slow_by_few(now, context.thresholds).map(|slow| slow.ln_p);
                let sum = ln_p.entry(edge.view.endpoint()).or_insert(Some(0.0));
                *sum = sum.zip(slow).map(|(sum, more): (f64, f64)| sum + more);
            }
        }
        Self { ln_p }
    }

    /// The slow requests of an edge, with the chance of all edges to its endpoint. `None`: they may be normal.
    pub(super) fn slow(&self, context: &Context<'_>, edge: &Edge<'_>) -> Option<Slow> {
        let (now, known) = little_known(edge)?;
        let ln_p = (*self.ln_p.get(&edge.view.endpoint())?)?;
        let slow = known.slow_by_few(now, context.thresholds)?;
        (ln_p <= TAIL_ALPHA.ln()).then_some(Slow { ln_p, ..slow })
    }
}

/// The requests of a client's edge in the window. `None`: there are none, or many are known.
fn little_known<'e>(edge: &'e Edge<'_>) -> Option<(&'e ResponseView, &'e RequestMemory)> {
    let (now, known) = edge.requests()?;
    let is_few = edge.view.role == Some(Role::Client) && known.is_little_known();
    (is_few && !now.window.durations.is_empty()).then_some((now, known))
}

#[cfg(test)]
mod tests;
