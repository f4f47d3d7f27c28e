//! The table of metrics. The exposition, the dashboards, `docs/metrics.md` and the tests are made from it.

mod agent;
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

#[cfg(test)]
mod tests;
