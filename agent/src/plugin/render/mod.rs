//! Reports as text. Pure: color, width and time are arguments.

mod changed;
mod close_up;
mod diagnose;
mod differs;
mod forecast;
mod hints;
mod html;
mod incidents;
mod logs;
mod map;
mod matrix;
mod mermaid;
mod nodes;
mod paint;
mod table;
mod topology;
mod why;

pub use hints::{change_line, one_line};
pub use html::{Section, check as check_format};
pub use logs::LogView;
pub(super) use mermaid::{Chart, Shape};
pub use paint::{Colour, Paint};
pub use table::Table;
pub(super) use why::value;

use super::{
    Failure,
    cli::Format,
    model::{SilentAgent, hints::MissingTime},
};
use crate::text::{Text, is_printable};
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
    fn text(&self, view: &View) -> Text;

    /// The report as a table, to merge several clusters. `None`: not a table.
    fn table(&self, view: &View) -> Option<Table>;

    /// A Mermaid diagram.
    fn mermaid(&self) -> Text;

    /// Whether it has HTML. The command refuses `-o html` without it, before it asks anybody.
    const HTML: bool = false;

    /// Its part of a page. Not called unless [`Self::HTML`].
    fn html(&self, _: &View) -> Section {
        Section::default()
    }

    /// Agents that did not answer. Each gets a line on stderr.
    fn not_answered(&self) -> &[SilentAgent];

    /// Times of which nothing is recorded. The longest get a line on stderr.
    fn missing(&self) -> &[MissingTime] {
        &[]
    }
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
pub fn write<R: Report>(reports: &[(Option<String>, R)], format: Format, view: &View) -> Result<Text, Failure> {
    match format {
        Format::Json => match reports {
            [(None, only)] => json(only),
            many => json(&headed(many)),
        },
        Format::Yaml => match reports {
            [(None, only)] => yaml(only),
            many => yaml(&headed(many)),
        },
        Format::Mermaid => {
            let heads = reports.iter().map(|(context, report)| match context {
                Some(context) => Text::joined([Text::new(&format!("%% context {context}")), report.mermaid()]),
                None => report.mermaid(),
            });
            Ok(Text::joined(heads))
        }
        Format::Html if R::HTML => Ok(html::page(reports, view)),
        Format::Html => Err(html::no_html()),
        Format::Table | Format::Wide => Ok(text(reports, &View { wide: format == Format::Wide, ..*view })),
    }
}

fn json<T: Serialize>(value: &T) -> Result<Text, Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| unwritable(&error))?;
    Ok(Text::json(&(text + "\n")))
}

/// A value as YAML.
///
/// # Errors
/// When it can't be written.
pub fn yaml<T: Serialize>(value: &T) -> Result<Text, Failure> {
    let text = serde_saphyr::to_string(value).map_err(|error| unwritable(&error))?;
    // The emitter escapes only some hidden characters. JSON is YAML too, and can escape all.
    if is_printable(&text) { Ok(Text::lines(&text)) } else { json(value) }
}

fn unwritable(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("can't write the answer: {error}"), "")
}

fn headed<R>(reports: &[(Option<String>, R)]) -> Vec<Headed<'_, R>> {
    reports.iter().map(|(context, report)| Headed { context: context.as_deref().unwrap_or_default(), report }).collect()
}

fn text<R: Report>(reports: &[(Option<String>, R)], view: &View) -> Text {
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
        Text::joined([head, report.text(view)])
    });
    Text::joined(parts)
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

/// Adds a remark below a table, in lines of the terminal's width.
fn note(out: &mut Text, view: &View, colour: Colour, text: &str) {
    for line in wrap(text, view.width.max(40)) {
        out.append(&view.paint.colour(colour, &line));
        out.end_line();
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
