//! The screen of `top`.

use super::state::{Column, State};
use crate::{plugin::render::age, text::printable};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Paragraph, Row, Table, TableState, Wrap},
};

const KEYS: &str = "↑↓ select  ⏎ details  / filter  s sort  r reverse  ? help  q quit";
const HELP: [&str; 9] = [
    "↑ ↓ k j      select a Pod, or scroll its detail",
    "PgUp PgDn    move by ten; Home End g G: first and last",
    "Enter        details: hints, evidence, normal and unusual measurements",
    "Esc          back; in the list: clear the filter",
    "/            filter by Pod, namespace, Node or cause; Enter keeps the filter",
    "s > <        sort by the next or previous column",
    "r            reverse the order",
    "?            this help",
    "q, Ctrl-C    quit",
];

pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now_ms: i64) {
    let areas =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)]).split(frame.area());
    let [head, body, foot] = [areas[0], areas[1], areas[2]];
    header(frame, head, state, now_ms);
    if state.help {
        let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::raw(*line)).collect();
        frame.render_widget(Paragraph::new(lines), body);
    } else if let Some(scrolled) = state.detail {
        detail(frame, body, state, scrolled);
    } else {
        list(frame, body, state);
    }
    footer(frame, foot, state);
    cover_hidden(frame);
}

/// The terminal gets no hidden character, whichever widget drew it.
fn cover_hidden(frame: &mut Frame<'_>) {
    for cell in &mut frame.buffer_mut().content {
        if printable(cell.symbol()) != cell.symbol() {
            cell.set_symbol("\u{fffd}");
        }
    }
}

fn painted(state: &State, colour: Color) -> Style {
    if state.colour { Style::new().fg(colour) } else { Style::new() }
}

fn header(frame: &mut Frame<'_>, area: Rect, state: &State, now_ms: i64) {
    let hints = state.rows.iter().filter(|row| !row.cause.is_empty()).count();
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let mut text = format!(
        "netwhy · {} · {} · {} with hints · {} ago",
        plural(state.agents, "agent"),
        plural(state.rows.len(), "Pod"),
        hints,
        age(now_ms - state.seen_ms)
    );
    if state.silent > 0 {
        text.push_str(&format!(" · {} without answer", plural(state.silent, "agent")));
    }
    let style = if state.silent > 0 { painted(state, Color::Yellow) } else { Style::new() };
    frame.render_widget(Line::styled(text, style.add_modifier(Modifier::BOLD)), area);
}

fn footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let line = match (&state.failure, state.typing) {
        (Some(failure), _) => {
            Line::styled(format!("can't refresh: {}", printable(failure)), painted(state, Color::Red))
        }
        (None, true) => Line::raw(format!("/{}▏", state.filter)),
        (None, false) if !state.filter.is_empty() => {
            Line::raw(format!("filter: {}  (Esc clears)  {KEYS}", state.filter))
        }
        _ => Line::styled(KEYS, painted(state, Color::DarkGray)),
    };
    frame.render_widget(line, area);
}

fn list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let shown = state.shown();
    if shown.is_empty() {
        let text = if state.rows.is_empty() {
            "No Pods in this namespace; -A shows all namespaces."
        } else {
            "No Pod matches the filter."
        };
        return frame.render_widget(Paragraph::new(text), area);
    }
    let is_shown = Column::ALL.map(|(column, _)| state.has(column));
    let heads = Column::ALL.into_iter().filter(|(column, _)| state.has(*column)).map(|(column, name)| {
        let arrow = if state.reverse { "▲" } else { "▼" };
        let text = if column == state.sort { format!("{name}{arrow}") } else { name.to_owned() };
        Cell::new(Span::styled(text, Modifier::BOLD))
    });
    let rows = shown.iter().map(|row| {
        let style = if row.cause.is_empty() { Style::new() } else { painted(state, Color::Red) };
        let cells = row.cells().into_iter().zip(is_shown).filter(|(_, is_shown)| *is_shown);
        Row::new(cells.map(|(cell, _)| Cell::new(printable(&cell).into_owned()))).style(style)
    });
    // Names of Pods keep their room in 120 columns when P95 or ERRORS appear.
    let hint = match is_shown.iter().filter(|is_shown| **is_shown).count() {
        ..8 => 30,
        8 => 24,
        _ => 22,
    };
    let widths = [
        Constraint::Min(20),
        Constraint::Length(14),
        Constraint::Length(hint),
        Constraint::Length(9),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(11),
    ];
    let widths = widths.into_iter().zip(is_shown).filter(|(_, is_shown)| *is_shown).map(|(width, _)| width);
    let table = Table::new(rows, widths)
        .header(Row::new(heads))
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut at = TableState::default().with_selected(state.at());
    frame.render_stateful_widget(table, area, &mut at);
}

fn detail(frame: &mut Frame<'_>, area: Rect, state: &State, scrolled: usize) {
    let shown = state.shown();
    let Some(row) = shown.get(state.at()) else { return };
    let title = printable(&format!("{}/{} on {}", row.namespace, row.name, row.node)).into_owned();
    let mut lines = vec![Line::styled(title, Modifier::BOLD), Line::default()];
    lines.extend(row.detail.iter().map(|line| Line::raw(printable(line))));
    let scrolled = u16::try_from(scrolled.min(lines.len().saturating_sub(1))).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).scroll((scrolled, 0)), area);
}

#[cfg(test)]
mod tests;
