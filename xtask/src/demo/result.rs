//! The demo's result, for people.

use super::{
    screen::Screen,
    table::{duration, percent},
};
use netwhy_tests::lab::FaultKind;
use serde_json::Value;
use std::fmt::Write as _;

/// Metric lines that are shown.
const LINES: usize = 10;

/// The hint that was expected.
pub(super) struct Found {
    /// The expected hint. `None`: it didn't come in time.
    pub(super) hint: Option<Value>,
    /// Time from the fault to it, or to giving up.
    pub(super) seconds: f64,
    /// Other hints that fired meanwhile.
    pub(super) others: Vec<Value>,
}

impl Found {
    /// Name of the Pod that the hint is about.
    pub(super) fn subject(&self) -> Option<&str> {
        self.hint.as_ref()?.pointer("/subject/name")?.as_str()
    }
}

/// The outcome in words.
pub(super) fn text(screen: &Screen, found: &Found, before: &[Value], metrics: &[String], control: bool) -> String {
    let mut out = String::new();
    if !before.is_empty() {
        let _ = writeln!(out, "hints that fired before anything was broken:\n{}", brief(before));
    }
    match &found.hint {
        Some(hint) => {
            let _ = writeln!(out, "{} after {:.1} s", screen.loud("named"), found.seconds);
            out.push_str(&describe(screen, hint));
        }
        None if control && found.others.is_empty() => {
            let _ = writeln!(out, "no hint in {:.0} s, as it should be", found.seconds);
        }
        None => {
            let _ =
                writeln!(out, "{}: the expected hint did not fire in {:.0} s", screen.loud("missed"), found.seconds);
        }
    }
    if !found.others.is_empty() {
        let _ = writeln!(out, "\nother hints that fired:\n{}", brief(&found.others));
    }
    if !metrics.is_empty() {
        let _ = writeln!(out, "\n{}", screen.bold("in /metrics:"));
        for line in metrics {
            let _ = writeln!(out, "  {line}");
        }
    }
    out
}

/// A hint with its evidence.
fn describe(screen: &Screen, hint: &Value) -> String {
    let text = |pointer: &str| hint.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let mut out = String::new();
    let confidence = hint["confidence"].as_f64().unwrap_or(0.0) * 100.0;
    let _ = writeln!(out, "\n  {}", screen.bold(text("/summary")));
    let _ = writeln!(out, "  cause       {} (confidence {confidence:.0} %)", text("/cause"));
    let _ = writeln!(out, "  who suffers {} {}", text("/subject/kind"), text("/subject/name"));
    let others: Vec<&str> = hint
        .pointer("/blame/alternatives")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|other| other["name"].as_str())
        .collect();
    let name = hint.pointer("/blame/name").and_then(Value::as_str).unwrap_or("");
    let blame = match (text("/blame/kind"), others.join(" or ")) {
        ("undecided", others) if !others.is_empty() => format!("{others}: this hint alone can't tell"),
        (kind, others) if others.is_empty() => format!("{kind} {name}"),
        (kind, others) => format!("{kind} {name}, or {others}"),
    };
    let _ = writeln!(out, "  at fault    {}", blame.trim());
    let items = |key: &str| hint[key].as_array().map_or(&[][..], Vec::as_slice);
    for (i, evidence) in items("evidence").iter().enumerate() {
        let heading = if i == 0 { "evidence   " } else { "           " };
        let field = |key: &str| evidence[key].as_str().unwrap_or("");
        let number = |key: &str| evidence[key].as_f64().map(|value| with_unit(value, field("unit")));
        let observed = number("observed").unwrap_or_else(|| "–".to_owned());
        let baseline = number("baseline").map_or(String::new(), |value| format!("(normally {value}) "));
        let _ = writeln!(out, "  {heading} {} = {observed} {baseline}{}", field("signal"), field("where"));
    }
    for (i, ruled_out) in items("ruled_out").iter().enumerate() {
        let heading = if i == 0 { "ruled out  " } else { "           " };
        let field = |key: &str| ruled_out[key].as_str().unwrap_or("");
        let _ = writeln!(out, "  {heading} {}: {}", field("cause"), field("because"));
    }
    let _ = writeln!(out, "  do          {}", text("/action"));
    out
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "ratio" => percent(value),
        "seconds" | "s" => duration(value),
        "" => format!("{value}"),
        unit => format!("{} {unit}", (value * 1000.0).round() / 1000.0),
    }
}

/// One line per hint.
fn brief(hints: &[Value]) -> String {
    let line = |hint: &Value| {
        let text = |pointer: &str| hint.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
        format!("  {} on {}: {}", text("/cause"), text("/subject/name"), text("/summary"))
    };
    hints.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Lines of `/metrics` that show a fault: of the Pod that suffers (all Pods when there is none), and not 0.
pub(super) fn metric_lines(metrics: &str, fault: FaultKind, pod: Option<&str>) -> Vec<String> {
    let names: &[&str] = match fault {
        FaultKind::Loss => &["netwhy_tcp_retransmitted_segments_total", "netwhy_tcp_loss_episodes_total"],
        FaultKind::Delay => &["netwhy_tcp_min_rtt_seconds"],
        FaultKind::CpuThrottle => &["netwhy_cpu_throttled_seconds_total", "netwhy_cpu_throttled_periods_total"],
        FaultKind::SlowReader => &["netwhy_tcp_limited_seconds_total"],
        FaultKind::AcceptQueueFull => &["netwhy_tcp_accept_queue_overflows_total"],
        FaultKind::PeerUnreachable => &["netwhy_tcp_connect_failures_total", "netwhy_tcp_retransmitted_segments_total"],
        FaultKind::Refused => &["netwhy_tcp_connect_failures_total", "netwhy_tcp_resets_total"],
        FaultKind::SlowApp => {
            &["netwhy_tcp_min_rtt_seconds", "netwhy_tcp_rtt_seconds_sum", "netwhy_tcp_rtt_seconds_count"]
        }
        FaultKind::Dns => &[
            "netwhy_dns_lookups_total",
            "netwhy_dns_lookup_seconds_bucket",
            "netwhy_dns_lookup_seconds_sum",
            "netwhy_dns_lookup_seconds_count",
        ],
        FaultKind::None => &[],
    };
    let label = pod.map(|pod| format!("pod=\"{pod}\""));
    let interesting = |line: &&str| {
        let (Some((name, rest)), false) = (line.split_once('{'), line.starts_with('#')) else { return false };
        let value = rest.rsplit_once("} ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<f64>().ok());
        let wanted = name == "netwhy_hint" || names.contains(&name);
        wanted
            && value.is_some_and(|value| value != 0.0)
            && label.as_ref().is_none_or(|label| rest.contains(label.as_str()))
    };
    metrics.lines().filter(interesting).take(LINES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
