//! Unusual losses of many edges at once, which may show on none of them alone.

use super::edge::ODD_LOSS;
use crate::{
    hints::stats::poisson_tail_ln,
    sample,
    state::{EdgeView, PeerId},
};
use netwhy_abi::PeerClass;
use std::{collections::BTreeMap, time::Duration};

/// Chance from which a window's losses are too unusual to be learned at once …
const ODD_ALPHA: f64 = 1e-3;
/// … and the episodes that it takes.
const ODD_EPISODES: u64 = 3;

/// Loss episodes of a window, and the number expected in normal times.
#[derive(Clone, Copy, Default)]
pub(crate) struct Losses {
    episodes: u64,
    expected: f64,
}

impl Losses {
    pub(crate) fn new(losses: sample::Losses, usual: f64) -> Self {
        Self { episodes: losses.episodes, expected: usual * losses.segments as f64 }
    }

    fn add(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.expected += other.expected;
    }

    pub(crate) fn is_odd(&self) -> bool {
        self.episodes >= ODD_EPISODES && poisson_tail_ln(self.episodes, self.expected) <= ODD_ALPHA.ln()
    }
}

/// Pools of edges: those to one peer, and (`None`) all that leave the Node. The value is how long the pool has been
/// unusual, less the time since in which it was not.
#[derive(Debug, Default)]
pub(crate) struct Pools(BTreeMap<Option<PeerId>, Duration>);

impl Pools {
    pub(crate) fn observe(&mut self, edges: &[EdgeView], losses: &[Losses], tick: Duration) {
        let (mut all, mut peers) = (Losses::default(), BTreeMap::<PeerId, Losses>::new());
        for (edge, losses) in edges.iter().zip(losses).filter(|(edge, _)| edge.class != PeerClass::SameNode) {
            peers.entry(edge.peer_id()).or_default().add(losses);
            all.add(losses);
        }
        let sums = [(None, all)].into_iter().chain(peers.into_iter().map(|(peer, losses)| (Some(peer), losses)));
        for since in self.0.values_mut() {
            *since = since.saturating_sub(tick);
        }
        for (pool, _) in sums.filter(|(_, losses)| losses.is_odd()) {
            let since = self.0.entry(pool).or_default();
            // Losses that last become normal, and stay so for as long.
            *since = (*since + 2 * tick).min(2 * ODD_LOSS);
        }
        self.0.retain(|_, since| !since.is_zero());
    }

    /// Whether an edge has losses and belongs to a pool that became unusual recently.
    pub(crate) fn are_odd(&self, edge: &EdgeView) -> bool {
        let is_new = |pool: &Option<PeerId>| self.0.get(pool).is_some_and(|since| *since < ODD_LOSS);
        let remote = edge.class != PeerClass::SameNode;
        remote && edge.losses().episodes > 0 && (is_new(&None) || is_new(&Some(edge.peer_id())))
    }
}
