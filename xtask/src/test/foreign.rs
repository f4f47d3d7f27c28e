//! Unit and replay tests as programs of another architecture, linked statically, in QEMU's emulation of a process.
//!
//! Its system calls are this machine's, so that it can't test the kernel programs: `cargo xtask vm --arch` boots a whole
//! machine.

use crate::{
    Unavailable, apt,
    artifact::target::{self, Arch, Target, Tools},
    sh,
    toolchain::{self, Toolchain},
};
use anyhow::{Context as _, Result, ensure};
use std::{env, path::Path, process::Command, slice};

/// Names of the groups, and what selects them.
const GROUPS: [(&str, &[&str]); 2] = [
    ("unit", &["--package", "netwhy-agent", "--package", "netwhy-ebpf", "--lib"]),
    ("replay", &["--package", "netwhy-tests", "--test", "replay"]),
];

/// Runs all groups, also after one has failed; an error when a test failed.
pub(super) fn run(workspace: &Path, target: &Target, filter: Option<&str>) -> Result<()> {
    ensure!(Arch::host() != Some(target.arch), "{} is this machine's architecture: leave --target out", target.name);
    let emulator = target.arch.emulator();
    if !sh::in_path(&emulator) {
        let _ = apt::install("QEMU's emulation of processes", &["qemu-user"]);
    }
    if !sh::in_path(&emulator) {
        return Err(Unavailable::error(format!("there is no {emulator}: install qemu-user")));
    }
    let toolchain = toolchain::ensure(workspace)?;
    let ready = target::ready(slice::from_ref(target))?;
    let (target, tools) = ready.first().context("there is no target")?;
    let mut failed = Vec::new();
    for (name, select) in GROUPS {
        sh::say(&format!("{name} tests, {}", target.arch.oci));
        let args: Vec<&str> = ["test", "--no-fail-fast"].iter().chain(select).copied().chain(filter).collect();
        let mut command = cargo(&toolchain, workspace, (target, tools), &args);
        command.env(variable(target, "RUNNER"), &emulator);
        if let Err(error) = sh::run(&mut command) {
            sh::say(&format!("{error:#}"));
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "tests failed on {}: {}", target.arch.oci, failed.join(", "));
    Ok(())
}

/// Cargo with these arguments for programs of another architecture, whose C library this machine does not have.
pub(crate) fn cargo(
    toolchain: &Toolchain,
    workspace: &Path,
    (target, tools): (&Target, &Tools),
    args: &[&str],
) -> Command {
    let mut command = if tools.builds_std { toolchain.own_cargo(workspace) } else { toolchain.cargo(workspace) };
    command.args(args).args(["--target", &target.name]);
    command.arg("--target-dir").arg(sh::target_dir(workspace));
    if tools.builds_std {
        command.args(["-Z", "build-std=std,test"]);
    }
    if let Some((variable, linker)) = tools.linker.as_ref().filter(|(variable, _)| env::var_os(variable).is_none()) {
        command.env(variable, linker);
    }
    command.env(variable(target, "RUSTFLAGS"), "-Ctarget-feature=+crt-static");
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command.env(toolchain::VARIABLE, &toolchain.name);
    command
}

/// Cargo's variable for a setting of a target.
fn variable(target: &Target, setting: &str) -> String {
    format!("CARGO_TARGET_{}_{setting}", target.name.to_uppercase().replace('-', "_"))
}

#[cfg(test)]
mod tests;
