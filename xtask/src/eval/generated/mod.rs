//! A laboratory that invents its cases: topology, traffic, fault and place are drawn from a seed.
//!
//! ```text
//! draw (pure) ─► plan ─► world (Nodes, Pods, programs) ─► inflict or controls ─► figures: do clients notice?
//!                                    │ hints, rows                                      │
//! report ◄─ score (pure) ◄─ merged (what `why` and `nodes` say) ◄───── truth (pure) ◄───┘
//! ```
//! With `--rivals` other tools' methods answer for the same cases ([`rivals`]).
//! Each case has a world of its own, which is thrown away. Seeds below 1000 are for work on rules.

mod controls;
mod culprit;
mod draw;
mod export;
mod figures;
mod hear;
mod inflict;
mod merged;
mod plan;
mod random;
mod report;
mod rivals;
mod run;
mod score;
mod traffic;
mod truth;
mod world;

use crate::sh;
use anyhow::{Context as _, Result, bail};
use netwhy_tests::stop;
use plan::Plan;
use score::Case;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

/// Seeds below it are for work on rules.
const TUNING: u64 = 1000;

/// The cases to run.
pub(super) struct Options<'a> {
    pub(super) count: u64,
    pub(super) seed: u64,
    /// Numbers of cases; empty: all from 0 on.
    pub(super) only: &'a [String],
    /// Cases at the same time.
    pub(super) jobs: usize,
    /// Where the programs are.
    pub(super) bin: PathBuf,
    /// Added to the agents' configuration.
    pub(super) config: String,
    /// Where cases go as a benchmark. `None`: nowhere.
    pub(super) export: Option<PathBuf>,
    /// Let rivals answer too.
    pub(super) rivals: bool,
}

/// Where a case runs.
#[derive(Clone, Copy)]
struct Setting<'a> {
    bin: &'a Path,
    /// Where agents' logs go.
    logs: &'a Path,
    config: &'a str,
    export: Option<&'a Path>,
    /// `None`: without rivals.
    rivals: Option<&'a rivals::Tools>,
}

/// Today's date as a seed: YYYYMMDD.
pub(super) fn todays_seed() -> u64 {
    let today = jiff::Zoned::now().date();
    let (year, month, day) = (today.year().unsigned_abs(), today.month().unsigned_abs(), today.day().unsigned_abs());
    u64::from(year) * 10_000 + u64::from(month) * 100 + u64::from(day)
}

/// Runs the cases; returns the table and the figures.
pub(super) fn run(options: &Options<'_>) -> Result<(String, Value)> {
    let plans = plans(options)?;
    let workspace = sh::workspace()?;
    let tools = options.rivals.then(|| rivals::Tools::ensure(&workspace)).transpose()?;
    stop::install().context("handle Ctrl-C")?;
    let use_of_seed = if options.seed < TUNING { "for work on rules" } else { "for a report" };
    sh::say(&format!("seed {} ({use_of_seed}): {} cases, {} at a time", options.seed, plans.len(), options.jobs));
    let logs = sh::target_dir(&workspace).join("laboratory").join("generated");
    let (mut cases, not_run) = run_all(&plans, options, &logs, tools.as_ref());
    if cases.is_empty() {
        bail!("no case could be run: {}", not_run.first().map_or("interrupted", String::as_str));
    }
    cases.sort_by_key(|case| case.plan.number);
    if let Some(dir) = &options.export {
        export::write_common(dir, &cases)?;
        sh::say(&format!("exported to {}", dir.display()));
    }
    let mut table = report::table(&cases, &not_run, options.seed);
    let mut json = report::json(&cases, &not_run, options.seed);
    match tools.map(|tools| tools.rows(&cases)) {
        Some(Ok(rows)) => {
            table.push_str(&rivals::text(&rows));
            json["generated"]["rivals"] = rivals::json(&rows);
        }
        // The cases took hours.
        Some(Err(error)) => table.push_str(&format!("\nrivals: not ranked: {error:#}\n")),
        None => {}
    }
    Ok((table, json))
}

/// The drawn cases: a table, and all of each.
pub(super) fn list(options: &Options<'_>) -> Result<(String, Value)> {
    let plans = plans(options)?;
    let line = |plan: &Plan| format!("#{:<3} {} ({})\n", plan.number, plan.title(), plan.topologies().join(", "));
    let drawn = serde_json::to_value(&plans).context("write what was drawn")?;
    Ok((plans.iter().map(line).collect(), json!({ "generated": { "seed": options.seed, "drawn": drawn } })))
}

/// Scores a file of answers about exported cases.
pub(super) fn score_answers(dir: &Path, file: &Path) -> Result<(String, Value)> {
    let (table, figures) = export::table(&export::score_answers(dir, file)?);
    Ok((table, json!({ "score": figures })))
}

fn plans(options: &Options<'_>) -> Result<Vec<Plan>> {
    let number = |text: &String| text.parse::<u64>().with_context(|| format!("{text:?} is no number of a case"));
    let numbers: Vec<u64> = match options.only {
        [] => (0..options.count).collect(),
        only => only.iter().map(number).collect::<Result<_>>()?,
    };
    Ok(numbers.into_iter().map(|number| draw::draw(options.seed, number)).collect())
}

/// Runs the cases, several at a time. Programs live as long as the thread that started them.
fn run_all(
    plans: &[Plan],
    options: &Options<'_>,
    logs: &Path,
    rivals: Option<&rivals::Tools>,
) -> (Vec<Case>, Vec<String>) {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let done: Mutex<(Vec<Case>, Vec<String>)> = Mutex::default();
    let work = || {
        while let Some(plan) = plans.get(next.fetch_add(1, Relaxed)).filter(|_| !stop::requested()) {
            let logs = logs.join(format!("{}-{}", plan.seed, plan.number));
            let Options { bin, config, export, .. } = options;
            let setting = Setting { bin, logs: &logs, config, export: export.as_deref(), rivals };
            let result = run::run(plan.clone(), setting);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(case) => {
                    let (passed, count) = (began.elapsed().as_secs_f64(), done.0.len() + done.1.len() + 1);
                    let left = passed / count as f64 * (plans.len() - count) as f64;
                    let place = format!("[{count}/{} {passed:.0} s, {left:.0} s left]", plans.len());
                    sh::say(&format!("{place} {}", report::line(&case)));
                    done.0.push(case);
                }
                Err(_) if stop::requested() => {}
                Err(error) => {
                    let text = run::failed(plan, &error);
                    done.1.push(text);
                }
            }
        }
    };
    std::thread::scope(|scope| (0..options.jobs).for_each(|_| drop(scope.spawn(work))));
    let (cases, mut not_run) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let left = plans.len() - cases.len() - not_run.len();
    if left > 0 {
        not_run.push(format!("{left} cases: interrupted"));
    }
    (cases, not_run)
}
