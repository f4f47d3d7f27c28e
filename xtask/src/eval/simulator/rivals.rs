//! Simpler ways to find the culprit, for comparison. Their limits are set to what serves them best on the tuning seeds.

use netwhy_agent::blame::{Culprit, EndId, Fleet};

/// After 007 (NSDI'18): every lossy conversation has one vote, split among the components that it crosses; the
/// component with most votes is blamed as long as it has this share of all votes, and its conversations' votes are
/// withdrawn.
pub(in crate::eval) fn voting(fleet: &Fleet, ends: usize, share: f64) -> Vec<Culprit> {
    let mut by_end: Vec<Vec<u32>> = vec![Vec::new(); ends];
    let mut votes = vec![0.0_f64; ends];
    let lossy: Vec<(usize, usize, f64)> = fleet
        .edges()
        .iter()
        .filter(|edge| edge.lossy_flows > 0)
        .map(|edge| (edge.from.index(), edge.to.index(), f64::from(edge.lossy_flows) / 2.0))
        .collect();
    for (row, (from, to, vote)) in (0_u32..).zip(&lossy) {
        for end in [*from, *to] {
            by_end[end].push(row);
            votes[end] += vote;
        }
    }
    let least = share * votes.iter().sum::<f64>();
    let mut gone = vec![false; lossy.len()];
    let mut blamed = Vec::new();
    let ids = ids(fleet, ends);
    while let Some((end, most)) = votes.iter().copied().enumerate().max_by(|x, y| x.1.total_cmp(&y.1)) {
        if most < least || most <= 0.0 || blamed.len() >= 64 {
            break;
        }
        for row in std::mem::take(&mut by_end[end]) {
            let (from, to, vote) = lossy[row as usize];
            if !std::mem::replace(&mut gone[row as usize], true) {
                votes[from] -= vote;
                votes[to] -= vote;
            }
        }
        votes[end] = 0.0;
        blamed.extend(ids[end].map(Culprit::Node));
    }
    blamed
}

/// Nodes whose episodes per segment above the baseline lie this many robust deviations (1.4826 × the median absolute
/// deviation) above the median Node's, the worst first.
pub(in crate::eval) fn robust_z(fleet: &Fleet, ends: usize, limit: f64) -> Vec<Culprit> {
    let mut sums = vec![(0.0_f64, 0.0_f64); ends];
    for edge in fleet.edges() {
        let segments = edge.segments as f64;
        let excess = f64::from(edge.episodes) - segments * f64::from(edge.baseline.unwrap_or(5e-4));
        for end in [edge.from, edge.to] {
            let sum = &mut sums[end.index()];
            *sum = (sum.0 + excess, sum.1 + segments);
        }
    }
    let ratio = |(excess, segments): &(f64, f64)| if *segments > 0.0 { excess / segments } else { 0.0 };
    let ratios: Vec<f64> = sums.iter().map(ratio).collect();
    let middle = median(ratios.clone());
    let deviation = 1.4826 * median(ratios.iter().map(|x| (x - middle).abs()).collect());
    let ids = ids(fleet, ends);
    let mut outliers: Vec<(f64, Option<EndId>)> =
        ratios.into_iter().zip(ids).filter(|(x, _)| x - middle > limit * deviation).collect();
    outliers.sort_by(|a, b| b.0.total_cmp(&a.0));
    outliers.into_iter().filter_map(|(_, id)| id.map(Culprit::Node)).collect()
}

fn ids(fleet: &Fleet, ends: usize) -> Vec<Option<EndId>> {
    let mut ids = vec![None; ends];
    for end in fleet.edges().iter().flat_map(|edge| [edge.from, edge.to]) {
        ids[end.index()] = Some(end);
    }
    ids
}

fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests;
