//! Faults, and the figures that one window then shows.

use super::{
    cluster::{Cluster, Link},
    random::{burst, gamma, log_normal, poisson},
};
use netwhy_agent::blame::{Culprit, EndId, Fleet};
use rand::Rng as _;
use rand_pcg::Pcg64Mcg;

/// Faults' additional episodes per segment: least and most, log-uniform.
const MAGNITUDE: (f64, f64) = (0.002, 0.05);
/// A single path is broken where this many segments pass, and by this much at least.
const PAIR: (f64, f64) = (5_000.0, 0.005);
/// Squared coefficient of variation of an edge's rate from window to window.
const BURSTINESS: f64 = 1.0;
/// The same while a fault is on.
const FAULT_BURSTINESS: f64 = 0.25;
/// Deviation of the logarithm of what all edges of a Node share (its load).
const WOBBLE: f64 = 0.25;
/// Deviation of the logarithm of an edge's traffic.
const TRAFFIC: f64 = 0.5;
/// Chance per edge and window of a burst on one conversation, and its mean episodes.
const BURST: (f64, f64) = (5e-4, 8.0);

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) culprit: Culprit,
    /// Additional episodes per segment.
    pub(super) ratio: f64,
}

/// How evenly a fault hits the edges of its culprit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partial {
    /// Share of the edges that are hit.
    pub(super) hit: f64,
    /// Deviation of the logarithm of the ratio over edges.
    pub(super) variation: f64,
}

impl Fault {
    /// So many, of different Nodes.
    pub(super) fn draw(cluster: &Cluster, count: usize, rng: &mut Pcg64Mcg) -> Vec<Self> {
        let mut faults: Vec<Self> = Vec::new();
        while faults.len() < count {
            let fault = Self::one(cluster, rng);
            // Two faults with an end or a kind of component in common would be one.
            if faults.iter().all(|other| !overlap(other.culprit, fault.culprit)) {
                faults.push(fault);
            }
        }
        faults
    }

    fn one(cluster: &Cluster, rng: &mut Pcg64Mcg) -> Self {
        let (least, most) = MAGNITUDE;
        let mut draw = |least: f64| (rng.random_range(least.ln()..most.ln())).exp();
        let (ratio, pair_ratio) = (draw(least), draw(PAIR.1));
        let node = cluster.nodes[rng.random_range(0..cluster.nodes.len())];
        let culprit = match rng.random_range(0..20) {
            0..5 => Culprit::Node(node),
            5..10 => Culprit::NodeIn(node),
            10..15 => Culprit::NodeOut(node),
            15..17 => {
                let pair = Self::pair(cluster, rng);
                return Self { culprit: pair, ratio: pair_ratio };
            }
            17..19 => {
                let other = cluster.nodes[rng.random_range(0..cluster.nodes.len())];
                match cluster.fleet.zone_of(node).zip(cluster.fleet.zone_of(other)) {
                    Some((a, b)) if a != b => Culprit::ZonePair(a.min(b), a.max(b)),
                    _ => Culprit::Node(node),
                }
            }
            _ => Culprit::External(cluster.externals[rng.random_range(0..cluster.externals.len())]),
        };
        Self { culprit, ratio }
    }

    fn pair(cluster: &Cluster, rng: &mut Pcg64Mcg) -> Culprit {
        loop {
            let link = &cluster.links[rng.random_range(0..cluster.links.len())];
            if link.segments >= PAIR.0 && !cluster.externals.contains(&link.to) {
                return Culprit::Pair(link.from.min(link.to), link.from.max(link.to));
            }
        }
    }

    fn hits(&self, link: &Link, fleet: &Fleet) -> bool {
        match self.culprit {
            Culprit::Node(end) => link.from == end || link.to == end,
            Culprit::NodeIn(end) | Culprit::External(end) => link.to == end,
            Culprit::NodeOut(end) => link.from == end,
            Culprit::Pair(a, b) => (link.from.min(link.to), link.from.max(link.to)) == (a, b),
            Culprit::ZonePair(a, b) => fleet
                .zone_of(link.from)
                .zip(fleet.zone_of(link.to))
                .is_some_and(|(from, to)| (from.min(to), from.max(to)) == (a, b)),
            Culprit::Pod(_) => false,
        }
    }
}

fn ends(culprit: Culprit) -> Vec<EndId> {
    match culprit {
        Culprit::Node(end) | Culprit::NodeIn(end) | Culprit::NodeOut(end) | Culprit::External(end) => vec![end],
        Culprit::Pair(a, b) => vec![a, b],
        Culprit::ZonePair(..) | Culprit::Pod(_) => Vec::new(),
    }
}

fn overlap(a: Culprit, b: Culprit) -> bool {
    let both_zones = matches!((a, b), (Culprit::ZonePair(..), Culprit::ZonePair(..)));
    both_zones || ends(a).iter().any(|end| ends(b).contains(end))
}

/// Fills the cluster's rows with one window's counts.
pub(super) fn window(cluster: &mut Cluster, faults: &[Fault], partial: Partial, rng: &mut Pcg64Mcg) {
    let ends = cluster.nodes.len() + cluster.externals.len();
    let wobble: Vec<f64> = (0..ends).map(|_| log_normal(rng, 1.0, WOBBLE)).collect();
    let links = std::mem::take(&mut cluster.links);
    let additional: Vec<f64> =
        links.iter().map(|link| additional(link, faults, partial, &cluster.fleet, rng)).collect();
    for ((edge, link), additional) in cluster.fleet.edges_mut().iter_mut().zip(&links).zip(additional) {
        let segments = log_normal(rng, link.segments, TRAFFIC).round();
        let shared = wobble[link.from.index()] * wobble[link.to.index()];
        let usual = link.loss * gamma(rng, BURSTINESS) * shared;
        let episodes = poisson(rng, segments * (usual + additional).min(1.0));
        let burst = if rng.random_bool(BURST.0) { burst(rng, BURST.1) } else { 0 };
        edge.segments = segments as u64;
        edge.episodes = (episodes + burst) as u32;
        edge.lossy_flows = (lossy(episodes, link.flows, rng) + u32::from(burst > 0)).min(link.flows);
    }
    cluster.links = links;
}

fn additional(link: &Link, faults: &[Fault], partial: Partial, fleet: &Fleet, rng: &mut Pcg64Mcg) -> f64 {
    let mut sum = 0.0;
    for fault in faults.iter().filter(|fault| fault.hits(link, fleet)) {
        // A single path has nothing to be spared.
        let whole = matches!(fault.culprit, Culprit::Pair(..)) || partial.hit >= 1.0;
        if whole || rng.random_bool(partial.hit) {
            sum += log_normal(rng, fault.ratio, partial.variation.max(1e-9)) * gamma(rng, FAULT_BURSTINESS);
        }
    }
    sum
}

/// Number of conversations that share these episodes; some conversations are busier than others.
fn lossy(episodes: u64, flows: u32, rng: &mut Pcg64Mcg) -> u32 {
    let mut hit = 0_u64;
    for _ in 0..episodes.min(256) {
        let at: f64 = rng.random();
        hit |= 1 << ((at * at * f64::from(flows.min(64))) as u32).min(63);
    }
    hit.count_ones()
}

#[cfg(test)]
mod tests;
