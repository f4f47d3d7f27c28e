//! Growth over time, by Theil and Sen: the median of the slopes of all pairs. Up to 29 % of what it gets may be anything
//! without moving it.

#[cfg(test)]
mod tests;

/// The interval takes points for independent, and samples near each other are alike: configurations, API failures and full
/// maps make waves of 10 to 30 s. So a run is cut into this many blocks, each with its median. Of an hour, they are 5 minutes
/// long. Of a minute, they are shorter than a wave: there, the limit of a figure alone keeps waves from being growth.
const BLOCKS: usize = 12;
/// Fewer points say nothing.
const FEWEST: usize = 8;

/// Growth of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Growth {
    /// Median.
    pub(super) median: f64,
    /// Growth over the whole time, by the median slope.
    pub(super) over_run: f64,
    /// Lower end of the 95 % interval of that growth. Above zero: it grows.
    pub(super) at_least: f64,
    /// Growth over the same time at the pace of the second half. Growth that levels off is small here.
    pub(super) lately: f64,
}

/// Growth of points (seconds, value), in the order of time. `None`: fewer than 8 points, or no time between them.
pub(super) fn growth(points: &[(f64, f64)]) -> Option<Growth> {
    if points.len() < FEWEST {
        return None;
    }
    let span = points.last()?.0 - points.first()?.0;
    let blocks = blocks(points)?;
    let mut block_slopes = slopes(&blocks);
    let slope = median(&mut block_slopes)?;
    // Kendall's variance of the number of concordant pairs gives the ranks of the interval (Sen, 1968).
    let n = blocks.len() as f64;
    let half_width = 1.96 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let rank = ((block_slopes.len() as f64 - half_width) / 2.0).floor().max(0.0) as usize;
    let mut values: Vec<f64> = points.iter().map(|(_, y)| *y).collect();
    Some(Growth {
        median: median(&mut values)?,
        over_run: slope * span,
        at_least: block_slopes.get(rank).copied().unwrap_or(slope) * span,
        lately: median(&mut slopes(&points[points.len() / 2..]))? * span,
    })
}

/// Medians of the blocks.
fn blocks(points: &[(f64, f64)]) -> Option<Vec<(f64, f64)>> {
    let count = points.len().min(BLOCKS);
    let block = |i: usize| {
        let part = &points[i * points.len() / count..(i + 1) * points.len() / count];
        let (mut times, mut values): (Vec<f64>, Vec<f64>) = part.iter().copied().unzip();
        Some((median(&mut times)?, median(&mut values)?))
    };
    (0..count).map(block).collect()
}

/// Slopes of all pairs.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (i, (t1, y1)) in points.iter().enumerate() {
        slopes.extend(points[i + 1..].iter().filter(|(t2, _)| t2 > t1).map(|(t2, y2)| (y2 - y1) / (t2 - t1)));
    }
    slopes
}

/// Sorts, and returns the middle.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*low, *high))
}
