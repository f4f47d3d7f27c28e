//! `cargo xtask test`: all tests that this machine can run, and what it skipped and why.

pub(crate) mod foreign;
mod read;

use crate::{apt, artifact::target::Target, browser, grpc, helm, kube, mcp, sh, toolchain, toolchain::Toolchain};
use anyhow::{Context as _, Result, bail};
use netwhy_tests::lab::missing_tools;
use read::{Counts, Skip};
use std::{
    env, fs,
    path::Path,
    time::{Duration, Instant},
};

/// Run all tests that this machine can run
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only unit and replay tests, as programs of this target of another architecture, which QEMU emulates
    #[arg(long, value_name = "TARGET", value_parser = Target::parse)]
    target: Option<Target>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = sh::workspace()?;
    if let Some(target) = &args.target {
        return foreign::run(&workspace, target, args.filter.as_deref());
    }
    let toolchain = toolchain::ensure(&workspace)?;
    run_in(&workspace, &toolchain, args.filter.as_deref(), &Machine::this())
}

/// Properties of this machine that decide which tests run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    root: bool,
    nextest: bool,
    /// A skip of what the machine could run is a failure.
    strict: bool,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        Self {
            root: rustix::process::geteuid().is_root(),
            nextest: sh::in_path("cargo-nextest"),
            strict: env::var("CI").is_ok_and(|ci| ci == "true" || ci == "1"),
        }
    }
}

/// The packages that have tests. All groups build all of them, so that everything is compiled once: fewer packages would
/// give their dependencies other features.
pub(crate) const PACKAGES: [&str; 8] =
    ["--package", "netwhy-agent", "--package", "netwhy-ebpf", "--package", "netwhy-tests", "--package", "xtask"];

/// Tests that run together.
struct Group {
    name: &'static str,
    /// Arguments that select them without nextest.
    select: Vec<String>,
    /// The filterset of nextest that selects them.
    filterset: String,
    /// How many run at once; as many as there are CPUs if `None`. Tests that measure the machine take all places, by
    /// `.config/nextest.toml`.
    at_once: Option<u8>,
    /// Need root.
    root: bool,
}

/// Name, beginnings of the names of the files in tests/tests/, whether they need root, and how many run at once.
const SCENARIOS: [(&str, &[&str], bool, Option<u8>); 8] = [
    ("replay", &["replay"], false, None),
    ("chart", &["chart"], false, None),
    ("API server", &["api"], false, None),
    // They wait for traffic most of the time.
    ("kernel", &["lab", "kernel_"], true, Some(2)),
    ("laboratory", &["eval"], true, Some(1)),
    ("plugin", &["plugin_"], true, Some(2)),
    ("prometheus", &["prometheus"], true, Some(1)),
    ("cluster", &["cluster"], true, Some(1)),
];

/// All groups of tests.
fn groups(workspace: &Path) -> Vec<Group> {
    let select = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let mut groups = vec![
        Group {
            name: "unit",
            select: select(&["--package", "netwhy-agent", "--package", "netwhy-ebpf", "--package", "xtask"]),
            filterset: "package(netwhy-agent) + package(netwhy-ebpf) + package(xtask)".to_owned(),
            at_once: None,
            root: false,
        },
        Group {
            name: "unit, laboratory",
            select: select(&["--package", "netwhy-tests", "--lib", "--bins"]),
            filterset: "package(netwhy-tests) & (kind(lib) + kind(bin))".to_owned(),
            at_once: None,
            root: false,
        },
    ];
    let files = test_files(&workspace.join("tests/tests"));
    for (name, beginnings, root, at_once) in SCENARIOS {
        let chosen: Vec<&String> =
            files.iter().filter(|file| beginnings.iter().any(|beginning| file.starts_with(beginning))).collect();
        if chosen.is_empty() {
            continue;
        }
        let binaries: Vec<String> = chosen.iter().map(|file| format!("binary(={file})")).collect();
        let filterset = format!("package(netwhy-tests) & ({})", binaries.join(" + "));
        let mut select = select(&["--package", "netwhy-tests"]);
        select.extend(chosen.into_iter().flat_map(|file| ["--test".to_owned(), file.clone()]));
        groups.push(Group { name, select, filterset, at_once, root });
    }
    groups
}

/// Names of the test programs that need nothing but a kernel and root.
pub(crate) fn kernel_tests(workspace: &Path) -> Vec<String> {
    let files = test_files(&workspace.join("tests/tests"));
    files.into_iter().filter(|file| file.starts_with("kernel_")).collect()
}

/// Names of the test programs of a package: files, and folders with a main.rs.
fn test_files(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").is_file())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// Runs all groups, also after one has failed; an error when a test failed, or was skipped that must not be.
pub(crate) fn run_in(workspace: &Path, toolchain: &Toolchain, filter: Option<&str>, machine: &Machine) -> Result<()> {
    if machine.root && !missing_tools().is_empty() {
        // Tests that need them say so if this doesn't help.
        let _ = apt::install("iproute2 and nftables", &["iproute2", "nftables"]);
    }
    if machine.root && !sh::in_path("tmux") {
        // `top` is tested in a real terminal.
        let _ = apt::install("tmux", &["tmux"]);
    }
    if let Err(error) = helm::ensure(workspace) {
        // The chart's tests are skipped then, which they say themselves.
        sh::say(&format!("{error:#}"));
    }
    if machine.root
        && let Err(error) = grpc::ensure(workspace)
    {
        // As with helm.
        sh::say(&format!("{error:#}"));
    }
    if let Err(error) = prometheus(workspace) {
        // As with helm.
        sh::say(&format!("{error:#}"));
    }
    if let Err(error) = mcp::ensure(workspace) {
        // As with helm.
        sh::say(&format!("{error:#}"));
    }
    if let Err(error) = browser::ensure(workspace) {
        // As with helm.
        sh::say(&format!("{error:#}"));
    }
    kube::ensure();
    let mut total = Counts::default();
    let mut skips: Vec<Skip> = Vec::new();
    let mut flaky: Vec<String> = Vec::new();
    let mut times = Vec::new();
    for group in groups(workspace) {
        if group.root && !machine.root {
            skips.push(Skip { reason: format!("{} tests: need root", group.name) });
            continue;
        }
        let start = Instant::now();
        let mut outcome = run_group(workspace, toolchain, &group, filter, machine)?;
        times.push((group.name, outcome.counts, start.elapsed()));
        total.add(&outcome.counts);
        skips.append(&mut outcome.skips);
        flaky.append(&mut outcome.flaky);
    }
    summary(&times, &skips, &flaky);
    let forbidden: Vec<&Skip> = skips.iter().filter(|skip| machine.strict && !skip.excused()).collect();
    for skip in &forbidden {
        eprintln!("CI=true: this machine could run what was skipped: {}", skip.reason);
    }
    // A skipped test ends well: it has been counted as passed.
    let passed = total.passed.saturating_sub(skips.len() as u64);
    let again = if flaky.is_empty() { String::new() } else { format!(" ({} when tried again)", flaky.len()) };
    println!("{passed} passed{again}, {} failed, {} skipped", total.failed, skips.len());
    if total.failed > 0 || !forbidden.is_empty() {
        bail!("tests failed");
    }
    Ok(())
}

/// Makes sure that Prometheus, promtool and Alertmanager are there, where its tests look for them.
fn prometheus(workspace: &Path) -> Result<()> {
    let into = sh::target_dir(workspace).join("xtask/prometheus");
    let there = |program: &str| sh::in_path(program) || into.join("usr/bin").join(program).is_file();
    if !there("prometheus") || !there("promtool") {
        apt::unpack("prometheus", &into).context("no Prometheus: put prometheus and promtool in PATH")?;
    }
    if there("prometheus-alertmanager") {
        return Ok(());
    }
    apt::unpack("prometheus-alertmanager", &into).context("no Alertmanager: put prometheus-alertmanager in PATH")
}

/// The result of a group.
struct Outcome {
    counts: Counts,
    skips: Vec<Skip>,
    /// Names of tests that failed first and passed when tried again.
    flaky: Vec<String>,
}

fn run_group(
    workspace: &Path,
    toolchain: &Toolchain,
    group: &Group,
    filter: Option<&str>,
    machine: &Machine,
) -> Result<Outcome> {
    let mut command = toolchain.cargo(workspace);
    if machine.nextest {
        command.args(nextest(group, filter, machine));
    } else {
        command.args(["test", "--no-fail-fast", "--color", "never"]).args(&group.select).args(filter);
        command.args(["--", "--show-output"]);
        if group.at_once.is_some() {
            // Only nextest knows which of them take the whole machine.
            command.args(["--test-threads", "1"]);
        }
    }
    let (ended_well, text) = sh::captured(&format!("{} tests", group.name), &mut command, |_| None)?;
    let log = format!("test-{}.log", group.name.replace([',', ' '], "-"));
    let log = sh::keep_log(workspace, &log, &text)?;
    let mut counts = read::counts(&text);
    if !ended_well {
        // Also when nothing could be counted: it didn't compile, or the runner itself failed.
        counts.failed = counts.failed.max(1);
        eprintln!("{text}\n`{}` failed; its output is kept in {}", sh::shown(&command), log.display());
    }
    let flaky = read::flaky(&text);
    let (first_tries, rest) = read::first_tries(&text);
    if ended_well && !flaky.is_empty() {
        eprintln!("{first_tries}");
    }
    Ok(Outcome { counts, skips: read::skips(&rest), flaky })
}

/// Arguments with which nextest runs a group.
fn nextest(group: &Group, filter: Option<&str>, machine: &Machine) -> Vec<String> {
    let mut args = vec!["nextest", "run", "--no-fail-fast", "--color", "never", "--no-tests", "pass"];
    // Output of tests that pass says what they skipped.
    args.extend(["--success-output", "immediate", "--failure-output", "immediate"]);
    args.extend(PACKAGES);
    args.extend(["--filterset", &group.filterset]);
    let at_once = group.at_once.map(|at_once| at_once.to_string());
    if let Some(at_once) = at_once.as_deref() {
        args.extend(["--test-threads", at_once]);
    }
    if machine.strict {
        // Others use the machine too, and clocks go on meanwhile: a second try, which the summary tells.
        args.extend(["--retries", "1"]);
    }
    args.extend(filter);
    args.into_iter().map(str::to_owned).collect()
}

fn summary(times: &[(&str, Counts, Duration)], skips: &[Skip], flaky: &[String]) {
    println!();
    for (name, counts, took) in times {
        println!("{name:<18} {:>5} passed {:>4} failed {:>7.1} s", counts.passed, counts.failed, took.as_secs_f64());
    }
    for skip in skips {
        println!("SKIP {}", skip.reason);
    }
    for test in flaky {
        println!("FLAKY {test}: failed first, passed when tried again");
    }
}

#[cfg(test)]
mod tests;
