//! Metrics: declared once in a [table](table::METRICS), made at scrape time from the published view.
//!
//! No series is kept between scrapes, so none can outlive its subject; only [`SharedRow`] remembers who shares a row.
//! A value that is absent in the view (no sample, no controller, not measured yet) has no series; zero is a measured
//! zero.

mod bounds;
#[cfg(test)]
pub(crate) mod check;
mod collect;
mod decimal;
mod definition;
mod docs;
mod emit;
mod exemplars;
#[cfg(test)]
pub(crate) mod fixture;
mod format;
mod out;
mod prometheus;
mod protobuf;
mod rows;
mod scrape;
mod semconv;
mod shared_row;
mod table;
#[cfg(test)]
mod tests;

pub use definition::{BaseUnit, Kind, LabelDef, MetricDef};
pub use docs::metrics_md;
pub use format::Format;
pub use shared_row::SharedRow;
pub use table::{CONVENTIONS, METRICS};

use crate::{api::AgentStats, state::NodeView};
use bytes::Bytes;
use collect::{Collection, Metadata, ViewCollector};
use prometheus_client::{encoding::text, registry::Registry};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

/// Options of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsOptions {
    /// Every bound of the kernel's RTT histogram (97) instead of 17.
    pub fine_rtt: bool,
    /// Whether subjects carry the `workload` label.
    pub workload: bool,
    /// Whether metrics are split by `peer`.
    pub peer: bool,
    /// Whether signals that OpenTelemetry has stable names for are exported with these too.
    pub semconv: bool,
    /// Series of all subjects together. Above it the quietest subjects are summed up in one row with namespace and
    /// pod `~other`, which comes on top of the limit only when it alone exceeds it.
    pub max_series: usize,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { fine_rtt: false, workload: true, peer: true, semconv: false, max_series: 50_000 }
    }
}

/// The whole exposition of one view, as the first scrape shows it.
pub fn encode(view: &Arc<NodeView>, agent: &Arc<AgentStats>, options: &MetricsOptions, format: Format) -> Bytes {
    encode_next(&mut SharedRow::default(), view, agent, options, format)
}

/// The whole exposition of one view. `shared`: which subjects share a row since the first scrape.
pub fn encode_next(
    shared: &mut SharedRow,
    view: &Arc<NodeView>,
    agent: &Arc<AgentStats>,
    options: &MetricsOptions,
    format: Format,
) -> Bytes {
    match try_encode(shared, view, agent, options, format) {
        Ok(exposition) => exposition,
        Err(error) => {
            // Appending to memory can't fail, so this can't be; half an exposition must not look whole.
            tracing::error!(%error, "failed to encode metrics");
            Bytes::new()
        }
    }
}

fn try_encode(
    shared: &mut SharedRow,
    view: &Arc<NodeView>,
    agent: &Arc<AgentStats>,
    options: &MetricsOptions,
    format: Format,
) -> Result<Bytes, fmt::Error> {
    let mut collection = Collection::new(shared, view, agent, options);
    let summary = collection.summary();
    let collector = || ViewCollector {
        view: Arc::clone(view),
        agent: Arc::clone(agent),
        options: *options,
        subjects: Some(summary),
    };
    match format {
        Format::Prometheus => Ok(Bytes::from(encode_text(&collection, collector(), false)?)),
        Format::OpenMetrics => {
            collection.add_exemplars();
            let mut out = encode_text(&collection, collector(), true)?;
            text::encode_eof(&mut out)?;
            Ok(Bytes::from(out))
        }
        Format::Protobuf => {
            collection.add_exemplars();
            // A counter of a subject has about 120 bytes, a histogram 350 for 12 series.
            let mut out = Vec::with_capacity((16 << 10) + summary.series * 96);
            collection.append_families(&mut out)?;
            Ok(Bytes::from(out))
        }
    }
}

/// OpenMetrics text without its last line, or Prometheus text. `rest`: what belongs to no subject.
fn encode_text(collection: &Collection<'_>, rest: ViewCollector, openmetrics: bool) -> Result<String, fmt::Error> {
    // A line of a subject has about 160 bytes; memory that is never touched costs nothing.
    let mut out = String::with_capacity((16 << 10) + collection.summary().series * 192);
    collection.append_subjects(&mut out, |metric| metadata(metric, openmetrics))?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(rest));
    let mut text = String::new();
    text::encode_registry(&mut text, &registry)?;
    if openmetrics {
        out.push_str(&text);
    } else {
        out.push_str(&prometheus::from_openmetrics(&text));
    }
    Ok(out)
}

/// HELP, TYPE and UNIT lines of a subject's metric.
fn metadata(metric: &MetricDef, openmetrics: bool) -> &'static str {
    static LINES: LazyLock<HashMap<&'static str, [String; 2]>> = LazyLock::new(|| {
        let lines = |metric: &'static MetricDef| {
            let mut registry = Registry::default();
            registry.register_collector(Box::new(Metadata(metric)));
            let mut openmetrics = String::new();
            // Writing to a string can't fail.
            let _ = text::encode_registry(&mut openmetrics, &registry);
            let prometheus = prometheus::from_openmetrics(&openmetrics);
            (metric.name, [prometheus, openmetrics])
        };
        table::exported(true).map(lines).collect()
    });
    LINES.get(metric.name).map_or("", |lines| lines[usize::from(openmetrics)].as_str())
}
