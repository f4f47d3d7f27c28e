//! Runs the system's own network programs.

use anyhow::{Context as _, Result, bail};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Programs that a laboratory uses.
const TOOLS: [&str; 2] = ["ip", "nft"];

/// The laboratory's programs that this machine lacks.
pub fn missing_tools() -> Vec<&'static str> {
    let found = |tool: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(tool).is_file())
    };
    TOOLS.into_iter().filter(|tool| !found(tool)).collect()
}

/// Runs a program to its end and returns its output. The error contains what it wrote to stderr.
pub fn run(command: &[&str]) -> Result<String> {
    run_with_input(command, "")
}

/// The same with text on its standard input.
pub(super) fn run_with_input(command: &[&str], input: &str) -> Result<String> {
    let line = command.join(" ");
    let (program, args) = command.split_first().context("empty command")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start `{line}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ended early says why on stderr: that matters more than the broken pipe.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("wait for `{line}`"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let input = if input.is_empty() { String::new() } else { format!(" with\n{input}") };
        bail!("`{line}` failed ({}): {}{input}", output.status, complaint.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
