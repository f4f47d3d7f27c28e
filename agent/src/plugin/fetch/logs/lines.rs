//! Lines of a byte stream, each with a bound.

use super::super::super::model::logs::Line;
use futures::{AsyncBufRead, AsyncBufReadExt as _};
use std::io;

/// Longest line that is kept, bytes, its time included.
const MAX_LINE: usize = 8 << 10;

/// Reads line by line. What a line has beyond the bound is counted and dropped, so that no log fills the memory.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    left_off: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), left_off: 0 }
    }

    /// The next line. `None`: the stream has ended. It may be dropped and asked again: it keeps what it has.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() {
                let rest = !self.line.is_empty() || self.left_off > 0;
                return Ok(rest.then(|| self.take()));
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let kept = part.len().min(MAX_LINE - self.line.len());
            self.line.extend_from_slice(&part[..kept]);
            self.left_off += (part.len() - kept) as u64;
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume_unpin(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> Line {
        let line = Line::read(&self.line, self.left_off);
        self.line.clear();
        self.left_off = 0;
        line
    }
}

#[cfg(test)]
mod tests;
