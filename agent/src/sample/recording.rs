//! Recordings: snapshots as JSON lines, so that a run can be replayed to the same hints and metrics.
//!
//! First line: a [`Header`]. Then one line a snapshot. Last line: `{"end": <number of snapshots>}`; a file without it
//! was cut off.

use super::{HostKey, SampleSource, Snapshot, stored::Stored};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io::{BufRead, Write},
    net::Ipv6Addr,
};

/// Version of the format. Version 1 is read too: its rows had other names. Other versions are refused.
const FORMAT: u32 = 2;

/// Facts that a replay needs besides the snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Format version.
    pub netwhy_recording: u32,
    /// Node that was recorded.
    pub node: String,
    /// Its kernel.
    pub kernel: String,
    /// Names of the kernel's drop reasons; index = number.
    pub drop_reasons: Vec<String>,
    /// Prefixes and classes in force: (address, leading bits in IPv6 form, class).
    pub prefixes: Vec<(Ipv6Addr, u8, u32)>,
    /// Nodes of those prefixes whose Node was known: (address, leading bits, name). Not in the first recordings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<(Ipv6Addr, u8, String)>,
}

/// Why a recording can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Reading or writing failed.
    #[error("recording {file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// Not a recording, or one of another version.
    #[error("{file} is no netwhy recording of format {FORMAT} ({what}): make one with `netwhy-agent record FILE`")]
    Header {
        /// The file.
        file: String,
        /// The reason.
        what: String,
    },
    /// A damaged line.
    #[error("recording {file}, line {line}: {what}: the file is damaged; record it again")]
    Line {
        /// The file.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// The reason.
        what: String,
    },
    /// The end is missing.
    #[error("recording {file} ends after {snapshots} snapshots without its end mark: it was cut off; record it again")]
    Truncated {
        /// The file.
        file: String,
        /// Whole snapshots in it.
        snapshots: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct End {
    end: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    End(End),
    Snapshot(Box<Stored>),
}

/// Writes a recording.
pub struct Recorder<W: Write> {
    out: W,
    file: String,
    snapshots: usize,
    /// The Node's counters that did not change are left out of the next line.
    host: HashMap<HostKey, u64>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording; `file` names it in errors.
    ///
    /// # Errors
    /// When writing fails.
    pub fn begin(out: W, file: &str, header: &Header) -> Result<Self, RecordingError> {
        let header = Header { netwhy_recording: FORMAT, ..header.clone() };
        let mut this = Self { out, file: file.to_owned(), snapshots: 0, host: HashMap::new() };
        this.line(&header)?;
        Ok(this)
    }

    fn line<T: Serialize>(&mut self, value: &T) -> Result<(), RecordingError> {
        let wrap = |error| RecordingError::Io { file: self.file.clone(), error };
        serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::other).map_err(wrap)?;
        self.out.write_all(b"\n").map_err(wrap)
    }

    /// Adds a snapshot.
    ///
    /// # Errors
    /// When writing fails.
    pub fn push(&mut self, snapshot: &Snapshot) -> Result<(), RecordingError> {
        let mut stored = Stored::new(snapshot);
        if let Some(host) = stored.host_mut() {
            host.counters.retain(|(signal, on, n)| self.host.insert((*signal, on.clone()), *n) != Some(*n));
        }
        self.line(&stored)?;
        self.snapshots += 1;
        Ok(())
    }

    /// Writes the end mark and returns the writer.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> Result<W, RecordingError> {
        let end = End { end: self.snapshots };
        self.line(&end)?;
        self.out.flush().map_err(|error| RecordingError::Io { file: self.file.clone(), error })?;
        Ok(self.out)
    }
}

/// A whole recording, read and checked; a source of its snapshots.
#[derive(Debug)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    snapshots: std::vec::IntoIter<Snapshot>,
}

impl Recording {
    /// Reads a recording to its end; `file` names it in errors.
    ///
    /// # Errors
    /// [`RecordingError`]: unreadable, no recording, damaged, cut off.
    pub fn read(input: impl BufRead, file: &str) -> Result<Self, RecordingError> {
        let name = || file.to_owned();
        let mut lines = input.lines().enumerate();
        let bad_header = |what: String| RecordingError::Header { file: name(), what };
        let first = match lines.next() {
            None => return Err(bad_header("it is empty".to_owned())),
            Some((_, Err(error))) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(bad_header("it is no text".to_owned()));
            }
            Some((_, Err(error))) => return Err(RecordingError::Io { file: name(), error }),
            Some((_, Ok(text))) => text,
        };
        let header: Header = serde_json::from_str(&first).map_err(|_| bad_header("its first line".to_owned()))?;
        if !(1..=FORMAT).contains(&header.netwhy_recording) {
            return Err(bad_header(format!("it is format {}", header.netwhy_recording)));
        }
        let mut snapshots = Vec::new();
        let mut end = None;
        let mut broken: Option<RecordingError> = None;
        for (i, text) in lines {
            let bad = |what: String| RecordingError::Line { file: name(), line: i + 1, what };
            if let Some(error) = broken {
                // Damage followed by more lines; in the last line it means that the file was cut off.
                return Err(error);
            }
            let text = text.map_err(|error| bad(error.to_string()))?;
            if end.is_some() {
                return Err(bad("there is more after the end mark".to_owned()));
            }
            match serde_json::from_str(&text) {
                Ok(Line::End(mark)) => end = Some(mark.end),
                Ok(Line::Snapshot(stored)) => snapshots.push(stored.restore(header.netwhy_recording).map_err(bad)?),
                Err(_) => broken = Some(bad("it is no snapshot".to_owned())),
            }
        }
        if end.is_none() {
            return Err(RecordingError::Truncated { file: name(), snapshots: snapshots.len() });
        }
        if end != Some(snapshots.len()) {
            let what = format!("the end mark counts {} snapshots, there are {}", end.unwrap_or(0), snapshots.len());
            return Err(RecordingError::Line { file: name(), line: snapshots.len() + 2, what });
        }
        Ok(Self { header, snapshots: snapshots.into_iter() })
    }
}

impl SampleSource for Recording {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        Ok(self.snapshots.next())
    }
}

#[cfg(test)]
mod tests;
