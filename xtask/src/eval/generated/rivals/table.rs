//! The table that public methods of root cause analysis read, from the series of a Prometheus: pure.
//!
//! One row per second, one column per series: `<entity>_<metric>`. Counters are growth per second, and histograms are
//! the mean of each second and their count's growth. An entity is `pod-NAME`, `node-NAME` or `pair-NAME↔NAME`.

use crate::eval::generated::culprit::Culprit;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::{collections::BTreeMap, ops::RangeInclusive};

/// Families about the agent itself, and about its own answers, which no rival gets.
const LEFT_OUT: [&str; 2] = ["netwhy_agent_", "netwhy_hint"];
/// Times that callers and packets take. BARO finds change points in columns with `latency` and `_error` in their names.
const LATENCY: [&str; 6] = [
    "netwhy_tcp_rtt_seconds",
    "netwhy_tcp_response_seconds",
    "netwhy_http_request_seconds",
    "netwhy_grpc_call_seconds",
    "netwhy_dns_lookup_seconds",
    "netwhy_tcp_connect_seconds",
];
/// Requests and connections that fail.
const ERRORS: [&str; 4] = [
    "netwhy_tcp_connect_failures",
    "netwhy_tcp_resets",
    "netwhy_tcp_connections_cut",
    "netwhy_tcp_unanswered_requests",
];
/// Labels that say where a series is from, which the entity says already.
const PLACE: [&str; 7] = ["__name__", "job", "instance", "namespace", "pod", "workload", "peer_node"];

/// One series: its labels, and its value at each second of the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    labels: BTreeMap<String, String>,
    values: BTreeMap<i64, f64>,
}

/// Reads an answer of `/api/v1/query_range`.
pub(super) fn read(answer: &Value) -> Result<Vec<Series>> {
    let all = answer["data"]["result"].as_array().context("an answer of Prometheus without a result")?;
    let value = |pair: &Value| -> Option<(i64, f64)> {
        let value = pair[1].as_str()?.parse::<f64>().ok()?;
        value.is_finite().then_some((pair[0].as_f64()?.round() as i64, value))
    };
    let one = |series: &Value| -> Result<Series> {
        let labels = serde_json::from_value(series["metric"].clone()).context("read the labels of a series")?;
        let values = series["values"].as_array().into_iter().flatten().filter_map(value).collect();
        Ok(Series { labels, values })
    };
    all.iter().map(one).collect()
}

/// The table as CSV, with a header. A cell without a value is empty.
pub(super) fn csv(series: &[Series], seconds: RangeInclusive<i64>) -> String {
    let columns: BTreeMap<String, Vec<Option<f64>>> = columns(series, &seconds);
    let mut text = String::from("time");
    for name in columns.keys() {
        text.push(',');
        text.push_str(name);
    }
    text.push('\n');
    for (row, second) in seconds.enumerate() {
        text.push_str(&second.to_string());
        for cells in columns.values() {
            text.push(',');
            text.extend(cells[row].map(|value| value.to_string()));
        }
        text.push('\n');
    }
    text
}

/// Who a column is about. Nobody: it has no such entity.
pub(super) fn culprit(column: &str) -> Culprit {
    let entity = column.split_once('_').map_or(column, |(entity, _)| entity);
    match entity.split_once('-') {
        Some(("pod", name)) => Culprit::Pod(name.to_owned()),
        Some(("node", name)) => Culprit::Node(name.to_owned()),
        Some(("pair", name)) => name.split_once('↔').map_or(Culprit::Nobody, |(a, b)| Culprit::pair(a, b)),
        _ => Culprit::Nobody,
    }
}

fn columns(series: &[Series], seconds: &RangeInclusive<i64>) -> BTreeMap<String, Vec<Option<f64>>> {
    // Counts of histograms, by family and labels: their sums are divided by them.
    let counts: BTreeMap<_, _> = series
        .iter()
        .filter_map(|series| Some(((series.name().strip_suffix("_count")?, series.others()), series)))
        .collect();
    let mut columns = BTreeMap::new();
    for series in series.iter().filter(|series| series.is_wanted()) {
        let Some(entity) = series.entity() else { continue };
        let (family, kind) = series.family();
        let count = counts.get(&(family, series.others())).copied();
        let cells: Vec<Option<f64>> = seconds.clone().map(|second| series.cell(kind, count, second)).collect();
        if cells.iter().any(Option::is_some) {
            columns.insert(format!("{entity}_{}", series.metric(family, kind)), cells);
        }
    }
    columns
}

/// How a series becomes a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Counter,
    /// Sum of a histogram.
    Sum,
    /// Count of a histogram.
    Count,
}

impl Series {
    fn name(&self) -> &str {
        self.labels.get("__name__").map_or("", String::as_str)
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All labels but the name.
    fn others(&self) -> Vec<(&str, &str)> {
        let all = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| *name != "__name__").collect()
    }

    fn is_wanted(&self) -> bool {
        let name = self.name();
        name.starts_with("netwhy_")
            && !name.ends_with("_bucket")
            && !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Name without the suffix of its kind.
    fn family(&self) -> (&str, Kind) {
        let name = self.name();
        let suffixes = [("_total", Kind::Counter), ("_sum", Kind::Sum), ("_count", Kind::Count)];
        let found = suffixes.into_iter().find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, kind)));
        found.unwrap_or((name, Kind::Gauge))
    }

    /// `None`: it sums up several.
    fn entity(&self) -> Option<String> {
        let is_one = |name: &str| !name.starts_with('~');
        match (self.label("pod"), self.label("node"), self.label("peer_node")) {
            (Some(pod), ..) => is_one(pod).then(|| format!("pod-{}", clean(pod))),
            (None, Some(node), Some(peer)) => {
                let (a, b) = (clean(node.min(peer)), clean(node.max(peer)));
                is_one(peer).then(|| format!("pair-{a}↔{b}"))
            }
            (None, Some(node), None) => Some(format!("node-{}", clean(node))),
            (None, None, _) => None,
        }
    }

    /// Family and the labels that are left.
    fn metric(&self, family: &str, kind: Kind) -> String {
        let group = match kind {
            Kind::Sum if LATENCY.contains(&family) => "latency-",
            Kind::Gauge | Kind::Counter if ERRORS.contains(&family) => "error-",
            _ => "",
        };
        let mut metric = format!("{group}{}", clean(family.trim_start_matches("netwhy_")));
        if kind == Kind::Count {
            metric.push_str("-count");
        }
        // Both ends count what they send to each other.
        let is_pair = self.label("pod").is_none() && self.label("peer_node").is_some();
        let is_place = |name: &str| PLACE.contains(&name) || (name == "node" && !is_pair);
        for (_, value) in self.others().into_iter().filter(|(name, value)| !is_place(name) && !value.is_empty()) {
            metric.push('-');
            metric.push_str(&clean(value));
        }
        metric
    }

    /// Growth in the second that ends there, also over a restart.
    fn growth(&self, second: i64) -> Option<f64> {
        let (before, now) = (self.values.get(&(second - 1))?, self.values.get(&second)?);
        Some(if now < before { *now } else { now - before })
    }

    fn cell(&self, kind: Kind, count: Option<&Self>, second: i64) -> Option<f64> {
        match kind {
            Kind::Gauge => self.values.get(&second).copied(),
            Kind::Counter | Kind::Count => self.growth(second),
            Kind::Sum => {
                let events = count?.growth(second).filter(|events| *events > 0.0)?;
                Some(self.growth(second)? / events)
            }
        }
    }
}

/// A part of a column's name: `_` ends the entity, and a comma the cell.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests;
