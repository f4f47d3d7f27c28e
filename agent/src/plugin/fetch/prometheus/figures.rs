//! What fills up, by the gauges that a Prometheus keeps.

use super::{Labels, Prometheus, Series};
use crate::plugin::{
    Failure,
    model::forecast::{FIGURES, Figure, Filling, Forecast, Line, MIN_SAMPLES, Measured, Summary, named},
};
use futures::future::try_join_all;
use jiff::Timestamp;
use std::{collections::BTreeMap, time::Duration};

/// What tells one resource of Nodes from another. `instance` for a scrape that adds no Node.
const BY: &str = "cluster, node, instance, map";
/// The same of Pods. Resources of Nodes may have the agent's own Pod there.
const BY_POD: &str = "cluster, node, instance, namespace, pod";

/// PromQL about one figure.
struct Queries<'a> {
    figure: &'a Figure,
    /// Range of the lines, s.
    range: u64,
    /// Time to look ahead, s.
    within: u64,
}

impl Prometheus {
    /// All figures, from lines through the last `range` before `now`.
    ///
    /// # Errors
    /// When it does not answer, or the answer is too large.
    pub async fn forecast(&self, now: Timestamp, range: Duration, within: Duration) -> Result<Forecast, Failure> {
        let (range_seconds, within_seconds) = (range.as_secs(), within.as_secs());
        let figures = FIGURES.iter().map(|figure| async move {
            let queries = Queries { figure, range: range_seconds, within: within_seconds };
            self.figure(&queries, now, within).await
        });
        let mut out = Forecast {
            at: now.to_string(),
            within_seconds,
            range_seconds,
            source: format!("Prometheus {}", self.name),
            ..Forecast::default()
        };
        for (items, summary) in try_join_all(figures).await? {
            out.items.extend(items);
            out.figures.push(summary);
        }
        out.accept_queues = Some(self.accept_queues(now, range).await?);
        Ok(out)
    }

    async fn figure(
        &self,
        queries: &Queries<'_>,
        now: Timestamp,
        within: Duration,
    ) -> Result<(Vec<Filling>, Summary), Failure> {
        let of = |query: &str| queries.filling(query);
        let filling = [of(&queries.slope()), of(&queries.at(0)), of(&queries.limit()), of(&queries.samples())];
        let shares = [format!("count({})", queries.share()), format!("topk(1, {})", queries.share())];
        let (slopes, values, limits, samples, known, fullest) = tokio::try_join!(
            self.instant(&filling[0], now),
            self.instant(&filling[1], now),
            self.instant(&filling[2], now),
            self.instant(&filling[3], now),
            self.instant(&shares[0], now),
            self.instant(&shares[1], now),
        )?;
        let (values, limits, samples) = (by_labels(values), by_labels(limits), by_labels(samples));
        let measured = slopes.into_iter().filter_map(|Series { labels, samples: slope }| {
            let line = Line {
                value: *values.get(&labels)?,
                per_second: slope.first()?.1,
                samples: samples.get(&labels).map_or(0, |n| *n as u64),
            };
            let limit = *limits.get(&labels)?;
            Some(Measured { node: labels.place().to_owned(), which: queries.which(&labels), line, limit })
        });
        let figure = queries.figure;
        let items: Vec<Filling> = measured.filter_map(|one| Filling::of(figure, &one, now, within)).collect();
        let fullest = fullest.into_iter().next();
        let summary = Summary {
            resource: figure.name.to_owned(),
            known: known.first().and_then(value).map_or(0, |n| n as u64),
            filling: items.len() as u64,
            fullest_share: fullest.as_ref().and_then(value),
            fullest: fullest.map(|series| {
                let place = series.labels.place().to_owned();
                let which = queries.which(&series.labels);
                if which.is_empty() { place } else { format!("{} on {place}", named(figure, &which)) }
            }),
        };
        Ok((items, summary))
    }
}

impl Queries<'_> {
    /// Which of several resources of its kind it is; empty for the only one.
    fn which(&self, labels: &Labels) -> String {
        if self.figure.is_of_pods { format!("{}/{}", labels.namespace, labels.pod) } else { labels.map.clone() }
    }

    /// Labels that tell one resource from another.
    fn by(&self) -> &'static str {
        if self.figure.is_of_pods { BY_POD } else { BY }
    }

    /// Selector of the present use over the range.
    fn used(&self) -> String {
        let (metric, labels) = self.figure.used;
        format!("{metric}{{{labels}}}[{}s]", self.range)
    }

    fn limit(&self) -> String {
        let by = self.by();
        let Some((metric, labels)) = self.figure.limit else {
            // As many ones as there are resources.
            let (metric, labels) = self.figure.used;
            return format!("(0 * max by ({by}) ({metric}{{{labels}}}) + 1)");
        };
        format!("(max by ({by}) ({metric}{{{labels}}}) >= {})", self.figure.from_limit)
    }

    /// The line so many seconds after the end of the range.
    fn at(&self, seconds: u64) -> String {
        format!("max by ({}) (predict_linear({}, {seconds}))", self.by(), self.used())
    }

    fn slope(&self) -> String {
        format!("max by ({}) (deriv({}))", self.by(), self.used())
    }

    fn samples(&self) -> String {
        format!("max by ({}) (count_over_time({}))", self.by(), self.used())
    }

    /// Present use over the limit.
    fn share(&self) -> String {
        let (metric, labels) = self.figure.used;
        format!("(max by ({}) ({metric}{{{labels}}}) / {})", self.by(), self.limit())
    }

    /// A query, for those resources alone that are full in time. The server leaves all others out of its answer.
    fn filling(&self, query: &str) -> String {
        format!(
            "{query} and ({} >= {}) and ({} > 0) and ({} >= {MIN_SAMPLES})",
            self.at(self.within),
            self.limit(),
            self.slope(),
            self.samples()
        )
    }
}

pub(super) fn value(series: &Series) -> Option<f64> {
    series.samples.first().map(|(_, value)| *value).filter(|value| value.is_finite())
}

pub(super) fn by_labels(all: Vec<Series>) -> BTreeMap<Labels, f64> {
    all.into_iter().filter_map(|series| value(&series).map(|value| (series.labels, value))).collect()
}

#[cfg(test)]
mod tests;
