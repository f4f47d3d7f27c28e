//! The laboratory: eight Nodes, real traffic, real faults, and how often the agents on them are right.
//!
//! ```text
//! cases (what, where, how strong) ─► fault (inject, heal, expectation) ─► topology (Nodes, Pods, programs, agents)
//!                                                                                  │ hints, edges
//! report (table, JSON) ◄─ score (pure) ◄─ pool (one ranked list from all agents) ◄─┘
//! ```
//! One laboratory stands for all cases. Each waits until no hint fires, breaks one thing, listens, and heals it.

mod agents;
mod cases;
mod fault;
mod magnitudes;
mod pool;
mod report;
mod score;
mod topology;
mod traffic;
mod who;

use crate::{sh, toolchain};
use anyhow::{Context as _, Result, bail};
use cases::{Plan, QUICK};
use magnitudes::Set;
use netwhy_agent::api::Hint;
use netwhy_tests::stop;
use pool::Told;
use score::{Case, Seen};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use topology::World;

/// How often all agents are asked.
const POLL: Duration = Duration::from_millis(400);
/// A fault stays this long at least, so that everything that is said about it is heard: the window's length.
const LISTEN: Duration = Duration::from_secs(10);
/// How often what they say is merged: they judge once per second.
const MERGE: Duration = Duration::from_secs(1);
/// It stays this long after the right hints and the right first answer came …
const AFTER: Duration = Duration::from_secs(4);
/// … and this long when one of them does not.
const PATIENCE: Duration = Duration::from_secs(20);
/// A control is watched so long.
const WATCH: Duration = Duration::from_secs(12);
/// A healed fault may keep a hint firing for a window and six clean ones.
const QUIET: Duration = Duration::from_secs(40);
/// A case begins so long after the one before was healed: a window, in which nothing of that one is left.
const REST: Duration = Duration::from_secs(11);
/// A case with its way to silence takes about so long, for the estimate of the time left, s.
const ABOUT: f64 = 29.0;

/// The cases to run.
pub(super) struct Options<'a> {
    pub(super) quick: bool,
    pub(super) tune: bool,
    /// Rounds over all cases.
    pub(super) seeds: Range<u64>,
    /// Only cases with these names.
    pub(super) only: &'a [String],
    /// Where the programs are. `None`: they are built.
    pub(super) programs: Option<&'a Path>,
    /// Where recordings go. `None`: none are made.
    pub(super) record: Option<&'a Path>,
}

/// Runs the cases; returns the table and the figures.
pub(super) fn run(options: &Options<'_>) -> Result<(String, Value)> {
    let plans = plans(options)?;
    let workspace = sh::workspace()?;
    let bin = options.programs.map_or_else(|| build(&workspace), |dir| Ok(dir.to_path_buf()))?;
    let logs = sh::target_dir(&workspace).join("laboratory");
    fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    if let Some(dir) = options.record {
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    stop::install().context("handle Ctrl-C")?;
    sh::say("making eight nodes in two zones, their pods and real traffic between them");
    let mut world = World::open(&bin, &logs)?;
    traffic::start(&mut world)?;
    sh::say("starting an agent on each node, and letting them learn what is normal");
    world.start_agents()?;
    let (cases, not_tried) = try_all(&mut world, &plans, options.record)?;
    Ok((report::table(&cases, &not_tried), report::json(&cases, &not_tried)))
}

fn plans(options: &Options<'_>) -> Result<Vec<Plan>> {
    let set = if options.tune { Set::Tune } else { Set::Report };
    let chosen = |plan: &Plan| {
        let quick = !options.quick || QUICK.contains(&(plan.name, plan.magnitude.as_str()));
        quick && (options.only.is_empty() || options.only.iter().any(|name| name == plan.name))
    };
    let plans: Vec<Plan> = options.seeds.clone().flat_map(|seed| cases::all(set, seed)).filter(chosen).collect();
    if plans.is_empty() {
        let mut names: Vec<&str> = cases::all(set, 1).iter().map(|plan| plan.name).collect();
        names.dedup();
        bail!("no such case; there are {}", names.join(", "));
    }
    Ok(plans)
}

/// Builds the agent and the traffic programs; returns where they are.
pub(super) fn build(workspace: &Path) -> Result<PathBuf> {
    let toolchain = toolchain::ensure(workspace)?;
    sh::say(&format!("building the agent (kernel programs: {}) and the traffic programs", toolchain.name));
    let mut build = toolchain.cargo(workspace);
    build.args(["build", "--release", "--package", "netwhy-agent", "--package", "netwhy-tests", "--bins"]);
    sh::run(build.stdout(std::io::stderr()))?;
    Ok(sh::target_dir(workspace).join("release"))
}

/// Cases as they went; and those that could not be tried, with the reason.
type Tried = (Vec<Case>, Vec<String>);

fn try_all(world: &mut World, plans: &[Plan], record: Option<&Path>) -> Result<Tried> {
    let began = Instant::now();
    let (mut cases, mut not_tried) = Tried::default();
    for (at, plan) in plans.iter().enumerate() {
        let case = match wait_until_quiet(world).and_then(|()| try_one(world, plan, record)) {
            Ok(case) => case,
            Err(error) if !stop::requested() => {
                // One fault that this machine can't have must not cost the figures of all others.
                not_tried.push(format!("{} {}: {error:#}", plan.name, plan.magnitude));
                sh::say(&format!("[{}/{}] not tried: {}", at + 1, plans.len(), not_tried[not_tried.len() - 1]));
                continue;
            }
            // The observations until then still give figures.
            Err(error) if cases.is_empty() => return Err(error),
            Err(_) => {
                not_tried.push(format!("{} cases: interrupted", plans.len() - at));
                break;
            }
        };
        let passed = began.elapsed().as_secs_f64();
        let each = if at < 3 { ABOUT } else { passed / (at + 1) as f64 };
        let left = each * (plans.len() - at - 1) as f64;
        sh::say(&format!("[{}/{} {passed:>4.0} s, {left:>4.0} s left] {}", at + 1, plans.len(), report::line(&case)));
        // An unnoticed fault has entered the baselines: the next case must not inherit them.
        let unnoticed = !case.is_control() && !case.right_in_first(1);
        cases.push(case);
        if unnoticed
            && at + 1 < plans.len()
            && let Err(error) = world.start_agents()
        {
            if !stop::requested() {
                return Err(error);
            }
            not_tried.push(format!("{} cases: interrupted", plans.len() - at - 1));
            break;
        }
    }
    Ok((cases, not_tried))
}

/// Waits a window at least, and until no hint fires; where one does not end, the agents start anew.
fn wait_until_quiet(world: &mut World) -> Result<()> {
    for name in world.revive()? {
        sh::say(&format!("  {name} had ended and was started anew"));
    }
    let (rested, end) = (Instant::now() + REST, Instant::now() + QUIET);
    while Instant::now() < rested || !world.agents()?.hints()?.is_empty() {
        if stop::sleep(POLL) {
            bail!("interrupted");
        }
        if Instant::now() > end {
            for (node, hint) in world.agents()?.hints()? {
                sh::say(&format!("  still fires at {node}: {} ({})", hint.summary, hint.cause));
            }
            sh::say("  the agents start anew");
            return world.start_agents();
        }
    }
    Ok(())
}

/// Breaks one thing, listens, and heals it.
fn try_one(world: &mut World, plan: &Plan, record: Option<&Path>) -> Result<Case> {
    let name = format!("{}{}", plan.name, plan.magnitude.replace([' ', '%', '/', ',', '.'], ""));
    // Recordings need a little of what is normal too.
    let recorders = record.map(|dir| world.agents()?.record(dir, &name, &plan.fault.witnesses())).transpose()?;
    if recorders.is_some() && stop::sleep(LISTEN + AFTER) {
        bail!("interrupted");
    }
    let mut active = plan.fault.inject(world)?;
    let listened = listen(world, plan, &mut active);
    let healed = active.heal(world);
    drop(recorders);
    let case = listened?;
    healed.context("heal what was broken")?;
    Ok(case)
}

fn listen(world: &mut World, plan: &Plan, active: &mut fault::Active) -> Result<Case> {
    let mut case = Case {
        fault: plan.name.to_owned(),
        magnitude: plan.magnitude.clone(),
        seed: plan.seed,
        expected: plan.fault.expected(),
        ..Case::default()
    };
    let names = world.names();
    let began = Instant::now();
    let limit = if case.is_control() { WATCH } else { active.limit.unwrap_or(PATIENCE) };
    let mut next = Duration::ZERO;
    // By agent, id and culprit: a hint that changes its mind has said two things.
    let mut seen: BTreeMap<(String, String, who::Who), Seen> = BTreeMap::new();
    let mut found = vec![None; case.expected.len()];
    loop {
        let since = began.elapsed();
        active.tick(world, since)?;
        let firing = world.agents()?.hints()?;
        for (agent, hint) in &firing {
            let Told { who, cause, confidence, alternatives } = Told::itself(hint, &names);
            let seconds = since.as_secs_f64();
            for (found, expected) in found.iter_mut().zip(&case.expected) {
                if found.is_none() && expected.is_right(&who, &cause) {
                    *found = Some(seconds);
                }
            }
            let new = || Seen {
                who: who.clone(),
                cause,
                alternatives: Vec::new(),
                confidence,
                seconds,
                agent: agent.clone(),
                summary: String::new(),
            };
            let entry = seen.entry((agent.clone(), hint.id.clone(), who.clone())).or_insert_with(new);
            (entry.confidence, entry.summary) = (confidence, hint.summary.clone());
            entry.alternatives = alternatives;
        }
        // A case ends with what was merged last.
        if since >= next || since >= limit {
            next = since.max(next + MERGE);
            let hints: Vec<Hint> = firing.into_iter().map(|(_, hint)| hint).collect();
            case.hear(since.as_secs_f64(), pool::said(&hints, &world.agents()?.rows()?, &names));
            let awaited = found.iter().chain([&case.answer_seconds]);
            let newest = awaited.copied().try_fold(0.0, |newest: f64, seconds| Some(newest.max(seconds?)));
            let all = newest.filter(|_| !case.is_control()).map(|newest| newest + AFTER.as_secs_f64());
            if since >= limit || all.is_some_and(|end| since >= LISTEN && since.as_secs_f64() >= end) {
                break;
            }
        }
        if stop::sleep(POLL) {
            bail!("interrupted");
        }
    }
    case.seen = seen.into_values().collect();
    case.seconds = found.into_iter().flatten().reduce(f64::min);
    Ok(case)
}
