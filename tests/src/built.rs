//! Programs under test.

use anyhow::{Context as _, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The cargo that runs this process, in `directory`.
pub fn cargo(directory: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(directory);
    // Cargo describes this package in variables. Build scripts that read them would run again, and with them most of
    // the workspace would be built again: here, and once more by the next cargo that runs outside.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    command
}

/// Builds a program of netwhy-agent or xtask (`--bin NAME` or `--example NAME`) as this test was built, and says
/// where it is. `variable` names an environment variable that stands in for it.
///
/// # Errors
/// When it doesn't build.
pub fn built(variable: &str, select: [&str; 2]) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Ok(path.into());
    }
    let mut build = cargo(Path::new(env!("CARGO_MANIFEST_DIR")));
    build.args(["build", "--quiet", "--message-format", "json"]);
    // The packages and the kind of targets that `cargo xtask test` builds: their dependencies then have the same features,
    // and are not compiled once more.
    for package in ["netwhy-agent", "netwhy-ebpf", "netwhy-tests", "xtask"] {
        build.args(["--package", package]);
    }
    build.args(select).args(["--example", "fleet"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let output = build.output().context("start cargo")?;
    ensure!(output.status.success(), "{} doesn't build: {}", select[1], String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ours = |message: &serde_json::Value| message["target"]["name"] == select[1];
    let programs = messages.filter(ours).filter_map(|message| Some(message["executable"].as_str()?.into()));
    programs.into_iter().next_back().context("cargo named no program")
}
