//! The table of metrics. The exposition, the dashboards, `docs/metrics.md` and the tests are made from it.

mod agent;
mod convention;
mod edge;
mod history;
mod host;
mod node;
mod subject;
mod watch;

use super::definition::MetricDef;

/// Every metric, in the order of the exposition.
pub static METRICS: [&[MetricDef]; 7] =
    [subject::METRICS, edge::METRICS, node::METRICS, host::METRICS, agent::METRICS, history::METRICS, watch::METRICS];

/// What `labels.semconv` adds: metrics with OpenTelemetry's names.
pub static CONVENTIONS: &[MetricDef] = convention::METRICS;

/// The metrics of a scrape, in the order of the exposition: all of [`METRICS`], and with `semconv` the [`CONVENTIONS`]
/// behind the other metrics of subjects.
pub(super) fn exported(semconv: bool) -> impl Iterator<Item = &'static MetricDef> {
    let [subjects, others @ ..] = METRICS;
    let conventions: &'static [MetricDef] = if semconv { CONVENTIONS } else { &[] };
    subjects.iter().chain(conventions).chain(others.into_iter().flatten())
}

#[cfg(test)]
mod tests;
