//! `kubectl netwhy`: asks the agents why something is slow, and merges their answers for the person on call.
//!
//! ```text
//! cli ─► fetch ─► model ─► render ─► stdout      commands: what runs; reports: one function each
//!          │        └────► top (the same data, live), ui (the same on a page)
//!          └► connect (API servers as kubectl reaches them)
//! ```
//! `fetch` asks the API server, and agents by port-forward, by its Pod proxy or by `--agent URL`. Requests and answers
//! are bounded, and some answers are enough. `model` merges and ranks; `model` and `render` do no I/O and read no clock. All hints come from
//! agents: the plugin only follows them from Pod to peer to Node.

pub mod cli;
mod commands;
mod complete;
mod connect;
mod error;
pub mod fetch;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod mcp;
pub mod model;
pub mod render;
mod reports;
mod respond;
mod shell;
mod signals;
mod terminal;
mod top;
mod ui;

pub use error::Failure;
pub use model::nodes::blame_scores;
pub use shell::check_rules;

use crate::text;
use cli::{Command, FAILURE};
use std::{ffi::OsString, io::Write as _, process::ExitCode};

/// Runs one command. Exits like kubectl: 0, or 1 with one line on stderr; `shell` with its command's code.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(words) = complete::asked(&args) {
        complete::print(&words);
        return ExitCode::SUCCESS;
    }
    let cli = match cli::parse(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS };
            text::print_usage(error);
            return exit;
        }
    };
    if let Command::Completion { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut cli::command(None), "kubectl-netwhy", &mut script);
        // A closed pipe is no failure.
        let _ = std::io::stdout().write_all(&script);
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            text::complain(&format!("error: can't start the async runtime: {error}"));
            return ExitCode::from(FAILURE);
        }
    };
    let result = runtime.block_on(async {
        match &cli.command {
            Command::Shell(args) => shell::run(&cli, args).await,
            _ => commands::run(&cli).await.map(|()| ExitCode::SUCCESS),
        }
    });
    // A pending lookup, such as a slow DNS name, must not delay the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(failure) => {
            text::complain(&format!("error: {failure}"));
            ExitCode::from(FAILURE)
        }
    }
}
