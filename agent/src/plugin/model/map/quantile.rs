//! Percentiles of several Pods together, from the percentiles of each.

/// Response times of one Pod: requests, and percentiles in s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) requests: f64,
    pub(super) p50: f64,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
}

/// Halvings of the range in which the percentile is.
const STEPS: usize = 50;

/// The percentile `q`, 0 … 1, of all parts, s: that of a mixture whose parts are linear between their percentiles.
/// Exact for one part. `None`: no part knows its own.
pub(super) fn quantile(parts: &[Part], q: f64) -> Option<f64> {
    // A part that knows only its median says nothing of the higher percentiles.
    let of_part = |part: &Part| if q <= 0.5 { Some(part.p50) } else { part.p95 };
    let known: Vec<(&Part, f64)> =
        parts.iter().filter(|part| part.requests > 0.0).filter_map(|part| Some((part, of_part(part)?))).collect();
    let (mut low, mut high) = (
        known.iter().map(|(_, own)| *own).min_by(f64::total_cmp)?,
        known.iter().map(|(_, own)| *own).max_by(f64::total_cmp)?,
    );
    let all: f64 = known.iter().map(|(part, _)| part.requests).sum();
    if low < high {
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            let below: f64 = known.iter().map(|(part, _)| part.requests * share_below(part, middle)).sum();
            if below < q * all { low = middle } else { high = middle }
        }
    }
    // Whole microseconds, as the agents measure.
    Some((high * 1e6).round() / 1e6)
}

/// Share of a part's requests that take less than `seconds`.
fn share_below(part: &Part, seconds: f64) -> f64 {
    let points = [Some((0.0, 0.0)), Some((part.p50, 0.5)), part.p95.map(|s| (s, 0.95)), part.p99.map(|s| (s, 0.99))];
    let mut last = (0.0, 0.0);
    for point in points.into_iter().flatten() {
        if seconds < point.0 {
            let width = point.0 - last.0;
            return last.1 + (point.1 - last.1) * (seconds - last.0) / width;
        }
        last = point;
    }
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(requests: f64, p50: f64, p95: f64) -> Part {
        Part { requests, p50, p95: Some(p95), p99: Some(2.0 * p95) }
    }

    #[test]
    fn one_part_keeps_its_percentiles_and_equal_parts_too() {
        for parts in [vec![part(10.0, 0.02, 0.03)], vec![part(10.0, 0.02, 0.03), part(90.0, 0.02, 0.03)]] {
            assert_eq!((quantile(&parts, 0.5), quantile(&parts, 0.95)), (Some(0.02), Some(0.03)));
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[Part { p95: None, p99: None, ..part(1.0, 0.02, 0.0) }], 0.95), None);
        assert_eq!(quantile(&[part(0.0, 0.02, 0.03)], 0.5), None, "no request ended");
    }

    #[test]
    fn a_tenth_of_slow_requests_shows_in_the_p95_and_not_in_the_median() {
        let parts = [part(90.0, 0.01, 0.02), part(10.0, 1.0, 1.5)];
        let (p50, p95) = (quantile(&parts, 0.5).unwrap(), quantile(&parts, 0.95).unwrap());
        assert!((0.01..0.02).contains(&p50), "{p50}");
        assert!((0.9..1.5).contains(&p95), "{p95}");
    }
}
