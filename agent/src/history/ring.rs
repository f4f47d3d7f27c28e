//! The folder of segments: bounded, the oldest go first.
//!
//! A segment that is being written is `START-RUN-NUMBER.open`. Once it is whole and on the disk it becomes
//! `START-END-RUN-NUMBER.netwhy`; START and END are wall clock, ms since the Unix epoch, RUN is when the agent started.
//! A start of the agent keeps the whole frames of a segment that a kill left open. Other files are left alone.

use super::block::{Blocks, MAGIC};
use crate::system;
use std::{
    collections::VecDeque,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Files of a folder that are read at most.
const MAX_FILES: usize = 65_536;
/// Held while an agent writes to the folder.
const LOCK: &str = "lock";

/// Name of a segment. Sorts by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Wall clock of the first frame, ms.
    pub(super) start_ms: u64,
    /// Wall clock of the last frame, ms. `None`: it is being written, or was when the agent was killed.
    pub(super) end_ms: Option<u64>,
    /// Wall clock of the agent's start, ms.
    pub(super) run: u64,
    /// Number of the segment in the run.
    pub(super) number: u64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start_ms, end_ms, run, number } = self;
        match end_ms {
            Some(end) => write!(f, "{start_ms:015}-{end:015}-{run:015}-{number:06}.netwhy"),
            None => write!(f, "{start_ms:015}-{run:015}-{number:06}.open"),
        }
    }
}

impl Name {
    /// The name of a file. `None`: it is no segment.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (numbers, kind) = name.rsplit_once('.')?;
        let numbers: Vec<u64> = numbers.split('-').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let parsed = match (kind, numbers.as_slice()) {
            ("netwhy", &[start_ms, end, run, number]) => Self { start_ms, end_ms: Some(end), run, number },
            ("open", &[start_ms, run, number]) => Self { start_ms, end_ms: None, run, number },
            _ => return None,
        };
        // One name per segment.
        (parsed.to_string() == name).then_some(parsed)
    }
}

/// A segment of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) name: Name,
    /// Size of the file.
    pub(super) bytes: u64,
}

/// All segments of a folder, oldest first.
///
/// # Errors
/// When the folder can't be read.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_FILES) {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(Name::parse) else { continue };
        // One that went in the meantime is no error.
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
        {
            segments.push(Segment { name, bytes: metadata.len() });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.name);
    Ok(segments)
}

/// Opens a segment for reading. Never a link.
///
/// # Errors
/// When it is gone, or not readable.
pub(super) fn open(folder: &Path, name: Name) -> io::Result<(File, u64)> {
    let file = system::open_no_link(&folder.join(name.to_string()))?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    Ok((file, metadata.len()))
}

/// A segment that is being written.
#[derive(Debug)]
struct Open {
    name: Name,
    file: File,
    /// Bytes of whole blocks.
    bytes: u64,
    /// Wall clock of the last frame. `None`: there is none.
    last_ms: Option<u64>,
}

/// The writing side of a folder.
#[derive(Debug)]
pub(super) struct Ring {
    folder: PathBuf,
    max_bytes: u64,
    run: u64,
    numbers: u64,
    /// Whole segments, oldest first.
    done: VecDeque<Segment>,
    open: Option<Open>,
    /// Segments without a single whole frame that were found and removed.
    pub(super) lost: u64,
    /// Ends with the ring.
    _lock: File,
}

impl Ring {
    /// Takes over a folder. `run`: wall clock of the agent's start, ms.
    ///
    /// # Errors
    /// When it can't be written, or another agent writes to it.
    pub(super) fn open(folder: &Path, max_bytes: u64, run: u64) -> io::Result<Self> {
        let lock = system::private(OpenOptions::new().create(true).append(true)).open(folder.join(LOCK))?;
        if lock.try_lock().is_err() {
            return Err(io::Error::other("another agent records there"));
        }
        let mut ring = Self {
            folder: folder.to_owned(),
            max_bytes,
            run,
            numbers: 0,
            done: VecDeque::new(),
            open: None,
            lost: 0,
            _lock: lock,
        };
        for segment in segments(folder)? {
            match segment.name.end_ms {
                Some(_) => ring.done.push_back(segment),
                // One that can't be read must not keep the others from being written.
                None if ring.recover(segment.name).is_err() => ring.lost += 1,
                None => {}
            }
        }
        ring.done.make_contiguous().sort_unstable_by_key(|segment| segment.name);
        ring.make_room(0)?;
        Ok(ring)
    }

    /// Keeps the whole frames of a segment that was left open, or removes it.
    fn recover(&mut self, name: Name) -> io::Result<()> {
        let (bytes, last_ms) = whole(&self.folder, name)?;
        let path = self.folder.join(name.to_string());
        let Some(end) = last_ms else {
            self.lost += 1;
            return fs::remove_file(path);
        };
        OpenOptions::new().write(true).open(&path)?.set_len(bytes)?;
        self.rename(Name { end_ms: Some(end.max(name.start_ms)), ..name }, &path, bytes)
    }

    /// Begins a segment with its header.
    ///
    /// # Errors
    /// When it can't be written. Nothing is left of it then.
    pub(super) fn begin(&mut self, unix_ms: u64, header: &[u8]) -> io::Result<()> {
        self.finish()?;
        let name = Name { start_ms: unix_ms, end_ms: None, run: self.run, number: self.numbers };
        self.make_room((MAGIC.len() + header.len()) as u64)?;
        let path = self.folder.join(name.to_string());
        let file = system::private(OpenOptions::new().create_new(true).append(true)).open(&path)?;
        self.numbers += 1;
        self.open = Some(Open { name, file, bytes: 0, last_ms: None });
        self.write(None, &[MAGIC, header].concat())
    }

    /// Adds a frame to the open segment.
    ///
    /// # Errors
    /// When it can't be written. The segment then ends with the frame before.
    pub(super) fn append(&mut self, unix_ms: u64, block: &[u8]) -> io::Result<()> {
        self.write(Some(unix_ms), block)
    }

    /// Size of the open segment.
    pub(super) fn open_bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.bytes)
    }

    /// Size of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.done.iter().map(|segment| segment.bytes).sum::<u64>() + self.open_bytes()
    }

    /// Number of segments.
    pub(super) fn len(&self) -> usize {
        self.done.len() + usize::from(self.open.is_some())
    }

    /// Wall clock of the oldest frame, ms. `None`: there is none.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        let open = self.open.as_ref().filter(|open| open.last_ms.is_some()).map(|open| open.name.start_ms);
        self.done.front().map(|segment| segment.name.start_ms).or(open)
    }

    fn write(&mut self, frame_ms: Option<u64>, bytes: &[u8]) -> io::Result<()> {
        self.make_room(bytes.len() as u64)?;
        loop {
            let Some(open) = &mut self.open else { return Err(io::Error::other("no segment is open")) };
            match open.file.write_all(bytes) {
                Ok(()) => {
                    open.bytes += bytes.len() as u64;
                    open.last_ms = frame_ms.or(open.last_ms);
                    return Ok(());
                }
                Err(error) => {
                    // Half a block would hide those behind it.
                    let is_clean = open.file.set_len(open.bytes).is_ok();
                    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
                    if is_clean && is_full && self.remove_oldest().is_ok_and(|removed| removed) {
                        continue;
                    }
                    let _ = self.finish();
                    return Err(error);
                }
            }
        }
    }

    /// Ends the open segment: it is whole, and on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let Some(Open { name, file, bytes, last_ms }) = self.open.take() else { return Ok(()) };
        let path = self.folder.join(name.to_string());
        let Some(end) = last_ms else { return fs::remove_file(path) };
        file.sync_data()?;
        self.rename(Name { end_ms: Some(end.max(name.start_ms)), ..name }, &path, bytes)
    }

    fn rename(&mut self, name: Name, from: &Path, bytes: u64) -> io::Result<()> {
        fs::rename(from, self.folder.join(name.to_string()))?;
        File::open(&self.folder)?.sync_data()?;
        self.done.push_back(Segment { name, bytes });
        Ok(())
    }

    /// Removes the oldest segments until this many bytes more fit.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        while self.bytes() + more > self.max_bytes {
            if !self.remove_oldest()? {
                return Err(io::Error::other("history.max_mib is too small for a segment"));
            }
        }
        Ok(())
    }

    /// False: there is none but the open one.
    fn remove_oldest(&mut self) -> io::Result<bool> {
        let Some(oldest) = self.done.front() else { return Ok(false) };
        match fs::remove_file(self.folder.join(oldest.name.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.done.pop_front(),
        };
        Ok(true)
    }
}

/// Wall clock of the last whole frame of a segment. `None`: there is none.
///
/// # Errors
/// When it is gone, or not readable.
pub(super) fn last_frame(folder: &Path, name: Name) -> io::Result<Option<u64>> {
    Ok(whole(folder, name)?.1)
}

/// Bytes of a segment's whole blocks, and the wall clock of its last whole frame.
fn whole(folder: &Path, name: Name) -> io::Result<(u64, Option<u64>)> {
    let (file, length) = open(folder, name)?;
    let Ok(mut blocks) = Blocks::open(io::BufReader::new(file), length) else { return Ok((0, None)) };
    let (mut bytes, mut last, mut is_header) = (MAGIC.len() as u64, None, true);
    while let Ok(Some(block)) = blocks.next() {
        bytes += block.bytes;
        if !std::mem::take(&mut is_header) {
            last = Some(block.unix_ms);
        }
    }
    Ok((bytes, last))
}

#[cfg(test)]
mod tests;
