//! The scenarios, and one trial of each.

use super::{
    cluster::{Cluster, Size},
    fault::{Fault, Partial, window},
    rivals,
    score::{Rival, Tally},
};
use netwhy_agent::blame::{Finding, Parameters, judge};
use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Length of a window, s: what an agent's is.
const WINDOW: f64 = 10.0;
/// Share of all votes that 007-style voting may ask for.
pub(super) const VOTES: [f64; 8] = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05];
/// Deviations that robust z may ask for.
pub(super) const DEVIATIONS: [f64; 8] = [4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0];

/// Where faults are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// One to four faults that hit all edges of their culprit alike; every Node has an agent.
    Clean,
    /// One to four faults that hit half of the edges, each edge differently; a fifth of the Nodes is blind.
    Degraded,
}

impl Scenario {
    pub(super) const ALL: [Self; 2] = [Self::Clean, Self::Degraded];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Degraded => "degraded",
        }
    }

    const fn partial(self) -> Partial {
        match self {
            Self::Clean => Partial { hit: 1.0, variation: 0.0 },
            Self::Degraded => Partial { hit: 0.5, variation: 0.7 },
        }
    }

    const fn blind(self) -> f64 {
        match self {
            Self::Clean => 0.0,
            Self::Degraded => 0.2,
        }
    }
}

/// Answers to the same windows by us and by the rivals at each of their limits.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) ours: Tally,
    pub(super) voting: [Rival; VOTES.len()],
    pub(super) robust_z: [Rival; DEVIATIONS.len()],
}

impl Answers {
    pub(super) fn merge(&mut self, other: Self) {
        let Self { ours, voting, robust_z } = other;
        self.ours.merge(ours);
        for (sum, rival) in self.voting.iter_mut().chain(&mut self.robust_z).zip(voting.iter().chain(&robust_z)) {
            sum.right += rival.right;
            sum.wrong += rival.wrong;
            sum.faults += rival.faults;
        }
    }
}

/// One cluster of this many Nodes, and `windows` windows of it with other faults each.
pub(super) fn trial(scenario: Scenario, nodes: usize, windows: usize, seed: u64, parameters: &Parameters) -> Answers {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let size = Size { nodes, servers: servers(nodes), blind: scenario.blind() };
    let mut cluster = Cluster::new(size, &mut rng);
    let mut answers = Answers::default();
    for _ in 0..windows {
        let count = rng.random_range(1..=4);
        let faults = Fault::draw(&cluster, count, &mut rng);
        window(&mut cluster, &faults, scenario.partial(), &mut rng);
        answers.ours.add(&faults, &judge(&cluster.fleet, parameters), parameters);
        let ends = cluster.nodes.len() + cluster.externals.len();
        for (rival, share) in answers.voting.iter_mut().zip(VOTES) {
            rival.add(&faults, &rivals::voting(&cluster.fleet, ends, share));
        }
        for (rival, limit) in answers.robust_z.iter_mut().zip(DEVIATIONS) {
            rival.add(&faults, &rivals::robust_z(&cluster.fleet, ends, limit));
        }
    }
    answers
}

/// Hints in normal times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Healthy {
    pub(super) node_days: f64,
    pub(super) windows: usize,
    /// Blamed, and ambiguous.
    pub(super) hints: usize,
    /// Undecided: shown on request, no hint.
    pub(super) insufficient: usize,
    pub(super) voting: [usize; VOTES.len()],
    pub(super) robust_z: [usize; DEVIATIONS.len()],
}

impl Healthy {
    pub(super) fn merge(&mut self, other: Self) {
        let Self { node_days, windows, hints, insufficient, voting, robust_z } = other;
        self.node_days += node_days;
        self.windows += windows;
        self.hints += hints;
        self.insufficient += insufficient;
        for (sum, n) in self.voting.iter_mut().chain(&mut self.robust_z).zip(voting.iter().chain(&robust_z)) {
            *sum += n;
        }
    }
}

/// One cluster in which nothing is broken, over many windows.
pub(super) fn healthy(nodes: usize, windows: usize, seed: u64, parameters: &Parameters) -> Healthy {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let mut cluster = Cluster::new(Size { nodes, servers: servers(nodes), blind: 0.0 }, &mut rng);
    let mut sum = Healthy { windows, node_days: (nodes * windows) as f64 * WINDOW / 86_400.0, ..Healthy::default() };
    for _ in 0..windows {
        window(&mut cluster, &[], Partial { hit: 1.0, variation: 0.0 }, &mut rng);
        for finding in judge(&cluster.fleet, parameters).findings {
            match finding {
                Finding::Blamed(_) | Finding::Ambiguous(_) => sum.hints += 1,
                Finding::Insufficient(..) => sum.insufficient += 1,
            }
        }
        let ends = cluster.nodes.len() + cluster.externals.len();
        for (count, share) in sum.voting.iter_mut().zip(VOTES) {
            *count += rivals::voting(&cluster.fleet, ends, share).len();
        }
        for (count, limit) in sum.robust_z.iter_mut().zip(DEVIATIONS) {
            *count += rivals::robust_z(&cluster.fleet, ends, limit).len();
        }
    }
    sum
}

/// Nodes that a Node is a client of: 20, or what a small cluster has.
fn servers(nodes: usize) -> f64 {
    (nodes as f64 / 4.0).min(20.0)
}
