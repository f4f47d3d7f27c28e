//! `cargo xtask eval`: how often netwhy is right.
//!
//! Parts that judge by the agent's own code need the feature `judge` and optimisations: a plain `cargo xtask` runs them
//! in a build of its own.

#[cfg(feature = "judge")]
mod blame;
#[cfg(feature = "judge")]
mod simulator;

use crate::sh;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Measure how often netwhy is right
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fewer and smaller clusters: seconds instead of minutes
    #[arg(long)]
    quick: bool,
    /// Write the JSON to this file instead of printing it after the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Clusters per scenario of the simulator
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: Option<u64>,
    /// Run these parts only (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// Parts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Thousands of Nodes that do not exist, with faults that are known
    Simulator,
    /// What judging 5,000 Nodes with 512 peers each costs
    Blame,
}

impl Part {
    const ALL: [Self; 2] = [Self::Simulator, Self::Blame];

    /// Name on the command line and in the JSON.
    const fn key(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Blame => "blame",
        }
    }
}

/// Runs the parts; figures that fall short are said and are no failure.
pub(crate) fn run(args: &Args) -> Result<()> {
    let parts: Vec<Part> =
        Part::ALL.into_iter().filter(|part| args.only.is_empty() || args.only.contains(part)).collect();
    let mut out = json!({ "quick": args.quick });
    for part in parts {
        out[part.key()] = measure(part, args)?;
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
    // Without optimisations it would take an hour.
    #[cfg(feature = "judge")]
    if !cfg!(debug_assertions) {
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
    };
    println!("{}", table.trim_end());
    Ok(json)
}

/// The same by a build of ourselves that has the agent's code and optimisations.
fn measure_in_own_build(part: Part, args: &Args) -> Result<Value> {
    let workspace = sh::workspace()?;
    let file = sh::keep_log(&workspace, &format!("eval-{}.json", part.key()), "")?;
    let mut command = sh::cargo(&workspace);
    command.args(["run", "--release", "--package", "xtask", "--", "eval", "--only", part.key(), "--json"]).arg(&file);
    if args.quick {
        command.arg("--quick");
    }
    if let Some(seeds) = args.seeds {
        command.arg("--seeds").arg(seeds.to_string());
    }
    sh::say(&format!("{}: building xtask with the agent's code and optimisations", part.key()));
    sh::run(&mut command)?;
    let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let mut json: Value = serde_json::from_str(&text).with_context(|| format!("parse {}", file.display()))?;
    Ok(json[part.key()].take())
}

/// What judging many Nodes costs: `seconds`, `peak_bytes`. For `cargo xtask bench`.
pub(crate) fn blame_cost() -> Result<Value> {
    measure(Part::Blame, &Args { quick: false, json: None, seeds: None, only: vec![Part::Blame] })
}
