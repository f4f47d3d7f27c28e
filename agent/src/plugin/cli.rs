//! The command line of `kubectl netwhy`.

mod kubectl;
mod when;

pub use kubectl::Kubectl;
pub use when::When;

use super::model::Target;
use crate::close_up::LONGEST;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// Exit code of every failure, bad usage included, as with kubectl.
pub const FAILURE: u8 = 1;

/// Why is this Pod slow, and which Node is to blame?
#[derive(Clone, Debug, Parser)]
#[command(
    name = "kubectl-netwhy",
    version,
    propagate_version = true,
    max_term_width = 110,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
                  kubectl netwhy why pod/payment-7c9         why is this Pod slow?\n  \
                  kubectl netwhy why svc/payment -n shop     why are the Pods of this Service slow?\n  \
                  kubectl netwhy hints -A -w                 watch all hints of the cluster\n  \
                  kubectl netwhy matrix                      RTT and loss between Nodes\n\n\
                  Needs the right to list Pods and DaemonSets, and in the agents' namespace get and create of \
                  pods/portforward.\n\
                  Exit codes: 0 success, 1 failure."
)]
pub struct Cli {
    /// Flags of all subcommands.
    #[command(flatten)]
    pub global: Global,
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that can stand before or behind any subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global flags")]
pub struct Global {
    /// Namespace [default: the context's]
    #[arg(short, long, global = true, value_name = "NS")]
    pub namespace: Option<String>,
    /// All namespaces
    #[arg(short = 'A', long, global = true, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Output format
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub output: Format,
    /// Also show hints that ended within this time, such as 10m or 1h; `hints` reads more than an hour from the history
    #[arg(long, global = true, value_name = "TIME", value_parser = since)]
    pub since: Option<Duration>,
    /// Keep running and print changes
    #[arg(short, long, global = true)]
    pub watch: bool,
    /// Kubeconfig context
    #[arg(long, global = true, value_name = "NAME", conflicts_with_all = ["contexts", "all_contexts"])]
    pub context: Option<String>,
    /// Several kubeconfig contexts, side by side
    #[arg(long, global = true, value_name = "A,B", value_delimiter = ',', conflicts_with = "all_contexts")]
    pub contexts: Vec<String>,
    /// All contexts of the kubeconfig, side by side
    #[arg(long, global = true)]
    pub all_contexts: bool,
    /// Kubeconfig file [default: $KUBECONFIG, ~/.kube/config, or the Pod's service account]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// URL of one agent to ask directly, such as http://localhost:9812; works without a cluster
    #[arg(
        long,
        global = true,
        value_name = "URL",
        conflicts_with_all = [
            "context", "contexts", "all_contexts", "kubeconfig", "server", "cluster", "user", "token", "as_user"
        ],
    )]
    pub agent: Option<String>,
    /// Timeout of one request, such as 5s; 0: none
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = timeout)]
    pub request_timeout: Duration,
    /// Namespace of the agents [default: search all namespaces]
    #[arg(long, global = true, value_name = "NS")]
    pub agent_namespace: Option<String>,
    /// Label selector of the agents' Pods
    #[arg(
        long,
        global = true,
        value_name = "LABELS",
        default_value = "app.kubernetes.io/name=netwhy,app.kubernetes.io/component=agent"
    )]
    pub agent_selector: String,
    /// Most agents to ask at the same time
    #[arg(
        long,
        global = true,
        value_name = "N",
        default_value_t = 128,
        value_parser = clap::value_parser!(u16).range(1..),
    )]
    pub concurrency: u16,
    /// Memory for large answers of all agents, MiB; each agent has 256 KiB beside it
    #[arg(
        long,
        global = true,
        value_name = "MIB",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..),
    )]
    pub answer_memory: u32,
    /// Other flags of kubectl.
    #[command(flatten)]
    pub kubectl: Kubectl,
}

impl Global {
    /// Memory for large answers, bytes.
    pub(super) fn room_bytes(&self) -> u64 {
        u64::from(self.answer_memory) << 20
    }
}

/// Subcommands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Explain why a target is slow: verdict, evidence, excluded causes, next step
    #[command(after_help = "Example: kubectl netwhy why pod/payment-7c9 -n shop --at 03:12")]
    Why {
        /// pod/NAME, deploy/NAME, svc/NAME, node/NAME, or NAME
        #[arg(value_name = "TARGET")]
        target: Target,
        /// As it was then, also for Pods that are gone: 03:12 (local time), 2026-01-31T03:12:00Z, or -40m
        #[arg(
            long,
            value_name = "TIME",
            value_parser = When::parse,
            allow_hyphen_values = true,
        )]
        at: Option<When>,
    },
    /// List hints of all agents
    #[command(after_help = "Example: kubectl netwhy hints -A --since 6h --until 5h")]
    Hints {
        /// End of the time, with --since its begin: 5h (ago), 03:12 (local time), or 2026-01-31T03:12:00Z
        #[arg(
            long,
            value_name = "TIME",
            value_parser = When::parse,
            allow_hyphen_values = true,
        )]
        until: Option<When>,
    },
    /// List Nodes by blame: loss to and from each Node, and the hints about it
    #[command(after_help = "Example: kubectl netwhy nodes -o wide")]
    Nodes,
    /// Show in which facts a Node differs from the Nodes that are well, the oddest first
    ///
    /// Facts: kernel, NIC driver and firmware, MTU, offloads, rings, queue discipline, sysctls, machine, versions,
    /// labels, taints. With two Nodes: the facts in which these two differ.
    #[command(after_help = "Example: kubectl netwhy diff node/a")]
    Diff {
        /// node/NAME, or NAME
        #[arg(value_name = "NODE")]
        node: Target,
        /// Compare with this Node only
        #[arg(value_name = "NODE")]
        other: Option<Target>,
    },
    /// Show RTT and loss between Nodes
    #[command(after_help = "Example: kubectl netwhy matrix -o mermaid")]
    Matrix,
    /// Show Pods live: sort, filter, open details
    #[command(after_help = "Example: kubectl netwhy top -n shop")]
    Top,
    /// List Pods that do not run properly, with the cause
    #[command(after_help = "Example: kubectl netwhy diagnose -A")]
    Diagnose,
    /// Show a Service with its EndpointSlices, Pods and Nodes, and the health of each
    #[command(after_help = "Example: kubectl netwhy topology svc/payment -n shop")]
    Topology {
        /// svc/NAME, or NAME
        #[arg(value_name = "SERVICE")]
        target: Target,
    },
    /// Exempt a Pod from sampling for some minutes, so that every connection and segment is measured
    ///
    /// It writes the annotation netwhy.dev/sample, which needs the right to patch Pods. The Node's agent ends it by
    /// itself. How many Pods of a Node may be observed so is its setting sampling.close_ups.
    #[command(after_help = "Example: kubectl netwhy watch-closer pod/payment-7c9 --for 10m -n shop")]
    WatchCloser {
        /// pod/NAME, or NAME
        #[arg(value_name = "POD")]
        target: Target,
        /// How long, such as 10m; 1h at most
        #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = close_up)]
        time: Duration,
        /// End it now
        #[arg(long, conflicts_with = "time")]
        stop: bool,
    },
    /// Answer assistants: a Model Context Protocol server on stdin and stdout
    ///
    /// Its tools only read, with your rights, and it opens no listener. An answer has at most 4 KB.
    #[command(after_help = "Example: kubectl netwhy mcp --context prod")]
    Mcp,
    /// Print a shell completion script
    #[command(after_help = "Example: source <(kubectl-netwhy completion bash)")]
    Completion {
        /// Shell
        shell: Shell,
    },
}

/// Output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For people, with more columns
    Wide,
    /// For programs
    Json,
    /// For programs
    Yaml,
    /// Diagram for documents and chats
    Mermaid,
}

/// The command. Its usage lines have the name by which it was called.
pub fn command(called: Option<&OsString>) -> clap::Command {
    let plugin =
        called.is_none_or(|path| std::path::Path::new(path).file_name().is_some_and(|name| name == "kubectl-netwhy"));
    let command = Cli::command();
    if plugin { command.bin_name("kubectl netwhy") } else { command }
}

/// Reads arguments; the first is the program's name.
///
/// # Errors
/// Bad usage. Clap also returns `--help` and `--version` as errors.
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

pub(super) fn since(text: &str) -> Result<Duration, String> {
    duration(text).filter(|d| !d.is_zero()).ok_or_else(|| "write a time such as 10m or 1h".to_owned())
}

fn close_up(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_secs(1)..=LONGEST;
    duration(text).filter(|time| allowed.contains(time)).ok_or_else(|| "write a time from 1s to 1h".to_owned())
}

/// 0 means no timeout, as with kubectl.
fn timeout(text: &str) -> Result<Duration, String> {
    let time = duration(text).ok_or_else(|| "write a time such as 5s or 1m, or 0 for none".to_owned())?;
    Ok(if time.is_zero() { Duration::MAX } else { time })
}

#[cfg(test)]
mod tests;
