//! This process's clock and terminal.

use super::render::{Paint, View};
use std::io::IsTerminal as _;

/// Columns without a terminal.
const DEFAULT_WIDTH: usize = 120;

/// The time of day, ms since the Unix epoch.
pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Format of stdout: colors and width.
pub(super) fn view() -> View {
    let terminal = std::io::stdout().is_terminal();
    let size = terminal.then(ratatui::crossterm::terminal::size).and_then(Result::ok);
    View {
        paint: Paint::new(terminal, std::env::var_os("NO_COLOR").as_deref()),
        wide: false,
        width: size.map_or(DEFAULT_WIDTH, |(columns, _)| usize::from(columns)),
        now_ms: now_ms(),
    }
}
