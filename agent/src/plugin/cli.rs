//! The command line of `kubectl netwhy`.

mod incidents;
mod changed;
mod kubectl;
mod respond;
mod logs;
mod shell;
mod ui;
mod when;

pub use changed::Changed;
pub use incidents::{Forecast, Incidents};
pub use kubectl::Kubectl;
pub use logs::LogsArgs;
pub use respond::{Respond, Style};
pub use shell::ShellArgs;
pub use ui::Ui;
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
                  kubectl netwhy hints -A                        what is wrong now?\n  \
                  kubectl netwhy why pod/payment-7c9             why is this Pod slow?\n  \
                  kubectl netwhy why svc/payment -n shop         why are the Pods of this Service slow?\n  \
                  kubectl netwhy why pod/payment-7c9 --at 03:12  why was it slow at 03:12?\n  \
                  kubectl netwhy nodes                           which Node is to blame?\n  \
                  kubectl netwhy ui                              the same in the browser\n\n\
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
    /// Look back this long, such as 10m, 1h or 7d
    ///
    /// It adds hints that ended since then, and sets the range of `changed`, `incidents`, `forecast` and `logs`.
    /// `hints` reads more than an hour from the history.
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
    /// Ask at most this many agents at the same time
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
    /// Prometheus that scrapes the agents: URL, or NAMESPACE/SERVICE through the API server; off: none
    ///
    /// By default $PROMETHEUS_URL, else a Service of a usual name. `incidents`, `forecast` and `why --at` ask it.
    #[arg(long, global = true, value_name = "URL", env = "PROMETHEUS_URL", hide_env = true)]
    pub prometheus: Option<String>,
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
    ///
    /// It reads the hints about the target, and follows their blame to the agent that explains it. Where no cause is
    /// found, it lists the signals that are normal, unusual, without data or unknown. "No data" does not mean
    /// "healthy".
    #[command(after_help = "Example: kubectl netwhy why pod/payment-7c9 -n shop --at 03:12")]
    Why {
        /// KIND/NAME, with the kind pod, deploy, sts, ds, job, svc or node; or NAME
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
    /// List what changed near a Pod, workload, Service or Node, the nearest first
    ///
    /// Rollouts, scaling, restarts, reboots, conditions, taints, evictions, Pods that started on the same Node, and
    /// writes of configuration, in the last 15 minutes or the time of --since. `why` shows them for the time before a
    /// trouble began.
    #[command(after_help = "Example: kubectl netwhy changed deploy/payment --since 1h -n shop")]
    Changed(Changed),
    /// List hints of all agents
    ///
    /// A hint names a cause, the Pod, Node or path at fault, and how sure the agent is. With -w a line appears when a
    /// hint begins or ends. `-o wide` adds the next step.
    #[command(after_help = "Example: kubectl netwhy hints -A --since 6h --until 5h")]
    Hints {
        /// End of the range that --since begins: 5h (ago), 03:12 (local time), or 2026-01-31T03:12:00Z
        #[arg(
            long,
            value_name = "TIME",
            value_parser = When::parse,
            allow_hyphen_values = true,
        )]
        until: Option<When>,
    },
    /// List what fired in the past: how often, when, for how long, what recurs, and what came first
    ///
    /// Reads the agents' flight recorders, by default of the last seven days. Firings with the same cause, culprit and
    /// workload are one incident.
    #[command(after_help = "Example: kubectl netwhy incidents -A --since 7d")]
    Incidents(Incidents),
    /// Show what fills up and when: tracked connections, ports, TCP memory, the agent's maps and memory
    ///
    /// Draws a straight line through the values of the last six hours (--since), as predict_linear of PromQL does.
    #[command(after_help = "Example: kubectl netwhy forecast --within 24h")]
    Forecast(Forecast),
    /// List Nodes by blame: loss to and from each Node, and the hints about it
    ///
    /// BLAME is the probability that the Node is at fault, from the traffic between all agents. "–" means that it is
    /// undecided.
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
        /// Another Node: compare these two
        #[arg(value_name = "NODE")]
        other: Option<Target>,
    },
    /// Show who calls whom: rate, response times, loss, errors and hints, those in trouble first
    ///
    /// Callers and callees are workloads. Figures are those of the last window, 10 s by default.
    #[command(after_help = "Example: kubectl netwhy map -n shop")]
    Map,
    /// Show RTT and loss between Nodes
    ///
    /// A cell has the lowest RTT and the loss episodes per segment from the Node of its row to the Node of its column.
    /// It shows the Nodes with most loss; -o wide or json shows all.
    #[command(after_help = "Example: kubectl netwhy matrix -o wide")]
    Matrix,
    /// Show Pods live: sort, filter, open details
    ///
    /// RTT, loss, throttling, 95th percentile of response times, share of failed calls, and hints. With -o json or
    /// yaml, or without a terminal, it prints the list once, and with -w again and again.
    #[command(after_help = "Example: kubectl netwhy top -n shop")]
    Top,
    /// List Pods that do not run properly, with the cause
    ///
    /// It finds restarts, images that can't be pulled, and the like, in the status of Pods. Where they gather on one
    /// Node, it shows in which facts that Node differs.
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
    /// itself. The agent's setting sampling.close_ups bounds the number of such Pods per Node.
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
    /// Print the logs of the target and of the Pod at fault, merged by time
    ///
    /// Lines begin 30 s before the trouble, or 5 minutes ago if there is none; --since sets another begin. It needs the
    /// right to get pods/log. -o json prints one object a line.
    #[command(after_help = "Example: kubectl netwhy logs svc/payment -n shop --since 10m")]
    Logs(LogsArgs),
    /// Run a command or a shell in a container, with a record of it
    ///
    /// It needs the right to create pods/exec, and to get the ConfigMap netwhy-shell of the agents' namespace, which
    /// may have rules. Each session adds two lines to $XDG_STATE_HOME/netwhy/audit.jsonl. Exits with the command's
    /// code.
    #[command(after_help = "Example: kubectl netwhy shell pod/payment-7c9 -n shop -- ss -tni")]
    Shell(ShellArgs),
    /// Show hints, the service map, Nodes and Pods live in the browser
    ///
    /// It serves a page on loopback until Ctrl-C. Only the printed URL opens it, and nothing leaves this machine but
    /// the requests to the API server or the agent.
    #[command(after_help = "Example: kubectl netwhy ui -A --no-browser --port 8080")]
    Ui(Ui),
    /// Answer assistants: a Model Context Protocol server on stdin and stdout
    ///
    /// Its tools only read, with your rights, and it opens no listener. An answer has at most 4 KB.
    #[command(after_help = "Example: kubectl netwhy mcp --context prod")]
    Mcp,
    /// Answer alerts: take Alertmanager's webhook, and post why the Pod or Node of each alert is slow
    ///
    /// It answers the webhook at once and asks in the background. Alerts about one object share one verdict.
    #[command(after_help = "Example: kubectl netwhy respond --post-url-file url --format slack")]
    Respond(Respond),
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
    /// Page to attach to an incident: why, matrix, map, incidents
    Html,
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
    // Days have 24 hours here, whatever the clocks do.
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()) {
        return days.checked_mul(86_400).map(Duration::from_secs);
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
