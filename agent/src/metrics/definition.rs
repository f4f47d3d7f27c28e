//! The declaration of one metric: name, help, unit, labels, and the source of its samples.

use super::{out::Out, rows::Row, scrape::Scrape};
use prometheus_client::{metrics::MetricType, registry::Unit};
use std::fmt;

/// Declaration of one metric.
#[derive(Debug)]
pub struct MetricDef {
    /// Full name of its samples (of a histogram: without `_bucket`, `_sum`, `_count`).
    pub name: &'static str,
    /// Type.
    pub kind: Kind,
    /// Base unit, which is the name's suffix (before `_total`). `None`: a count or a ratio.
    pub unit: Option<BaseUnit>,
    /// HELP text: one plain sentence of at most 15 words.
    pub help: &'static str,
    /// More for `docs/metrics.md`, such as when the series are absent. Empty: nothing more.
    pub details: &'static str,
    /// Labels in addition to the subject's.
    pub labels: &'static [LabelDef],
    /// Source of its samples.
    pub(super) rows: Rows,
}

/// Declaration of one label.
#[derive(Clone, Copy, Debug)]
pub struct LabelDef {
    /// Name.
    pub name: &'static str,
    /// Its values, or the bound of their number.
    pub bound: &'static str,
}

/// Types of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never falls; its name ends in `_total`.
    Counter,
    /// The present value.
    Gauge,
    /// Cumulative buckets, sum and count.
    Histogram,
}

impl Kind {
    /// Name as in the exposition.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    pub(super) const fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

/// Base units of Prometheus that netwhy uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseUnit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl BaseUnit {
    /// Name as in the exposition.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
        }
    }

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
        }
    }

    fn unit(self) -> &'static Unit {
        static SECONDS: Unit = Unit::Seconds;
        static BYTES: Unit = Unit::Bytes;
        match self {
            Self::Seconds => &SECONDS,
            Self::Bytes => &BYTES,
        }
    }
}

/// Source of a metric's samples.
pub(super) enum Rows {
    /// Called for each subject; its labels are added.
    Subject(fn(&Row<'_>, &Scrape<'_>, &mut Out<'_, '_>) -> fmt::Result),
    /// Called once.
    Node(fn(&Scrape<'_>, &mut Out<'_, '_>) -> fmt::Result),
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject(_) => "Subject",
            Self::Node(_) => "Node",
        })
    }
}

impl MetricDef {
    /// Name of its family in OpenMetrics: without `_total`.
    pub fn family(&self) -> &'static str {
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Gauge | Kind::Histogram => self.name,
        }
    }

    /// True when its samples carry the subject's labels.
    pub fn per_subject(&self) -> bool {
        matches!(self.rows, Rows::Subject(_))
    }

    /// Family name without the unit, and the unit. The encoder joins them again.
    pub(super) fn stem(&self) -> (&'static str, Option<&'static Unit>) {
        let family = self.family();
        match self.unit.and_then(|u| Some((family.strip_suffix(u.suffix())?, u.unit()))) {
            Some((stem, unit)) => (stem, Some(unit)),
            None => (family, None),
        }
    }

    const fn new(name: &'static str, kind: Kind, help: &'static str, rows: Rows) -> Self {
        Self { name, kind, unit: None, help, details: "", labels: &[], rows }
    }

    pub(super) const fn counter(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Counter, help, rows)
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Gauge, help, rows)
    }

    pub(super) const fn histogram(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Histogram, help, rows)
    }

    pub(super) const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    pub(super) const fn seconds(mut self) -> Self {
        self.unit = Some(BaseUnit::Seconds);
        self
    }

    pub(super) const fn bytes(mut self) -> Self {
        self.unit = Some(BaseUnit::Bytes);
        self
    }

    pub(super) const fn labels(mut self, labels: &'static [LabelDef]) -> Self {
        self.labels = labels;
        self
    }
}

/// A label with the bound of its values.
pub(super) const fn label(name: &'static str, bound: &'static str) -> LabelDef {
    LabelDef { name, bound }
}
