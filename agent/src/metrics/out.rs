//! Writes one metric's samples through the encoder, or only counts them.

use super::bounds::Bounds;
use crate::sample::Histogram;
use netwhy_abi::BUCKETS;
use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet};
use std::fmt::{self, Write};

/// Name and value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// Sink of one metric's samples.
pub(super) struct Out<'o, 'e> {
    /// `None`: count only.
    encoder: Option<&'o mut MetricEncoder<'e>>,
    /// Labels that every sample gets.
    common: &'o [Label<'o>],
    /// Series seen.
    pub(super) series: usize,
}

/// Labels of one sample: the common ones first. An empty value means no label, so it is left out.
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
            encoded.write_str(value)?;
            encoded.finish()?;
        }
        Ok(())
    }
}

impl<'o, 'e> Out<'o, 'e> {
    /// Counts what would be written.
    pub(super) fn counting() -> Self {
        Self { encoder: None, common: &[], series: 0 }
    }

    /// Writes samples that carry `common` labels.
    pub(super) fn writing(encoder: &'o mut MetricEncoder<'e>, common: &'o [Label<'o>]) -> Self {
        Self { encoder: Some(encoder), common, series: 0 }
    }

    /// One sample of a counter.
    pub(super) fn counter(&mut self, labels: &[Label<'_>], value: u64) -> fmt::Result {
        self.sample(labels, 1, |e| e.encode_counter::<NoLabelSet, u64, f64>(&value, None))
    }

    /// One sample of a counter with fractions.
    pub(super) fn counter_f64(&mut self, labels: &[Label<'_>], value: f64) -> fmt::Result {
        self.sample(labels, 1, |e| e.encode_counter::<NoLabelSet, f64, f64>(&value, None))
    }

    /// One sample of a gauge.
    pub(super) fn gauge(&mut self, labels: &[Label<'_>], value: u64) -> fmt::Result {
        self.sample(labels, 1, |e| e.encode_gauge(&value))
    }

    /// One sample of a gauge with fractions.
    pub(super) fn gauge_f64(&mut self, labels: &[Label<'_>], value: f64) -> fmt::Result {
        self.sample(labels, 1, |e| e.encode_gauge(&value))
    }

    /// A gauge without labels; nothing when there is no value.
    pub(super) fn maybe(&mut self, value: Option<f64>) -> fmt::Result {
        value.map_or(Ok(()), |v| self.gauge_f64(&[], v))
    }

    /// One histogram; nothing when it is empty.
    pub(super) fn histogram(&mut self, labels: &[Label<'_>], values: &Histogram, bounds: &Bounds) -> fmt::Result {
        if values.is_empty() {
            return Ok(());
        }
        let mut buckets = [(0.0, 0); BUCKETS];
        let (buckets, count) = bounds.fill(values, &mut buckets);
        let sum = values.sum_us as f64 / 1e6;
        self.sample(labels, buckets.len() + 2, |e| e.encode_histogram::<NoLabelSet>(sum, count, buckets, None))
    }

    fn sample(
        &mut self,
        labels: &[Label<'_>],
        series: usize,
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.series += series;
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let labels = Labels(self.common, labels);
        // A family without labels would be written with an empty pair of braces.
        if labels.present().next().is_none() { write(encoder) } else { write(&mut encoder.encode_family(&labels)?) }
    }
}
