//! `cargo xtask bench`: netwhy's cost and accuracy on this machine, against the same machine without it in one run.
//!
//! ```text
//! plan      how much is measured          until       when a measurement ends
//! prepare   builds, facts of the machine  parts       one after the other
//! load      traffic                       instrument  the agent's kernel side by command
//! effect    on throughput                 cost        time in kernel programs, with share: of what
//! statistics → verdict → rows → table     earlier     against another run
//! ```

mod accuracy;
mod cost;
mod earlier;
mod effect;
mod footprint;
mod hooks;
mod instrument;
mod load;
mod lookup;
mod parts;
mod plan;
mod prepare;
mod rows;
mod share;
mod signals;
mod statistics;
mod table;
mod tick;
mod traffic;
mod until;
mod verdict;

use crate::sh;
use anyhow::{Context as _, Result};
use load::Kind;
use netwhy_tests::stop;
use plan::Plan;
use prepare::Context;
use serde_json::{Value, json};
use signals::Set;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    time::Instant,
};
use table::Row;

/// Measure what netwhy costs and how right it is
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and shorter measurements, in at most six pairs
    #[arg(long)]
    quick: bool,
    /// Write the JSON to this file instead of printing it after the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure these parts only (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Kinds of traffic that the parts `load` and `signals` measure (default: all)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    loads: Vec<Kind>,
    /// Sets of signals that the part `signals` measures (default: all)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SET")]
    sets: Vec<Set>,
    /// Measure at least this many pairs of windows, one with the agent and one without; a verdict needs six (default:
    /// 25, of costs 10; quick: 6)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pairs: Option<u16>,
    /// Measure at most this many pairs: a figure ends sooner if its interval leaves its goal out (default: 120, of
    /// costs 40; quick: 6; at least --pairs)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    max_pairs: Option<u16>,
    /// Agent configuration for `load`, to measure the cost of a signal (default: none)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// JSON of an earlier run on this machine: a keep-alive request may cost 5 ns more
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// Parts of the benchmarks, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Throughput, and time in kernel programs, under keep-alive requests, connection churn and bulk
    Load,
    /// Time in the kernel programs of DNS queries and of context switches, and their effect
    Hooks,
    /// Time in kernel programs, and the effect, with response times and without, and with every signal
    Signals,
    /// The agent's own CPU time
    Cpu,
    /// Memory and scrapes with 250 and 1,000 cgroups
    Memory,
    /// Start-up to ready
    Start,
    /// RTT and segments against the true values
    Accuracy,
    /// `kubectl netwhy` against 5,000 synthetic agents; needs neither root nor the eBPF toolchain
    Lookup,
    /// Judging the edges of 5,000 Nodes with 512 peers each: time and memory; needs neither root nor a laboratory
    Blame,
    /// A tick of a synthetic Node with 250 Pods and 4,000 edges; needs neither root nor the eBPF toolchain
    Tick,
}

impl Part {
    /// It makes network namespaces and loads kernel programs.
    const fn needs_laboratory(self) -> bool {
        !matches!(self, Self::Blame | Self::Lookup | Self::Tick)
    }
}

/// Ctrl-C.
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Stopped {}

/// Runs all benchmarks; figures that fall short are said and are no failure.
pub(crate) fn run(args: &Args) -> Result<()> {
    stop::install().context("handle Ctrl-C")?;
    let plan = Plan::of(args)?;
    let before = args.against.as_deref().map(read).transpose()?;
    let laboratory = args.only.is_empty() || args.only.iter().any(|part| part.needs_laboratory());
    let context = if laboratory { Some(prepare::prepare()?) } else { None };
    let began = Instant::now();
    let mut machine = prepare::machine()?;
    let mut rows = Vec::new();
    let mut result = json!({ "throughput_effect": {}, "loads": {}, "spread": { "throughput_effect": {} } });
    let measured = parts::measure(context.as_ref(), &plan, &args.only, &mut rows, &mut result);
    if rows.is_empty() {
        measured?;
        return Ok(());
    }
    if let Some(before) = before {
        rows.extend(compared(&before, &result, &machine));
    }
    // Also after a failure: the results until then took minutes.
    result["complete"] = json!(measured.is_ok());
    machine["load_average_after"] = prepare::load_average();
    result["seconds"] = json!(began.elapsed().as_secs_f64());
    result["quick"] = json!(args.quick);
    result["rows"] = rows.iter().map(Row::json).collect();
    println!("{}\n{}", table::heading(&machine), table::render(&rows));
    result["machine"] = machine;
    let pretty = serde_json::to_string_pretty(&result)?;
    match &args.json {
        Some(file) => {
            fs::write(file, format!("{pretty}\n")).with_context(|| format!("write {}", file.display()))?;
            sh::say(&format!("JSON: {}", file.display()));
        }
        None => println!("{pretty}"),
    }
    measured
}

/// The JSON of an earlier run.
fn read(file: &Path) -> Result<Value> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))
}

/// Rows against an earlier run.
fn compared(before: &Value, result: &Value, machine: &Value) -> Vec<Row> {
    let differing = earlier::differing(before, machine);
    if !differing.is_empty() {
        sh::say(&format!("the earlier run was on another machine: {} differs", differing.join(", ")));
    }
    earlier::rows(before, result)
}
