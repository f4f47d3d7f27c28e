//! The simulator's simple rivals, 007-style voting and robust z, on the rows of a case's agents. Pure.

use crate::eval::{
    generated::{culprit::Culprit, plan::Plan},
    simulator::rivals::{robust_z, voting},
};
use netwhy_agent::{api::PeerRow, blame, plugin::model::fleet::fleet};

/// Shares of all votes that voting may ask for. Each vote is split between two ends: nobody has more than half.
pub(super) const VOTES: [f64; 8] = [0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45];
/// Deviations that robust z may ask for.
pub(super) const DEVIATIONS: [f64; 8] = [3.0, 4.0, 6.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Whom they name first, at each of their limits.
pub(super) struct Simple {
    pub(super) voting: Vec<Culprit>,
    pub(super) robust_z: Vec<Culprit>,
}

impl Simple {
    pub(super) fn of(rows: &[PeerRow], plan: &Plan) -> Self {
        let fleet = fleet(rows);
        let ends = fleet.edges().iter().flat_map(|edge| [edge.from.index(), edge.to.index()]).max();
        let Some(ends) = ends.map(|last| last + 1) else {
            return Self {
                voting: vec![Culprit::Nobody; VOTES.len()],
                robust_z: vec![Culprit::Nobody; DEVIATIONS.len()],
            };
        };
        // Both take whatever has an edge for a Node.
        let first = |named: &[blame::Culprit]| match named.first().and_then(|culprit| culprit.node()) {
            Some(end) if plan.topology.nodes.iter().any(|node| node.name == fleet.name(end)) => {
                Culprit::Node(fleet.name(end).to_owned())
            }
            Some(_) => Culprit::External,
            None => Culprit::Nobody,
        };
        Self {
            voting: VOTES.iter().map(|share| first(&voting(&fleet, ends, *share))).collect(),
            robust_z: DEVIATIONS.iter().map(|limit| first(&robust_z(&fleet, ends, *limit))).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
