//! The table of Pods.

use serde_json::Value;
use std::fmt::Write as _;

/// Placeholder for a missing value.
const NONE: &str = "–";

/// Rows of an answer: an array, or an object that has one under `key`.
pub(super) fn rows<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.as_array().or_else(|| answer.get(key)?.as_array()).map_or(&[], Vec::as_slice)
}

/// One line per Pod, in the order of `names`.
pub(super) fn table(pods: &Value, names: &[&str]) -> String {
    let mut lines = vec![
        [
            "pod",
            "rtt p50",
            "p99",
            "min",
            "retransmitted",
            "loss episodes",
            "connects/s",
            "failed",
            "CPU throttled",
            "held back by",
        ]
        .map(str::to_owned),
    ];
    let rows = rows(pods, "pods");
    for name in names {
        let row = rows.iter().find(|row| row["name"] == **name).unwrap_or(&Value::Null);
        let window = &row["window"];
        let text = |value: Option<String>| value.unwrap_or_else(|| NONE.to_owned());
        let per_second = |count: f64| Some(format!("{:.1}", count / window["seconds"].as_f64()?.max(0.1)));
        lines.push([
            (*name).to_owned(),
            text(window["rtt_p50_seconds"].as_f64().map(duration)),
            text(window["rtt_p99_seconds"].as_f64().map(duration)),
            text(window["min_rtt_seconds"].as_f64().map(duration)),
            text(window["retransmit_ratio"].as_f64().map(percent)),
            text(sum(&window["loss_episodes"]).map(|n| format!("{n:.0}"))),
            text(sum(&window["connects"]).and_then(per_second)),
            text(sum(&window["connect_failures"]).map(|n| format!("{n:.0}"))),
            text(window["cpu_throttled_share"].as_f64().map(|share| format!("{:.0} %", share * 100.0))),
            held_back(window),
        ]);
    }
    align(&lines)
}

/// A number, or the sum of an object's numbers.
fn sum(value: &Value) -> Option<f64> {
    match value {
        Value::Object(parts) => Some(parts.values().filter_map(Value::as_f64).sum()),
        other => other.as_f64(),
    }
}

/// Shares of busy time: `receiver 92 %`; nothing below 1 %. The rest is the network's, faulty or not.
fn held_back(window: &Value) -> String {
    let share = |by: &'static str| Some((by, window["limited"][by].as_f64()?));
    let known: Vec<(&str, f64)> = ["receiver", "send_buffer"].into_iter().filter_map(share).collect();
    if known.is_empty() {
        return NONE.to_owned();
    }
    let parts: Vec<String> = known
        .iter()
        .filter(|(_, share)| *share >= 0.01)
        .map(|(by, share)| format!("{} {:.0} %", by.replace('_', " "), share * 100.0))
        .collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// Three digits and a unit.
pub(super) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s => (s * 1e6, "µs"),
    };
    let digits = if value >= 100.0 || unit == "µs" {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

/// `0.13 %`
pub(super) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent == 0.0 { "0 %".to_owned() } else { format!("{percent:.2} %") }
}

fn align<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Names and words to the left, numbers to the right.
            let _ =
                if i == 0 || i == N - 1 { write!(text, "  {cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
