//! Growth over time, by Theil and Sen: the median of the slopes of all pairs of points. Up to 29 % of the points may be
//! anything without moving it.

#[cfg(test)]
mod tests;

/// Growth of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Median.
    pub(super) median: f64,
    /// Growth over the whole time, by the median slope.
    pub(super) over_run: f64,
    /// Lower end of the 95 % interval of that growth. Above zero: it grows.
    pub(super) at_least: f64,
}

/// Growth of points (seconds, value). `None`: fewer than 8 points, or no time between them.
pub(super) fn growth(points: &[(f64, f64)]) -> Option<Growth> {
    if points.len() < 8 {
        return None;
    }
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, (t1, y1)) in points.iter().enumerate() {
        slopes.extend(points[i + 1..].iter().filter(|(t2, _)| t2 > t1).map(|(t2, y2)| (y2 - y1) / (t2 - t1)));
    }
    let median_slope = median(&mut slopes)?;
    // Kendall's variance of the number of concordant pairs gives the ranks of the interval (Sen, 1968).
    let n = points.len() as f64;
    let half_width = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let rank = ((slopes.len() as f64 - half_width) / 2.0).floor().max(0.0) as usize;
    let span = points.last()?.0 - points.first()?.0;
    let mut values: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
    Some(Growth {
        median: median(&mut values)?,
        over_run: median_slope * span,
        at_least: slopes.get(rank).copied().unwrap_or(median_slope) * span,
    })
}

/// Sorts, and returns the middle.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}
