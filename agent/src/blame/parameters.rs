//! Parameters of the inference.

/// Parameters of [`judge`](super::judge). The defaults were tuned in the simulator (`cargo xtask eval --only
/// simulator`). Its report uses other seeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// θ: score from which a candidate is blamed, nats.
    pub threshold: f64,
    /// Distance in score within which candidates are ambiguous, nats.
    pub ambiguity: f64,
    /// Prior against one pair, beyond its family's size, nats: pairs are many, and seldom to blame alone.
    pub pair_prior: f64,
    /// Prior against a zone pair, beyond its family's size, nats.
    pub zone_prior: f64,
    /// Prior against a partial fault (fewer than half of the peers are bad), nats.
    pub partial_prior: f64,
    /// Least share of the peers that must be bad, 0 … 1.
    pub min_bad_share: f64,
    /// Least number of bad peers, or of bad conversations of a pair.
    pub min_bad: usize,
    /// Share of a faulty component's edges that the fault spares, 0 … 1 (ECMP, offload, one queue).
    pub spared: f32,
    /// Upper bound of one edge's evidence, nats. Each edge may have trouble of its own with odds e^−cap, so that a
    /// single edge never convicts a component.
    pub edge_cap: f32,
    /// A fault multiplies an edge's episodes by at least 1 + this. Load steps and drifting baselines do not.
    pub min_growth: f32,
    /// Standard deviation, from window to window, of the logarithm of a component's load.
    pub common_deviation: f32,
    /// Mean episodes of a burst on one conversation.
    pub burst_episodes: f32,
    /// Lowest episode ratio called normal.
    pub baseline_floor: f32,
    /// Episode ratio of an edge whose baseline is not known.
    pub unknown_baseline: f32,
    /// Least squared coefficient of variation of an edge's rate from window to window (loss is bursty).
    pub min_dispersion: f32,
    /// The same when there are too few busy edges to measure it.
    pub default_dispersion: f32,
    /// The same for an edge whose baseline is not known.
    pub unknown_dispersion: f32,
    /// Least rise of the minimum RTT, µs: ratios of tiny RTTs mean nothing …
    pub shift_floor_us: u32,
    /// … and its least share of the usual minimum.
    pub shift_ratio: f32,
    /// Chance that an edge's minimum RTT rises for a reason of its own (a route, a rescheduled peer).
    pub shift_chance: f32,
    /// Findings after which judging stops.
    pub max_findings: usize,
    /// From score to confidence.
    pub calibration: Calibration,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            threshold: 4.5,
            ambiguity: 3.0,
            pair_prior: 2.0,
            zone_prior: 2.0,
            partial_prior: 3.0,
            min_bad_share: 0.3,
            min_bad: 3,
            spared: 0.3,
            edge_cap: 6.0,
            min_growth: 3.0,
            common_deviation: 0.25,
            burst_episodes: 8.0,
            baseline_floor: 1e-4,
            unknown_baseline: 5e-4,
            min_dispersion: 0.25,
            default_dispersion: 1.0,
            unknown_dispersion: 3.0,
            shift_floor_us: 500,
            shift_ratio: 0.5,
            shift_chance: 0.02,
            max_findings: 64,
            calibration: Calibration::FITTED,
        }
    }
}

/// Coefficients of a logistic regression: `logit = intercept + nats·ln(1 + score − θ) + single_path·[it is a pair]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// At the threshold.
    pub intercept: f64,
    /// Per e-fold of the score above the threshold.
    pub nats: f64,
    /// For a single path, which only its own evidence supports.
    pub single_path: f64,
}

impl Calibration {
    /// Fitted on the simulator's tuning seeds.
    pub const FITTED: Self = Self { intercept: 0.5, nats: 2.4, single_path: -0.8 };

    /// Probability that a verdict is right, 0.01 … 0.99, from its nats above the threshold.
    pub fn confidence(&self, above: f64, single_path: bool) -> f64 {
        let [a, b] = Self::features(above, single_path);
        let logit = self.intercept + self.nats * a + self.single_path * b;
        (1.0 / (1.0 + (-logit).exp())).clamp(0.01, 0.99)
    }

    /// The inputs of the coefficients `nats` and `single_path`.
    pub fn features(above: f64, single_path: bool) -> [f64; 2] {
        [above.max(0.0).ln_1p(), f64::from(u8::from(single_path))]
    }
}
