//! Completion by kubectl: `kubectl netwhy <TAB>` runs `kubectl_complete-netwhy` from the `PATH` with the words so far.
//!
//! The answer is cobra's: one candidate a line, with a tab before its description. The last line is `:N`, flags for the
//! shell. It comes within a second, and errors are silent: the shell shows them amid the words.

mod names;
mod words;

use super::cli;
use std::{ffi::OsString, io::Write as _, path::Path, time::Duration};
use words::{Asked, Wanted};

/// kubectl waits so long, and people notice.
const LIMIT: Duration = Duration::from_millis(900);
/// Name of the program that kubectl looks for.
const PROGRAM: &str = "kubectl_complete-netwhy";
/// Name of the hidden command that does the same.
const COMMAND: &str = "__complete";
/// cobra's flags: no space behind the candidate; no names of files.
const NO_SPACE: u8 = 2;
const NO_FILES: u8 = 4;

/// The words to complete, if the program was called for that.
pub(super) fn asked(args: &[OsString]) -> Option<Vec<String>> {
    let (program, rest) = args.split_first()?;
    let words = match (Path::new(program).file_stem()?.to_str()?, rest.split_first()) {
        (PROGRAM, _) => rest,
        (_, Some((first, rest))) if first == COMMAND => rest,
        _ => return None,
    };
    Some(words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

/// Prints the candidates.
pub(super) fn print(words: &[String]) {
    let mut command = cli::command(None);
    command.build();
    let asked = words::asked(&command, words);
    let (mut candidates, flags) = match asked.wanted {
        Wanted::Files => (Vec::new(), 0),
        Wanted::Nothing => (Vec::new(), NO_FILES),
        Wanted::Fixed(ref fixed) => (fixed.clone(), NO_FILES),
        Wanted::Named(_) | Wanted::Target(_) | Wanted::Containers(_) => names(&asked),
    };
    // A tab or a line break would forge candidates.
    candidates.retain(|(value, _)| value.starts_with(&asked.prefix) && !value.contains(char::is_control));
    let mut out = String::new();
    for (value, help) in candidates {
        let help = help.lines().next().unwrap_or_default();
        out.push_str(&value);
        if !help.is_empty() {
            out.push('\t');
            out.push_str(help);
        }
        out.push('\n');
    }
    out.push_str(&format!(":{flags}\n"));
    // A closed pipe is no failure.
    let _ = std::io::stdout().write_all(out.as_bytes());
}

/// Names from the kubeconfig or the cluster, and flags. Empty without an answer in time.
fn names(asked: &Asked) -> (Vec<(String, String)>, u8) {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build() else {
        return (Vec::new(), NO_FILES);
    };
    let found = runtime.block_on(async { tokio::time::timeout(LIMIT, names::find(asked)).await });
    // A pending lookup must not delay the exit.
    runtime.shutdown_background();
    let mut found = found.ok().flatten().unwrap_or_default();
    found.sort_unstable();
    let named = found.iter().any(|name| name.starts_with(&asked.prefix));
    let mut candidates: Vec<(String, String)> = found.into_iter().map(|name| (name, String::new())).collect();
    let kinds = match &asked.wanted {
        Wanted::Target(kinds) if !asked.prefix.contains('/') => kinds.as_slice(),
        _ => &[],
    };
    candidates.extend(kinds.iter().map(|kind| (format!("{kind}/"), String::new())));
    // As kubectl: a name follows a kind at once.
    let flags = if named || kinds.is_empty() { NO_FILES } else { NO_FILES | NO_SPACE };
    (candidates, flags)
}
