//! Which growth is a leak.

use super::{
    measure::Sample,
    slope::{Growth, growth},
};
use std::fmt::Write as _;

const MIB: f64 = 1_048_576.0;

/// A figure with the growth that a run may show.
struct Figure {
    name: &'static str,
    value: fn(&Sample) -> Option<f64>,
    /// Share of the median.
    share: f64,
    /// Beside the share, in the figure's unit.
    floor: f64,
    /// Figures of a unit are shown divided by this.
    unit: (f64, &'static str),
}

/// All figures that are judged.
const FIGURES: [Figure; 6] = [
    Figure { name: "RSS", value: |s| Some(s.resident), share: 0.05, floor: 2.0 * MIB, unit: (MIB, "MiB") },
    Figure { name: "BPF maps", value: |s| Some(s.kernel), share: 0.02, floor: 0.25 * MIB, unit: (MIB, "MiB") },
    Figure { name: "cgroup memory", value: |s| s.charged, share: 0.1, floor: 8.0 * MIB, unit: (MIB, "MiB") },
    Figure { name: "descriptors", value: |s| Some(s.descriptors), share: 0.05, floor: 4.0, unit: (1.0, "") },
    // Reloads and API failures change labels and names all the time; a leak of series adds hundreds a second.
    Figure { name: "series", value: |s| Some(s.series), share: 0.4, floor: 200.0, unit: (1.0, "") },
    Figure { name: "tick p99", value: |s| Some(s.tick_p99), share: 0.5, floor: 0.02, unit: (0.001, "ms") },
];

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

/// The slopes after the warm-up as a table, and the names of the figures that grow.
pub(super) fn judge(samples: &[Sample], warm_up_seconds: f64) -> (String, Vec<&'static str>) {
    let mut out = String::from("| figure | median | growth over the run | at least (95 %) | limit | |\n");
    out.push_str("|---|---|---|---|---|---|\n");
    let mut leaks = Vec::new();
    for figure in &FIGURES {
        let settled = samples.iter().filter(|sample| sample.seconds > warm_up_seconds);
        let points: Vec<(f64, f64)> = settled
            .filter_map(|sample| Some((sample.seconds, (figure.value)(sample).filter(|value| value.is_finite())?)))
            .collect();
        let Some(found) = growth(&points) else { continue };
        let limit = figure.floor + figure.share * found.median;
        let leaks_now = is_leak(&found, limit);
        if leaks_now {
            leaks.push(figure.name);
        }
        let (one, unit) = figure.unit;
        let verdict = if leaks_now { "LEAK" } else { "ok" };
        let [median, over, least, limit] = [found.median, found.over_run, found.at_least, limit].map(|v| v / one);
        let _ = writeln!(
            out,
            "| {}, {unit} | {median:.1} | {over:+.2} | {least:+.2} | {limit:.1} | {verdict} |",
            figure.name
        );
    }
    (out.replace(",  |", " |"), leaks)
}

/// It grows for sure, and by more than the limit.
fn is_leak(found: &Growth, limit: f64) -> bool {
    found.at_least > 0.0 && found.over_run > limit
}

#[cfg(test)]
mod tests;
