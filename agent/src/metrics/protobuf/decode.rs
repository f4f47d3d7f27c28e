//! A small reader of the exposition, for tests. It shares no code with the writer.

use crate::metrics::check::Samples;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: u64,
    pub(super) unit: String,
    pub(super) metrics: Vec<Metric>,
}

#[derive(Debug)]
pub(super) struct Metric {
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Counter(f64, Option<Exemplar>),
    Gauge(f64),
    Histogram(Histogram),
}

#[derive(Debug, PartialEq)]
pub(super) struct Exemplar {
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
    /// s and ns since the Unix epoch.
    pub(super) at: (u64, u64),
}

#[derive(Debug)]
pub(super) struct Histogram {
    pub(super) count: u64,
    pub(super) sum: f64,
    /// Upper bound, cumulative count.
    pub(super) classic: Vec<(f64, u64, Option<Exemplar>)>,
    pub(super) schema: i64,
    pub(super) zero: (f64, u64),
    /// Count by bucket, also of empty ones in a span.
    pub(super) native: BTreeMap<i64, i64>,
}

/// A field as it is on the wire.
enum Field<'a> {
    Varint(u64),
    Fixed(f64),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn uint(&self) -> u64 {
        if let Self::Varint(value) = self { *value } else { panic!("no varint") }
    }

    fn sint(&self) -> i64 {
        unzigzag(self.uint())
    }

    fn double(&self) -> f64 {
        if let Self::Fixed(value) = self { *value } else { panic!("no double") }
    }

    fn bytes(&self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { panic!("no bytes") }
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("strings are UTF-8")
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a varint ends");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn unzigzag(value: u64) -> i64 {
    let half = (value / 2) as i64;
    if value.is_multiple_of(2) { half } else { -half - 1 }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (first, rest) = bytes.split_at(length);
    *bytes = rest;
    first
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Varint(varint(&mut bytes)),
            1 => Field::Fixed(f64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length))
            }
            other => panic!("wire type {other}"),
        };
        out.push((tag >> 3, field));
    }
    out
}

/// All families of an exposition.
pub(super) fn families(mut bytes: &[u8]) -> Vec<Family> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let length = varint(&mut bytes) as usize;
        out.push(family(take(&mut bytes, length)));
    }
    out
}

fn family(bytes: &[u8]) -> Family {
    let (name, help, unit) = (String::new(), String::new(), String::new());
    let mut out = Family { name, help, kind: u64::MAX, unit, metrics: Vec::new() };
    for (number, field) in fields(bytes) {
        match number {
            1 => out.name = field.text(),
            2 => out.help = field.text(),
            3 => out.kind = field.uint(),
            4 => out.metrics.push(metric(field.bytes())),
            5 => out.unit = field.text(),
            other => panic!("field {other} of a family"),
        }
    }
    out
}

fn metric(bytes: &[u8]) -> Metric {
    let (mut labels, mut value) = (Vec::new(), None);
    for (number, field) in fields(bytes) {
        let read = match number {
            1 => {
                labels.push(label(field.bytes()));
                continue;
            }
            2 => Value::Gauge(only(field.bytes()).double()),
            3 => counter(field.bytes()),
            7 => Value::Histogram(histogram(field.bytes())),
            other => panic!("field {other} of a metric"),
        };
        assert!(value.replace(read).is_none(), "a metric has one value");
    }
    Metric { labels, value: value.expect("a metric has a value") }
}

/// The only field of a message, which is its first.
fn only(bytes: &[u8]) -> Field<'_> {
    let mut all = fields(bytes);
    assert!(all.len() == 1 && all[0].0 == 1);
    all.remove(0).1
}

fn label(bytes: &[u8]) -> (String, String) {
    let all = fields(bytes);
    let [(1, name), (2, value)] = &all[..] else { panic!("a label has a name and a value") };
    (name.text(), value.text())
}

fn counter(bytes: &[u8]) -> Value {
    let (mut value, mut of) = (None, None);
    for (number, field) in fields(bytes) {
        match number {
            1 => value = Some(field.double()),
            2 => of = Some(exemplar(field.bytes())),
            other => panic!("field {other} of a counter"),
        }
    }
    Value::Counter(value.expect("a counter has a value"), of)
}

fn exemplar(bytes: &[u8]) -> Exemplar {
    let mut out = Exemplar { labels: Vec::new(), value: f64::NAN, at: (0, 0) };
    for (number, field) in fields(bytes) {
        match number {
            1 => out.labels.push(label(field.bytes())),
            2 => out.value = field.double(),
            3 => {
                let time = fields(field.bytes());
                let [(1, seconds), (2, nanoseconds)] = &time[..] else { panic!("a time has two fields") };
                out.at = (seconds.uint(), nanoseconds.uint());
            }
            other => panic!("field {other} of an exemplar"),
        }
    }
    out
}

fn histogram(bytes: &[u8]) -> Histogram {
    let (classic, native) = (Vec::new(), BTreeMap::new());
    let mut out = Histogram { count: 0, sum: f64::NAN, classic, schema: i64::MAX, zero: (f64::NAN, 0), native };
    let (mut spans, mut deltas) = (Vec::new(), Vec::new());
    for (number, field) in fields(bytes) {
        match number {
            1 => out.count = field.uint(),
            2 => out.sum = field.double(),
            3 => out.classic.push(classic_bucket(field.bytes())),
            5 => out.schema = field.sint(),
            6 => out.zero.0 = field.double(),
            7 => out.zero.1 = field.uint(),
            12 => {
                let span = fields(field.bytes());
                let [(1, skipped), (2, length)] = &span[..] else { panic!("a span has two fields") };
                spans.push((skipped.sint(), length.uint()));
            }
            13 => {
                let mut packed = field.bytes();
                while !packed.is_empty() {
                    deltas.push(unzigzag(varint(&mut packed)));
                }
            }
            other => panic!("field {other} of a histogram"),
        }
    }
    let (mut index, mut count, mut deltas) = (0, 0, deltas.into_iter());
    for (place, (skipped, length)) in spans.into_iter().enumerate() {
        assert!(length > 0 && (place == 0 || skipped > 0), "spans don't touch");
        index += skipped;
        for _ in 0..length {
            count += deltas.next().expect("a delta for each bucket");
            assert!(count >= 0);
            out.native.insert(index, count);
            index += 1;
        }
    }
    assert!(deltas.next().is_none());
    out
}

fn classic_bucket(bytes: &[u8]) -> (f64, u64, Option<Exemplar>) {
    let mut out = (f64::NAN, 0, None);
    for (number, field) in fields(bytes) {
        match number {
            1 => out.1 = field.uint(),
            2 => out.0 = field.double(),
            3 => out.2 = Some(exemplar(field.bytes())),
            other => panic!("field {other} of a bucket"),
        }
    }
    out
}

/// The samples as the texts show them.
pub(super) fn samples(families: &[Family]) -> Samples {
    let mut out = Samples::new();
    for family in families {
        for metric in &family.metrics {
            let mut add = |suffix: &str, le: Option<f64>, value: f64| {
                let bound = le.map(|le| format!("le=\"{}\"", bound_text(le)));
                let own = metric.labels.iter().map(|(name, value)| format!("{name}=\"{value}\""));
                let labels: Vec<String> = bound.into_iter().chain(own).collect();
                let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
                let series = format!("{}{suffix}{labels}", family.name);
                assert!(out.insert(series.clone(), value).is_none(), "duplicate: {series}");
            };
            match &metric.value {
                Value::Counter(value, _) | Value::Gauge(value) => add("", None, *value),
                Value::Histogram(histogram) => {
                    add("_count", None, histogram.count as f64);
                    add("_sum", None, histogram.sum);
                    histogram.classic.iter().for_each(|(le, n, _)| add("_bucket", Some(*le), *n as f64));
                }
            }
        }
    }
    out
}

fn bound_text(le: f64) -> String {
    let text = le.to_string();
    match text.as_str() {
        "inf" => "+Inf".to_owned(),
        whole if !whole.contains('.') => format!("{whole}.0"),
        _ => text,
    }
}
