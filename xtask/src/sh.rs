//! Running other programs, with progress and readable failures.

use anyhow::{Context as _, Result, bail};
use std::{
    env, fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How often a long step says that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
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
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace);
    // What `cargo run` sets for us would look like changed inputs to the build scripts of others.
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_")
            || name_text.starts_with("CARGO_MANIFEST_")
            || name_text == "CARGO_BIN_NAME"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Whether a program can be found.
pub(crate) fn in_path(program: &str) -> bool {
    env::split_paths(&env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(program).is_file())
}

/// Progress goes to stderr, results to stdout.
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
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

/// Runs a program quietly, with a line of progress; shows the end of its output when it fails.
pub(crate) fn step(what: &str, command: &mut Command) -> Result<()> {
    let (passed, text) = captured(what, command)?;
    if passed {
        return Ok(());
    }
    // A build script's progress arrives as warnings.
    let noise = |line: &str| {
        line.starts_with("warning: ") && [":    Compiling ", ":     Finished "].iter().any(|it| line.contains(it))
    };
    let lines: Vec<&str> = text.lines().filter(|line| !noise(line)).collect();
    bail!("`{}` failed:\n{}", shown(command), lines[lines.len().saturating_sub(TAIL)..].join("\n"))
}

/// Runs a program with a line of progress; returns whether it succeeded, and all of its output.
pub(crate) fn captured(what: &str, command: &mut Command) -> Result<(bool, String)> {
    let line = shown(command);
    let start = Instant::now();
    eprint!("  {what} …");
    let (mut reader, writer) = std::io::pipe().context("make a pipe")?;
    // One pipe for both keeps the order of lines.
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("make a pipe")?).stderr(writer);
    let child = command.spawn().with_context(|| format!("start `{line}`"));
    // The command holds the pipe's writing end until it is given others: the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let (done, is_done) = mpsc::channel::<()>();
    let ticker = thread::spawn(move || {
        while is_done.recv_timeout(SIGN_OF_LIFE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprint!(" {} s", start.elapsed().as_secs());
            let _ = std::io::stderr().flush();
        }
    });
    let mut bytes = Vec::new();
    let read = reader.read_to_end(&mut bytes);
    let status = child.wait();
    drop(done);
    let _ = ticker.join();
    read.with_context(|| format!("read the output of `{line}`"))?;
    let status = status.with_context(|| format!("wait for `{line}`"))?;
    let verdict = if status.success() { "ok" } else { "failed" };
    eprintln!(" {verdict} ({:.1} s)", start.elapsed().as_secs_f64());
    Ok((status.success(), String::from_utf8_lossy(&bytes).into_owned()))
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
