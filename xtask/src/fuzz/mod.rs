//! `cargo xtask fuzz`: libFuzzer over the readers of input that others write.
//!
//! The targets are functions of `netwhy_agent::fuzz`. They build with the stable toolchain: the compiler's coverage
//! passes are enough, since the code under test has no `unsafe`. libFuzzer itself needs a C++ compiler.

mod output;

use crate::{progress::Step, sh};
use anyhow::{Context as _, Result, bail, ensure};
use output::Stats;
use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Flags that add libFuzzer's coverage counters and the operands of comparisons to the code.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Longest input, bytes.
const MAX_LENGTH: usize = 16 << 10;
/// Longest time for one input, s. Slower is a crash.
const TIMEOUT: u32 = 10;
/// Most memory of one target, MiB. More is a crash.
const MEMORY: u32 = 1024;

/// Fuzz the readers of input that others write
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes for each target
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    minutes: f64,
    /// Only this target
    #[arg(value_name = "TARGET")]
    target: Option<String>,
}

/// Runs the targets one after the other, prints a table, and fails if one crashed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    let targets = choose(&workspace, args.target.as_deref())?;
    ensure!(args.minutes > 0.0, "--minutes {}: give a positive number", args.minutes);
    let limit = Duration::from_secs_f64(args.minutes * 60.0);
    let programs = build(&workspace)?;
    let mut results = Vec::new();
    for target in targets {
        let result = fuzz(&workspace, &programs.join(&target), &target, limit)?;
        results.push((target, result));
    }
    print!("{}", output::table(&results));
    let crashed: Vec<&str> = results.iter().filter(|(_, r)| !r.crashes.is_empty()).map(|(t, _)| t.as_str()).collect();
    if crashed.is_empty() {
        return Ok(());
    }
    bail!("{} crashed: the inputs are in fuzz/corpus; `cargo test -p netwhy-agent fuzz` repeats it", crashed.join(", "))
}

/// The names of the targets to run.
fn choose(workspace: &Path, wanted: Option<&str>) -> Result<Vec<String>> {
    let folder = workspace.join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))?;
    let known: BTreeSet<String> =
        files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned())).collect();
    let Some(wanted) = wanted else { return Ok(known.into_iter().collect()) };
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    ensure!(known.contains(wanted), "no target {wanted:?}: there are {}", names.join(", "));
    Ok(vec![wanted.to_owned()])
}

/// Builds all targets and returns their folder.
fn build(workspace: &Path) -> Result<PathBuf> {
    // Named, so that the flags below are not for build scripts, which have no fuzzer to report to.
    let triple = host_triple()?;
    let mut command = sh::cargo(workspace);
    command.args(["build", "--profile", "fuzz", "--package", "netwhy-fuzz", "--target", &triple]);
    command.env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f")).env_remove("RUSTFLAGS");
    sh::compile("building the targets", "6 min", &mut command)?;
    Ok(sh::target_dir(workspace).join(triple).join("fuzz"))
}

/// This machine's target, as rustc names it.
fn host_triple() -> Result<String> {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let text = sh::output(command.arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

/// Runs one target for this long, or to its first crash. New inputs are kept below `target/`, crashes beside the seeds.
fn fuzz(workspace: &Path, program: &Path, target: &str, limit: Duration) -> Result<Stats> {
    let seeds = workspace.join("fuzz/corpus").join(target);
    let kept = sh::target_dir(workspace).join("fuzz-corpus").join(target);
    for folder in [&seeds, &kept] {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut command = Command::new(program);
    command.arg(format!("-artifact_prefix={}/", seeds.display()));
    command.args([format!("-max_total_time={}", limit.as_secs().max(1)), format!("-max_len={MAX_LENGTH}")]);
    command.args([format!("-timeout={TIMEOUT}"), format!("-rss_limit_mb={MEMORY}")]);
    command.args(["-print_final_stats=1", "-use_value_profile=1"]).arg(&kept).arg(&seeds);
    let step = Step::begin(target, None);
    let start = Instant::now();
    let mut child = (command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()))
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let mut stats = Stats::default();
    let mut tail = Vec::new();
    for line in BufReader::new(child.stderr.take().context("no output")?).lines() {
        let line = line.with_context(|| format!("read the output of {target}"))?;
        stats.read(&line);
        step.set_units(start.elapsed().as_secs().min(limit.as_secs()), limit.as_secs());
        if !output::is_progress(&line) {
            tail.push(line);
        }
    }
    let status = child.wait().with_context(|| format!("wait for {target}"))?;
    step.end(status.success());
    stats.took = start.elapsed();
    if !status.success() {
        let log = sh::keep_log(workspace, &format!("fuzz-{target}.log"), &tail.join("\n"))?;
        ensure!(!stats.crashes.is_empty(), "{target} ended ({status}) without an input: see {}", log.display());
        sh::say(&format!("  {target} crashed: see {}", log.display()));
    }
    Ok(stats)
}
