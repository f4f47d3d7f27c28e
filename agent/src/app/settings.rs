//! From the configuration to the settings of other rooms.

use crate::{
    config::{Config, RttBuckets},
    metrics::MetricsOptions,
};

/// Options of `/metrics`.
pub(super) fn metrics_options(config: &Config) -> MetricsOptions {
    MetricsOptions {
        fine_rtt: config.labels.rtt_buckets() == RttBuckets::Fine,
        workload: config.labels.workload(),
        peer: config.labels.peer(),
        semconv: config.labels.semconv(),
        max_series: usize::try_from(config.limits.series()).unwrap_or(usize::MAX),
    }
}

#[cfg(test)]
mod tests;
