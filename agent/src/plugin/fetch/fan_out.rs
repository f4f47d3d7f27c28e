//! Asks many agents at once: bounded, with progress, and with a list of those that did not answer.

use super::{
    super::{Failure, model::SilentAgent},
    agent::Agent,
};
use futures::{StreamExt as _, stream};
use std::{
    future::Future,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Progress is shown after this wait.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Pause between two lines of progress without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// The answers of many agents.
#[derive(Debug)]
pub struct Answers<T> {
    /// Node and answer.
    pub got: Vec<(String, T)>,
    /// Agents that did not answer.
    pub silent: Vec<SilentAgent>,
}

/// Progress on stderr.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    terminal: bool,
    shown: Option<Instant>,
}

impl Progress {
    /// Progress on this process's stderr.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, done: usize, total: usize) {
        let line = format!("{done} of {total} agents have answered");
        let mut err = std::io::stderr().lock();
        if self.terminal {
            let _ = write!(err, "\r\x1b[K{line} …");
            self.shown = Some(Instant::now());
        } else if self.shown.is_none_or(|at| at.elapsed() >= LINE_INTERVAL) {
            let _ = writeln!(err, "{line}");
            self.shown = Some(Instant::now());
        }
    }

    fn end(self) {
        if self.terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// Asks every agent, at most `limit` at once. Answers are sorted by Node.
pub(super) async fn fan_out<T, Ask, Fut>(agents: Vec<Agent>, limit: u16, mut progress: Progress, ask: Ask) -> Answers<T>
where
    T: Send + 'static,
    Ask: Fn(Agent) -> Fut,
    Fut: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let total = agents.len();
    // One task per agent, so that all CPUs parse answers.
    let mut answers = stream::iter(agents.into_iter().map(|agent| {
        let asked = ask(agent.clone());
        async move { (agent, tokio::spawn(asked).await) }
    }))
    .buffer_unordered(usize::from(limit));
    let mut out = Answers { got: Vec::with_capacity(total), silent: Vec::new() };
    let mut tick = interval_at(Instant::now() + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                None => break,
                Some((agent, Ok(Ok(answer)))) => out.got.push((agent.node, answer)),
                Some((agent, Ok(Err(failure)))) => out.silent.push(agent.silent(&failure)),
                Some((agent, Err(error))) => out.silent.push(agent.silent(&Failure::new(error.to_string(), ""))),
            },
            _ = tick.tick() => progress.show(out.got.len() + out.silent.len(), total),
        }
    }
    progress.end();
    out.got.sort_by(|a, b| a.0.cmp(&b.0));
    out.silent.sort();
    out
}
