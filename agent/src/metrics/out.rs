//! Writes one metric's samples, or only counts them.
//!
//! Subjects make nearly all of a scrape. Their samples are put together here, with labels rendered once per subject:
//! the crate's encoder walks and escapes every label of every line, which took four times the budget of 10 ms for
//! 250 Pods. Everything else goes through the crate, and a test holds the two to the same bytes. Protobuf does not: the
//! crate knows OpenMetrics' messages alone, which Prometheus does not read.

use super::{bounds::Bounds, decimal::float, exemplars::Exemplar, protobuf};
use crate::{sample::Histogram, text::printable};
use netwhy_abi::BUCKETS;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet};
use std::fmt::{self, Write};

/// Name and value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// Sink of one metric's samples.
pub(super) struct Out<'o, 'e> {
    sink: Sink<'o, 'e>,
    /// Series seen.
    pub(super) series: usize,
}

enum Sink<'o, 'e> {
    /// Nothing is written.
    Count,
    /// Through the crate.
    Encoder { encoder: &'o mut MetricEncoder<'e>, common: &'o [Label<'o>] },
    /// Straight into the text, below this name and with these labels (rendered, not empty) before the sample's own.
    Text { text: &'o mut String, name: &'static str, common: &'o str },
    /// Metrics of a protobuf family, with these labels (encoded) before the sample's own.
    Protobuf { bytes: &'o mut Vec<u8>, common: &'o [u8] },
}

impl<'o, 'e> Out<'o, 'e> {
    /// Counts what would be written.
    pub(super) fn counting() -> Self {
        Self { sink: Sink::Count, series: 0 }
    }

    /// Writes samples that carry `common` labels through the crate's encoder.
    pub(super) fn encoding(encoder: &'o mut MetricEncoder<'e>, common: &'o [Label<'o>]) -> Self {
        Self { sink: Sink::Encoder { encoder, common }, series: 0 }
    }

    /// Appends samples of the metric `name` that carry `common` labels, rendered by [`render`].
    pub(super) fn appending(text: &'o mut String, name: &'static str, common: &'o str) -> Self {
        Self { sink: Sink::Text { text, name, common }, series: 0 }
    }

    /// Appends metrics of a protobuf family that carry `common` labels, encoded by [`protobuf::label_pairs`].
    pub(super) fn protobuf(bytes: &'o mut Vec<u8>, common: &'o [u8]) -> Self {
        Self { sink: Sink::Protobuf { bytes, common }, series: 0 }
    }

    /// One sample of a counter.
    pub(super) fn counter(&mut self, labels: &[Label<'_>], value: u64) -> fmt::Result {
        self.counter_with(labels, value, None)
    }

    /// One sample of a counter, with its exemplar where it is written without the crate.
    pub(super) fn counter_with(
        &mut self,
        labels: &[Label<'_>],
        value: u64,
        exemplar: Option<Exemplar<'_>>,
    ) -> fmt::Result {
        self.series += 1;
        match &mut self.sink {
            Sink::Count => Ok(()),
            Sink::Encoder { encoder, common } => {
                encoded(encoder, common, labels, |e| e.encode_counter::<NoLabelSet, u64, f64>(&value, None))
            }
            Sink::Text { text, name, common } => line(text, name, common, labels, |t| {
                integer(t, value)?;
                exemplar.map_or(Ok(()), |exemplar| exemplar.write(t))
            }),
            Sink::Protobuf { bytes, common } => {
                protobuf::metric(bytes, common, labels, |out| protobuf::counter(out, value as f64, exemplar));
                Ok(())
            }
        }
    }

    /// One sample of a counter with fractions.
    pub(super) fn counter_f64(&mut self, labels: &[Label<'_>], value: f64) -> fmt::Result {
        self.series += 1;
        match &mut self.sink {
            Sink::Count => Ok(()),
            Sink::Encoder { encoder, common } => {
                encoded(encoder, common, labels, |e| e.encode_counter::<NoLabelSet, f64, f64>(&value, None))
            }
            Sink::Text { text, name, common } => line(text, name, common, labels, |t| float(t, value)),
            Sink::Protobuf { bytes, common } => {
                protobuf::metric(bytes, common, labels, |out| protobuf::counter(out, value, None));
                Ok(())
            }
        }
    }

    /// One sample of a gauge.
    pub(super) fn gauge(&mut self, labels: &[Label<'_>], value: u64) -> fmt::Result {
        self.series += 1;
        match &mut self.sink {
            Sink::Count => Ok(()),
            Sink::Encoder { encoder, common } => encoded(encoder, common, labels, |e| e.encode_gauge(&value)),
            Sink::Text { text, name, common } => line(text, name, common, labels, |t| integer(t, value)),
            Sink::Protobuf { bytes, common } => {
                protobuf::metric(bytes, common, labels, |out| protobuf::gauge(out, value as f64));
                Ok(())
            }
        }
    }

    /// One sample of a gauge with fractions.
    pub(super) fn gauge_f64(&mut self, labels: &[Label<'_>], value: f64) -> fmt::Result {
        self.series += 1;
        match &mut self.sink {
            Sink::Count => Ok(()),
            Sink::Encoder { encoder, common } => encoded(encoder, common, labels, |e| e.encode_gauge(&value)),
            Sink::Text { text, name, common } => line(text, name, common, labels, |t| float(t, value)),
            Sink::Protobuf { bytes, common } => {
                protobuf::metric(bytes, common, labels, |out| protobuf::gauge(out, value));
                Ok(())
            }
        }
    }

    /// A gauge without labels; nothing when there is no value.
    pub(super) fn maybe(&mut self, value: Option<f64>) -> fmt::Result {
        value.map_or(Ok(()), |v| self.gauge_f64(&[], v))
    }

    /// One histogram; nothing when it is empty.
    pub(super) fn histogram<const COUNT: usize>(
        &mut self,
        labels: &[Label<'_>],
        values: &Histogram<COUNT>,
        bounds: &Bounds,
    ) -> fmt::Result {
        self.histogram_with(labels, values, bounds, None)
    }

    /// One histogram, with an exemplar at its bucket where it is written without the crate.
    pub(super) fn histogram_with<const COUNT: usize>(
        &mut self,
        labels: &[Label<'_>],
        values: &Histogram<COUNT>,
        bounds: &Bounds,
        exemplar: Option<Exemplar<'_>>,
    ) -> fmt::Result {
        if values.is_empty() {
            return Ok(());
        }
        self.series += bounds.len() + 2;
        match &mut self.sink {
            Sink::Count => Ok(()),
            Sink::Encoder { encoder, common } => {
                let mut buckets = [(0.0, 0); BUCKETS];
                let (buckets, count) = bounds.fill(values, &mut buckets);
                let sum = values.sum_us as f64 / 1e6;
                encoded(encoder, common, labels, |e| e.encode_histogram::<NoLabelSet>(sum, count, buckets, None))
            }
            Sink::Text { text, name, common } => {
                let mut rendered = String::with_capacity(common.len() + 32);
                rendered.push_str(common);
                render(&mut rendered, labels);
                histogram_lines(text, (*name, rendered.as_str()), values, bounds, exemplar)
            }
            Sink::Protobuf { bytes, common } => {
                protobuf::metric(bytes, common, labels, |out| protobuf::histogram(out, values, bounds, exemplar));
                Ok(())
            }
        }
    }
}

/// The lines of one histogram, with this name and these labels.
fn histogram_lines<const COUNT: usize>(
    text: &mut String,
    (name, rendered): (&str, &str),
    values: &Histogram<COUNT>,
    bounds: &Bounds,
    exemplar: Option<Exemplar<'_>>,
) -> fmt::Result {
    let mut buckets = [(0.0, 0); BUCKETS];
    let (buckets, count) = bounds.fill(values, &mut buckets);
    text.push_str(name);
    line(text, "_sum", rendered, &[], |t| float(t, values.sum_us as f64 / 1e6))?;
    text.push_str(name);
    line(text, "_count", rendered, &[], |t| integer(t, count))?;
    let exemplar = exemplar.map(|exemplar| (bounds.bucket_of(exemplar.value), exemplar));
    let mut cumulative = 0;
    for (bucket, ((_, n), le)) in buckets.iter().zip(bounds.texts()).enumerate() {
        cumulative += n;
        for part in [name, "_bucket{le=\"", le, "\",", rendered, "} "] {
            text.push_str(part);
        }
        integer(text, cumulative)?;
        if let Some((_, exemplar)) = exemplar.filter(|(of, _)| *of == bucket) {
            exemplar.write(text)?;
        }
        text.push('\n');
    }
    Ok(())
}

/// One line: name, labels, value.
fn line(
    text: &mut String,
    name: &str,
    common: &str,
    labels: &[Label<'_>],
    value: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    for part in [name, "{", common] {
        text.push_str(part);
    }
    render(text, labels);
    text.push_str("} ");
    value(text)?;
    text.push('\n');
    Ok(())
}

/// Appends labels to others: `a="1"` becomes `a="1",b="2"`. Empty values mean no label and are left out. Hidden
/// characters are escaped visibly, line breaks included: dashboards and alerts show labels.
pub(super) fn render(text: &mut String, labels: &[Label<'_>]) {
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        if text.ends_with('"') {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        let value = printable(value);
        // Copied in runs between the two characters that need escaping.
        let mut rest = &*value;
        while let Some(at) = rest.find(['\\', '"']) {
            text.push_str(&rest[..at]);
            text.push_str(match rest.as_bytes()[at] {
                b'"' => "\\\"",
                _ => "\\\\",
            });
            rest = &rest[at + 1..];
        }
        text.push_str(rest);
        text.push('"');
    }
}

fn integer(text: &mut String, value: u64) -> fmt::Result {
    write!(text, "{value}")
}

/// Labels of one sample for the crate's encoder: the common ones first.
struct Labels<'a>(&'a [Label<'a>], &'a [Label<'a>]);

impl<'a> Labels<'a> {
    fn present(&self) -> impl Iterator<Item = &'a Label<'a>> {
        self.0.iter().chain(self.1).filter(|(_, value)| !value.is_empty())
    }
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        for (name, value) in self.present() {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut encoded = key.encode_label_value()?;
            encoded.write_str(&printable(value))?;
            encoded.finish()?;
        }
        Ok(())
    }
}

fn encoded(
    encoder: &mut MetricEncoder<'_>,
    common: &[Label<'_>],
    labels: &[Label<'_>],
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    let labels = Labels(common, labels);
    // A family without labels would be written with an empty pair of braces.
    if labels.present().next().is_none() { write(encoder) } else { write(&mut encoder.encode_family(&labels)?) }
}
