//! Accept queues that overflowed, by the counter that a Prometheus keeps.

use super::{
    Prometheus, Series,
    figures::{by_labels, value},
};
use crate::plugin::{
    Failure,
    model::forecast::{AcceptQueues, MAX_OVERFLOWS, Overflow, RECENT},
};
use jiff::Timestamp;
use std::time::Duration;

const METRIC: &str = "netwhy_tcp_accept_queue_overflows_total";
/// Labels that tell one Pod from another. `instance` for a scrape that adds no Node.
const BY: &str = "cluster, node, instance, namespace, pod";

/// PromQL about one range.
struct Queries {
    known: String,
    overflowed: String,
    most: String,
    /// Of those, in the last hour.
    recent: String,
}

impl Queries {
    fn new(range: Duration) -> Self {
        let overflowed = format!("({} >= 1)", turned_away(range));
        let most = format!("topk({MAX_OVERFLOWS}, {overflowed})");
        Self {
            known: format!("count(sum by ({BY}) ({METRIC}))"),
            overflowed: format!("count({overflowed})"),
            recent: format!("{} and {most}", turned_away(range.min(RECENT))),
            most,
        }
    }
}

fn turned_away(range: Duration) -> String {
    format!("sum by ({BY}) (increase({METRIC}[{}s]))", range.as_secs())
}

impl Prometheus {
    /// Accept queues in the last `range` before `now`.
    ///
    /// # Errors
    /// When it does not answer, or the answer is too large.
    pub(super) async fn accept_queues(&self, now: Timestamp, range: Duration) -> Result<AcceptQueues, Failure> {
        let queries = Queries::new(range);
        let (known, overflowed, most, recent) = tokio::try_join!(
            self.instant(&queries.known, now),
            self.instant(&queries.overflowed, now),
            self.instant(&queries.most, now),
            self.instant(&queries.recent, now),
        )?;
        Ok(queues((&known, &overflowed), most, recent))
    }
}

fn queues((known, overflowed): (&[Series], &[Series]), most: Vec<Series>, recent: Vec<Series>) -> AcceptQueues {
    let recent = by_labels(recent);
    let pods = most.into_iter().filter_map(|series| {
        Some(Overflow {
            namespace: series.labels.namespace.clone(),
            pod: series.labels.pod.clone(),
            node: series.labels.place().to_owned(),
            turned_away: value(&series)?,
            last_hour: recent.get(&series.labels).copied().unwrap_or(0.0),
        })
    });
    let number = |answer: &[Series]| answer.first().and_then(value).map_or(0, |n| n as u64);
    AcceptQueues { known: number(known), overflowed: number(overflowed), pods: pods.collect() }.sorted()
}

#[cfg(test)]
mod tests;
