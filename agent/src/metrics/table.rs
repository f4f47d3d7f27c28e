//! The table of metrics. The exposition, the dashboards, `docs/metrics.md` and the tests are made from it.

mod agent;
mod edge;
mod host;
mod node;
mod subject;
mod watch;

use super::definition::MetricDef;

/// Every metric, in the order of the exposition.
pub static METRICS: [&[MetricDef]; 6] =
    [subject::METRICS, edge::METRICS, node::METRICS, host::METRICS, agent::METRICS, watch::METRICS];

#[cfg(test)]
mod tests;
