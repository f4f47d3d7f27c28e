//! The programs that run in the machines: built as `cargo xtask test` builds them, or linked statically for another
//! architecture.

use super::{arch::Arch, guest::Programs};
use crate::{
    artifact::target::{self, Target, Tools},
    sh, test,
    toolchain::{self, Toolchain},
};
use anyhow::{Result, anyhow};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Builds the agent and these test programs.
pub(super) fn build(workspace: &Path, arch: Arch, names: &[String]) -> Result<Programs> {
    let toolchain = toolchain::ensure(workspace)?;
    let foreign = arch.target().map(foreign).transpose()?;
    sh::say("building the agent and the kernel tests");
    let mut build = cargo(&toolchain, workspace, foreign.as_ref(), &["build"]);
    build.args(["--bin", "netwhy-agent", "--bin", "netwhy-traffic", "--example", "taken_over"]);
    sh::run(build.stdout(Stdio::null()))?;
    let mut command = cargo(&toolchain, workspace, foreign.as_ref(), &["test", "--no-run", "--message-format", "json"]);
    command.args(names.iter().flat_map(|name| ["--test", name]));
    let tests = if names.is_empty() { Vec::new() } else { executables(&sh::output(&mut command)?) };
    let debug = sh::target_dir(workspace).join(arch.target().unwrap_or_default()).join("debug");
    Ok(Programs {
        agent: debug.join("netwhy-agent"),
        taken_over: debug.join("examples/taken_over"),
        traffic: debug.join("netwhy-traffic"),
        tests,
    })
}

/// A target by name, and what builds for it.
fn foreign(name: &str) -> Result<(Target, Tools)> {
    let target = Target::parse(name).map_err(|why| anyhow!("{name}: {why}"))?;
    let mut ready = target::ready(&[target])?;
    ready.pop().ok_or_else(|| anyhow!("nothing builds for {name}"))
}

/// Cargo with a subcommand over the packages that have tests.
fn cargo(toolchain: &Toolchain, workspace: &Path, foreign: Option<&(Target, Tools)>, subcommand: &[&str]) -> Command {
    let args = [subcommand, &test::PACKAGES].concat();
    if let Some((target, tools)) = foreign {
        return test::foreign::cargo(toolchain, workspace, (target, tools), &args);
    }
    let mut command = toolchain.cargo(workspace);
    command.args(args);
    command
}

/// Test programs in cargo's messages.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    let program = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_test = message["profile"]["test"] == true;
        let name = message["target"]["name"].as_str()?.to_owned();
        let path = message["executable"].as_str()?;
        is_test.then(|| (name, PathBuf::from(path)))
    };
    messages.lines().filter_map(program).collect()
}

#[cfg(test)]
mod tests;
