//! The outcome as a table: each figure, how sure it is, and what it should be.

use super::verdict::Verdict;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One line.
pub(super) struct Row {
    /// The quantity that was measured.
    pub(super) what: String,
    /// The figure.
    pub(super) value: String,
    /// 95 % interval and number of values; empty when there is one value.
    pub(super) spread: String,
    /// The goal. Empty: none.
    pub(super) target: &'static str,
    /// Whether it is reached. `None`: nothing is promised.
    pub(super) verdict: Option<Verdict>,
}

impl Row {
    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "what": self.what,
            "value": self.value,
            "spread": self.spread,
            "target": self.target,
            "verdict": self.verdict.map(Verdict::text),
        })
    }
}

/// Lines below each other.
pub(super) fn render(rows: &[Row]) -> String {
    let head = ["", "measured", "95 % interval", "to reach", ""].map(str::to_owned);
    let mut cells = vec![head];
    cells.extend(rows.iter().map(|row| {
        let verdict = row.verdict.map_or("", Verdict::text).to_owned();
        [row.what.clone(), row.value.clone(), row.spread.clone(), row.target.to_owned(), verdict]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let mut out = String::new();
    for row in &cells {
        let mut line = String::new();
        for (text, width) in row.iter().zip(&widths) {
            // Writing to a String can't fail.
            let _ = write!(line, "{text:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// Machine and date above the table.
pub(super) fn heading(machine: &Value) -> String {
    let text = |key: &str| machine[key].as_str().unwrap_or_default().to_owned();
    format!(
        "netwhy {}, Linux {}, {} × {}, {}\n",
        text("version"),
        text("kernel"),
        machine["cpus"],
        text("cpu_model"),
        text("date")
    )
}

#[cfg(test)]
mod tests;
