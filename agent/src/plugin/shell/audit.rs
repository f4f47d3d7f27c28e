//! The record of sessions: JSON lines in a file of the user's.
//!
//! One line when a session begins and one when it ends, with the same `id`; or one that says why it was refused. A session
//! without an end was killed, or its machine failed. The API server's own audit log has the request too, if it keeps one.

use crate::{plugin::Failure, system, text};
use serde::Serialize;
use std::{
    ffi::OsString,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Below the folder of states.
const FILE: &str = "netwhy/audit.jsonl";
/// Longest word of a command in a record, and most words. Some commands are whole scripts.
const MAX_WORD: usize = 2048;
const MAX_WORDS: usize = 64;

/// Who, where and what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct About {
    /// Of this session.
    pub(super) id: String,
    /// The user's name at the API server. `None`: it does not tell.
    pub(super) user: Option<String>,
    /// Why the API server does not tell the user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_unknown: Option<String>,
    /// The user's groups there.
    pub(super) groups: Vec<String>,
    /// User on this machine.
    pub(super) local_user: String,
    /// This machine.
    pub(super) host: String,
    /// Context of the kubeconfig, if it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) context: Option<String>,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) uid: String,
    pub(super) container: String,
    pub(super) node: String,
    /// Words of the command, cut if they are very long or many.
    pub(super) command: Vec<String>,
    pub(super) tty: bool,
    /// File of the recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recording: Option<String>,
    /// ConfigMap with the rules that allowed or forbade it. `None`: there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Entry<'a> {
    /// A session begins.
    Begin {
        time: String,
        #[serde(flatten)]
        about: &'a About,
    },
    /// It was not allowed to.
    Refused {
        time: String,
        #[serde(flatten)]
        about: &'a About,
        why: String,
    },
    /// It ended.
    End {
        time: String,
        id: &'a str,
        seconds: f64,
        /// `exit`, `not_run`, `lost`, `idle_timeout`, `max_time`, `signal`, `failed`.
        end: &'static str,
        /// Exit code of the command. `None`: unknown.
        code: Option<i32>,
        /// More about the end; may be empty.
        why: String,
        bytes_in: u64,
        bytes_out: u64,
        /// Whether there is an Event on the Pod: `written`, or why not.
        pod_event: String,
    },
}

/// The file. `state_home` is `$XDG_STATE_HOME`, and `home` the home folder.
///
/// # Errors
/// When neither is known.
pub(super) fn path(state_home: Option<OsString>, home: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let state = state_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| home.map(|home| home.join(".local/state")));
    let unknown = || Failure::new("no folder for the record of sessions", "set XDG_STATE_HOME to a folder of yours");
    Ok(state.ok_or_else(unknown)?.join(FILE))
}

/// The open file.
#[derive(Debug)]
pub(super) struct Audit(File);

impl Audit {
    /// Opens it for its owner alone, and makes it if there is none.
    ///
    /// # Errors
    /// When it can't be written: no session without a record.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let opened = system::append_privately(path);
        opened.map(Self).map_err(|error| unwritten(&format!("{}: {error}", path.display())))
    }

    /// Adds a line, in one write: several sessions share the file.
    ///
    /// # Errors
    /// When it can't be written.
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        let line = serde_json::to_string(entry).map_err(|error| unwritten(&error.to_string()))?;
        let line = text::json(&line).into_owned() + "\n";
        self.0.write_all(line.as_bytes()).map_err(|error| unwritten(&error.to_string()))
    }
}

fn unwritten(why: &str) -> Failure {
    let remedy = "mend it, or set XDG_STATE_HOME to a folder that you may write to";
    Failure::new(format!("can't write the record of sessions: {why}"), remedy)
}

/// The words of a command, bounded.
pub(super) fn shortened(command: &[String]) -> Vec<String> {
    let cut = |word: &String| {
        if word.len() <= MAX_WORD {
            return word.clone();
        }
        format!("{}… {} bytes", &word[..word.floor_char_boundary(MAX_WORD)], word.len())
    };
    let mut out: Vec<String> = command.iter().take(MAX_WORDS).map(cut).collect();
    if command.len() > MAX_WORDS {
        out.push(format!("… {} words", command.len()));
    }
    out
}

#[cfg(test)]
mod tests;
