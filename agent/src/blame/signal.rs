//! Evidence of one edge for the hypothesis that a component on it is at fault.

use super::{fleet::Edge, verdict::Symptom};

/// Evidence of one kind. A hypothesis has a magnitude, one of `K` levels. A candidate's score is then a sum of terms
/// that depend on the edge alone, and discarding an edge is a subtraction.
pub(super) trait Signal<const K: usize> {
    /// The symptom that this is evidence of.
    const SYMPTOM: Symptom;

    /// `ln(P(edge | component at fault at this level) / P(edge | normal))` per level, bounded. `None`: the edge carries
    /// no such signal.
    fn nats(&self, edge: &Edge) -> Option<[f32; K]>;

    /// Power of the edge to show a fault of this level. From `1` it would; smaller values add up.
    fn power(&self, edge: &Edge, level: usize) -> f64;

    /// Sum of the evidence if all of these edges are busy and show a multiple of their usual trouble, at a price. The
    /// lowest over the multiples, nats. `+∞`: the signal does not depend on load.
    fn net_of_load(&self, edges: &mut dyn Iterator<Item = &Edge>) -> f64;

    /// Evidence that the path of these edges, one or both ways between two ends, is at fault itself. It is bounded per
    /// conversation, not per edge.
    fn pair_nats(&self, edges: &[&Edge]) -> f64;

    /// The level that fits these edges best.
    fn pair_level(&self, edges: &[&Edge]) -> usize;

    /// Conversations among these edges that show the fault.
    fn bad_flows(&self, edges: &[&Edge]) -> usize;

    /// Whether the edge alone is suspect.
    fn is_suspect(&self, edge: &Edge) -> bool;

    /// Size of the fault on edges that show it: additional episodes per segment, and the median rise of the minimum
    /// RTT, µs.
    fn size(&self, bad: &[&Edge]) -> (f64, Option<u32>);
}
