//! `cargo xtask bench`: netwhy's cost and accuracy on this machine, against the same machine without it in one run.

mod accuracy;
mod effect;
mod footprint;
mod hooks;
mod instrument;
mod load;
mod lookup;
mod rows;
mod signals;
mod statistics;
mod table;
mod traffic;
mod verdict;

use crate::{Unavailable, apt, sh, toolchain};
use anyhow::{Context as _, Result};
use effect::{Pace, Until};
use instrument::Instrument;
use load::Kind;
use netwhy_tests::{
    lab::{Lab, missing_tools},
    stop,
};
use rows::{footprint_rows, spread_row};
use serde_json::{Value, json};
use statistics::Spread;
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use table::Row;
use verdict::Verdict;

/// Nodes of the laboratory; the first is the one that is watched from.
const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Measure what netwhy costs and how right it is
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and shorter measurements, in at most five pairs
    #[arg(long)]
    quick: bool,
    /// Write the JSON to this file instead of printing it after the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure these parts only (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Kinds of traffic that the part `load` measures (default: all)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KIND")]
    loads: Vec<Kind>,
    /// Least pairs of windows, with the agent and without, that an effect on throughput is taken from (default: 25,
    /// quick: 5)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    pairs: Option<u16>,
    /// Most pairs: an effect is measured until its interval leaves its goal out, or this often (default: 120, quick: 5;
    /// at least --pairs)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=1000))]
    max_pairs: Option<u16>,
    /// Agent configuration for `load`, to measure the cost of a signal (default: none)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
    /// RTT and segments against what is true
    Accuracy,
    /// `kubectl netwhy` against 5,000 synthetic agents; needs neither root nor the eBPF toolchain
    Lookup,
    /// Judging the edges of 5,000 Nodes with 512 peers each: time and memory; needs neither root nor a laboratory
    Blame,
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

/// How much is measured.
struct Plan {
    throughput: Pace,
    most_pairs: usize,
    kernel_time: Pace,
    cpu: Duration,
    settle: Duration,
    scrapes: usize,
    starts: usize,
    rtt: Duration,
    segments: Duration,
    lookups: usize,
    loads: Vec<Kind>,
    config: Option<PathBuf>,
}

impl Plan {
    /// How long the effect on a kind of load is measured.
    fn until(&self, kind: Kind) -> Until {
        Until { pace: self.throughput, most: self.most_pairs, least: rows::goal(kind).map(|(_, least)| least) }
    }

    /// From the user's wishes.
    fn of(args: &Args) -> Result<Self> {
        let mut plan = if args.quick { Self::QUICK } else { Self::FULL };
        if let Some(pairs) = args.pairs {
            plan.throughput.windows = usize::from(pairs);
        }
        let most = args.max_pairs.map_or(plan.most_pairs, usize::from);
        plan.most_pairs = most.max(plan.throughput.windows);
        plan.loads = if args.loads.is_empty() { Kind::ALL.to_vec() } else { args.loads.clone() };
        if let Some(file) = &args.config {
            plan.config = Some(fs::canonicalize(file).with_context(|| format!("read {}", file.display()))?);
        }
        Ok(plan)
    }

    const FULL: Self = Self {
        throughput: Pace { windows: 25, window: Duration::from_secs(1) },
        most_pairs: 120,
        kernel_time: Pace { windows: 10, window: Duration::from_secs(1) },
        cpu: Duration::from_secs(20),
        // A window of the agent is ten seconds: its memory has reached its size then.
        settle: Duration::from_secs(11),
        scrapes: 50,
        starts: 7,
        rtt: Duration::from_secs(6),
        segments: Duration::from_secs(10),
        lookups: 5,
        loads: Vec::new(),
        config: None,
    };
    const QUICK: Self = Self {
        throughput: Pace { windows: 5, window: Duration::from_millis(500) },
        most_pairs: 5,
        kernel_time: Pace { windows: 5, window: Duration::from_secs(1) },
        cpu: Duration::from_secs(5),
        settle: Duration::from_secs(2),
        scrapes: 10,
        starts: 3,
        rtt: Duration::from_secs(3),
        segments: Duration::from_secs(3),
        lookups: 2,
        loads: Vec::new(),
        config: None,
    };
}

/// Where things are.
struct Context {
    bin: PathBuf,
    logs: PathBuf,
}

/// Runs all benchmarks; figures that fall short are said and are no failure.
pub(crate) fn run(args: &Args) -> Result<()> {
    stop::install().context("handle Ctrl-C")?;
    let plan = Plan::of(args)?;
    let laboratory = args.only.is_empty() || args.only.iter().any(|part| !matches!(part, Part::Blame | Part::Lookup));
    let context = if laboratory { Some(prepare()?) } else { None };
    let began = Instant::now();
    let mut machine = machine()?;
    let mut rows = Vec::new();
    let mut result = json!({ "throughput_effect": {}, "loads": {}, "spread": { "throughput_effect": {} } });
    let measured = measure(context.as_ref(), &plan, &args.only, &mut rows, &mut result);
    if rows.is_empty() {
        measured?;
        return Ok(());
    }
    // Also after a failure: the results until then took minutes.
    result["complete"] = json!(measured.is_ok());
    machine["load_average_after"] = load_average();
    result["seconds"] = json!(began.elapsed().as_secs_f64());
    result["quick"] = json!(args.quick);
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

/// The needs of the laboratory's benchmarks.
fn prepare() -> Result<Context> {
    if !rustix::process::geteuid().is_root() {
        let text = "the benchmarks make network namespaces and cgroups and load BPF programs: run them as root";
        return Err(Unavailable::error(text.to_owned()));
    }
    if !missing_tools().is_empty() {
        // The laboratory itself says what is missing if this doesn't help.
        let _ = apt::install("iproute2 and nftables", &["iproute2", "nftables"]);
    }
    let workspace = sh::workspace()?;
    build(&workspace)
}

fn build(workspace: &Path) -> Result<Context> {
    let toolchain = toolchain::ensure(workspace)?;
    sh::say("building the agent, its instrument and the traffic programs");
    for (package, what) in [("netwhy-agent", &["--bins", "--examples"][..]), ("netwhy-tests", &["--bins"])] {
        let mut build = toolchain.cargo(workspace);
        build.args(["build", "--release", "--package", package]).args(what);
        // Its stdout would end up among the results.
        sh::run(build.stdout(std::io::stderr()))?;
    }
    context(workspace)
}

/// Only what the look-ups need: no eBPF.
fn build_lookup(workspace: &Path) -> Result<Context> {
    sh::say("building kubectl-netwhy and the synthetic agents");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(workspace).args(["build", "--release", "--package", "netwhy-agent", "--no-default-features"]);
    sh::run(build.args(["--bin", "kubectl-netwhy", "--example", "fleet"]).stdout(std::io::stderr()))?;
    context(workspace)
}

fn context(workspace: &Path) -> Result<Context> {
    let target = sh::target_dir(workspace);
    let logs = target.join("bench");
    fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    Ok(Context { bin: target.join("release"), logs })
}

/// The machine that the figures belong to.
fn machine() -> Result<Value> {
    let uname = rustix::system::uname();
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let date = sh::output(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?;
    Ok(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "kernel": uname.release().to_string_lossy(),
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu_model": model.map_or("CPU", |(_, model)| model.trim()),
        "date": date.trim(),
        "load_average_before": load_average(),
    }))
}

/// Of the last minute: others' work on this machine makes figures worse and their intervals wider.
fn load_average() -> Value {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!(text.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()))
}

/// All parts, or those of `only`, one after the other.
fn measure(context: Option<&Context>, plan: &Plan, only: &[Part], rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let wanted = |part| only.is_empty() || only.contains(&part);
    if let Some(context) = context {
        in_laboratory(context, plan, wanted, rows, out)?;
    }
    if wanted(Part::Lookup) {
        sh::say("look-ups");
        let alone = if context.is_none() { Some(build_lookup(&sh::workspace()?)?) } else { None };
        if let Some(context) = context.or(alone.as_ref()) {
            lookup::run(context, plan.lookups, rows, out)?;
        }
    }
    if wanted(Part::Blame) {
        blame(rows, out)?;
    }
    Ok(())
}

/// Each part in a laboratory of its own.
fn in_laboratory(
    context: &Context,
    plan: &Plan,
    wanted: impl Fn(Part) -> bool,
    rows: &mut Vec<Row>,
    out: &mut Value,
) -> Result<()> {
    let lab = || Lab::new(&context.bin.join("netwhy-traffic"), &NODES);
    if wanted(Part::Load) {
        traffic::run(context, &lab()?, plan, rows, out)?;
    }
    if wanted(Part::Hooks) {
        hooks::run(context, &lab()?, plan, rows, out)?;
    }
    if wanted(Part::Signals) {
        signals::run(context, &lab()?, plan, rows, out)?;
    }
    if wanted(Part::Cpu) {
        own_cpu(context, &lab()?, plan, rows, out)?;
    }
    if wanted(Part::Memory) {
        sh::say("memory and scrapes with 250 and 1000 pods");
        let steps = footprint::steps(context, &lab()?, plan.settle, plan.scrapes)?;
        footprint_rows(&steps, rows, out);
    }
    if wanted(Part::Start) {
        sh::say("start-up");
        let seconds = footprint::ready(context, &lab()?, plan.starts)?;
        let spread = Spread::of(&seconds).context("the agent was never started")?;
        out["ready_seconds"] = json!(spread.median);
        out["spread"]["ready_seconds"] = spread.json();
        let ready = ("start to ready", spread, 1.0, "s", "≤ 1 s", 1.0);
        rows.push(spread_row(ready));
    }
    if wanted(Part::Accuracy) {
        accurate(context, lab, plan, rows, out)?;
    }
    Ok(())
}

/// Judging many Nodes' edges, on one core.
fn blame(rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let cost = crate::eval::blame_cost()?;
    let figure = |key: &str| cost[key].as_f64().with_context(|| format!("the blame benchmark gave no {key}"));
    let (seconds, bytes) = (figure("seconds")?, figure("peak_bytes")?);
    let what = |what: &str| format!("{what} of judging {} Nodes × {} peers", cost["nodes"], cost["peers"]);
    rows.push(Row {
        what: what("time"),
        value: format!("{seconds:.2} s"),
        spread: format!(
            "{:.2} … {:.2}  n={}, CPU {:.2} s",
            figure("fastest")?,
            figure("slowest")?,
            cost["runs"],
            figure("cpu_seconds")?
        ),
        target: "≤ 1.5 s",
        verdict: Some(Verdict::of(seconds <= 1.5)),
    });
    rows.push(Row {
        what: what("memory"),
        value: format!("{:.0} MB", bytes / 1e6),
        spread: format!("{:.0} MB of it the edges", figure("rows_bytes")? / 1e6),
        target: "≤ 400 MB",
        verdict: Some(Verdict::of(bytes <= 400e6)),
    });
    out["blame"] = cost;
    Ok(())
}

fn own_cpu(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    sh::say("the agent's own CPU time under keep-alive requests");
    let cpu = footprint::cpu(context, lab, plan.cpu)?;
    out["agent_cpu_cores"] = json!(cpu.cores);
    out["agent_cpu_at_requests_per_second"] = json!(cpu.rate);
    rows.push(Row {
        what: format!("agent's CPU time at {:.0} k requests/s", cpu.rate / 1e3),
        value: format!("{:.2} % of a core", cpu.cores * 100.0),
        spread: format!("mean of {} s", plan.cpu.as_secs()),
        target: "≤ 1 %",
        verdict: Some(Verdict::of(cpu.cores <= 0.01)),
    });
    let mut instrument = Instrument::start(&context.bin, lab.cgroups().root())?;
    let seconds = instrument.ask("node")?["seconds"].as_f64().context("the instrument tells no time")?;
    out["node_signals_seconds"] = json!(seconds);
    rows.push(Row {
        what: "CPU time to read the Node's own signals".to_owned(),
        value: format!("{:.2} ms", seconds * 1e3),
        spread: "mean of 300".to_owned(),
        target: "≤ 2 ms per tick",
        verdict: Some(Verdict::of(seconds <= 0.002)),
    });
    Ok(())
}

fn accurate(
    context: &Context,
    lab: impl Fn() -> Result<Lab>,
    plan: &Plan,
    rows: &mut Vec<Row>,
    out: &mut Value,
) -> Result<()> {
    sh::say("accuracy");
    let rtt = accuracy::rtt(context, &lab()?, plan.rtt)?;
    let segments = accuracy::segments(context, &lab()?, plan.segments)?;
    for (key, what, error, target, limit) in [
        ("rtt_error", "error of p50 RTT at 1, 10 and 50 ms", rtt, "≤ 10 %", 0.1),
        ("segments_error", "error of retransmitted segments", segments, "≤ 1 %", 0.01),
    ] {
        out[key] = json!(error.largest);
        out[format!("{key}_cases")] = error.cases;
        rows.push(Row {
            what: what.to_owned(),
            value: format!("{:.2} %", error.largest * 100.0),
            spread: "largest".to_owned(),
            target,
            verdict: Some(Verdict::of(error.largest <= limit)),
        });
    }
    Ok(())
}
