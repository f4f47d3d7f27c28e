//! Metrics: declared once in a [table](table::METRICS), made at scrape time from the published view.
//!
//! No series is kept between scrapes, so none can outlive its subject. What is absent in the view (no sample, no
//! controller, not measured yet) has no series; zero is a measured zero.

mod agent;
mod bounds;
#[cfg(test)]
pub(crate) mod check;
mod docs;
mod emit;
#[cfg(test)]
pub(crate) mod fixture;
mod out;
mod prometheus;
mod rows;
mod scrape;
mod table;
#[cfg(test)]
mod tests;

pub use agent::{
    AgentStats, ConfigReloads, MapFill, ProbeState, ProbeVerdict, ProcessStats, ProgramRun, ScrapeStats, StageTime,
    TickStats, WalkStats,
};
pub use docs::metrics_md;
pub use scrape::Reasons;
pub use table::{BaseUnit, Kind, LabelDef, METRICS, MetricDef};

use crate::state::NodeView;
use bytes::Bytes;
use prometheus_client::{encoding::text, registry::Registry};
use scrape::ViewCollector;
use std::sync::Arc;

/// What is exported, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsOptions {
    /// Every bound of the kernel's RTT histogram (97) instead of 17.
    pub fine_rtt: bool,
    /// Whether subjects carry the `workload` label.
    pub workload: bool,
    /// Whether metrics are split by `peer`.
    pub peer: bool,
    /// Series of all subjects together. Above it the quietest subjects are summed up in one row with namespace and
    /// pod `~other`, which comes on top of the limit only when it alone exceeds it.
    pub max_series: usize,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { fine_rtt: false, workload: true, peer: true, max_series: 50_000 }
    }
}

/// Exposition formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Format {
    /// The format that an `Accept` header asks for: OpenMetrics when it is named, else Prometheus text.
    pub fn from_accept(accept: Option<&str>) -> Self {
        let named = accept.is_some_and(|a| a.to_ascii_lowercase().contains("application/openmetrics-text"));
        if named { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The whole exposition of one view.
pub fn encode(view: &Arc<NodeView>, agent: &Arc<AgentStats>, options: &MetricsOptions, format: Format) -> Bytes {
    let mut registry = Registry::default();
    let collector = ViewCollector { view: Arc::clone(view), agent: Arc::clone(agent), options: *options };
    registry.register_collector(Box::new(collector));
    // About 130 bytes per series and 70 series per subject.
    let mut out = String::with_capacity(16 << 10 | view.subjects.len().min(4096) * 9 << 10);
    if let Err(error) = text::encode(&mut out, &registry) {
        // A string takes everything; a half exposition must not look whole.
        tracing::error!(%error, "failed to encode metrics");
        out.clear();
        out.push_str("# EOF\n");
    }
    match format {
        Format::OpenMetrics => Bytes::from(out),
        Format::Prometheus => Bytes::from(prometheus::from_openmetrics(&out)),
    }
}
