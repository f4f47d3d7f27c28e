//! `netwhy-agent`: why is this Pod slow, and which Node is to blame?

#[cfg(not(target_os = "linux"))]
compile_error!("netwhy-agent observes Linux alone; for another system build the plugin: --bin kubectl-netwhy");

use netwhy_agent::{
    app::{self, Failure, Starting},
    config::{
        Config, Exit,
        cli::{self, Cli, Command, ConfigCommand, LogFormat},
        docs, explain,
    },
    preflight, replay,
    text::{self, Text, complain, log},
};
use std::{io::IsTerminal as _, process::ExitCode};

fn main() -> ExitCode {
    // Before anything else: without a handler, process 1 of a container loses a signal.
    let starting = match Starting::begin() {
        Ok(starting) => starting,
        Err(error) => {
            complain(&format!("error: failed to handle signals: {error}"));
            return Exit::Failure.into();
        }
    };
    let cli = cli::parse_from_env();
    logging(&cli);
    match act(&cli, starting) {
        Ok(exit) => exit.into(),
        Err(Failure { exit, error }) => {
            for line in format!("{error:#}").lines() {
                complain(&if line.starts_with("error: ") { line.to_owned() } else { format!("error: {line}") });
            }
            exit.into()
        }
    }
}

fn act(cli: &Cli, starting: Starting) -> Result<Exit, Failure> {
    let command = cli.action();
    if !matches!(command, Command::Run | Command::Record { .. }) {
        starting.stop_handling();
    }
    match command {
        Command::Run => app::run(cli, starting)?,
        Command::Record { file, seconds } => app::record(cli, &file, seconds, starting)?,
        Command::Preflight { output } => {
            let (config, _) = app::configuration(cli)?;
            let checks = preflight::checks(cli, &config);
            print(&Text::lines(&preflight::render(&checks, output)?))?;
            return Ok(preflight::exit(&checks));
        }
        Command::Replay { file, output } => {
            let (config, _) = app::configuration(cli)?;
            let recording = replay::open(&file).map_err(Failure::usage)?;
            let replayed = replay::replay(recording, &config).map_err(Failure::usage)?;
            print(&replay::render(&replayed, output)?)?;
        }
        Command::Config { command: ConfigCommand::Check { file } } => {
            let (config, _) = Config::load(&file).map_err(Failure::usage)?;
            print(&Text::lines(&explain(&config, &file.display().to_string())))?;
        }
        Command::Config { command: ConfigCommand::Example } => print(&Text::lines(&docs::example_yaml()))?,
        Command::Completion { shell } => cli::completion(shell, &mut std::io::stdout()),
    }
    Ok(Exit::Ok)
}

/// Writes to stdout. A closed pipe is no failure.
fn print(text: &Text) -> std::io::Result<()> {
    match text::print(text) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Sets up the log on stderr.
fn logging(cli: &Cli) {
    let level = cli.global.log_level.as_str();
    // At debug level aya logs its relocations: thousands of lines per start.
    let filter = tracing_subscriber::EnvFilter::new(format!("{level},aya_obj=info,aya=info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let terminal = std::io::stderr().is_terminal();
    let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    match cli.global.log_format(terminal) {
        LogFormat::Text => {
            let builder = builder.with_ansi(colour).with_target(false).fmt_fields(log::PrintableFields);
            builder.with_writer(std::io::stderr).init();
        }
        LogFormat::Json => {
            builder.json().flatten_event(true).with_writer(|| log::JsonLines(std::io::stderr())).init();
        }
    }
}
