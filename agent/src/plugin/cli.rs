//! The command line of `kubectl netwhy`.

use super::model::Target;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Exit code of everything that failed, bad usage included, as with kubectl.
pub const FAILURE: u8 = 1;

/// Why is this Pod slow, and which Node is to blame?
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-netwhy",
    version,
    propagate_version = true,
    max_term_width = 110,
    disable_help_subcommand = true,
    after_help = "Examples:\n  kubectl netwhy why pod/payment-7c9      why is this Pod slow?\n  kubectl netwhy why svc/payment \
                  -n shop      the same of all Pods behind a Service\n  kubectl netwhy hints -A -w              what is \
                  wrong in the cluster, live\n  kubectl netwhy matrix                   RTT and loss between Nodes\n\nIt \
                  needs the right to list Pods and to `get` pods/proxy in the agents' namespace. Exits 0 on success, 1 on \
                  any failure."
)]
pub struct Cli {
    /// Flags of every subcommand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that stand before or behind any subcommand.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Namespace [default: the context's]
    #[arg(short, long, global = true, value_name = "NS", help_heading = "Global flags")]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, help_heading = "Global flags", conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Output format
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", help_heading = "Global flags")]
    pub output: Format,
    /// Also what ended within this time, such as 10m or 1h (agents remember an hour)
    #[arg(long, global = true, value_name = "TIME", value_parser = since, help_heading = "Global flags")]
    pub since: Option<Duration>,
    /// Go on, and print what changes
    #[arg(short, long, global = true, help_heading = "Global flags")]
    pub watch: bool,
    /// Kubeconfig context
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global flags", conflicts_with_all = ["contexts", "all_contexts"])]
    pub context: Option<String>,
    /// Several contexts, side by side
    #[arg(
        long,
        global = true,
        value_name = "A,B",
        value_delimiter = ',',
        help_heading = "Global flags",
        conflicts_with = "all_contexts"
    )]
    pub contexts: Vec<String>,
    /// All contexts of the kubeconfig, side by side
    #[arg(long, global = true, help_heading = "Global flags")]
    pub all_contexts: bool,
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the Pod's service account]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Global flags")]
    pub kubeconfig: Option<PathBuf>,
    /// Ask one agent directly, such as http://localhost:9810; no cluster is needed
    #[arg(long, global = true, value_name = "URL", help_heading = "Global flags", conflicts_with_all = ["context", "contexts", "all_contexts", "kubeconfig"])]
    pub agent: Option<String>,
    /// Longest wait for one answer, such as 5s; 0: no limit
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = timeout, help_heading = "Global flags")]
    pub request_timeout: Duration,
    /// Namespace of the agents [default: all are searched]
    #[arg(long, global = true, value_name = "NS", help_heading = "Global flags")]
    pub agent_namespace: Option<String>,
    /// Label selector of the agents' Pods
    #[arg(
        long,
        global = true,
        value_name = "LABELS",
        default_value = "app.kubernetes.io/name=netwhy,app.kubernetes.io/component=agent",
        help_heading = "Global flags"
    )]
    pub agent_selector: String,
    /// Most agents that are asked at the same time
    #[arg(long, global = true, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Global flags")]
    pub concurrency: u16,
}

/// Subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Why is it slow? Verdict, evidence, what was ruled out, and what to do next
    Why {
        /// pod/NAME, deploy/NAME, svc/NAME, node/NAME, or NAME
        #[arg(value_name = "TARGET")]
        target: Target,
    },
    /// What is wrong, as the agents see it
    Hints,
    /// Every Node: what it loses, what others lose on the way to it, and who says so
    Nodes,
    /// RTT and loss between Nodes
    Matrix,
    /// Live view: sort, filter, drill down
    Top,
    /// Pods that do not run as they should, and why
    Diagnose,
    /// Service → EndpointSlice → Pod → Node, with the health of each
    Topology {
        /// svc/NAME, or NAME
        #[arg(value_name = "SERVICE")]
        target: Target,
    },
    /// Print a completion script
    Completion {
        /// Shell to complete for
        shell: Shell,
    },
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For people with wide screens: more columns
    Wide,
    /// For programs
    Json,
    /// For programs
    Yaml,
    /// A diagram for documents and chats
    Mermaid,
}

/// The command, with the name that it was called by in its usage lines.
pub fn command(called: Option<&OsString>) -> clap::Command {
    let plugin =
        called.is_none_or(|path| std::path::Path::new(path).file_name().is_some_and(|name| name == "kubectl-netwhy"));
    let command = Cli::command();
    if plugin { command.bin_name("kubectl netwhy") } else { command }
}

/// Reads arguments; the first is the program's name.
///
/// # Errors
/// Bad usage; also the wish for `--help` or `--version`, which clap treats as errors.
pub fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command(args.first());
    let matches = command.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let signed: jiff::SignedDuration = text.parse().ok()?;
    signed.try_into().ok()
}

fn since(text: &str) -> Result<Duration, String> {
    duration(text).filter(|d| !d.is_zero()).ok_or_else(|| "write a time such as 10m or 1h".to_owned())
}

/// 0 is kubectl's way to say: no limit.
fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text).ok_or_else(|| "write a time such as 5s or 1m; 0 is no limit".to_owned())?;
    Ok(if time.is_zero() { Duration::MAX } else { time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Cli, clap::Error> {
        let all: Vec<OsString> = ["/usr/local/bin/kubectl-netwhy"].iter().chain(args).map(Into::into).collect();
        parse(&all)
    }

    #[test]
    fn flags_stand_on_either_side_as_with_kubectl() {
        let before = read(&["-n", "shop", "-o", "json", "why", "pod/x"]).unwrap();
        let after = read(&["why", "pod/x", "-n", "shop", "-o", "json"]).unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        assert_eq!(read(&["hints", "--contexts", "a,b"]).unwrap().global.contexts, ["a", "b"]);
        assert!(read(&["hints", "-A", "-n", "shop"]).is_err());
        assert!(read(&["hints", "--context", "a", "--all-contexts"]).is_err());
        assert!(read(&["hints", "--agent", "http://x", "--context", "a"]).is_err());
    }

    #[test]
    fn times_are_those_of_kubectl() {
        let cli = read(&["hints", "--since", "1h30m", "--request-timeout", "3"]).unwrap();
        assert_eq!(
            (cli.global.since, cli.global.request_timeout),
            (Some(Duration::from_secs(5400)), Duration::from_secs(3))
        );
        assert_eq!(read(&["hints", "--request-timeout", "0"]).unwrap().global.request_timeout, Duration::MAX);
        for bad in ["soon", "-5m", "0"] {
            let error = read(&["hints", "--since", bad]);
            assert!(error.is_err(), "{bad}");
        }
    }

    #[test]
    fn usage_names_the_program_as_it_was_called() {
        let usage = |name: &str| command(Some(&name.into())).render_usage().to_string();
        assert!(usage("/usr/bin/kubectl-netwhy").contains("kubectl netwhy"));
        assert!(usage("./netwhy").contains("kubectl-netwhy"));
        command(None).debug_assert();
    }
}
