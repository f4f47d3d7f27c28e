//! Samples and growth as tables and as JSON.

use super::{
    charge::is_held,
    judge::{FIGURES, Judgement, MIB},
    measure::Sample,
    slope::Growth,
};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// The head of the table of samples.
pub(super) const HEAD: &str = "\
| s | RSS, MiB | BPF maps, MiB | cgroup memory, MiB | descriptors | series | tick p99, ms |
|---|---|---|---|---|---|---|";

/// A sample as a line of that table.
pub(super) fn row(sample: &Sample) -> String {
    let mut out = format!("| {:.0} |", sample.seconds);
    for figure in &FIGURES {
        let digits = if figure.unit.1.is_empty() { 0 } else { 1 };
        // Writing to a String can't fail.
        let _ = match (figure.value)(sample) {
            Some(value) => write!(out, " {:.digits$} |", value / figure.unit.0),
            None => write!(out, " none |"),
        };
    }
    out
}

/// The growth of each figure as a table.
pub(super) fn figures(judgement: &Judgement) -> String {
    let mut out =
        String::from("| figure | median | growth over the run | at least (95 %) | at the pace of its second half |");
    out.push_str(" limit | |\n|---|---|---|---|---|---|---|\n");
    for judged in &judgement.figures {
        let Growth { median, over_run, at_least, lately } = judged.growth;
        let (one, unit) = judged.figure.unit;
        let [median, over_run, at_least, lately, limit] =
            [median, over_run, at_least, lately, judged.limit].map(|value| value / one);
        let name = [judged.figure.name, unit].join(", ");
        let verdict = if judged.is_leak { "LEAK" } else { "ok" };
        let _ = writeln!(
            out,
            "| {} | {median:.1} | {over_run:+.2} | {at_least:+.2} | {lately:+.2} | {limit:.1} | {verdict} |",
            name.trim_end_matches(", ")
        );
    }
    out
}

/// The growth of each part of the cgroup's memory as a table, largest first.
pub(super) fn parts(judgement: &Judgement) -> String {
    let mut out =
        String::from("| part of the cgroup's memory, MiB | median | growth over the run | at least (95 %) |\n");
    out.push_str("|---|---|---|---|\n");
    for (part, growth) in &judgement.parts {
        let [median, over_run, at_least] = [growth.median, growth.over_run, growth.at_least].map(|value| value / MIB);
        let _ = writeln!(out, "| {part} | {median:.1} | {over_run:+.2} | {at_least:+.2} |");
    }
    out
}

/// All samples, also those of the warm-up, and all growth after it. Each figure in the base unit of its name; `null`: not
/// read.
pub(super) fn json(samples: &[Sample], judgement: &Judgement) -> Value {
    let growth = |growth: &Growth| {
        let Growth { median, over_run, at_least, lately } = growth;
        json!({ "median": median, "over_run": over_run, "at_least": at_least, "lately": lately })
    };
    let figures: Vec<Value> = (judgement.figures.iter())
        .map(|judged| {
            let (name, limit, is_leak) = (judged.figure.name, judged.limit, judged.is_leak);
            json!({ "figure": name, "growth": growth(&judged.growth), "limit": limit, "is_leak": is_leak })
        })
        .collect();
    let parts: Vec<Value> = (judgement.parts.iter())
        .map(|(part, found)| json!({ "part": part, "is_held": is_held(part), "growth": growth(found) }))
        .collect();
    let samples: Vec<Value> = samples.iter().map(sample_json).collect();
    json!({ "samples": samples, "figures": figures, "cgroup_parts": parts })
}

fn sample_json(sample: &Sample) -> Value {
    let Sample { seconds, resident, kernel, charge, descriptors, series, tick_p99 } = sample;
    let parts = charge.iter().flat_map(|charge| &charge.parts);
    let parts: Map<String, Value> = parts.map(|(part, bytes)| ((*part).to_owned(), json!(bytes))).collect();
    json!({
        "seconds": seconds,
        "resident_bytes": resident,
        "map_bytes": kernel,
        "cgroup_held_bytes": charge.as_ref().map(|charge| charge.held),
        "cgroup_parts_bytes": parts,
        "descriptors": descriptors,
        "series": series,
        "tick_p99_seconds": tick_p99,
    })
}
