//! Lines of logs: for people, and one JSON object a line for programs.

use super::{super::Failure, Paint, View};
use crate::{
    plugin::{
        cli::Format,
        model::logs::{Line, Role, Source},
    },
    text::Text,
};
use serde::Serialize;

/// Longest name before a line, columns. Longer ones push their own lines to the right.
const MAX_NAME: usize = 48;

/// How lines of these sources look.
#[derive(Debug)]
pub struct LogView {
    format: Format,
    paint: Paint,
    /// One per source: its name, and the color of its Pod.
    names: Vec<(String, usize)>,
    width: usize,
    /// Whether a column for the culprit's mark is needed.
    marks: bool,
}

/// A line with its source.
#[derive(Serialize)]
struct Object<'a> {
    /// RFC 3339; `None`: the line has none.
    time: Option<String>,
    #[serde(flatten)]
    source: &'a Source,
    message: &'a str,
    /// Bytes at its end that were left off.
    #[serde(skip_serializing_if = "is_zero")]
    left_off_bytes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl LogView {
    /// # Errors
    /// When the format can't show lines.
    pub fn new(sources: &[Source], format: Format, view: &View) -> Result<Self, Failure> {
        if format == Format::Html {
            return Err(super::html::no_html());
        }
        if format == Format::Mermaid {
            return Err(Failure::new("logs are no diagram", "omit -o mermaid, or use -o json"));
        }
        let mut pods: Vec<(&Option<String>, &str, &str)> = Vec::new();
        let names: Vec<(String, usize)> = sources
            .iter()
            .map(|source| {
                let pod = (&source.context, source.namespace.as_str(), source.pod.as_str());
                let known = pods.iter().position(|one| *one == pod);
                let color = known.unwrap_or_else(|| {
                    pods.push(pod);
                    pods.len() - 1
                });
                (name(source, sources, format == Format::Wide), color)
            })
            .collect();
        let width = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().min(MAX_NAME);
        let marks = sources.iter().any(|source| source.role == Role::Culprit);
        Ok(Self { format, paint: view.paint, names, width, marks })
    }

    /// A line of the source with this index.
    ///
    /// # Errors
    /// When it can't be written as JSON or YAML.
    pub fn line(&self, ix: usize, source: &Source, line: &Line) -> Result<Text, Failure> {
        match self.format {
            Format::Json => {
                let object = serde_json::to_string(&object(source, line));
                let object = object.map_err(|error| Failure::new(format!("can't write a line: {error}"), ""))?;
                let mut out = Text::json(&object);
                out.end_line();
                Ok(out)
            }
            Format::Yaml => Ok(Text::joined([Text::new("---"), super::yaml(&object(source, line))?])),
            Format::Table | Format::Wide | Format::Mermaid | Format::Html => Ok(self.text(ix, source, line)),
        }
    }

    fn text(&self, ix: usize, source: &Source, line: &Line) -> Text {
        let time = line.time.map_or_else(|| "-".to_owned(), |time| format!("{time:.3}"));
        let mut out = self.paint.colour(super::Colour::Grey, &format!("{time:<24}"));
        out.push(match (self.marks, source.role) {
            (false, _) => "  ",
            (true, Role::Culprit) => " ! ",
            (true, Role::Target) => "   ",
        });
        if let Some((name, color)) = self.names.get(ix) {
            out.append(&self.paint.series(*color, &format!("{name:<0$}", self.width)));
        }
        out.push("  ");
        out.push(&line.text);
        if line.left_off > 0 {
            out.push(&format!(" … {} bytes left off", line.left_off));
        }
        out = out.trimmed();
        out.end_line();
        out
    }
}

fn object<'a>(source: &'a Source, line: &'a Line) -> Object<'a> {
    Object { time: line.time.map(|time| time.to_string()), source, message: &line.text, left_off_bytes: line.left_off }
}

/// As short as the others allow: context and namespace only where several are, the container only in a Pod with several.
fn name(source: &Source, all: &[Source], wide: bool) -> String {
    let mut out = String::new();
    if let Some(context) = &source.context {
        out.push_str(&format!("{context}: "));
    }
    if wide || all.iter().any(|other| other.namespace != source.namespace) {
        out.push_str(&format!("{}/", source.namespace));
    }
    out.push_str(&source.pod);
    let same_pod = |other: &&Source| {
        (&other.context, &other.namespace, &other.pod) == (&source.context, &source.namespace, &source.pod)
    };
    if wide || all.iter().filter(same_pod).any(|other| other.container != source.container) {
        out.push_str(&format!("/{}", source.container));
    }
    if source.previous {
        out.push_str(" (previous)");
    }
    if wide && !source.node.is_empty() {
        out.push_str(&format!(" on {}", source.node));
    }
    out
}

#[cfg(test)]
mod tests;
