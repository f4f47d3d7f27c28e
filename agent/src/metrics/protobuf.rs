//! The protobuf exposition: delimited `io.prometheus.client.MetricFamily` messages.
//!
//! The fields' numbers are those of `io/prometheus/client/metrics.proto` in github.com/prometheus/client_model.

#[cfg(test)]
mod decode;
mod native;
mod wire;

use super::{
    bounds::Bounds,
    definition::{BaseUnit, Kind, MetricDef},
    exemplars::Exemplar,
    out::Label,
};
use crate::{sample::Histogram, text::printable};
use native::Schema;
use netwhy_abi::BUCKETS;
use std::fmt;

/// Appends a metric's family. `metrics` writes its metrics by [`metric`]; without any there is no family.
pub(super) fn family(
    out: &mut Vec<u8>,
    metric: &MetricDef,
    metrics: impl FnOnce(&mut Vec<u8>) -> fmt::Result,
) -> fmt::Result {
    let begin = out.len();
    let is_empty = wire::delimited(out, |out| -> Result<bool, fmt::Error> {
        // A counter's family has the name of its samples here, with `_total`.
        wire::string(out, 1, metric.name);
        wire::string(out, 2, metric.help);
        wire::uint(out, 3, kind(metric.kind));
        let described = out.len();
        metrics(out)?;
        let is_empty = out.len() == described;
        if let (_, Some(_)) = metric.stem() {
            wire::string(out, 5, metric.unit.map_or("", BaseUnit::label));
        }
        Ok(is_empty)
    })?;
    if is_empty {
        out.truncate(begin);
    }
    Ok(())
}

/// Number of a type in the enum `MetricType`.
const fn kind(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    }
}

/// Appends one metric of a family: `common` labels as [`label_pairs`] writes them, its own, and its value.
pub(super) fn metric(out: &mut Vec<u8>, common: &[u8], labels: &[Label<'_>], value: impl FnOnce(&mut Vec<u8>)) {
    wire::message(out, 4, |out| {
        out.extend_from_slice(common);
        label_pairs(out, labels);
        value(out);
    });
}

/// Appends labels, with hidden characters escaped as in the texts. Empty values mean no label and are left out.
pub(super) fn label_pairs(out: &mut Vec<u8>, labels: &[Label<'_>]) {
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        wire::message(out, 1, |out| {
            wire::string(out, 1, name);
            wire::string(out, 2, &printable(value));
        });
    }
}

/// Appends a metric's value: that of a counter.
pub(super) fn counter(out: &mut Vec<u8>, value: f64, exemplar: Option<Exemplar<'_>>) {
    wire::message(out, 3, |out| {
        wire::double(out, 1, value);
        if let Some(of) = exemplar {
            self::exemplar(out, 2, &of);
        }
    });
}

/// Appends a metric's value: that of a gauge.
pub(super) fn gauge(out: &mut Vec<u8>, value: f64) {
    wire::message(out, 2, |out| wire::double(out, 1, value));
}

/// Appends a metric's value: a native histogram, and the classic buckets of the texts, which the scraper may prefer.
/// They hold the exemplar for both.
pub(super) fn histogram<const COUNT: usize>(
    out: &mut Vec<u8>,
    values: &Histogram<COUNT>,
    bounds: &Bounds,
    exemplar: Option<Exemplar<'_>>,
) {
    let mut buckets = [(0.0, 0); BUCKETS];
    let (buckets, count) = bounds.fill(values, &mut buckets);
    let exemplar = exemplar.map(|exemplar| (bounds.bucket_of(exemplar.value), exemplar));
    wire::message(out, 7, |out| {
        wire::uint(out, 1, count);
        wire::double(out, 2, values.sum_us as f64 / 1e6);
        let mut cumulative = 0;
        for (place, (upper_bound, n)) in buckets.iter().enumerate() {
            cumulative += n;
            wire::message(out, 3, |out| {
                wire::uint(out, 1, cumulative);
                wire::double(out, 2, *upper_bound);
                if let Some((_, of)) = exemplar.filter(|(bucket, _)| *bucket == place) {
                    self::exemplar(out, 3, &of);
                }
            });
        }
        sparse(out, Schema::of(COUNT), values.counts());
    });
}

/// Appends the fields of a native histogram.
fn sparse(out: &mut Vec<u8>, schema: &Schema, counts: &[(u8, u64)]) {
    let sparse = schema.sparse(counts);
    wire::sint(out, 5, i64::from(schema.number));
    wire::double(out, 6, schema.zero_threshold);
    wire::uint(out, 7, sparse.zero);
    for (skipped, length) in sparse.spans {
        wire::message(out, 12, |out| {
            wire::sint(out, 1, i64::from(skipped));
            wire::uint(out, 2, u64::from(length));
        });
    }
    wire::message(out, 13, |out| sparse.deltas.into_iter().for_each(|delta| wire::varint(out, wire::zigzag(delta))));
}

/// Appends an exemplar as this field.
fn exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar<'_>) {
    let ms = exemplar.unix_ms();
    wire::message(out, field, |out| {
        label_pairs(out, &[exemplar.label()]);
        wire::double(out, 2, exemplar.value);
        wire::message(out, 3, |out| {
            wire::uint(out, 1, ms / 1000);
            wire::uint(out, 2, ms % 1000 * 1_000_000);
        });
    });
}

#[cfg(test)]
mod tests;
