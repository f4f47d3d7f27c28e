//! The share of requests that the kernel programs observed.
//!
//! A busy Node times the requests of some connections, and each counts for others with its weight. The maps hold the sum
//! of the weights and of their squares by edge: the sum's square, divided by the other, is the number of requests that
//! were timed, as long as those of an edge weigh about the same.

use serde_json::Value;
use std::collections::BTreeMap;

/// Sums of the weights of timed requests and of their squares, by edge, since the programs were loaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Counted(BTreeMap<String, [f64; 2]>);

impl Counted {
    /// From the instrument's answer. `None`: it isn't understood.
    pub(super) fn of(answer: &Value) -> Option<Self> {
        let edges = answer["edges"].as_object()?.iter();
        let sums = edges.map(|(edge, sums)| Some((edge.clone(), [sums[0].as_f64()?, sums[1].as_f64()?])));
        Some(Self(sums.collect::<Option<_>>()?))
    }

    /// Requests that were timed since `before`.
    pub(super) fn timed_since(&self, before: &Self) -> f64 {
        let timed = self.0.iter().map(|(edge, now)| {
            let before = before.0.get(edge).copied().unwrap_or_default();
            let (weights, squares) = (now[0] - before[0], now[1] - before[1]);
            // A row that left the map meanwhile begins anew.
            if weights > 0.0 && squares > 0.0 { weights * weights / squares } else { 0.0 }
        });
        timed.sum()
    }
}

/// Share of requests that were timed, of these many at each of both ends. `None`: none were.
pub(super) fn of(timed: f64, requests: f64) -> Option<f64> {
    (timed > 0.0 && requests > 0.0).then(|| timed / (2.0 * requests))
}

/// For people.
pub(super) fn text(share: Option<f64>) -> String {
    share.map(|share| format!("; {:.1} % of both ends' requests timed", share * 100.0)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
