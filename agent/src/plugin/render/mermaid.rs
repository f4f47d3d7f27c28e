//! Mermaid flow charts.

use crate::text::{Text, printable};
use std::collections::BTreeMap;

/// Shapes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::plugin) enum Shape {
    Box,
    Round,
}

/// Builds a chart. Equal labels are the same node.
pub(in crate::plugin) struct Chart {
    direction: &'static str,
    ids: BTreeMap<(String, bool), usize>,
    lines: Vec<String>,
}

impl Chart {
    pub(in crate::plugin) fn new(direction: &'static str) -> Self {
        Self { direction, ids: BTreeMap::new(), lines: Vec::new() }
    }

    pub(in crate::plugin) fn node(&mut self, label: &str, shape: Shape) -> usize {
        let key = (label.to_owned(), shape == Shape::Round);
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.ids.len();
        let (open, close) = if shape == Shape::Round { ("(", ")") } else { ("[", "]") };
        self.lines.push(format!("  n{id}{open}\"{}\"{close}", quoted(label)));
        self.ids.insert(key, id);
        id
    }

    pub(in crate::plugin) fn edge(&mut self, from: usize, to: usize, label: &str) {
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", quoted(label)) };
        self.lines.push(format!("  n{from} -->{label} n{to}"));
    }

    pub(in crate::plugin) fn text(&self) -> Text {
        let mut out = Text::lines(&format!("flowchart {}\n", self.direction));
        if self.lines.is_empty() {
            out.append(&Text::lines("  n0[\"nothing to show\"]\n"));
        }
        for line in &self.lines {
            out.push(line);
            out.end_line();
        }
        out
    }
}

/// Escapes text for Mermaid: HTML entities, and `<br>` for a line break.
///
/// Mermaid also reads `#NAME;` as an entity, and a label within backquotes as Markdown.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '#' => out.push_str("#35;"),
            '`' => out.push_str("#96;"),
            '\n' => out.push_str("<br>"),
            c => out.push_str(&printable(c.encode_utf8(&mut [0; 4]))),
        }
    }
    out
}

#[cfg(test)]
mod tests;
