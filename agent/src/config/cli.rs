//! The command line of `netwhy-agent`.

use super::{Config, Exit, Switch, check};
use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};
use clap_complete::Shell;
use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Environment variables of flags: (argument id, variable). A flag overrides its variable; an empty variable counts as
/// not set.
pub const ENV: &[(&str, &str)] = &[
    ("kube", "NETWHY_KUBE"),
    ("node_name", "NODE_NAME"),
    ("kubeconfig", "KUBECONFIG"),
    ("listen", "NETWHY_LISTEN"),
    ("probe_listen", "NETWHY_PROBE_LISTEN"),
    ("config", "NETWHY_CONFIG"),
    ("cgroup_root", "NETWHY_CGROUP_ROOT"),
];

/// Why is this Pod slow, and which Node is to blame? netwhy's node agent.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(
    name = "netwhy-agent",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Examples:\n  \
                  netwhy-agent preflight                       can the agent work on this machine?\n  \
                  netwhy-agent --kube off                      observe this machine without Kubernetes\n  \
                  netwhy-agent config check netwhy.yaml        check a configuration file\n\n\
                  Exit codes: 0 clean stop, 64 bad usage or configuration, 69 the kernel or the permissions don't \
                  suffice, 1 any other failure.\n\
                  All settings of the configuration file: docs/configuration.md or `netwhy-agent config example`."
)]
pub struct Cli {
    /// Flags of all subcommands.
    #[command(flatten)]
    pub global: Global,
    /// The subcommand. `None`: `run`; see [`Cli::action`].
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that can stand before or behind any subcommand.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub struct Global {
    /// Use of Kubernetes. auto: on with an in-cluster configuration or a kubeconfig; off: cgroups are named by systemd
    /// unit, container or path [default: auto]
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        value_enum,
        hide_possible_values = true,
        help_heading = "Global flags"
    )]
    pub kube: Option<Switch>,
    /// Node whose Pods are watched [default: the host name]
    #[arg(long, global = true, value_name = "NAME", value_parser = node_name, help_heading = "Global flags")]
    pub node_name: Option<String>,
    /// Kubeconfig file to use instead of the in-cluster configuration
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Global flags")]
    pub kubeconfig: Option<PathBuf>,
    /// Address and port of the HTTP listener [default: 0.0.0.0:9810]
    #[arg(long, global = true, value_name = "ADDR", value_parser = listen, help_heading = "Global flags")]
    pub listen: Option<SocketAddr>,
    /// Address and port of the listener for probes alone [default: port 9811 of the address of --listen]
    #[arg(long, global = true, value_name = "ADDR", value_parser = listen, help_heading = "Global flags")]
    pub probe_listen: Option<SocketAddr>,
    /// Configuration file (YAML); reloaded when it changes
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Global flags")]
    pub config: Option<PathBuf>,
    /// Observe only this cgroup v2 directory and below [default: the cgroup v2 mount, also in hybrid mode]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Global flags")]
    pub cgroup_root: Option<PathBuf>,
    /// Path of the host's procfs
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/proc",
        value_hint = ValueHint::DirPath,
        help_heading = "Global flags"
    )]
    pub procfs: PathBuf,
    /// Process in the Node's network namespace: a process id below --procfs, or self
    #[arg(
        long,
        global = true,
        value_name = "PID",
        default_value = "1",
        value_parser = net_process,
        help_heading = "Global flags"
    )]
    pub net_process: String,
    /// Path of the host's sysfs
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/sys",
        value_hint = ValueHint::DirPath,
        help_heading = "Global flags"
    )]
    pub sysfs: PathBuf,
    /// Log format [default: text on a terminal, else json]
    #[arg(long, global = true, value_name = "FORMAT", value_enum, help_heading = "Global flags")]
    pub log_format: Option<LogFormat>,
    /// Log level
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        default_value_t = LogLevel::Info,
        help_heading = "Global flags"
    )]
    pub log_level: LogLevel,
}

/// Subcommands.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Observe this machine and serve metrics and hints (the default)
    #[command(after_help = "Example: netwhy-agent run --config /etc/netwhy.yaml")]
    Run,
    /// Check kernel features, permissions and mounts, with a remedy for each problem
    #[command(after_help = "Example: netwhy-agent preflight -o json\n\n\
                            Exit codes: 0 the agent can work on this machine, 69 it can't.")]
    Preflight {
        /// Output format
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = ReportFormat::Table)]
        output: ReportFormat,
    },
    /// Record the kernel's counters to a file, for `replay`
    #[command(after_help = "Example: netwhy-agent record incident.jsonl --seconds 60")]
    Record {
        /// File to create; it must not exist yet
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Stop after this many seconds [default: when interrupted]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        seconds: Option<u64>,
    },
    /// Compute metrics and hints from a recording; deterministic, without privileges
    #[command(after_help = "Example: netwhy-agent replay incident.jsonl -o metrics")]
    Replay {
        /// Recording, written by `record`
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Output format
        #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = ReplayFormat::Table)]
        output: ReplayFormat,
    },
    /// Check a configuration file, or print an example
    #[command(after_help = "Example: netwhy-agent config check netwhy.yaml")]
    Config {
        /// Check or example.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a shell completion script
    #[command(after_help = "Example: source <(netwhy-agent completion bash)")]
    Completion {
        /// Shell
        shell: Shell,
    },
}

/// Subcommands of `config`.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ConfigCommand {
    /// Report every mistake in a file, or its differences from the defaults
    #[command(after_help = "Example: netwhy-agent config check netwhy.yaml\n\n\
                            Exit codes: 0 the file is valid, 64 it is not.")]
    Check {
        /// File to check
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Print a file with every setting, its meaning and its default
    #[command(after_help = "Example: netwhy-agent config example > netwhy.yaml")]
    Example,
}

/// Formats of `preflight`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Formats of `replay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The text of `/metrics` at the end of the recording.
    Metrics,
}

/// Formats of the agent's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Levels of the agent's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Errors.
    Error,
    /// Errors and warnings.
    Warn,
    /// And rare events, such as start, stop and a reload.
    Info,
    /// And the events of every tick.
    Debug,
    /// And everything else.
    Trace,
}

impl LogLevel {
    /// The level as `tracing` directives name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Global {
    /// The configuration file, if one was given.
    pub fn config_file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Format of the log, given whether it goes to a terminal.
    pub fn log_format(&self, terminal: bool) -> LogFormat {
        self.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json })
    }
}

impl Cli {
    /// The subcommand; `run` if none was given.
    pub fn action(&self) -> Command {
        self.command.clone().unwrap_or(Command::Run)
    }
}

/// The command, with the environment variables in its help.
pub fn command() -> clap::Command {
    Cli::command().mut_args(|arg| {
        let Some((_, variable)) = ENV.iter().find(|(id, _)| arg.get_id() == *id) else { return arg };
        let help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
        arg.help(format!("{help} [env: {variable}]"))
    })
}

/// Reads arguments (the first is the program's name) and, for flags that are missing, the environment.
///
/// # Errors
/// Bad usage. Clap also returns `--help` and `--version` as errors.
pub fn parse(args: &[OsString], env: impl Fn(&str) -> Option<OsString>) -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    // Variables become flags of a second round, so that both go through the same checks.
    let mut all: Vec<OsString> = args.iter().take(1).cloned().collect();
    let mut from_env = Vec::new();
    for (id, variable) in ENV {
        let given = matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(value) = env(variable).filter(|value| !given && !value.is_empty()) else { continue };
        let flag = format!("--{}", id.replace('_', "-"));
        let mut arg = OsString::from(format!("{flag}="));
        arg.push(value);
        all.push(arg);
        from_env.push((flag, *variable));
    }
    all.extend(args.iter().skip(1).cloned());
    let mut command = command();
    let read = command.try_get_matches_from_mut(all).and_then(|matches| Cli::from_arg_matches(&matches));
    read.map_err(|mut error| {
        if let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg)
            && let Some((_, variable)) = from_env.iter().find(|(flag, _)| arg.split(' ').next() == Some(flag.as_str()))
        {
            let name = format!("the environment variable {variable}");
            error.insert(ContextKind::InvalidArg, ContextValue::String(name));
        }
        error.format(&mut command)
    })
}

/// Reads this process's arguments and environment. On bad usage it prints the reason and ends the process with
/// [`Exit::Usage`]; on `--help` or `--version` it ends the process with [`Exit::Ok`].
pub fn parse_from_env() -> Cli {
    let args: Vec<OsString> = std::env::args_os().collect();
    parse(&args, |variable| std::env::var_os(variable)).unwrap_or_else(|error| {
        let exit = exit_of(&error);
        crate::text::print_usage(error);
        std::process::exit(i32::from(exit.code()))
    })
}

/// Exit code for an error of [`parse`].
pub fn exit_of(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
        _ => Exit::Usage,
    }
}

/// The configuration of the file, overridden by flags and environment.
pub fn effective(cli: &Cli, file: Config) -> Config {
    let Global { kube, node_name, kubeconfig, listen, probe_listen, .. } = &cli.global;
    let mut config = file;
    if let Some(mode) = kube {
        config.kube.mode = *mode;
    }
    if let Some(name) = node_name {
        config.kube.node_name = Some(name.clone());
    }
    if let Some(path) = kubeconfig {
        config.kube.kubeconfig = Some(path.clone());
    }
    if let Some(address) = listen {
        config.http.listen = *address;
    }
    if probe_listen.is_some() {
        config.http.probe_listen = *probe_listen;
    }
    config
}

/// Writes a shell completion script.
pub fn completion(shell: Shell, out: &mut dyn io::Write) {
    clap_complete::generate(shell, &mut command(), "netwhy-agent", out);
}

fn node_name(text: &str) -> Result<String, String> {
    check::node_name(text).map_or_else(|| Ok(text.to_owned()), Err)
}

fn net_process(text: &str) -> Result<String, String> {
    let known = text == "self" || text.parse::<u32>().is_ok_and(|pid| pid > 0);
    known.then(|| text.to_owned()).ok_or_else(|| "write a process id such as 1, or self".to_owned())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write IP:PORT such as 0.0.0.0:9810 or [::]:9810".to_owned())
}
