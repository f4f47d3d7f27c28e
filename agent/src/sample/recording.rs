//! Recordings: snapshots as JSON lines, so that a run can be replayed to the same hints and metrics.
//!
//! First line: a [`Header`]. Then one line a snapshot. Last line: `{"end": <number of snapshots>}`; a file without it
//! was cut off.

use super::{HostKey, SampleSource, Snapshot, stored::Stored};
use crate::text::{json_values, printable};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    io::{BufRead, Read as _, Write},
    net::Ipv6Addr,
    time::Duration,
};

/// Version of the format. Version 1 is read too: its rows had other names. Other versions are refused.
const FORMAT: u32 = 2;
/// Longest line, bytes. A snapshot of 65,536 edges has about 40 MB; the recorder refuses longer ones too.
const MAX_LINE: u64 = 64 << 20;
/// Most values in a line. Each may cost 64 bytes while the line is read.
const MAX_VALUES: usize = 4 << 20;

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

/// What the first lines of all formats have.
#[derive(Deserialize)]
struct Form {
    netwhy_recording: u32,
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
    /// A snapshot is too long for a line.
    #[error("recording {file}: a snapshot is longer than {} MiB: lower limits.edges", MAX_LINE >> 20)]
    Long {
        /// The file.
        file: String,
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

/// Counts what passes.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
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
        let mut out = Counted { out: &mut self.out, bytes: 0 };
        serde_json::to_writer(&mut out, value).map_err(std::io::Error::other).map_err(wrap)?;
        if out.bytes > MAX_LINE {
            return Err(RecordingError::Long { file: self.file.clone() });
        }
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

/// A recording; a source of its snapshots, one at a time. Each line is checked when it is read.
#[derive(Debug)]
pub struct Recording<R> {
    /// Its first line.
    pub header: Header,
    lines: Lines<R>,
    /// Snapshots read.
    snapshots: usize,
    /// Time of the last one.
    at: Duration,
    ended: bool,
}

/// The lines of a file, none longer than [`MAX_LINE`].
#[derive(Debug)]
struct Lines<R> {
    input: R,
    file: String,
    /// Number of the last line, from 1.
    number: usize,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads the next line. False: there is none.
    fn advance(&mut self) -> Result<bool, RecordingError> {
        self.line.clear();
        self.number += 1;
        let read = self.input.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| RecordingError::Io { file: self.file.clone(), error })?;
        if self.line.pop_if(|last| *last == b'\n').is_none() && read as u64 > MAX_LINE {
            return Err(self.bad(format!("it is longer than {} MiB", MAX_LINE >> 20)));
        }
        if json_values(&self.line) > MAX_VALUES {
            return Err(self.bad(format!("it has more than {MAX_VALUES} values")));
        }
        Ok(read > 0)
    }

    fn is_at_end(&mut self) -> Result<bool, RecordingError> {
        let rest = self.input.fill_buf().map(<[u8]>::is_empty);
        rest.map_err(|error| RecordingError::Io { file: self.file.clone(), error })
    }

    fn bad(&self, what: String) -> RecordingError {
        RecordingError::Line { file: self.file.clone(), line: self.number, what: shown(&what) }
    }
}

/// A reason as one line of bounded length: names in it come from the file.
fn shown(what: &str) -> String {
    const MOST: usize = 200;
    let cut: String = what.chars().take(MOST).collect();
    let more = if cut.len() < what.len() { " …" } else { "" };
    format!("{}{more}", printable(&cut))
}

impl<R: BufRead> Recording<R> {
    /// Reads the header of a recording; `file` names it in errors.
    ///
    /// # Errors
    /// [`RecordingError`]: unreadable, or no recording.
    pub fn read(input: R, file: &str) -> Result<Self, RecordingError> {
        let mut lines = Lines { input, file: file.to_owned(), number: 0, line: Vec::new() };
        let bad_header = |what: String| RecordingError::Header { file: file.to_owned(), what };
        if !lines.advance()? {
            return Err(bad_header("it is empty".to_owned()));
        }
        if std::str::from_utf8(&lines.line).is_err() {
            return Err(bad_header("it is no text".to_owned()));
        }
        let none = |_| bad_header("its first line".to_owned());
        // Before the rest, which a later format may lack.
        let Form { netwhy_recording } = serde_json::from_slice(&lines.line).map_err(none)?;
        if !(1..=FORMAT).contains(&netwhy_recording) {
            return Err(bad_header(format!("it is format {netwhy_recording}")));
        }
        let header = serde_json::from_slice(&lines.line).map_err(none)?;
        Ok(Self { header, lines, snapshots: 0, at: Duration::ZERO, ended: false })
    }

    /// The next snapshot. `None`: the recording ends here.
    fn next_snapshot(&mut self) -> Result<Option<Snapshot>, RecordingError> {
        if self.ended {
            return Ok(None);
        }
        let cut_off = RecordingError::Truncated { file: self.lines.file.clone(), snapshots: self.snapshots };
        if !self.lines.advance()? {
            return Err(cut_off);
        }
        let stored = match serde_json::from_slice(&self.lines.line) {
            Ok(Line::Snapshot(stored)) => stored,
            Ok(Line::End(mark)) => return self.end(mark.end).map(|()| None),
            // In the last line, damage means that the file was cut off.
            Err(_) if self.lines.is_at_end()? => return Err(cut_off),
            Err(_) => return Err(self.lines.bad("it is no snapshot".to_owned())),
        };
        self.snapshots += 1;
        let snapshot = stored.restore(self.header.netwhy_recording).map_err(|what| self.lines.bad(what))?;
        if snapshot.at < self.at {
            return Err(self.lines.bad("its time is before that of the snapshot before it".to_owned()));
        }
        self.at = snapshot.at;
        Ok(Some(snapshot))
    }

    /// Checks the end mark.
    fn end(&mut self, marked: usize) -> Result<(), RecordingError> {
        if marked != self.snapshots {
            let what = format!("the end mark counts {marked} snapshots, there are {}", self.snapshots);
            return Err(self.lines.bad(what));
        }
        if !self.lines.is_at_end()? {
            self.lines.number += 1;
            return Err(self.lines.bad("there is more after the end mark".to_owned()));
        }
        self.ended = true;
        Ok(())
    }
}

impl<R: BufRead> SampleSource for Recording<R> {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        Ok(self.next_snapshot()?)
    }
}

#[cfg(test)]
mod tests;
