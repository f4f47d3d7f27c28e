//! Evidence of loss: episodes against the edge's own baseline, with an allowance for bursts.

use super::{fleet::Edge, parameters::Parameters, signal::Signal, verdict::Symptom};

/// Additional episodes per segment of the hypotheses, a factor 3 apart. A fault between two of them loses at most 15 %
/// of the evidence.
pub(super) const LEVELS: [f32; 4] = [0.0015, 0.0045, 0.0135, 0.04];
/// Episodes that a fault should cause on a peer's edges before their absence counts.
const SHOWN: f64 = 2.0;

/// Multiples of the usual loss that all edges of a busy component may show at once.
const MULTIPLES: [f32; 4] = [1.5, 2.0, 3.0, 4.0];

/// Negative binomial evidence.
pub(super) struct Loss<'a> {
    parameters: &'a Parameters,
    /// Shape of the gamma distribution that an edge's rate follows from window to window.
    shape: f32,
    unknown_shape: f32,
}

impl<'a> Loss<'a> {
    /// `dispersion`: squared coefficient of variation of an edge's rate.
    pub(super) fn new(parameters: &'a Parameters, dispersion: f32) -> Self {
        let unknown_shape = 1.0 / parameters.unknown_dispersion.max(dispersion);
        Self { parameters, shape: 1.0 / dispersion, unknown_shape }
    }

    /// Episodes per segment in normal times, and the shape.
    fn normal(&self, edge: &Edge) -> (f32, f32) {
        match edge.baseline {
            Some(ratio) => (ratio.max(self.parameters.baseline_floor), self.shape),
            None => (self.parameters.unknown_baseline, self.unknown_shape),
        }
    }

    /// λ: episodes expected in normal times.
    pub(super) fn expected(&self, edge: &Edge) -> f64 {
        f64::from(self.normal(edge).0) * edge.segments as f64
    }

    /// g at each level, with all normal rates multiplied.
    fn terms(&self, edge: &Edge, multiple: f32) -> [f32; LEVELS.len()] {
        let (ratio, shape) = self.normal(edge);
        let (segments, episodes) = (edge.segments as f32, edge.episodes as f32);
        let (normal, spared) = (segments * ratio * multiple, self.parameters.spared);
        LEVELS.map(|level| {
            let extra = segments * level.max(self.parameters.min_growth * ratio);
            let nats = log_ratio(episodes, normal, extra, shape).min(self.parameters.edge_cap);
            (spared + (1.0 - spared) * nats.exp()).ln()
        })
    }

    /// Evidence of a row for a fault of its own path at this ratio, with normal rates multiplied, nats.
    fn pair_term(&self, edge: &Edge, ratio: f32, multiple: f32) -> f64 {
        let (usual, shape) = self.normal(edge);
        let segments = edge.segments as f32;
        let normal = segments * usual * multiple;
        let extra = segments * ratio.max(self.parameters.min_growth * usual);
        let nats = log_ratio(edge.episodes as f32, normal, extra, shape);
        f64::from(nats.min(self.most_nats(edge, normal)))
    }

    /// Upper bound of a row's evidence for its own path, nats. All episodes but one on each other lossy conversation
    /// may be one burst, at odds e^−cap and geometric in length. The rest has a chance of at most (λ/(λ+r))^left.
    /// Without a baseline nobody knows that the row is unusual.
    fn most_nats(&self, edge: &Edge, normal: f32) -> f32 {
        let Parameters { edge_cap, burst_episodes, .. } = self.parameters;
        let (_, shape) = self.normal(edge);
        let others = edge.lossy().saturating_sub(1).min(edge.episodes) as f32;
        if edge.baseline.is_none() {
            return *edge_cap;
        }
        let alone = others * (shape / normal).ln_1p();
        alone + edge_cap + (edge.episodes as f32 - others) / burst_episodes
    }

    /// Additional episodes of the edges over those expected, per segment.
    fn excess_ratio(&self, edges: &[&Edge]) -> f64 {
        let segments: f64 = edges.iter().map(|e| e.segments as f64).sum();
        let excess: f64 = edges.iter().map(|e| f64::from(e.episodes) - self.expected(e)).sum();
        if segments > 0.0 { (excess / segments).max(0.0) } else { 0.0 }
    }
}

/// Additional episodes per segment at which one agent tests its own edges. Few segments show only a large fault.
const ROW_LEVELS: [f32; 6] = [0.0015, 0.0045, 0.0135, 0.04, 0.12, 0.36];
/// Position of the first of these that is a heavy loss.
pub(crate) const HEAVY: usize = 3;

/// Evidence of one edge of one agent for a fault at several magnitudes, nats. `baseline`: episodes per segment in
/// normal times. Counts are negative binomial: of shape 1 in normal times, when loss comes in bursts, and of shape 4
/// under a fault, which is steadier.
pub(crate) fn row_nats(segments: u64, episodes: u64, baseline: f64) -> Vec<f64> {
    let Parameters { baseline_floor, min_growth, .. } = Parameters::default();
    let (segments, episodes, ratio) = (segments as f64, episodes as f64, baseline.max(f64::from(baseline_floor)));
    let normal = segments * ratio;
    // Γ(e+4)/(Γ(4)·Γ(e+1)): shape 4 has more ways to a count than shape 1.
    let ways = ((episodes + 1.0) * (episodes + 2.0) * (episodes + 3.0) / 6.0).ln();
    let of_normal = -normal.ln_1p() + episodes * (normal / (1.0 + normal)).ln();
    let nats = |level: f32| {
        let faulty = normal + segments * f64::from(level).max(f64::from(min_growth) * ratio);
        ways + 4.0 * (4.0 / (4.0 + faulty)).ln() + episodes * (faulty / (4.0 + faulty)).ln() - of_normal
    };
    if segments > 0.0 { ROW_LEVELS.map(nats).to_vec() } else { vec![0.0; ROW_LEVELS.len()] }
}

/// `ln(NB(e; μ₁, r) / NB(e; μ₀, r))` with `μ₁ = μ₀ + extra`: Poisson's `e·ln(μ₁/μ₀) − extra` when r → ∞.
fn log_ratio(episodes: f32, normal: f32, extra: f32, shape: f32) -> f32 {
    let faulty = normal + extra;
    // Most edges have no episode.
    let gain = if episodes > 0.0 { episodes * (faulty / normal).ln() } else { 0.0 };
    gain - (episodes + shape) * ((faulty + shape) / (normal + shape)).ln()
}

impl Signal<{ LEVELS.len() }> for Loss<'_> {
    const SYMPTOM: Symptom = Symptom::Loss;

    fn nats(&self, edge: &Edge) -> Option<[f32; LEVELS.len()]> {
        (edge.segments > 0).then(|| self.terms(edge, 1.0))
    }

    fn power(&self, edge: &Edge, level: usize) -> f64 {
        let ratio = f64::from(LEVELS[level].max(self.parameters.min_growth * self.normal(edge).0));
        ratio * edge.segments as f64 / SHOWN
    }

    fn net_of_load(&self, edges: &mut dyn Iterator<Item = &Edge>) -> f64 {
        let mut sums = [[0.0_f64; LEVELS.len()]; MULTIPLES.len()];
        for edge in edges.filter(|edge| edge.segments > 0) {
            for (sums, multiple) in sums.iter_mut().zip(MULTIPLES) {
                for (sum, nats) in sums.iter_mut().zip(self.terms(edge, multiple)) {
                    *sum += f64::from(nats);
                }
            }
        }
        let nats = sums.iter().zip(MULTIPLES).map(|(sums, multiple)| {
            let deviations = f64::from(multiple.ln() / self.parameters.common_deviation);
            sums.iter().copied().fold(f64::NEG_INFINITY, f64::max) + deviations * deviations / 2.0
        });
        nats.fold(f64::INFINITY, f64::min)
    }

    fn pair_nats(&self, edges: &[&Edge]) -> f64 {
        let ratio = self.excess_ratio(edges) as f32;
        if ratio < LEVELS[0] {
            return 0.0;
        }
        // The load of both ends acts on the path: twice the variance of one component.
        let of_multiple = |multiple: f32| {
            let deviations = f64::from(multiple.ln() / self.parameters.common_deviation);
            let nats = edges.iter().map(|edge| self.pair_term(edge, ratio, multiple));
            nats.sum::<f64>() + deviations * deviations / 4.0
        };
        MULTIPLES.into_iter().map(of_multiple).fold(of_multiple(1.0), f64::min)
    }

    fn pair_level(&self, edges: &[&Edge]) -> usize {
        let ratio = self.excess_ratio(edges) as f32;
        LEVELS.iter().rposition(|level| *level <= ratio).unwrap_or(0)
    }

    fn bad_flows(&self, edges: &[&Edge]) -> usize {
        edges.iter().map(|edge| edge.lossy() as usize).sum()
    }

    fn is_suspect(&self, edge: &Edge) -> bool {
        edge.episodes >= 2 && f64::from(edge.episodes) > 2.0 * self.expected(edge)
    }

    fn size(&self, bad: &[&Edge]) -> (f64, Option<u32>) {
        (self.excess_ratio(bad), None)
    }
}

/// Busy edges that a measured dispersion needs.
const ENOUGH: usize = 100;
/// Expected episodes from which an edge is busy. Below, chance hides bursts, and they do no harm.
const BUSY: f64 = 2.0;
/// Edges that the median is taken of.
const SAMPLE: usize = 65_536;
/// Median of |z| of a standard normal.
const NORMAL_MEDIAN: f32 = 0.6745;

/// Squared coefficient of variation `d` of the edges' rates, such that the median of `|e − λ| / √(λ + λ²·d)` is that
/// of a normal distribution. A few faulty components do not raise a median.
pub(super) fn dispersion(edges: &[Edge], parameters: &Parameters) -> f32 {
    let plain = Loss::new(parameters, parameters.default_dispersion);
    let step = edges.len().div_ceil(SAMPLE).max(1);
    let busy: Vec<(f32, f32)> = edges
        .iter()
        .step_by(step)
        .filter(|edge| edge.baseline.is_some())
        .map(|edge| (edge.episodes as f32, plain.expected(edge)))
        .filter(|(_, expected)| *expected >= BUSY)
        .map(|(episodes, expected)| (episodes, expected as f32))
        .collect();
    if busy.len() < ENOUGH {
        return parameters.default_dispersion.max(parameters.min_dispersion);
    }
    let mut z = vec![0.0_f32; busy.len()];
    let mut median = |d: f32| {
        for (z, (episodes, expected)) in z.iter_mut().zip(&busy) {
            *z = (episodes - expected).abs() / (expected + expected * expected * d).sqrt();
        }
        let middle = z.len() / 2;
        *z.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    // The median falls as d rises. 16 halvings of the exponent's range leave 0.01 %.
    let (mut low, mut high) = (parameters.min_dispersion, MAX_DISPERSION);
    for _ in 0..16 {
        let middle = (low * high).sqrt();
        if median(middle) > NORMAL_MEDIAN { low = middle } else { high = middle }
    }
    low
}

/// Upper bound of the dispersion. Above it episodes prove nothing.
const MAX_DISPERSION: f32 = 8.0;

#[cfg(test)]
mod tests;
