//! `cargo xtask eval`: how often netwhy is right.
//!
//! Parts that judge by the agent's own code need the feature `judge` and optimisations: a plain `cargo xtask` runs them
//! in a build of its own.

#[cfg(feature = "judge")]
mod blame;
#[cfg(feature = "judge")]
mod generated;
#[cfg(feature = "judge")]
mod laboratory;
#[cfg(feature = "judge")]
mod simulator;

use crate::sh;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Invented cases, unless a number is given.
#[cfg(feature = "judge")]
const USUAL_COUNT: u64 = 200;

/// Measure how often netwhy is right
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and smaller clusters: seconds instead of minutes
    #[arg(long)]
    quick: bool,
    /// Write the JSON to this file instead of printing it after the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Clusters per scenario of the simulator; rounds over the cases of the laboratory
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// First round of the laboratory. Each round has other places, and from the second on other magnitudes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    first_seed: u64,
    /// Run only this case: a name of the laboratory, or a number of the invented cases; can be repeated
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Laboratory: take cases for work on rules, with other places and magnitudes than those of reports
    #[arg(long)]
    tune: bool,
    /// Laboratory: record the counters of the agent that sees most, one file per case
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Laboratory: take netwhy-agent and netwhy-traffic from this folder instead of building them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Run these parts only (default: all, without `generated`)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Run this many invented cases, and no other part; `--case K` runs case number K again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    generate: Option<u64>,
    /// Seed of invented cases; below 1000: for work on rules [default: today's date, as in 20260131]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Invented cases at the same time [default: as many as there are CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Invented cases: also write them to this folder as a benchmark for other tools; see its README.md
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Score this file of answers about the cases that `--export` wrote before, and run nothing
    #[arg(long, value_name = "FILE", requires = "export")]
    score: Option<PathBuf>,
    /// Invented cases: print what is drawn, and run nothing
    #[arg(long)]
    list: bool,
    /// Invented cases: also let public methods of root cause analysis answer, on the agents' metrics. Needs Prometheus,
    /// and installs packages from PyPI below cargo's target folder
    #[arg(long)]
    rivals: bool,
    /// Invented cases: file with keys to add to the agents' configuration, such as `signals: {responses: on}`
    #[arg(long, value_name = "FILE")]
    agent_config: Option<PathBuf>,
}

/// Parts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Thousands of synthetic Nodes with known faults
    Simulator,
    /// Measure the cost of judging 5,000 Nodes with 512 peers each
    Blame,
    /// Eight Nodes on this machine, real traffic and real faults; needs root
    Laboratory,
    /// Invented cases, each on Nodes of its own; needs root
    Generated,
}

impl Part {
    /// Without a choice. Invented cases take hours.
    const USUAL: [Self; 3] = [Self::Simulator, Self::Blame, Self::Laboratory];

    /// Without them it would take an hour. In the laboratory it is the agents that must be fast, and they are.
    const fn needs_optimisations(self) -> bool {
        match self {
            Self::Simulator | Self::Blame => true,
            Self::Laboratory | Self::Generated => false,
        }
    }

    /// Name on the command line and in the JSON.
    const fn key(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Blame => "blame",
            Self::Laboratory => "laboratory",
            Self::Generated => "generated",
        }
    }
}

/// Runs the parts; figures that fall short are said and are no failure.
pub(crate) fn run(args: &Args) -> Result<()> {
    let parts: Vec<Part> = match (args.generate, args.only.as_slice()) {
        _ if args.export.is_some() => vec![Part::Generated],
        (Some(_), _) => vec![Part::Generated],
        (None, []) => Part::USUAL.to_vec(),
        (None, only) => only.to_vec(),
    };
    let mut out = json!({ "quick": args.quick });
    for part in parts {
        let figures = measure(part, args)?;
        match (part, figures) {
            // The laboratory's figures are the main result.
            (Part::Laboratory | Part::Generated, Value::Object(figures)) => {
                figures.into_iter().for_each(|(key, value)| out[key] = value)
            }
            (_, figures) => out[part.key()] = figures,
        }
    }
    let pretty = serde_json::to_string_pretty(&out)?;
    match &args.json {
        Some(file) => {
            fs::write(file, format!("{pretty}\n")).with_context(|| format!("write {}", file.display()))?;
            sh::say(&format!("JSON: {}", file.display()));
        }
        None => println!("{pretty}"),
    }
    Ok(())
}

/// Prints a part's table and returns its figures.
fn measure(part: Part, args: &Args) -> Result<Value> {
    #[cfg(feature = "judge")]
    if !cfg!(debug_assertions) || !part.needs_optimisations() {
        return measure_here(part, args);
    }
    measure_in_own_build(part, args)
}

#[cfg(feature = "judge")]
fn measure_here(part: Part, args: &Args) -> Result<Value> {
    let (table, json) = match part {
        Part::Simulator => {
            sh::say("simulator");
            let mut plan = if args.quick { simulator::Plan::QUICK } else { simulator::Plan::FULL };
            plan.seeds = args.seeds.unwrap_or(plan.seeds);
            simulator::run(plan)
        }
        Part::Blame => {
            let cost = blame::measure()?;
            (cost.text(), cost.json())
        }
        Part::Laboratory => laboratory::run(&laboratory::Options {
            quick: args.quick,
            tune: args.tune,
            seeds: args.first_seed..args.first_seed + args.seeds.unwrap_or(1),
            only: &args.case,
            programs: args.programs.as_deref(),
            record: args.record.as_deref(),
        })?,
        Part::Generated => generated(args)?,
    };
    println!("{}", table.trim_end());
    Ok(json)
}

#[cfg(feature = "judge")]
fn generated(args: &Args) -> Result<(String, Value)> {
    if let (Some(dir), Some(file)) = (&args.export, &args.score) {
        return generated::score_answers(dir, file);
    }
    let bin = match &args.programs {
        Some(dir) => dir.clone(),
        None if args.list => PathBuf::new(),
        None => laboratory::build(&sh::workspace()?)?,
    };
    let read = |file: &PathBuf| fs::read_to_string(file).with_context(|| format!("read {}", file.display()));
    let config = args.agent_config.as_ref().map(read).transpose()?.unwrap_or_default();
    let options = generated::Options {
        count: args.generate.unwrap_or(USUAL_COUNT),
        seed: args.seed.unwrap_or_else(generated::todays_seed),
        only: &args.case,
        jobs: args.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from),
        bin,
        config,
        export: args.export.clone(),
        rivals: args.rivals,
    };
    if args.list { generated::list(&options) } else { generated::run(&options) }
}

/// The same by a build of ourselves that has the agent's code and optimisations.
fn measure_in_own_build(part: Part, args: &Args) -> Result<Value> {
    let workspace = sh::workspace()?;
    let file = sh::keep_log(&workspace, &format!("eval-{}.json", part.key()), "")?;
    let mut command = sh::cargo(&workspace);
    command.arg("run");
    if part.needs_optimisations() {
        command.arg("--release");
    }
    command.args(["--package", "xtask", "--", "eval", "--only", part.key(), "--json"]).arg(&file);
    if args.quick {
        command.arg("--quick");
    }
    if let Some(seeds) = args.seeds {
        command.arg("--seeds").arg(seeds.to_string());
    }
    command.arg("--first-seed").arg(args.first_seed.to_string());
    for name in &args.case {
        command.args(["--case", name]);
    }
    if args.tune {
        command.arg("--tune");
    }
    if let Some(dir) = &args.record {
        command.arg("--record").arg(std::path::absolute(dir)?);
    }
    for (is_set, name) in [(args.list, "--list"), (args.rivals, "--rivals")] {
        if is_set {
            command.arg(name);
        }
    }
    for (name, path) in [("--export", &args.export), ("--score", &args.score)] {
        if let Some(path) = path {
            command.arg(name).arg(std::path::absolute(path)?);
        }
    }
    if let Some(file) = &args.agent_config {
        command.arg("--agent-config").arg(std::path::absolute(file)?);
    }
    if let Some(dir) = &args.programs {
        command.arg("--programs").arg(std::path::absolute(dir)?);
    }
    let numbers = [("--generate", args.generate), ("--seed", args.seed), ("--jobs", args.jobs.map(u64::from))];
    for (name, number) in numbers.into_iter().filter_map(|(name, number)| Some((name, number?))) {
        command.args([name, &number.to_string()]);
    }
    sh::say(&format!("{}: building xtask with the agent's code", part.key()));
    sh::run(&mut command)?;
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let mut json: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", file.display()))?;
    Ok(if matches!(part, Part::Laboratory | Part::Generated) { json } else { json[part.key()].take() })
}

/// The cost of judging many Nodes: `seconds`, `peak_bytes`. For `cargo xtask bench`.
pub(crate) fn blame_cost() -> Result<Value> {
    let args = Args {
        quick: false,
        json: None,
        seeds: None,
        first_seed: 1,
        case: Vec::new(),
        tune: false,
        programs: None,
        record: None,
        only: vec![Part::Blame],
        generate: None,
        seed: None,
        jobs: None,
        export: None,
        score: None,
        list: false,
        rivals: false,
        agent_config: None,
    };
    measure(Part::Blame, &args)
}
