//! Running other programs, with progress and readable failures.

#[cfg(test)]
mod tests;

use crate::progress::{self, Step};
use anyhow::{Context as _, Result, bail};
use std::{
    env, fs,
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Lines of a failed step's output that are shown.
const TAIL: usize = 30;

/// The workspace's folder.
pub(crate) fn workspace() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(Path::to_path_buf).context("xtask's folder has no parent")
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(workspace: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
}

/// `cargo` in the workspace: the one that runs us.
pub(crate) fn cargo(workspace: &Path) -> Command {
    netwhy_tests::built::cargo(workspace)
}

/// Whether a program can be found.
pub(crate) fn in_path(program: &str) -> bool {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(program).is_file())
}

/// Progress goes to stderr, results to stdout.
pub(crate) fn say(text: &str) {
    progress::print(text);
}

/// As one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let parts = [program].into_iter().chain(command.get_args());
    parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Runs a program to its end and returns what it printed on stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a program whose output and input are the user's.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("start `{line}`"))?;
    if status.success() { Ok(()) } else { bail!("`{line}` failed ({status})") }
}

/// Runs a program quietly, with a line of progress. Shows the end of its output when it fails.
pub(crate) fn step(name: &str, command: &mut Command) -> Result<()> {
    let (succeeded, text) = captured(name, command, |_| None)?;
    if succeeded {
        return Ok(());
    }
    let lines: Vec<&str> = text.lines().collect();
    bail!("`{}` failed:\n{}", shown(command), lines[lines.len().saturating_sub(TAIL)..].join("\n"))
}

/// Runs cargo quietly, with a line of progress. Shows all errors when it fails. `usual`: how long it takes as a rule.
pub(crate) fn compile(name: &str, usual: &'static str, command: &mut Command) -> Result<()> {
    // Cargo's own progress bar is the only place where it says how much there is to do.
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "60");
    command.env("CARGO_TERM_COLOR", "never");
    let step = Step::begin(name, Some(usual));
    let mut kept = String::new();
    let succeeded = lines(command, |line| match read_cargo(line) {
        CargoLine::Progress(done, all) => step.set_units(done, all),
        CargoLine::Status => {}
        CargoLine::Message => {
            kept.push_str(line);
            kept.push('\n');
        }
    })?;
    step.end(succeeded);
    if succeeded { Ok(()) } else { bail!("`{}` failed:\n{}", shown(command), kept.trim()) }
}

/// Runs a program with a line of progress. `done_of_all`: units of work, done and all, as far as a line of its output
/// changes them. Returns whether it succeeded, and all of its output.
pub(crate) fn captured(
    name: &str,
    command: &mut Command,
    mut done_of_all: impl FnMut(&str) -> Option<(u64, u64)>,
) -> Result<(bool, String)> {
    let step = Step::begin(name, None);
    let mut text = String::new();
    let succeeded = lines(command, |line| {
        if let Some((done, all)) = done_of_all(line) {
            step.set_units(done, all);
        }
        text.push_str(line);
        text.push('\n');
    })?;
    step.end(succeeded);
    Ok((succeeded, text))
}

/// Runs a program to its end and passes on each line of its output. Returns whether it succeeded.
fn lines(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<bool> {
    let line = shown(command);
    let (mut reader, writer) = std::io::pipe().context("make a pipe")?;
    // One pipe for both keeps the order of lines.
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("make a pipe")?).stderr(writer);
    let child = command.spawn().with_context(|| format!("start `{line}`"));
    // The command holds the pipe's writing end until it is given others: the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let read = split_lines(&mut reader, &mut on_line);
    let status = child.wait().with_context(|| format!("wait for `{line}`"))?;
    read.with_context(|| format!("read the output of `{line}`"))?;
    Ok(status.success())
}

/// Passes on each line. A progress bar ends its lines with a carriage return, a serial console with both.
fn split_lines(reader: &mut impl Read, on_line: &mut impl FnMut(&str)) -> std::io::Result<()> {
    let (mut line, mut chunk) = (Vec::new(), [0; 8192]);
    let mut last = b'\n';
    loop {
        let length = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for byte in &chunk[..length] {
            match (last, *byte) {
                (b'\r', b'\n') => {}
                (_, b'\r' | b'\n') => {
                    on_line(&String::from_utf8_lossy(&line));
                    line.clear();
                }
                (_, byte) => line.push(byte),
            }
            last = *byte;
        }
    }
    if !line.is_empty() {
        on_line(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

/// A line of cargo's output.
#[derive(Debug, PartialEq, Eq)]
enum CargoLine {
    /// The progress bar: units of work that are done, and all.
    Progress(u64, u64),
    /// `   Compiling anyhow v1.0.104`
    Status,
    /// An error, a warning, or the program's own output.
    Message,
}

fn read_cargo(line: &str) -> CargoLine {
    // A redrawn line begins with the sequence that erases the one before it.
    let line = line.trim_start_matches("\x1b[K");
    let verb = line.get(..12).map(str::trim_start).filter(|verb| {
        line[12..].starts_with(' ')
            && verb.starts_with(|c: char| c.is_ascii_uppercase())
            && verb.chars().all(|c| c.is_ascii_alphabetic())
    });
    if verb.is_none() {
        return if line.trim().is_empty() { CargoLine::Status } else { CargoLine::Message };
    }
    let units = line.split_once("] ").and_then(|(_, rest)| rest.split([':', ' ']).next()?.split_once('/'));
    match units.map(|(done, all)| (done.parse(), all.parse())) {
        Some((Ok(done), Ok(all))) => CargoLine::Progress(done, all),
        _ => CargoLine::Status,
    }
}

/// Keeps a text below `target/xtask/` for later reading.
pub(crate) fn keep_log(workspace: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let dir = target_dir(workspace).join("xtask");
    let file = dir.join(name);
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&file, text))
        .with_context(|| format!("write {}", file.display()))?;
    Ok(file)
}
