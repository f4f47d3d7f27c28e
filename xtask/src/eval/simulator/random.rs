//! Draws from distributions; parameters are positive by construction, and a value that is not gives its mean.

use rand_distr::{Distribution as _, Gamma, Geometric, LogNormal, Poisson};
use rand_pcg::Pcg64Mcg;

/// Log-normal with this median and this deviation of the logarithm.
pub(super) fn log_normal(rng: &mut Pcg64Mcg, median: f64, deviation: f64) -> f64 {
    LogNormal::new(median.ln(), deviation).map_or(median, |it| it.sample(rng))
}

/// Gamma with mean 1 and this squared coefficient of variation.
pub(super) fn gamma(rng: &mut Pcg64Mcg, dispersion: f64) -> f64 {
    Gamma::new(1.0 / dispersion, dispersion).map_or(1.0, |it| it.sample(rng))
}

/// Poisson with this mean.
pub(super) fn poisson(rng: &mut Pcg64Mcg, mean: f64) -> u64 {
    if mean <= 0.0 {
        return 0;
    }
    Poisson::new(mean).map_or(mean as u64, |it| it.sample(rng) as u64)
}

/// At least 1, geometric with about this mean.
pub(super) fn burst(rng: &mut Pcg64Mcg, mean: f64) -> u64 {
    1 + Geometric::new(1.0 / mean).map_or(0, |it| it.sample(rng))
}
