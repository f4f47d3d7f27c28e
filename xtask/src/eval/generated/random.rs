//! Draws from one seeded generator.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

pub(super) struct Random(Pcg64Mcg);

impl Random {
    /// The same for the same seed and case; unlike for neighbours.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ number))
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.0.random_bool(share)
    }

    /// From the first to the last, both included.
    pub(super) fn whole(&mut self, first: u64, last: u64) -> u64 {
        self.0.random_range(first..=last)
    }

    pub(super) fn even(&mut self, least: f64, most: f64) -> f64 {
        short(self.0.random_range(least..most))
    }

    /// Log-uniform, with two digits.
    pub(super) fn log(&mut self, least: f64, most: f64) -> f64 {
        short(self.0.random_range(least.ln()..most.ln()).exp())
    }

    /// One of them. `None`: there is none.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.0.random_range(0..from.len())) }
    }

    /// One of at least one.
    pub(super) fn one<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.0.random_range(0..from.len())].clone()
    }

    /// Up to this many different ones, in a drawn order.
    pub(super) fn some<T: Clone>(&mut self, from: &[T], most: usize) -> Vec<T> {
        let mut left = from.to_vec();
        let mut taken = Vec::new();
        while taken.len() < most && !left.is_empty() {
            taken.push(left.swap_remove(self.0.random_range(0..left.len())));
        }
        taken
    }
}

/// Two significant digits.
fn short(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let digits = 10_f64.powf(1.0 - value.abs().log10().floor());
    // Divided, because a multiple of a tenth is seldom a short decimal.
    if digits >= 1.0 { (value * digits).round() / digits } else { (value * digits).round() * (1.0 / digits).round() }
}
