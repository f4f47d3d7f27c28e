//! Files of procfs and sysfs that stay open and are read from the beginning each time.

use crate::sample::State;
use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Maximum length of a file, bytes: more than `softnet_stat` has with a thousand CPUs.
const MAX_BYTES: usize = 1 << 20;

/// A file that stays open.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: Option<File>,
}

impl OpenFile {
    /// A file that the first read opens.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Opens the file now. Files of `/proc/sys/net` show the network namespace of the thread that opens them.
    pub(super) fn open(&mut self) {
        self.file = File::open(&self.path).ok();
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the file into `text`. After an error the next read opens it again.
    pub(super) fn read<'t>(&mut self, text: &'t mut Vec<u8>) -> io::Result<&'t str> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        text.clear();
        let mut end = 0;
        loop {
            text.resize(end + 4096, 0);
            match file.read_at(&mut text[end..], end as u64) {
                Ok(0) => break,
                Ok(n) => end += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if end > MAX_BYTES {
                return Err(io::Error::other(format!("longer than {MAX_BYTES} bytes")));
            }
        }
        text.truncate(end);
        self.file = Some(file);
        std::str::from_utf8(text).map_err(io::Error::other)
    }

    /// Reads and parses the file. `missing`: the state if there is no such file.
    pub(super) fn parsed<T>(
        &mut self,
        text: &mut Vec<u8>,
        missing: &State,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, State> {
        match self.read(text) {
            Ok(text) => parse(text).map_err(|error| {
                State::Broken(format!("parse {}: {error}; please report this with its contents", self.path.display()))
            }),
            Err(error) => Err(state_of(&self.path, &error, missing)),
        }
    }
}

/// State of a missing file of the Node's first process.
pub(super) fn hidden() -> State {
    State::Broken("the Node's processes are not visible: set hostPID: true in the chart, or check --procfs".to_owned())
}

/// State of a file that can't be read.
pub(super) fn state_of(path: &Path, error: &io::Error, missing: &State) -> State {
    match error.raw_os_error() {
        // ENODEV: the device disappeared while its file was open.
        Some(libc::ENOENT | libc::ENODEV | libc::ESRCH) => missing.clone(),
        Some(libc::EOPNOTSUPP) => State::Unsupported(format!("{} is disabled in this kernel", path.display())),
        _ => State::Broken(format!("read {}: {error}; the agent needs read access to it", path.display())),
    }
}

#[cfg(test)]
mod tests;
