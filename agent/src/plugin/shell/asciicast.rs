//! Recordings as asciicast v2: a header line, then a line per output and change of size.

use super::local::Size;
use crate::{plugin::Failure, system, text};
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

/// Size of a recording without a terminal.
pub(super) const NO_TERMINAL: Size = Size { columns: 80, rows: 24 };

/// Content of the header.
#[derive(Clone, Debug)]
pub(super) struct Head<'a> {
    pub(super) size: Size,
    /// Wall clock of the begin, s since the Unix epoch.
    pub(super) begin: i64,
    /// Words of the command.
    pub(super) command: &'a [String],
    /// Where it ran.
    pub(super) title: &'a str,
}

/// A recording. Input is not in it, but for what the terminal echoes: it may hold passwords.
pub(super) struct Cast<W> {
    out: W,
    /// The beginning of a character whose rest has not come yet.
    rest: Vec<u8>,
}

/// Creates the file, for its owner alone.
///
/// # Errors
/// When there is such a file, or it can't be made.
pub(super) fn create(path: &Path, head: &Head<'_>) -> Result<Cast<File>, Failure> {
    let wrong = |error: io::Error| {
        let remedy = "name a new file in a folder that you may write to";
        Failure::new(format!("can't record to {}: {error}", path.display()), remedy)
    };
    let file = system::private(OpenOptions::new().write(true).create_new(true)).open(path).map_err(wrong)?;
    Cast::begin(file, head).map_err(wrong)
}

impl<W: io::Write> Cast<W> {
    pub(super) fn begin(out: W, head: &Head<'_>) -> io::Result<Self> {
        let Head { size, begin, command, title } = head;
        let mut this = Self { out, rest: Vec::new() };
        this.line(&json!({
            "version": 2, "width": size.columns, "height": size.rows, "timestamp": begin,
            "command": command.join(" "), "title": title,
        }))?;
        Ok(this)
    }

    /// Bytes that were shown so long after the begin.
    pub(super) fn output(&mut self, at: Duration, bytes: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let whole = self.rest.len() - unfinished(&self.rest);
        let text = String::from_utf8_lossy(&self.rest[..whole]).into_owned();
        self.rest.drain(..whole);
        self.event(at, "o", &text)
    }

    /// The terminal's new size.
    pub(super) fn resized(&mut self, at: Duration, size: Size) -> io::Result<()> {
        self.event(at, "r", &format!("{}x{}", size.columns, size.rows))
    }

    /// Writes what is left.
    pub(super) fn end(&mut self, at: Duration) -> io::Result<()> {
        let text = String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned();
        self.event(at, "o", &text)
    }

    fn event(&mut self, at: Duration, kind: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let seconds = at.as_micros() as f64 / 1e6;
        self.line(&json!([seconds, kind, text]))
    }

    /// Each line in one write: what is on the screen is in the file.
    fn line(&mut self, value: &serde_json::Value) -> io::Result<()> {
        let line = text::json(&value.to_string()).into_owned() + "\n";
        self.out.write_all(line.as_bytes())
    }
}

/// Bytes at the end that may be the beginning of a character: three at most.
fn unfinished(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if back < length { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests;
