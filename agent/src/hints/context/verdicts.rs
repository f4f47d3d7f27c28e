//! Verdicts on what was sent again to each peer, from all connections to it.
//!
//! The peer says of a needless retransmission that it had the data (DSACK), a round trip later. A connection that ends
//! before shows no verdict, so that a path that copies packets, or lets them overtake each other, looks lossy on its
//! edge. Connections that stay show the verdict on the same path.

use crate::{
    hints::{memory::edge::EdgeMemory, stats::poisson_tail_ln, thresholds::Thresholds},
    sample::Tally,
    state::{EdgeView, PeerId},
};
use netwhy_abi::{PeerClass, Retransmit};
use std::collections::BTreeMap;

/// Needless fast retransmissions on other edges from which these speak for the path.
const MIN_NEEDLESS: u64 = 20;
/// Share of the fast retransmissions that must be needless, 0 … 1.
const MOST: f64 = 0.75;
/// Share of probes and timeouts that were needed beside the fast retransmissions, from which an edge has losses, 0 … 1:
/// the last segments of a train are lost as often as others, and only a timer repairs them. Late packets need none.
const NEEDED_TIMERS: f64 = 0.05;
/// Chance of so many retransmissions on the path, below which an edge has losses of its own.
const OWN_ALPHA: f64 = 1e-3;

/// Fast retransmissions of some edges.
#[derive(Clone, Copy, Default)]
struct Verdicts {
    needless: u64,
    fast: u64,
    segments: u64,
}

impl Verdicts {
    fn of(tally: &Tally) -> Self {
        let fast = tally.retransmits[Retransmit::Fast as usize];
        Self { needless: tally.needless_fast(), fast, segments: tally.data_segs_out }
    }

    const fn add(&mut self, other: Self) {
        self.needless += other.needless;
        self.fast += other.fast;
        self.segments += other.segments;
    }

    /// The others, where `some` are among these.
    const fn without(self, some: Self) -> Self {
        Self {
            needless: self.needless.saturating_sub(some.needless),
            fast: self.fast.saturating_sub(some.fast),
            segments: self.segments.saturating_sub(some.segments),
        }
    }
}

/// All remote edges by peer.
pub(crate) struct PathVerdicts(BTreeMap<PeerId, Verdicts>);

impl PathVerdicts {
    pub(crate) fn new<'e>(edges: impl Iterator<Item = &'e EdgeView>) -> Self {
        let mut peers: BTreeMap<PeerId, Verdicts> = BTreeMap::new();
        for edge in edges.filter(|edge| edge.class != PeerClass::SameNode) {
            peers.entry(edge.peer_id()).or_default().add(Verdicts::of(&edge.window));
        }
        Self(peers)
    }

    /// Whether an edge sent again no more than other edges to its peer did for nothing, and nobody feels it. `memory`: of
    /// the edge.
    pub(crate) fn excuse(&self, edge: &EdgeView, memory: Option<&EdgeMemory>, thresholds: &Thresholds) -> bool {
        let own = Verdicts::of(&edge.window);
        let Some(all) = self.0.get(&edge.peer_id()).filter(|_| own.fast > 0) else { return false };
        let others = all.without(own);
        let are_needless = others.needless >= MIN_NEEDLESS && others.needless as f64 >= MOST * others.fast as f64;
        let usual = others.fast as f64 / others.segments.max(1) as f64;
        are_needless
            && needed_timers(&edge.window) as f64 <= NEEDED_TIMERS * own.fast as f64
            && poisson_tail_ln(own.fast, usual * own.segments as f64) > OWN_ALPHA.ln()
            && !is_slow(edge, memory, thresholds)
    }
}

fn needed_timers(tally: &Tally) -> u64 {
    let of = |kind: Retransmit| tally.retransmits[kind as usize];
    (of(Retransmit::TailLossProbe) + of(Retransmit::Timeout)).saturating_sub(tally.needless())
}

/// Requests take longer than usual.
fn is_slow(edge: &EdgeView, memory: Option<&EdgeMemory>, thresholds: &Thresholds) -> bool {
    let known = memory.and_then(EdgeMemory::requests).filter(|known| known.is_known());
    known.zip(edge.responses.as_deref()).is_some_and(|(known, now)| known.slow(now, thresholds).is_some())
}

#[cfg(test)]
mod tests;
