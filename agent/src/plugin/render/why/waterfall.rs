//! Where the time goes: one bar per row, of blocks whose kind tells the stage.

use super::{super::mermaid::Chart, Screen, mermaid::Shape};
use crate::{
    plugin::{
        model::{
            health::{percent, seconds},
            waterfall::{End, EndOfPath, PeerSplit, SplitOf, TimeRow, Times, Waterfall},
        },
        render::{Colour, wrap},
    },
    text::{Text, printable},
};

/// Most rows without `-o wide`.
const MAX_ROWS: usize = 8;
/// Longest bar, columns.
const MAX_BAR: usize = 30;
/// Longest name, columns.
const MAX_NAME: usize = 48;

/// A part of a bar.
pub(in crate::plugin::render) struct Part {
    block: char,
    pub(in crate::plugin::render) label: String,
    pub(in crate::plugin::render) seconds: f64,
    pub(in crate::plugin::render) normally: Option<f64>,
}

/// Adds the section.
pub(super) fn section(waterfall: &Waterfall, out: &mut Screen<'_>) {
    let Waterfall { rows, missing } = waterfall;
    if rows.is_empty() && missing.is_empty() {
        return;
    }
    out.heading("WHERE THE TIME GOES");
    let shown = shown(rows, if out.view.wide { rows.len() } else { MAX_ROWS });
    let longest = shown.iter().map(|row| length(row)).fold(0.0, f64::max);
    for row in &shown {
        self::row(row, longest, out);
    }
    if rows.len() > shown.len() {
        let text = format!("… and {} more: -o wide", rows.len() - shown.len());
        let text = out.view.paint.colour(Colour::Grey, &text);
        out.line(&text);
    }
    for why in missing {
        out.paragraph(why);
    }
}

/// At most so many rows, those nearest to the target, in their order.
fn shown(rows: &[TimeRow], most: usize) -> Vec<&TimeRow> {
    let mut nearest: Vec<(usize, usize)> = rows.iter().enumerate().map(|(at, row)| (row.depth, at)).collect();
    nearest.sort_unstable();
    nearest.truncate(most);
    nearest.sort_unstable_by_key(|(_, at)| *at);
    nearest.into_iter().map(|(_, at)| &rows[at]).collect()
}

/// Adds the rows to a chart: who asks whom, and how long it takes.
pub(super) fn chart(waterfall: &Waterfall, chart: &mut Chart) {
    for row in &waterfall.rows {
        let pod = chart.node(&format!("Pod {}", row.pod), Shape::Round);
        let parts = parts(row).into_iter().filter(|part| part.seconds > 0.0);
        let parts: Vec<String> = parts.map(|part| format!("{} {}", part.label, seconds(part.seconds))).collect();
        let notes = notes(row).into_iter().map(|(_, note)| note);
        let lines = std::iter::once(figures(row).join(", ")).chain(parts).chain(notes);
        let text = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
        match &row.callee {
            Some(callee) => {
                // The port leaves the name, so that a callee and its own rows are one node.
                let name = match callee.rsplit_once(':') {
                    Some((name, _)) if callee.contains('/') => format!("Pod {name}"),
                    _ => callee.clone(),
                };
                let to = chart.node(&name, Shape::Round);
                chart.edge(pod, to, &text);
            }
            None => {
                let times = chart.node(&text, Shape::Box);
                chart.edge(pod, times, "answers");
            }
        }
    }
}

fn row(row: &TimeRow, longest: f64, out: &mut Screen<'_>) {
    let margin = "  ".repeat(row.depth);
    let mut figures = figures(row);
    figures.insert(0, head(row));
    let room = out.width().saturating_sub(margin.len()).max(20);
    for line in packed(&figures, room) {
        out.line(&Text::new(&format!("{margin}{line}")));
    }
    bar_and_legend(row, &margin, longest, out);
    for (colour, note) in notes(row) {
        for line in wrap(&note, room.saturating_sub(2)) {
            let mut text = Text::new(&format!("{margin}  "));
            text.append(&out.view.paint.colour(colour, &line));
            out.line(&text);
        }
    }
}

/// Who answers, or who asks whom.
pub(in crate::plugin::render) fn head(row: &TimeRow) -> String {
    let name = |text: &str| clipped(text, MAX_NAME);
    let on = |node: &str| if node.is_empty() { String::new() } else { format!(" on {}", name(node)) };
    match &row.callee {
        Some(callee) => {
            let node = row.callee_node.as_deref().unwrap_or_default();
            format!("{} asks {}{}", name(&row.pod), name(callee), on(node))
        }
        None => format!("{} answers", name(&row.pod)),
    }
}

/// Rate and percentiles.
pub(in crate::plugin::render) fn figures(row: &TimeRow) -> Vec<String> {
    let mut out: Vec<String> = row.per_second.filter(|_| row.requests > 0).map(rate).into_iter().collect();
    let normally = |of: fn(&Times) -> Option<f64>| {
        row.normally.as_ref().map(|normal| of(normal).map_or_else(|| "–".to_owned(), seconds))
    };
    let mut add = |name: &str, of: fn(&Times) -> Option<f64>| {
        if let Some(now) = of(&row.now) {
            let normal = normally(of).map(|normal| format!(" (normally {normal})")).unwrap_or_default();
            out.push(format!("{name} {}{normal}", seconds(now)));
        }
    };
    add("p50", |times| times.p50_seconds);
    add("p95", |times| times.p95_seconds);
    if let Some(http) = &row.http {
        let normal = http.normal_error_share.map(|share| format!(" (normally {})", percent(share)));
        let protocol = match http.grpc {
            0 => "HTTP",
            grpc if grpc == http.sampled => "gRPC",
            _ => "HTTP and gRPC",
        };
        out.push(format!("{} {protocol} errors{}", percent(http.error_share), normal.unwrap_or_default()));
    }
    out
}

fn rate(per_second: f64) -> String {
    if per_second >= 10.0 { format!("{per_second:.0}/s") } else { format!("{per_second:.1}/s") }
}

/// Mean time of all parts.
pub(in crate::plugin::render) fn length(row: &TimeRow) -> f64 {
    parts(row).iter().map(|part| part.seconds).sum()
}

/// The stages; where the callee's agent knows more of `peer`, its stages instead.
pub(in crate::plugin::render) fn parts(row: &TimeRow) -> Vec<Part> {
    let mut out = Vec::new();
    for stage in &row.stages {
        let part = |block: char, label: &str, seconds: f64, normally: Option<f64>| Part {
            block,
            label: label.to_owned(),
            seconds,
            normally,
        };
        match (stage.stage, &row.peer) {
            ("peer", Some(split)) => {
                let PeerSplit { unread_seconds, application_seconds, between_seconds, of: _ } = *split;
                out.push(part('▒', "its unread", unread_seconds, None));
                out.push(part('█', "its application", application_seconds, None));
                out.push(part('▓', "between", between_seconds, None));
            }
            (name, _) => out.push(part(block(name), name, stage.seconds, stage.normally_seconds)),
        }
    }
    out
}

fn block(stage: &str) -> char {
    match stage {
        "handshake" => '-',
        "network" => '░',
        "retransmission" => '×',
        "unread" => '▒',
        "peer" => '▓',
        _ => '█',
    }
}

fn bar_and_legend(row: &TimeRow, margin: &str, longest: f64, out: &mut Screen<'_>) {
    let parts = parts(row);
    if longest <= 0.0 || parts.iter().all(|part| part.seconds <= 0.0) {
        return;
    }
    let room = out.width().saturating_sub(margin.len() + 2).max(20);
    let width = MAX_BAR.min(room / 3);
    let legend: Vec<String> = parts.iter().filter(|part| part.seconds > 0.0).map(legend).collect();
    let bar = bar(&parts, longest, width);
    for (number, line) in packed(&legend, room - width - 2).iter().enumerate() {
        let first = if number == 0 { bar.as_str() } else { "" };
        let pad = " ".repeat(width - first.chars().count());
        out.line(&Text::new(&format!("{margin}  {first}{pad}  {line}")));
    }
}

/// `█ application 50 ms (normally 2.00 ms)`.
fn legend(part: &Part) -> String {
    let normally = part.normally.map(|normal| format!(" (normally {})", seconds(normal))).unwrap_or_default();
    format!("{} {} {}{normally}", part.block, part.label, seconds(part.seconds))
}

/// Blocks in proportion, at least one. The longest row fills the width.
fn bar(parts: &[Part], longest: f64, width: usize) -> String {
    let columns = |seconds: f64| (seconds / longest * width as f64).round() as usize;
    let (mut out, mut until, mut taken) = (String::new(), 0.0, 0);
    for part in parts {
        until += part.seconds;
        let end = columns(until).min(width);
        out.extend(std::iter::repeat_n(part.block, end.saturating_sub(taken)));
        taken = end.max(taken);
    }
    if out.is_empty() {
        let largest = parts.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
        out.extend(largest.map(|part| part.block));
    }
    out
}

/// Limits of the figures.
pub(in crate::plugin::render) fn notes(row: &TimeRow) -> Vec<(Colour, String)> {
    let mut out = Vec::new();
    if let Some(n) = row.unanswered.filter(|n| *n > 0) {
        let how_long = row.unanswered_for_seconds.map(|s| format!(", some for {}", seconds(s))).unwrap_or_default();
        out.push((Colour::Red, format!("{n} requests wait for an answer{how_long}")));
    }
    if row.ended_unanswered > 0 {
        out.push((Colour::Red, format!("{} requests ended without an answer", row.ended_unanswered)));
    }
    if row.peer.is_some_and(|split| split.of == SplitOf::AllClients) {
        let text = "its unread and application are those of all its clients";
        out.push((Colour::Grey, text.to_owned()));
    }
    match (row.role, row.end_of_path) {
        (End::Client, Some(EndOfPath::Cycle)) => {
            out.push((Colour::Grey, "it is above already: a cycle".to_owned()));
        }
        (End::Client, Some(EndOfPath::NotMeasured)) => {
            out.push((Colour::Grey, "its own view is missing: its agent did not answer or was not asked".to_owned()));
        }
        (End::Client, Some(EndOfPath::Depth)) => {
            out.push((Colour::Grey, "it waits for others: ask about it".to_owned()));
        }
        _ => {}
    }
    out
}

/// Items on lines of at most so many columns. Lines break between items, and within one that is too long.
fn packed(items: &[String], columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let width = item.chars().count();
        match lines.last_mut() {
            Some(last) if last.chars().count() + 3 + width <= columns => {
                last.push_str(" · ");
                last.push_str(item);
            }
            _ => lines.extend(wrap(item, columns)),
        }
    }
    lines
}

/// At most so many columns, once it is escaped.
fn clipped(text: &str, columns: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= columns {
        return text.into_owned();
    }
    let mut out: String = text.chars().take(columns - 1).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests;
