//! `kubectl netwhy`: the question of the person on call, asked of all agents that know a part of the answer.
//!
//! ```text
//! cli ─► fetch (API server, its Pod proxy or --agent URL; bounded, partial) ─► model (pure: merge, rank) ─► render ─► stdout
//!                                                                           └─► top (the same data, live)
//! ```
//! `model` and `render` do no I/O and read no clock. What an agent does not say is not made up here: hints are the agents',
//! and the plugin only follows them from Pod to peer to Node.

pub mod cli;
mod commands;
mod error;
pub mod fetch;
pub mod model;
pub mod render;
mod top;

pub use error::Trouble;
pub use model::nodes::blame_scores;

use cli::{Command, FAILURE};
use std::{ffi::OsString, io::Write as _, process::ExitCode};

/// Reads the command line, does what it says and ends as kubectl would: 0, or 1 with one line on stderr.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let cli = match cli::parse(&args) {
        Ok(cli) => cli,
        Err(error) => {
            // When the terminal is gone there is nobody left to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(FAILURE) } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Completion { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut cli::command(None), "kubectl-netwhy", &mut script);
        // A reader that went away is no failure.
        let _ = std::io::stdout().write_all(&script);
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: can't start: {error}");
            return ExitCode::from(FAILURE);
        }
    };
    let result = runtime.block_on(commands::run(&cli));
    // A look-up that is still under way, such as a name that resolves slowly, must not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("error: {trouble}");
            ExitCode::from(FAILURE)
        }
    }
}
