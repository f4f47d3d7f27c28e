//! A cluster that does not exist: who talks to whom, how much, and how lossy it usually is.

use super::random::{log_normal, poisson};
use netwhy_agent::blame::{Edge, EndId, Fleet};
use rand::Rng as _;
use rand_distr::{Distribution as _, Pareto};
use rand_pcg::Pcg64Mcg;
use std::collections::HashSet;

/// Zones.
const ZONES: usize = 3;
/// Exponent of the Nodes' popularity (Zipf): the busiest of 2,000 has 440 times the share of the last.
const POPULARITY: f64 = 0.8;
/// Segments per window of the smallest conversation, its tail's exponent, and the largest.
const SEGMENTS: (f64, f64, f64) = (400.0, 1.2, 4e6);
/// Episodes per segment in normal times: median, and deviation of the logarithm, over edges.
const LOSS: (f64, f64) = (1e-4, 0.8);
/// Share of the edges that always lose, and how much more.
const PERSISTENT: (f64, f64) = (0.01, 30.0);
/// Share of the edges whose baseline is not known.
const UNKNOWN: f64 = 0.02;
/// Windows that baselines were learnt over.
const LEARNT: f64 = 30.0;
/// The prior that an agent shrinks its baselines to, in segments.
const SHRINK: f64 = 2000.0;
/// Hosts outside.
const EXTERNALS: usize = 12;

/// An edge's usual traffic and loss per window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: EndId,
    pub(super) to: EndId,
    /// Mean segments per window.
    pub(super) segments: f64,
    /// Mean episodes per segment.
    pub(super) loss: f64,
    /// Conversations.
    pub(super) flows: u32,
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// One row per link, in the same order, with baselines.
    pub(super) fleet: Fleet,
    pub(super) links: Vec<Link>,
    pub(super) nodes: Vec<EndId>,
    pub(super) externals: Vec<EndId>,
    pub(super) blind: HashSet<EndId>,
}

/// Size of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) nodes: usize,
    /// Mean number of Nodes that a Node is a client of.
    pub(super) servers: f64,
    /// Share of the Nodes without an agent.
    pub(super) blind: f64,
}

impl Cluster {
    pub(super) fn new(size: Size, rng: &mut Pcg64Mcg) -> Self {
        let mut fleet = Fleet::new();
        let nodes: Vec<EndId> =
            (0..size.nodes).map(|i| fleet.node(&format!("node-{i}"), Some(&format!("zone-{}", i % ZONES)))).collect();
        let externals = (0..EXTERNALS).map(|i| fleet.external(&format!("host-{i}"))).collect();
        let blind: HashSet<EndId> = nodes.iter().copied().filter(|_| rng.random_bool(size.blind)).collect();
        for node in nodes.iter().filter(|node| !blind.contains(node)) {
            fleet.set_heard(*node);
        }
        let mut cluster = Self { fleet, links: Vec::new(), nodes, externals, blind };
        cluster.connect(size, rng);
        cluster
    }

    fn connect(&mut self, size: Size, rng: &mut Pcg64Mcg) {
        let servers = Popular::new(self.nodes.clone(), rng);
        let outside = Popular::new(self.externals.clone(), rng);
        let mut known = HashSet::new();
        for client in self.nodes.clone() {
            let wanted = (log_normal(rng, size.servers, 0.5) as usize).clamp(3, size.nodes / 2);
            // A popular server is drawn again and again: a bounded number of draws.
            for _ in 0..wanted {
                let server = servers.draw(rng);
                let pair = (client.min(server), client.max(server));
                if client != server && known.insert(pair) {
                    self.talk(client, server, rng);
                }
            }
            let host = outside.draw(rng);
            self.link((client, host), 5.0, volume(rng), rng);
        }
    }

    /// Requests one way, replies the other.
    fn talk(&mut self, client: EndId, server: EndId, rng: &mut Pcg64Mcg) {
        let volume = volume(rng);
        let crosses_zones = self.fleet.zone_of(client) != self.fleet.zone_of(server);
        let factor = if crosses_zones { 2.0 } else { 1.0 };
        for ends in [(client, server), (server, client)] {
            let share: f64 = rng.random_range(0.3..1.0);
            self.link(ends, factor, volume * share, rng);
        }
    }

    /// One direction. `factor` multiplies the usual loss.
    fn link(&mut self, (from, to): (EndId, EndId), factor: f64, segments: f64, rng: &mut Pcg64Mcg) {
        let persistent = if rng.random_bool(PERSISTENT.0) { PERSISTENT.1 } else { 1.0 };
        let loss = log_normal(rng, LOSS.0, LOSS.1) * factor * persistent;
        let flows = 1 + poisson(rng, 2.0 * (segments / 100.0).ln_1p()) as u32;
        // An agent's baseline: what it saw, shrunk towards what is usual.
        let seen = segments * LEARNT;
        let episodes = poisson(rng, seen * loss) as f64;
        let baseline = (episodes + SHRINK * LOSS.0) / (seen + SHRINK);
        let baseline = Some(baseline as f32).filter(|_| !rng.random_bool(UNKNOWN));
        if self.blind.contains(&from) {
            return;
        }
        self.links.push(Link { from, to, segments, loss, flows });
        self.fleet.push(Edge { baseline, flows, ..Edge::new(from, to, 0, 0) });
    }
}

fn volume(rng: &mut Pcg64Mcg) -> f64 {
    let (least, tail, most) = SEGMENTS;
    // Both are positive: it can't fail.
    Pareto::new(least, tail).map_or(least, |pareto| pareto.sample(rng)).min(most)
}

/// Ends by Zipf's law, in an order of chance.
struct Popular {
    ends: Vec<EndId>,
    /// Running sum of the weights.
    upto: Vec<f64>,
}

impl Popular {
    fn new(mut ends: Vec<EndId>, rng: &mut Pcg64Mcg) -> Self {
        for i in (1..ends.len()).rev() {
            ends.swap(i, rng.random_range(0..=i));
        }
        let mut sum = 0.0;
        let weight = |rank: usize| (rank as f64 + 1.0).powf(-POPULARITY);
        let upto = (0..ends.len())
            .map(|rank| {
                sum += weight(rank);
                sum
            })
            .collect();
        Self { ends, upto }
    }

    fn draw(&self, rng: &mut Pcg64Mcg) -> EndId {
        let total = self.upto.last().copied().unwrap_or(0.0);
        let at = rng.random::<f64>() * total;
        self.ends[self.upto.partition_point(|upto| *upto <= at).min(self.ends.len() - 1)]
    }
}
