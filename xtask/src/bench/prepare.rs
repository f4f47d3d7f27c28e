//! What the benchmarks need: root, programs, and the facts of the machine.

use crate::{Unavailable, apt, sh, toolchain};
use anyhow::{Context as _, Result};
use netwhy_tests::lab::missing_tools;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where things are.
pub(super) struct Context {
    pub(super) bin: PathBuf,
    pub(super) logs: PathBuf,
}

/// The needs of the laboratory's benchmarks.
pub(super) fn prepare() -> Result<Context> {
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
pub(super) fn build_lookup(workspace: &Path) -> Result<Context> {
    sh::say("building kubectl-netwhy and the synthetic agents");
    build_without_ebpf(workspace, &["--bin", "kubectl-netwhy", "--example", "fleet"])
}

/// Only what ticks of a synthetic Node need: no eBPF.
pub(super) fn build_tick(workspace: &Path) -> Result<Context> {
    sh::say("building the synthetic Node");
    build_without_ebpf(workspace, &["--example", "tick"])
}

fn build_without_ebpf(workspace: &Path, what: &[&str]) -> Result<Context> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.current_dir(workspace).args(["build", "--release", "--package", "netwhy-agent", "--no-default-features"]);
    sh::run(build.args(what).stdout(std::io::stderr()))?;
    context(workspace)
}

fn context(workspace: &Path) -> Result<Context> {
    let target = sh::target_dir(workspace);
    let logs = target.join("bench");
    fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    Ok(Context { bin: target.join("release"), logs })
}

/// The machine that the figures belong to.
pub(super) fn machine() -> Result<Value> {
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
pub(super) fn load_average() -> Value {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!(text.split_whitespace().next().and_then(|load| load.parse::<f64>().ok()))
}
