//! What an edge says about each hypothesis "the component that it crosses is at fault".

use super::{fleet::Edge, verdict::Symptom};

/// Evidence of one kind. A hypothesis has a magnitude, one of `K` levels, so that a candidate's score is a sum of terms
/// that depend on the edge alone: discarding an edge is a subtraction.
pub(super) trait Signal<const K: usize> {
    /// What this is evidence of.
    const SYMPTOM: Symptom;

    /// `ln(P(edge | component at fault at this level) / P(edge | normal))` per level, bounded. `None`: the edge carries
    /// no such signal.
    fn nats(&self, edge: &Edge) -> Option<[f32; K]>;

    /// Whether the edge would show a fault of this level: `1` or more does, smaller parts add up.
    fn power(&self, edge: &Edge, level: usize) -> f64;

    /// Sum of the evidence when normal times may be busy: all of these edges show some multiple of their usual trouble
    /// at once, at a price. The least over the multiples, nats. `+∞`: the signal knows no load.
    fn net_of_load(&self, edges: &mut dyn Iterator<Item = &Edge>) -> f64;

    /// Evidence that the path of these edges, one or both ways between two ends, is at fault itself; bounded per
    /// conversation, not per edge.
    fn pair_nats(&self, edges: &[&Edge]) -> f64;

    /// The level that fits these edges best.
    fn pair_level(&self, edges: &[&Edge]) -> usize;

    /// Conversations among these edges that show it.
    fn bad_flows(&self, edges: &[&Edge]) -> usize;

    /// Whether the edge is worth looking at on its own.
    fn is_suspect(&self, edge: &Edge) -> bool;

    /// Size of the fault on edges that show it: additional episodes per segment, and the median rise of the minimum
    /// RTT, µs.
    fn size(&self, bad: &[&Edge]) -> (f64, Option<u32>);
}
