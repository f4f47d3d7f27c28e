//! A strict reader of both text formats, for tests: whatever Prometheus or promtool would refuse, it refuses.

use super::Format;
use std::collections::{BTreeMap, BTreeSet};

/// Samples by series (`name{a="1",b="2"}`, values unescaped, labels in the order written).
pub(crate) type Samples = BTreeMap<String, f64>;

struct Family<'a> {
    name: &'a str,
    kind: Option<&'a str>,
}

/// Reads a whole exposition; panics with the offending line.
pub(crate) fn read(text: &str, format: Format) -> Samples {
    let openmetrics = format == Format::OpenMetrics;
    let body = if openmetrics {
        text.strip_suffix("# EOF\n").expect("the last line is EOF")
    } else {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line ends");
        text
    };
    let mut out = Samples::new();
    let mut families = BTreeSet::new();
    let mut family = Family { name: "", kind: None };
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let (keyword, rest) = meta.split_once(' ').expect(line);
            let (name, value) = rest.split_once(' ').expect(line);
            match keyword {
                "HELP" => {
                    assert!(families.insert(name), "family {name} appears twice");
                    assert!(!value.is_empty(), "{line}");
                    family = Family { name, kind: None };
                }
                "TYPE" => {
                    assert!(["counter", "gauge", "histogram"].contains(&value), "{line}");
                    family.kind = Some(value);
                }
                "UNIT" => {
                    assert!(openmetrics && name.ends_with(&format!("_{value}")), "{line}");
                }
                _ => panic!("{line}"),
            }
            assert_eq!(name, family.name, "{line}");
            continue;
        }
        let sample = sample(line);
        let (name, value) = (sample.name, sample.value);
        let kind = family.kind.expect(line);
        let rest = name.strip_prefix(family.name).unwrap_or_else(|| panic!("outside of its family: {line}"));
        let fits = match (kind, openmetrics) {
            ("counter", true) => rest == "_total",
            ("counter", false) => rest.is_empty() && name.ends_with("_total"),
            ("histogram", _) => ["_bucket", "_sum", "_count"].contains(&rest),
            _ => rest.is_empty() && !name.ends_with("_total"),
        };
        assert!(fits, "{line}");
        assert!(kind == "gauge" || value >= 0.0, "{line}");
        if let Some(exemplar) = &sample.exemplar {
            assert!(openmetrics && (rest == "_total" || rest == "_bucket"), "no exemplar belongs here: {line}");
            exemplar.check(sample.labels.iter().find(|(name, _)| *name == "le"), line);
        }
        assert!(out.insert(sample.series(""), value).is_none(), "duplicate: {line}");
    }
    let samples = body.lines().filter(|l| !l.starts_with('#')).map(sample);
    histograms(samples.filter(|s| s.name.ends_with("_bucket")), &out);
    out
}

/// One line: name, labels (values unescaped), number.
pub(crate) struct Sample<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: Vec<(&'a str, String)>,
    value: f64,
    pub(crate) exemplar: Option<Exemplar<'a>>,
}

/// The text after a sample.
pub(crate) struct Exemplar<'a> {
    pub(crate) labels: Vec<(&'a str, String)>,
    pub(crate) value: f64,
    /// s since the Unix epoch.
    pub(crate) at: f64,
}

impl Exemplar<'_> {
    /// `le`: the label of its bucket.
    fn check(&self, le: Option<&(&str, String)>, line: &str) {
        let chars = self.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count());
        assert!(!self.labels.is_empty() && chars.sum::<usize>() <= 128, "{line}");
        let bound: f64 = match le.map(|(_, le)| le.as_str()) {
            Some("+Inf") | None => f64::INFINITY,
            Some(le) => le.parse().expect(line),
        };
        assert!(self.value > 0.0 && self.value <= bound && self.at > 0.0, "{line}");
    }
}

impl Sample<'_> {
    /// Name and labels, without the label `without`.
    fn series(&self, without: &str) -> String {
        let labels = self.labels.iter().filter(|(name, _)| *name != without);
        let labels: Vec<String> = labels.map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        if labels.is_empty() { self.name.to_owned() } else { format!("{}{{{}}}", self.name, labels.join(",")) }
    }
}

/// Reads `name{label="value",…} number`, and ` # {label="value"} number time` after it.
pub(crate) fn sample(line: &str) -> Sample<'_> {
    let name_len = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).expect(line);
    assert!(name_len > 0 && !line.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    let (name, rest) = line.split_at(name_len);
    let (labels, rest) = labels(rest, line);
    let value = rest.strip_prefix(' ').expect(line);
    let (value, exemplar) = match value.split_once(" # ") {
        None => (value, None),
        Some((value, exemplar)) => {
            let (labels, rest) = self::labels(exemplar, line);
            let (of, at) = rest.strip_prefix(' ').and_then(|rest| rest.split_once(' ')).expect(line);
            (value, Some(Exemplar { labels, value: of.parse().expect(line), at: at.parse().expect(line) }))
        }
    };
    assert!(!value.contains(' '), "timestamp: {line}");
    Sample { name, labels, value: value.parse().expect(line), exemplar }
}

/// Labels in braces, if there are any, and what follows.
fn labels<'a>(text: &'a str, line: &str) -> (Vec<(&'a str, String)>, &'a str) {
    let mut labels: Vec<(&str, String)> = Vec::new();
    let Some(mut more) = text.strip_prefix('{') else { return (labels, text) };
    loop {
        let (name, after) = more.split_once("=\"").expect(line);
        let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!(name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(is_name), "{line}");
        assert!(labels.iter().all(|(known, _)| *known != name), "{line}");
        let (value, end) = unescape(after);
        assert!(!value.is_empty(), "an empty label is no label: {line}");
        labels.push((name, value));
        let rest = &after[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) => more = next,
            None => return (labels, rest.strip_prefix('}').expect(line)),
        }
    }
}

/// Text up to the closing quote, and where that is.
fn unescape(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        let (at, c) = chars.next().expect(text);
        match c {
            '"' => return (value, at),
            '\\' => match chars.next().expect(text).1 {
                'n' => value.push('\n'),
                c @ ('"' | '\\') => value.push(c),
                _ => panic!("unknown escape: {text}"),
            },
            c => value.push(c),
        }
    }
}

/// Bounds ascend, counts don't fall, the infinite bucket equals the count.
fn histograms<'a>(buckets: impl Iterator<Item = Sample<'a>>, all: &Samples) {
    let mut previous: Option<(String, f64, f64)> = None;
    for bucket in buckets {
        let le = bucket.labels.iter().find(|(name, _)| *name == "le").map(|(_, le)| le.as_str());
        let series = bucket.series("le");
        let bound: f64 = match le.expect(&series) {
            "+Inf" => f64::INFINITY,
            le => le.parse().expect(&series),
        };
        match previous.take() {
            Some((same, last, count)) => {
                assert!(same == series && last < bound && count <= bucket.value, "{series} le {bound}");
            }
            None => assert!(bound > 0.0, "{series}"),
        }
        if bound.is_infinite() {
            let count = series.replacen("_bucket", "_count", 1);
            assert_eq!(all.get(&count), Some(&bucket.value), "{count}");
        } else {
            previous = Some((series, bound, bucket.value));
        }
    }
    assert!(previous.is_none(), "a histogram has no infinite bucket");
}
