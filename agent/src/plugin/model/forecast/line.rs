//! Simple linear regression, as `predict_linear` and `deriv` of PromQL do it.

/// A line through samples, at the end of their range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Its value at the end of the range.
    pub value: f64,
    /// Its slope.
    pub per_second: f64,
    /// Samples that it was drawn through.
    pub samples: u64,
}

impl Line {
    /// The line of least squares through points (s, value), at the time `end`. `None`: no two of them differ in time.
    pub fn through(points: &[(f64, f64)], end: f64) -> Option<Self> {
        let n = points.len() as f64;
        // Times relative to the end keep the sums small, as PromQL's intercept time does.
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (mean_x, mean_y) = (mean(&|point| point.0 - end), mean(&|point| point.1));
        let mut spread = 0.0;
        let mut common = 0.0;
        for (at, value) in points {
            let x = at - end - mean_x;
            spread += x * x;
            common += x * (value - mean_y);
        }
        if spread.is_nan() || spread <= 0.0 {
            return None;
        }
        let per_second = common / spread;
        Some(Self { value: mean_y - per_second * mean_x, per_second, samples: points.len() as u64 })
    }
}
