//! Progress of long steps on stderr. Steps may run side by side.
//!
//! A terminal shows one line, which is redrawn. Elsewhere, as in the log of a CI run, each line stays.

#[cfg(test)]
mod tests;

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How often a terminal's line is redrawn.
const REDRAW: Duration = Duration::from_secs(1);
/// How often a line is printed elsewhere.
const PRINT: Duration = Duration::from_secs(10);

/// Steps that run now.
static BOARD: Mutex<Board> = Mutex::new(Board { running: Vec::new(), next_id: 0 });
/// The thread that shows them.
static PAINTER: Once = Once::new();

struct Board {
    running: Vec<Running>,
    next_id: u64,
}

#[derive(Clone, Debug)]
struct Running {
    id: u64,
    name: String,
    /// How long the step takes as a rule, such as `2 min`.
    usual: Option<&'static str>,
    began: Instant,
    /// Units of work: done, and all.
    units: Option<(u64, u64)>,
}

/// A step that runs. It failed when it is dropped before its end.
#[derive(Debug)]
pub(crate) struct Step {
    id: u64,
}

impl Step {
    /// Announces a step. `usual`: how long it takes as a rule.
    pub(crate) fn begin(name: &str, usual: Option<&'static str>) -> Self {
        PAINTER.call_once(|| drop(thread::spawn(paint)));
        let mut board = board();
        let id = board.next_id;
        board.next_id += 1;
        let step = Running { id, name: name.to_owned(), usual, began: Instant::now(), units: None };
        let usual = usual.map(|usual| format!(" (usually {usual})")).unwrap_or_default();
        if !is_terminal() {
            eprintln!("  {name} …{usual}");
        }
        board.running.push(step);
        board.draw();
        Self { id }
    }

    /// Reports how much is done.
    pub(crate) fn set_units(&self, done: u64, all: u64) {
        if let Some(step) = board().running.iter_mut().find(|step| step.id == self.id) {
            step.units = Some((done, all));
        }
    }

    /// Ends it with a line that says how it ended.
    pub(crate) fn end(self, succeeded: bool) {
        finish(self.id, succeeded);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        finish(self.id, false);
    }
}

/// Prints a line that stays.
pub(crate) fn print(text: &str) {
    let board = board();
    board.erase();
    eprintln!("{text}");
    board.draw();
}

fn finish(id: u64, succeeded: bool) {
    let mut board = board();
    let Some(at) = board.running.iter().position(|step| step.id == id) else { return };
    let step = board.running.remove(at);
    board.erase();
    let verdict = if succeeded { "ok" } else { "failed" };
    eprintln!("  {}: {verdict} ({:.1} s)", step.name, step.began.elapsed().as_secs_f64());
    board.draw();
}

fn board() -> MutexGuard<'static, Board> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Shows the steps for as long as the process lives.
fn paint() {
    let terminal = is_terminal();
    loop {
        thread::sleep(if terminal { REDRAW } else { PRINT });
        let board = board();
        if terminal {
            board.draw();
        } else if let Some(line) = line(&board.running, Instant::now()) {
            eprintln!("{line}");
        }
    }
}

impl Board {
    /// Draws the line of a terminal.
    fn draw(&self) {
        if !is_terminal() {
            return;
        }
        if let Some(line) = line(&self.running, Instant::now()) {
            // Without line wrap, so that a long line is cut and can be redrawn.
            eprint!("\r\x1b[K\x1b[?7l{line}\x1b[?7h");
            let _ = io::stderr().flush();
        }
    }

    /// Erases the line of a terminal.
    fn erase(&self) {
        if is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

/// All steps on one line. `None`: nothing runs.
fn line(running: &[Running], now: Instant) -> Option<String> {
    let mut out = String::new();
    for step in running {
        out.push_str(if out.is_empty() { "  " } else { "; " });
        out.push_str(&step.name);
        let separator = if let Some((done, all)) = step.units {
            let _ = write!(out, ": {done} of {all} done");
            ","
        } else {
            ":"
        };
        let _ = write!(out, "{separator} {} s", now.saturating_duration_since(step.began).as_secs());
        if let Some(usual) = step.usual {
            let _ = write!(out, " (usually {usual})");
        }
    }
    (!out.is_empty()).then_some(out)
}
