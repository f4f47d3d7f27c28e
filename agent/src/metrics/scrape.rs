//! One scrape: values that are computed once, before the table is walked.

use super::{
    METRICS, MetricsOptions,
    out::{Label, Out},
    rows::{self, Row},
    table::{MetricDef, Rows},
};
use crate::{
    api::{AgentStats, Hint, HintState},
    state::{DropReasons, NodeView},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder},
};
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Label value that replaces an address.
const ADDRESS: &str = "~address";

/// Labels of one hint, in the order of the declaration.
type HintLabels<'a> = [Label<'a>; 7];

/// Reads the view when it is scraped, so that no series outlives its subject.
#[derive(Debug)]
pub(super) struct ViewCollector {
    pub(super) view: Arc<NodeView>,
    pub(super) agent: Arc<AgentStats>,
    pub(super) options: MetricsOptions,
    /// Summary of the subjects, which are then left to [`Scrape::append_subjects`]. `None`: writes all.
    pub(super) subjects: Option<Summary>,
}

/// A scrape's figures about itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    /// Subjects that were summed up in `~other`.
    pub(super) folded: usize,
    /// Series of the whole scrape.
    pub(super) series: usize,
}

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let scrape = match self.subjects {
            None => Scrape::new(&self.view, &self.agent, &self.options),
            Some(summary) => Scrape { summary, ..Scrape::without_subjects(&self.view, &self.agent, &self.options) },
        };
        for metric in METRICS.into_iter().flatten().filter(|m| scrape.metric_series(m) > 0) {
            scrape.encode(metric, &mut encoder)?;
        }
        Ok(())
    }
}

/// Writes the metadata of one metric.
#[derive(Debug)]
pub(super) struct Metadata(pub(super) &'static MetricDef);

impl Collector for Metadata {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        describe(self.0, &mut encoder).map(drop)
    }
}

fn describe<'s>(metric: &MetricDef, encoder: &'s mut DescriptorEncoder<'_>) -> Result<MetricEncoder<'s>, fmt::Error> {
    let (name, unit) = metric.stem();
    encoder.encode_descriptor(name, metric.help, unit, metric.kind.metric_type())
}

/// Input of the table's functions.
pub(super) struct Scrape<'a> {
    pub(super) view: &'a NodeView,
    pub(super) agent: &'a AgentStats,
    pub(super) options: &'a MetricsOptions,
    /// Firing hints, one per label set, and their confidence.
    pub(super) hints: Vec<(HintLabels<'a>, f64)>,
    pub(super) summary: Summary,
    rows: Vec<Row<'a>>,
    reasons: DropReasons,
}

impl<'a> Scrape<'a> {
    pub(super) fn new(view: &'a NodeView, agent: &'a AgentStats, options: &'a MetricsOptions) -> Self {
        let mut scrape = Self::without_subjects(view, agent, options);
        let mut rows = rows::rows(&view.subjects, options);
        scrape.summary.folded = rows::fold(&mut rows, options.max_series, |row| scrape.subject_series(row));
        scrape.rows = rows;
        scrape.summary.series = METRICS.into_iter().flatten().map(|metric| scrape.metric_series(metric)).sum();
        scrape
    }

    fn without_subjects(view: &'a NodeView, agent: &'a AgentStats, options: &'a MetricsOptions) -> Self {
        let reasons = DropReasons::new(&view.drop_reasons);
        let summary = Summary::default();
        Self { view, agent, options, hints: hints(&view.hints), summary, rows: Vec::new(), reasons }
    }

    /// Samples of dropped packets by reason.
    pub(super) fn drops(&self, drops: &BTreeMap<u32, u64>, out: &mut Out<'_, '_>) -> fmt::Result {
        drops.iter().try_for_each(|(reason, n)| out.counter(&[("reason", &self.reasons.name(*reason))], *n))
    }

    /// Series of one subject.
    pub(super) fn subject_series(&self, row: &Row<'_>) -> usize {
        let mut out = Out::counting();
        for metric in METRICS.into_iter().flatten() {
            if let Rows::Subject(samples) = metric.rows {
                // Counting writes nothing, so it can't fail.
                let _ = samples(row, self, &mut out);
            }
        }
        out.series
    }

    fn metric_series(&self, metric: &MetricDef) -> usize {
        let mut out = Out::counting();
        let _ = match metric.rows {
            Rows::Subject(samples) => self.rows.iter().try_for_each(|row| samples(row, self, &mut out)),
            Rows::Node(samples) => samples(self, &mut out),
        };
        out.series
    }

    /// One metric through the crate's encoder.
    fn encode(&self, metric: &MetricDef, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = describe(metric, encoder)?;
        match metric.rows {
            Rows::Subject(samples) => {
                self.rows.iter().try_for_each(|row| samples(row, self, &mut Out::encoding(&mut encoder, &row.labels())))
            }
            Rows::Node(samples) => samples(self, &mut Out::encoding(&mut encoder, &[])),
        }
    }

    /// Appends the samples of all subjects, each metric's after what `metadata` says.
    pub(super) fn append_subjects(
        &self,
        text: &mut String,
        metadata: impl Fn(&MetricDef) -> &'static str,
    ) -> fmt::Result {
        let labels: Vec<String> = self.rows.iter().map(Row::rendered_labels).collect();
        for metric in METRICS.into_iter().flatten() {
            let Rows::Subject(samples) = metric.rows else { continue };
            let begin = text.len();
            text.push_str(metadata(metric));
            let described = text.len();
            for (row, labels) in self.rows.iter().zip(&labels) {
                samples(row, self, &mut Out::appending(text, metric.name, labels))?;
            }
            if text.len() == described {
                text.truncate(begin);
            }
        }
        Ok(())
    }
}

fn hints(hints: &[Hint]) -> Vec<(HintLabels<'_>, f64)> {
    let mut out: Vec<(HintLabels<'_>, f64)> = Vec::new();
    for hint in hints.iter().filter(|h| h.state == HintState::Firing) {
        let on_node = hint.subject.kind == "Node";
        let labels = [
            ("namespace", if on_node { "" } else { hint.subject.namespace.as_str() }),
            ("pod", if on_node { "" } else { hint.subject.name.as_str() }),
            ("workload", if on_node { "" } else { hint.subject.workload.as_str() }),
            ("cause", hint.cause.as_str()),
            ("symptom", hint.symptom.as_str()),
            ("blame_kind", hint.blame.kind.label()),
            ("blame", without_address(&hint.blame.name)),
        ];
        // Two external peers look the same once their addresses are gone: the surer one stays.
        match out.iter_mut().find(|(known, _)| *known == labels) {
            Some((_, confidence)) => *confidence = confidence.max(hint.confidence),
            None => out.push((labels, hint.confidence)),
        }
    }
    out
}

/// The name, unless an address is in it: addresses are never labels.
fn without_address(name: &str) -> &str {
    let is_address = |part: &str| part.parse::<IpAddr>().is_ok() || part.parse::<SocketAddr>().is_ok();
    let parts = name.split([' ', ',', '/', '→', '(', ')']);
    if parts.into_iter().any(is_address) { ADDRESS } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_never_a_label_value() {
        for name in ["10.0.0.1", "10.0.0.1:443", "[fd00::1]:443", "fd00::1", "node-a→10.0.0.1", "10.0.0.0/8"] {
            assert_eq!(without_address(name), ADDRESS, "{name}");
        }
        for name in ["", "node-b", "shop/payment-7c9", "zone-a→zone-b", "ip-10-0-0-1.ec2.internal"] {
            assert_eq!(without_address(name), name);
        }
    }
}
