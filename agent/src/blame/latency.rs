//! Evidence of latency: edges whose minimum RTT rose, against edges of the same ends without a rise.

use super::{
    fleet::{Edge, MinRtt},
    parameters::Parameters,
    signal::Signal,
    verdict::Symptom,
};

/// Multiple of the floor from which a rise counts at each level.
pub(super) const LEVELS: [u32; 3] = [1, 4, 16];

/// A Bernoulli trial: the edge's minimum RTT rose, or it did not.
pub(super) struct Latency<'a> {
    parameters: &'a Parameters,
    /// ln P(shifted | at fault) / P(shifted | normal).
    shifted: f32,
    /// ln P(not shifted | at fault) / P(not shifted | normal).
    still: f32,
}

impl<'a> Latency<'a> {
    pub(super) fn new(parameters: &'a Parameters) -> Self {
        let (hit, chance) = (1.0 - parameters.spared, parameters.shift_chance);
        Self { parameters, shifted: (hit / chance).ln(), still: ((1.0 - hit) / (1.0 - chance)).ln() }
    }

    /// Evidence of one row for a longer path, by size of the rise, nats.
    pub(super) fn row_nats(&self, rtt: MinRtt) -> Vec<f64> {
        let chance = f64::from(self.parameters.shift_chance);
        let nats = |level| if self.is_shifted(rtt, level) { -chance.ln() } else { STILL };
        (0..LEVELS.len()).map(nats).collect()
    }

    fn is_shifted(&self, rtt: MinRtt, level: usize) -> bool {
        let rise = rise_us(rtt);
        rise >= self.parameters.shift_floor_us.saturating_mul(LEVELS[level])
            && rise as f32 >= self.parameters.shift_ratio * rtt.usual_us as f32
    }
}

/// Evidence of one edge of one agent for a longer path, by size of the rise, nats.
pub(crate) fn row_nats(now_us: f64, usual_us: f64) -> Vec<f64> {
    let Parameters { shift_floor_us, shift_chance, .. } = Parameters::default();
    let rise = now_us - usual_us;
    let floor = |level: u32| f64::from(shift_floor_us.saturating_mul(level));
    // The smallest rise that the judge of paths calls longer counts at the first level, however short the path is.
    let is_shifted = |level: u32| rise > 0.0 && (level == LEVELS[0] || rise >= floor(level));
    let chance = f64::from(shift_chance);
    LEVELS.map(|level| if is_shifted(level) { -chance.ln() } else { STILL }).to_vec()
}

/// Evidence of one row for a delay of which another agent knows the size, nats. `None`: it speaks neither for it nor
/// against it.
///
/// A delay adds itself to every round trip. So a row that grew by far less does not have it, however high the round trips
/// are by themselves. A row that grew by a part of it says nothing.
pub(super) fn delay_nats(edge: &Edge, delay_us: f64) -> Option<f64> {
    let rtt = edge.min_rtt.or(edge.rise)?;
    let Parameters { shift_floor_us, shift_ratio, shift_chance, .. } = Parameters::default();
    let rise = f64::from(rise_us(rtt));
    if rise < LITTLE * delay_us {
        return Some(STILL);
    }
    if edge.min_rtt.is_none() {
        let is_alike = (1.0 / ALIKE..=ALIKE).contains(&(rise / delay_us));
        return is_alike.then(|| -BY_CHANCE.ln());
    }
    let least = f64::from(shift_floor_us).max(f64::from(shift_ratio) * f64::from(rtt.usual_us)).max(MAIN * delay_us);
    (rise >= least).then(|| -f64::from(shift_chance).ln())
}

/// Share of a delay from which a row shows it …
const MAIN: f64 = 0.5;
/// … and below which it doesn't.
const LITTLE: f64 = MAIN / 2.0;
/// Multiple up to which a rise is as long as a delay.
const ALIKE: f64 = 1.5;
/// Chance that a rise for another reason, such as slow peers, is as long: `2·ln 1.5 / ln 1000`, if all lengths from half
/// a millisecond to half a second are as likely.
const BY_CHANCE: f64 = 0.117;

/// Evidence of a path that is as fast as usual, nats: the few samples that say so may be wrong.
const STILL: f64 = -8.0;

fn rise_us(rtt: MinRtt) -> u32 {
    rtt.now_us.saturating_sub(rtt.usual_us)
}

impl Signal<{ LEVELS.len() }> for Latency<'_> {
    const SYMPTOM: Symptom = Symptom::Latency;

    fn nats(&self, edge: &Edge) -> Option<[f32; LEVELS.len()]> {
        let rtt = edge.min_rtt?;
        Some(std::array::from_fn(|level| if self.is_shifted(rtt, level) { self.shifted } else { self.still }))
    }

    fn power(&self, edge: &Edge, _level: usize) -> f64 {
        f64::from(u8::from(edge.min_rtt.is_some()))
    }

    fn net_of_load(&self, _edges: &mut dyn Iterator<Item = &Edge>) -> f64 {
        // A minimum does not depend on load.
        f64::INFINITY
    }

    fn pair_nats(&self, edges: &[&Edge]) -> f64 {
        let level = self.pair_level(edges);
        let nats = edges.iter().filter_map(|edge| {
            // When the minimum over all conversations rose, each of them rose.
            let flows = f64::from(edge.flows.max(1));
            let nats = if self.is_shifted(edge.min_rtt?, level) { self.shifted } else { self.still };
            Some(f64::from(nats) * flows)
        });
        nats.sum()
    }

    fn pair_level(&self, edges: &[&Edge]) -> usize {
        let count = |level: usize| {
            let shifted = |edge: &&&Edge| edge.min_rtt.is_some_and(|rtt| self.is_shifted(rtt, level));
            edges.iter().filter(shifted).count()
        };
        // The highest level that as many edges reach as the lowest.
        (0..LEVELS.len()).rev().find(|level| count(*level) == count(0)).unwrap_or(0)
    }

    fn bad_flows(&self, edges: &[&Edge]) -> usize {
        let shifted = edges.iter().filter(|edge| edge.min_rtt.is_some_and(|rtt| self.is_shifted(rtt, 0)));
        shifted.map(|edge| edge.flows.max(1) as usize).sum()
    }

    fn is_suspect(&self, edge: &Edge) -> bool {
        edge.min_rtt.is_some_and(|rtt| self.is_shifted(rtt, 0))
    }

    fn size(&self, bad: &[&Edge]) -> (f64, Option<u32>) {
        let mut rises: Vec<u32> = bad.iter().filter_map(|edge| edge.min_rtt.map(rise_us)).collect();
        rises.sort_unstable();
        (0.0, rises.get(rises.len() / 2).copied())
    }
}
