//! PromQL from the metric table. A query can't name an unknown metric or label, or a function that doesn't fit the
//! metric's type.

use crate::metrics::{Kind, METRICS, MetricDef};
use std::fmt;

/// Labels that the scrape configuration adds to every series.
const SCRAPE: [&str; 2] = ["cluster", "node"];
/// Labels of metrics about subjects.
const SUBJECT: [&str; 3] = ["namespace", "pod", "workload"];
/// Grafana replaces it by a range that fits the panel's resolution and the scrape interval.
const RANGE: &str = "$__rate_interval";

/// A query that doesn't fit the metric table.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// The variables that narrow a dashboard's queries. A variable does not apply to metrics without its label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope(pub(super) &'static [&'static str]);

/// Series of one metric.
#[derive(Debug)]
pub(super) struct Series {
    metric: &'static MetricDef,
    /// `{…}`
    matchers: String,
}

impl Scope {
    /// The series of a metric, narrowed further by matchers such as `state="ok"`.
    pub(super) fn of(self, name: &str, matchers: &[&str]) -> Result<Series, Error> {
        let metric = METRICS.into_iter().flatten().find(|metric| metric.name == name);
        let metric = metric.ok_or_else(|| Error(format!("no metric is named {name}")))?;
        for matcher in matchers {
            let label = matcher.split(['=', '!']).next().unwrap_or_default();
            known(metric, label)?;
        }
        let variables = self.0.iter().filter(|label| has(metric, label)).map(|label| format!("{label}=~\"${label}\""));
        let all: Vec<String> = variables.chain(matchers.iter().map(|matcher| (*matcher).to_owned())).collect();
        Ok(Series { metric, matchers: format!("{{{}}}", all.join(", ")) })
    }
}

fn has(metric: &MetricDef, label: &str) -> bool {
    SCRAPE.contains(&label)
        || metric.labels.iter().any(|declared| declared.name == label)
        || (metric.per_subject() && SUBJECT.contains(&label))
}

fn known(metric: &MetricDef, label: &str) -> Result<(), Error> {
    if has(metric, label) { Ok(()) } else { Err(Error(format!("{} has no label {label}", metric.name))) }
}

impl Series {
    pub(super) const fn metric(&self) -> &'static MetricDef {
        self.metric
    }

    fn must_be(&self, kind: Kind, function: &str) -> Result<(), Error> {
        if self.metric.kind == kind {
            return Ok(());
        }
        Err(Error(format!("{function} of {}, which is a {}", self.metric.name, self.metric.kind.label())))
    }

    fn by(&self, labels: &[&str]) -> Result<String, Error> {
        labels.iter().try_for_each(|label| known(self.metric, label))?;
        Ok(if labels.is_empty() { String::new() } else { format!(" by ({})", labels.join(", ")) })
    }

    /// Increase per second of a counter, as a sum per label value.
    pub(super) fn rate(&self, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Counter, "rate")?;
        let rate = format!("rate({}{}[{RANGE}])", self.metric.name, self.matchers);
        Ok(format!("sum{} ({})", self.by(by)?, self.of_agents(rate)))
    }

    /// Every program exports `process_*`: keeps the series of targets that are agents.
    fn of_agents(&self, expression: String) -> String {
        if self.metric.name.starts_with("process_") {
            format!("{expression} and on (job, instance) netwhy_agent_build_info")
        } else {
            expression
        }
    }

    /// Increase of a counter between two points of the panel, as a sum per label value.
    pub(super) fn increase(&self, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Counter, "increase")?;
        Ok(format!("sum{} (increase({}{}[{RANGE}]))", self.by(by)?, self.metric.name, self.matchers))
    }

    /// Values of a gauge, aggregated by `how` (`max`, `sum`, `min`, `count`).
    pub(super) fn value(&self, how: &str, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Gauge, how)?;
        let value = format!("{}{}", self.metric.name, self.matchers);
        Ok(format!("{how}{} ({})", self.by(by)?, self.of_agents(value)))
    }

    /// Highest value of a counter in the dashboard's time, also of series that begin above 0.
    pub(super) fn peak(&self, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Counter, "peak")?;
        Ok(format!("max{} (max_over_time({}{}[$__range]))", self.by(by)?, self.metric.name, self.matchers))
    }

    /// A quantile of a histogram.
    pub(super) fn quantile(&self, q: f64, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Histogram, "quantile")?;
        let labels: Vec<&str> = by.iter().copied().chain(["le"]).collect();
        self.by(by)?;
        Ok(format!(
            "histogram_quantile({q}, sum by ({}) (rate({}_bucket{}[{RANGE}])))",
            labels.join(", "),
            self.metric.name,
            self.matchers
        ))
    }

    /// Samples per second of a histogram.
    pub(super) fn samples(&self, by: &[&str]) -> Result<String, Error> {
        self.must_be(Kind::Histogram, "samples")?;
        Ok(format!("sum{} (rate({}_count{}[{RANGE}]))", self.by(by)?, self.metric.name, self.matchers))
    }

    /// Buckets of a histogram, for a heat map.
    pub(super) fn buckets(&self) -> Result<String, Error> {
        self.must_be(Kind::Histogram, "buckets")?;
        Ok(format!("sum by (le) (increase({}_bucket{}[{RANGE}]))", self.metric.name, self.matchers))
    }
}

/// The values of a label, for a variable.
pub(super) fn label_values(scope: Scope, metric: &str, label: &str) -> Result<String, Error> {
    let series = scope.of(metric, &[])?;
    known(series.metric, label)?;
    Ok(format!("label_values({}{}, {label})", series.metric.name, series.matchers))
}

/// `numerator / denominator`; absent where the denominator is at most `least`, so that low traffic gives no ratio.
pub(super) fn ratio(numerator: &str, denominator: &str, least: f64) -> String {
    format!("{numerator} / ({denominator} > {least})")
}

#[cfg(test)]
mod tests;
