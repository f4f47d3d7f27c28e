//! Medians and means, and how sure they are.

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2000;

/// Values of one figure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    /// Their median, or mean.
    pub(super) figure: f64,
    /// Lower end of its 95 % interval.
    pub(super) low: f64,
    /// Upper end.
    pub(super) high: f64,
    /// Values.
    pub(super) n: usize,
}

impl Spread {
    /// Median with a bootstrap interval. `None`: no values.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let median = |sample: &mut [f64]| {
            sample.sort_by(f64::total_cmp);
            middle(sample)
        };
        Self::resampled(values, median)
    }

    /// Mean with a bootstrap interval, of what now and then costs much. `None`: no values.
    pub(super) fn of_mean(values: &[f64]) -> Option<Self> {
        let mean = |sample: &mut [f64]| (!sample.is_empty()).then(|| sample.iter().sum::<f64>() / sample.len() as f64);
        Self::resampled(values, mean)
    }

    fn resampled(values: &[f64], figure: impl Fn(&mut [f64]) -> Option<f64>) -> Option<Self> {
        let n = values.len();
        let of_all = figure(&mut values.to_vec())?;
        // A fixed seed: the same values give the same interval.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut figures: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                let mut sample: Vec<f64> = (0..n).map(|_| values[(next(&mut state) % n as u64) as usize]).collect();
                figure(&mut sample)
            })
            .collect();
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| figures[((RESAMPLES - 1) as f64 * share).round() as usize];
        Some(Self { figure: of_all, low: at(0.025), high: at(0.975), n })
    }

    /// The same in another unit.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self { figure: self.figure * factor, low: self.low * factor, high: self.high * factor, n: self.n }
    }

    /// As JSON beside the headline figure.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "median": self.figure, "low95": self.low, "high95": self.high, "n": self.n })
    }

    /// From such JSON.
    pub(super) fn of_json(json: &serde_json::Value) -> Option<Self> {
        let number = |key: &str| json[key].as_f64();
        let n = json["n"].as_u64()? as usize;
        Some(Self { figure: number("median")?, low: number("low95")?, high: number("high95")?, n })
    }
}

/// Median of sorted values.
fn middle(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    match n {
        0 => None,
        n if n % 2 == 1 => Some(sorted[n / 2]),
        n => Some((sorted[n / 2 - 1] + sorted[n / 2]) / 2.0),
    }
}

/// Marsaglia's xorshift64*.
fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
}

#[cfg(test)]
mod tests;
