//! The live table: redrawn in place on a terminal, printed now and then elsewhere.

use std::{
    env,
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

/// How often the table is printed where it can't be redrawn.
const PRINT: Duration = Duration::from_secs(3);

/// Where tables go.
pub(super) struct Screen {
    quiet: bool,
    terminal: bool,
    colour: bool,
    /// Lines of the table that stands last on the terminal.
    lines: usize,
    printed: Option<Instant>,
}

impl Screen {
    /// `quiet`: no tables.
    pub(super) fn new(quiet: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { quiet, terminal, colour, lines: 0, printed: None }
    }

    /// Draws nothing, and styles text as on a terminal.
    pub(super) fn coloured() -> Self {
        Self { quiet: true, terminal: false, colour: true, lines: 0, printed: None }
    }

    /// Shows a table.
    pub(super) fn draw(&mut self, table: &str) {
        if self.quiet {
            return;
        }
        let mut out = io::stdout().lock();
        let result = if self.terminal {
            let up = if self.lines > 0 { format!("\x1b[{}A\x1b[J", self.lines) } else { String::new() };
            self.lines = table.lines().count();
            write!(out, "{up}{table}")
        } else if self.printed.is_none_or(|printed| printed.elapsed() >= PRINT) {
            self.printed = Some(Instant::now());
            writeln!(out, "{table}")
        } else {
            Ok(())
        };
        // Nobody looks: the demo goes on all the same.
        let _ = result.and_then(|()| out.flush());
    }

    /// Lets the table stand; the next one is drawn below.
    pub(super) fn leave(&mut self) {
        self.lines = 0;
        self.printed = None;
    }

    /// For headings.
    pub(super) fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For the one line that matters.
    pub(super) fn loud(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
    }
}
