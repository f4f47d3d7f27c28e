//! How strong faults are: one strength for work on rules, one for the first round, and a range for all further rounds.
//!
//! The first round's strengths were used for work on the rules too. From the second round on every strength is drawn
//! from its range: it is the same in each run of a round, and never one of those two.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// The figures of the report. From the second round on the magnitudes are held-out.
    Report,
    /// Other places and magnitudes, for work on rules.
    Tune,
}

/// One number of a fault.
pub(super) struct Magnitude {
    /// Of the first round.
    first: f64,
    /// Of [`Set::Tune`].
    tune: f64,
    /// Of further rounds: the lowest, the highest, and from one to the next. Tenths are the finest.
    range: (f64, f64, f64),
}

const fn magnitude(first: f64, tune: f64, range: (f64, f64, f64)) -> Magnitude {
    Magnitude { first, tune, range }
}

/// Loss, %: two pairs of Nodes, the zones, a Pod, in bursts, and beside a quota.
pub(super) const PAIR_LOSS: [Magnitude; 2] =
    [magnitude(1.0, 1.5, (1.0, 2.0, 0.1)), magnitude(3.0, 4.0, (2.2, 3.5, 0.1))];
pub(super) const ZONE_LOSS: Magnitude = magnitude(1.0, 1.5, (0.8, 1.5, 0.1));
pub(super) const POD_LOSS: Magnitude = magnitude(2.0, 3.0, (1.5, 3.0, 0.1));
pub(super) const BURSTY_LOSS: Magnitude = magnitude(2.0, 3.0, (1.5, 3.0, 0.1));
pub(super) const LOSS_OF_TWO: Magnitude = magnitude(2.0, 2.0, (1.5, 3.0, 0.1));
/// Mbit/s. A store's Node takes in 9 of streams and 6.4 of answers.
pub(super) const POLICER: Magnitude = magnitude(6.0, 5.0, (5.0, 8.0, 0.1));
/// Mbit/s. Every Node sends 6.4 of answers, and their headers.
pub(super) const QUEUE: Magnitude = magnitude(5.0, 4.0, (4.0, 6.0, 0.1));
/// Each way, ms.
pub(super) const NODE_DELAY: [Magnitude; 2] =
    [magnitude(3.0, 5.0, (3.0, 6.0, 0.5)), magnitude(10.0, 15.0, (7.0, 12.0, 0.5))];
pub(super) const PAIR_DELAY: Magnitude = magnitude(10.0, 15.0, (4.0, 12.0, 0.5));
/// % of a CPU; beside the [one that is fixed](fixed_quota), and beside loss.
pub(super) const QUOTA: Magnitude = magnitude(20.0, 15.0, (8.0, 20.0, 1.0));
pub(super) const QUOTA_OF_TWO: Magnitude = magnitude(5.0, 5.0, (5.0, 12.0, 1.0));
/// Threads that never sleep.
pub(super) const THREADS: Magnitude = magnitude(4.0, 6.0, (4.0, 8.0, 1.0));
/// kB/s.
pub(super) const READS: Magnitude = magnitude(2000.0, 1000.0, (1000.0, 2000.0, 100.0));
/// Bytes per second of a connection that carries 375,000.
pub(super) const SLOW_READER: Magnitude = magnitude(100_000.0, 60_000.0, (60_000.0, 120_000.0, 5_000.0));
/// Bytes.
pub(super) const SEND_BUFFER: Magnitude = magnitude(32_768.0, 24_576.0, (24_576.0, 40_960.0, 2_048.0));
/// Of answers, ms: a resolver's, two servers', and those from outside.
pub(super) const DNS_DELAY: Magnitude = magnitude(150.0, 300.0, (120.0, 300.0, 10.0));
pub(super) const LOCK: [Magnitude; 2] =
    [magnitude(15.0, 25.0, (15.0, 30.0, 1.0)), magnitude(40.0, 60.0, (35.0, 60.0, 1.0))];
pub(super) const EXTERNAL: Magnitude = magnitude(60.0, 90.0, (50.0, 100.0, 5.0));

/// The same in every round: what is to be noticed at least (%), and a quota that throttles beyond doubt (% of a CPU).
pub(super) const fn node_loss(set: Set) -> [f64; 3] {
    match set {
        Set::Report => [0.2, 0.5, 2.0],
        Set::Tune => [0.3, 1.0, 3.0],
    }
}

pub(super) const fn fixed_quota(set: Set) -> f64 {
    match set {
        Set::Report => 5.0,
        Set::Tune => 7.0,
    }
}

/// The strengths of one round, in the order in which they are asked for.
pub(super) struct Draw {
    set: Set,
    round: u64,
    rng: Pcg64Mcg,
}

impl Draw {
    pub(super) fn new(set: Set, round: u64) -> Self {
        Self { set, round, rng: Pcg64Mcg::seed_from_u64(round) }
    }

    pub(super) fn of(&mut self, magnitude: &Magnitude) -> f64 {
        match (self.set, self.round) {
            (Set::Tune, _) => magnitude.tune,
            (Set::Report, 1) => magnitude.first,
            (Set::Report, _) => {
                let values = magnitude.values();
                values[self.rng.random_range(0..values.len())]
            }
        }
    }

    /// The same for what is counted in whole ones.
    pub(super) fn whole(&mut self, magnitude: &Magnitude) -> u64 {
        self.of(magnitude) as u64
    }
}

impl Magnitude {
    /// Further rounds draw from these ranges, without the magnitudes that rules were tuned on.
    fn values(&self) -> Vec<f64> {
        let Self { first, tune, range: (least, most, step) } = *self;
        let steps = ((most - least) / step).round() as u32;
        let all = (0..=steps).map(|n| ((least + f64::from(n) * step) * 10.0).round() / 10.0);
        all.filter(|value| *value != first && *value != tune).collect()
    }
}

#[cfg(test)]
mod tests;
