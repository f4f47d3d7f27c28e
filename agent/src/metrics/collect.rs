//! One scrape: walks the table of metrics, and counts and writes their samples.

use super::{
    MetricsOptions, SharedRow,
    definition::{MetricDef, Rows},
    exemplars::Exemplars,
    out::Out,
    protobuf,
    rows::{self, Row},
    scrape::{Scrape, Summary},
    table::exported,
};
use crate::{api::AgentStats, state::NodeView};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder},
};
use std::{fmt, sync::Arc};

/// Reads the view when it is scraped, so that no series outlives its subject.
#[derive(Debug)]
pub(super) struct ViewCollector {
    pub(super) view: Arc<NodeView>,
    pub(super) agent: Arc<AgentStats>,
    pub(super) options: MetricsOptions,
    /// Summary of the subjects, which are then left to [`Collection::append_subjects`]. `None`: writes all.
    pub(super) subjects: Option<Summary>,
}

impl Collector for ViewCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let collection = match self.subjects {
            None => Collection::new(&mut SharedRow::default(), &self.view, &self.agent, &self.options),
            Some(summary) => Collection::without_subjects(&self.view, &self.agent, &self.options, summary),
        };
        for metric in exported(self.options.semconv).filter(|metric| collection.metric_series(metric) > 0) {
            collection.encode(metric, &mut encoder)?;
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

/// The samples of one scrape.
pub(super) struct Collection<'a> {
    scrape: Scrape<'a>,
    rows: Vec<Row<'a>>,
}

impl<'a> Collection<'a> {
    pub(super) fn new(
        shared: &mut SharedRow,
        view: &'a NodeView,
        agent: &'a AgentStats,
        options: &'a MetricsOptions,
    ) -> Self {
        let scrape = Scrape::new(view, agent, options);
        let mut rows = rows::rows(&view.subjects, options);
        let lost = view.folded.as_deref();
        let folded = shared.fold(&mut rows, lost, options.max_series, |row| subject_series(row, &scrape));
        let mut collection = Self { scrape, rows };
        // The series that report the summary are among those counted.
        collection.scrape.summary.folded = folded;
        let series = exported(options.semconv).map(|metric| collection.metric_series(metric)).sum();
        collection.scrape.summary.series = series;
        collection
    }

    /// The samples that belong to no subject; `summary` is that of the whole scrape.
    fn without_subjects(
        view: &'a NodeView,
        agent: &'a AgentStats,
        options: &'a MetricsOptions,
        summary: Summary,
    ) -> Self {
        let mut scrape = Scrape::new(view, agent, options);
        scrape.summary = summary;
        Self { scrape, rows: Vec::new() }
    }

    /// Lets series of subjects name the hints about them, from here on. They are no series of their own.
    pub(super) fn add_exemplars(&mut self) {
        self.scrape.exemplars = Exemplars::new(self.scrape.view);
    }

    /// The scrape's figures about itself.
    pub(super) fn summary(&self) -> Summary {
        self.scrape.summary
    }

    fn metric_series(&self, metric: &MetricDef) -> usize {
        let mut out = Out::counting();
        let _ = match metric.rows {
            Rows::Subject(samples) => self.rows.iter().try_for_each(|row| samples(row, &self.scrape, &mut out)),
            Rows::Node(samples) => samples(&self.scrape, &mut out),
        };
        out.series
    }

    /// One metric through the crate's encoder.
    fn encode(&self, metric: &MetricDef, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = describe(metric, encoder)?;
        match metric.rows {
            Rows::Subject(samples) => self
                .rows
                .iter()
                .try_for_each(|row| samples(row, &self.scrape, &mut Out::encoding(&mut encoder, &row.labels()))),
            Rows::Node(samples) => samples(&self.scrape, &mut Out::encoding(&mut encoder, &[])),
        }
    }

    /// Appends the samples of all subjects, each metric's after the lines of `metadata`.
    pub(super) fn append_subjects(
        &self,
        text: &mut String,
        metadata: impl Fn(&MetricDef) -> &'static str,
    ) -> fmt::Result {
        let labels: Vec<String> = self.rows.iter().map(Row::rendered_labels).collect();
        for metric in exported(self.scrape.options.semconv) {
            let Rows::Subject(samples) = metric.rows else { continue };
            let begin = text.len();
            text.push_str(metadata(metric));
            let described = text.len();
            for (row, labels) in self.rows.iter().zip(&labels) {
                samples(row, &self.scrape, &mut Out::appending(text, metric.name, labels))?;
            }
            if text.len() == described {
                text.truncate(begin);
            }
        }
        Ok(())
    }

    /// Appends all metrics as protobuf families.
    pub(super) fn append_families(&self, bytes: &mut Vec<u8>) -> fmt::Result {
        let labels: Vec<Vec<u8>> = self.rows.iter().map(Row::encoded_labels).collect();
        for metric in exported(self.scrape.options.semconv) {
            protobuf::family(bytes, metric, |out| match metric.rows {
                Rows::Subject(samples) => {
                    let mut rows = self.rows.iter().zip(&labels);
                    rows.try_for_each(|(row, labels)| samples(row, &self.scrape, &mut Out::protobuf(out, labels)))
                }
                Rows::Node(samples) => samples(&self.scrape, &mut Out::protobuf(out, &[])),
            })?;
        }
        Ok(())
    }
}

/// Series of one subject.
fn subject_series(row: &Row<'_>, scrape: &Scrape<'_>) -> usize {
    let mut out = Out::counting();
    for metric in exported(scrape.options.semconv) {
        if let Rows::Subject(samples) = metric.rows {
            // Counting writes nothing, so it can't fail.
            let _ = samples(row, scrape, &mut out);
        }
    }
    out.series
}
