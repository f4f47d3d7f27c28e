//! One scrape: what is computed once before the table is walked.

use super::{
    AgentStats, METRICS, MetricsOptions,
    out::{Label, Out},
    rows::{self, Row},
    table::{MetricDef, Rows},
};
use crate::{
    api::{Hint, HintState},
    state::NodeView,
};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// What stands in a label where there is an address.
const ADDRESS: &str = "~address";

/// Labels of one hint, in the order of the declaration.
type HintLabels<'a> = [Label<'a>; 7];

/// Reads the view when it is scraped, so that no series outlives its subject.
#[derive(Debug)]
pub(super) struct ViewCollector {
    pub(super) view: Arc<NodeView>,
    pub(super) agent: Arc<AgentStats>,
    pub(super) options: MetricsOptions,
}

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut scrape = Scrape::new(&self.view, &self.agent, &self.options);
        let counts = scrape.count();
        let metrics = METRICS.into_iter().flatten().zip(counts);
        for (metric, _) in metrics.filter(|(_, series)| *series > 0) {
            scrape.write(metric, &mut encoder)?;
        }
        Ok(())
    }
}

/// What the table's functions read.
pub(super) struct Scrape<'a> {
    pub(super) view: &'a NodeView,
    pub(super) agent: &'a AgentStats,
    pub(super) options: &'a MetricsOptions,
    /// Firing hints, one per label set, and their confidence.
    pub(super) hints: Vec<(HintLabels<'a>, f64)>,
    /// Rows that were summed up in `~other`.
    pub(super) folded: usize,
    /// Series of this scrape.
    pub(super) series: usize,
    rows: Vec<Row<'a>>,
    reasons: Reasons,
}

impl<'a> Scrape<'a> {
    pub(super) fn new(view: &'a NodeView, agent: &'a AgentStats, options: &'a MetricsOptions) -> Self {
        let rows = rows::rows(&view.subjects, options);
        let reasons = Reasons::new(&view.drop_reasons);
        let mut scrape =
            Self { view, agent, options, hints: hints(&view.hints), folded: 0, series: 0, rows: Vec::new(), reasons };
        let mut bounded = rows;
        scrape.folded = rows::fold(&mut bounded, options.max_series, |row| scrape.subject_series(row));
        scrape.rows = bounded;
        scrape
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

    /// Series of each metric in the order of the table; keeps the sum.
    fn count(&mut self) -> Vec<usize> {
        let counts: Vec<usize> = METRICS.into_iter().flatten().map(|metric| self.metric_series(metric)).collect();
        self.series = counts.iter().sum();
        counts
    }

    fn metric_series(&self, metric: &MetricDef) -> usize {
        let mut out = Out::counting();
        let _ = match metric.rows {
            Rows::Subject(samples) => self.rows.iter().try_for_each(|row| samples(row, self, &mut out)),
            Rows::Node(samples) => samples(self, &mut out),
        };
        out.series
    }

    fn write(&self, metric: &MetricDef, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (name, unit) = metric.stem();
        let mut encoder = encoder.encode_descriptor(name, metric.help, unit, metric.kind.metric_type())?;
        match metric.rows {
            Rows::Subject(samples) => {
                self.rows.iter().try_for_each(|row| samples(row, self, &mut Out::writing(&mut encoder, &row.labels())))
            }
            Rows::Node(samples) => samples(self, &mut Out::writing(&mut encoder, &[])),
        }
    }
}

/// Label values of the kernel's drop reasons.
pub struct Reasons(Vec<String>);

impl Reasons {
    /// From the kernel's names; index = number.
    pub fn new(kernel: &[String]) -> Self {
        let short = |name: &String| name.strip_prefix("SKB_DROP_REASON_").unwrap_or(name).to_ascii_lowercase();
        Self(kernel.iter().map(short).collect())
    }

    /// `no_socket`, or the number where the name is unknown.
    pub fn name(&self, reason: u32) -> Cow<'_, str> {
        let known = usize::try_from(reason).ok().and_then(|i| self.0.get(i)).filter(|name| !name.is_empty());
        known.map_or_else(|| Cow::Owned(reason.to_string()), |name| Cow::Borrowed(name.as_str()))
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

    #[test]
    fn drop_reason_is_the_kernels_name_in_lower_case_or_its_number() {
        let reasons = Reasons::new(&["".into(), "SKB_DROP_REASON_NO_SOCKET".into(), "TCP_CSUM".into()]);
        assert_eq!(reasons.name(0), "0");
        assert_eq!(reasons.name(1), "no_socket");
        assert_eq!(reasons.name(2), "tcp_csum");
        assert_eq!(reasons.name(77), "77");
    }
}
