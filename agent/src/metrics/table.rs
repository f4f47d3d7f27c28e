//! The table of metrics. The exposition, the dashboards, `docs/metrics.md` and the tests are made from it.

mod agent;
mod edge;
mod host;
mod node;
mod subject;
mod watch;

use super::{out::Out, rows::Row, scrape::Scrape};
use prometheus_client::{metrics::MetricType, registry::Unit};
use std::fmt;

/// Every metric, in the order of the exposition.
pub static METRICS: [&[MetricDef]; 6] =
    [subject::METRICS, edge::METRICS, node::METRICS, host::METRICS, agent::METRICS, watch::METRICS];

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

    const fn suffix(self) -> &'static str {
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

    const fn counter(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Counter, help, rows)
    }

    const fn gauge(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Gauge, help, rows)
    }

    const fn histogram(name: &'static str, help: &'static str, rows: Rows) -> Self {
        Self::new(name, Kind::Histogram, help, rows)
    }

    const fn details(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    const fn seconds(mut self) -> Self {
        self.unit = Some(BaseUnit::Seconds);
        self
    }

    const fn bytes(mut self) -> Self {
        self.unit = Some(BaseUnit::Bytes);
        self
    }

    const fn labels(mut self, labels: &'static [LabelDef]) -> Self {
        self.labels = labels;
        self
    }
}

const fn label(name: &'static str, bound: &'static str) -> LabelDef {
    LabelDef { name, bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static MetricDef> {
        METRICS.into_iter().flatten()
    }

    #[test]
    fn names_are_unique_and_follow_the_conventions() {
        let mut families = BTreeSet::new();
        for m in all() {
            assert!(families.insert(m.family()), "{} clashes", m.name);
            assert_eq!(m.kind == Kind::Counter, m.name.ends_with("_total"), "{}", m.name);
            assert!(m.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{}", m.name);
            assert!(m.name.starts_with("netwhy_") || m.name.starts_with("process_"), "{}", m.name);
            for reserved in ["_bucket", "_sum", "_count", "_created"] {
                assert!(!m.family().ends_with(reserved), "{}", m.name);
            }
        }
    }

    #[test]
    fn declared_unit_is_the_suffix_and_a_unit_suffix_is_declared() {
        for m in all() {
            for unit in [BaseUnit::Seconds, BaseUnit::Bytes] {
                assert_eq!(m.family().ends_with(unit.suffix()), m.unit == Some(unit), "{}", m.name);
            }
        }
    }

    #[test]
    fn help_is_one_sentence_of_at_most_15_words() {
        for m in all() {
            let words = m.help.split_whitespace().count();
            assert!((1..=15).contains(&words), "{}: {words} words", m.name);
            assert!(m.help.ends_with('.') && !m.help.contains(". "), "{}: one sentence", m.name);
            assert!(!m.help.contains(['\n', '\\', '|', '"']), "{}: needs escaping", m.name);
        }
    }

    #[test]
    fn details_are_sentences_that_fit_into_a_table_cell() {
        for m in all().filter(|m| !m.details.is_empty()) {
            assert!(m.details.ends_with('.') && !m.details.contains(['\n', '|']), "{}", m.name);
        }
    }

    #[test]
    fn labels_are_bounded_in_words() {
        for m in all() {
            for l in m.labels {
                assert!(!l.bound.is_empty() && l.name != "le", "{} {}", m.name, l.name);
                assert!(!m.per_subject() || !["namespace", "pod", "workload"].contains(&l.name), "{}", m.name);
            }
        }
    }
}
