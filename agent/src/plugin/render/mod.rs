//! Reports as text. Pure: color, width and time are arguments.

mod diagnose;
mod hints;
mod matrix;
mod mermaid;
mod nodes;
mod paint;
mod table;
mod topology;
mod why;

pub use hints::{change_line, one_line};
pub use paint::{Colour, Paint};
pub use table::Table;

use super::{Failure, cli::Format, model::SilentAgent};
use serde::Serialize;

/// Format of the output.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// Colors.
    pub paint: Paint,
    /// More columns.
    pub wide: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// The time of day, ms since the Unix epoch.
    pub now_ms: i64,
}

/// The report of a command.
pub trait Report: Serialize {
    /// For people.
    fn text(&self, view: &View) -> String;

    /// The report as a table, to merge several clusters. `None`: not a table.
    fn table(&self, view: &View) -> Option<Table>;

    /// A Mermaid diagram.
    fn mermaid(&self) -> String;

    /// Agents that did not answer. Each gets a line on stderr.
    fn not_answered(&self) -> &[SilentAgent];
}

/// The report of one context of several.
#[derive(Serialize)]
struct Headed<'a, R> {
    context: &'a str,
    #[serde(flatten)]
    report: &'a R,
}

/// The reports of all contexts as one text.
///
/// # Errors
/// When a value can't be written as JSON or YAML.
pub fn write<R: Report>(reports: &[(Option<String>, R)], format: Format, view: &View) -> Result<String, Failure> {
    let unwritable = |error: &dyn std::fmt::Display| Failure::new(format!("can't write the answer: {error}"), "");
    match format {
        Format::Json => {
            let text = match reports {
                [(None, only)] => serde_json::to_string_pretty(only),
                many => serde_json::to_string_pretty(&headed(many)),
            };
            text.map(|text| text + "\n").map_err(|error| unwritable(&error))
        }
        Format::Yaml => {
            let text = match reports {
                [(None, only)] => serde_norway::to_string(only),
                many => serde_norway::to_string(&headed(many)),
            };
            text.map_err(|error| unwritable(&error))
        }
        Format::Mermaid => {
            let heads = reports.iter().map(|(context, report)| match context {
                Some(context) => format!("%% context {context}\n{}", report.mermaid()),
                None => report.mermaid(),
            });
            Ok(heads.collect::<Vec<_>>().join("\n"))
        }
        Format::Table | Format::Wide => Ok(text(reports, &View { wide: format == Format::Wide, ..*view })),
    }
}

fn headed<R>(reports: &[(Option<String>, R)]) -> Vec<Headed<'_, R>> {
    reports.iter().map(|(context, report)| Headed { context: context.as_deref().unwrap_or_default(), report }).collect()
}

fn text<R: Report>(reports: &[(Option<String>, R)], view: &View) -> String {
    if let [(None, only)] = reports {
        return only.text(view);
    }
    let tables: Option<Vec<(String, Table)>> = reports
        .iter()
        .map(|(context, report)| Some((context.clone().unwrap_or_default(), report.table(view)?)))
        .collect();
    if let Some(tables) = tables {
        return Table::side_by_side(tables).render(view);
    }
    let parts = reports.iter().map(|(context, report)| {
        let head = view.paint.bold(&format!("── context {} ──", context.as_deref().unwrap_or_default()));
        format!("{head}\n{}", report.text(view))
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// A time span as kubectl shows ages: `45s`, `12m`, `3h`, `5d`.
pub fn age(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..120 => format!("{s}s"),
        120..7200 => format!("{}m", s / 60),
        7200..172_800 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Breaks a text into lines of at most `width` columns, between words.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let taken = lines[last].chars().count();
        if taken > 0 && taken + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if taken > 0 {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
