//! Files of procfs and sysfs that are read again and again: opened once, read from the beginning each time.

use crate::sample::State;
use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Read at most, in bytes: `softnet_stat` of some thousand CPUs. What is longer is no file that we know.
const MAX_BYTES: usize = 1 << 20;

/// One file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    file: Option<File>,
}

impl Kept {
    /// Not opened yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// Opens it now: files of `/proc/sys/net` belong to the network namespace of the thread that opens them.
    pub(super) fn open(&mut self) {
        self.file = File::open(&self.path).ok();
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Its text into `text`. A file that can't be read is opened anew the next time.
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

    /// Reads and parses. `missing`: what it means when there is no such file.
    pub(super) fn parsed<T>(
        &mut self,
        text: &mut Vec<u8>,
        missing: &State,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, State> {
        match self.read(text) {
            Ok(text) => parse(text).map_err(|what| {
                State::Broken(format!("parse {}: {what}; please report this with its text", self.path.display()))
            }),
            Err(error) => Err(state_of(&self.path, &error, missing)),
        }
    }
}

/// What an error means.
pub(super) fn state_of(path: &Path, error: &io::Error, missing: &State) -> State {
    match error.raw_os_error() {
        // ENODEV: the device went while its file was open.
        Some(libc::ENOENT | libc::ENODEV | libc::ESRCH) => missing.clone(),
        Some(libc::EOPNOTSUPP) => State::Unsupported(format!("{} is switched off in this kernel", path.display())),
        _ => State::Broken(format!("read {}: {error}; the agent needs read access to it", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_shows_its_newest_text_each_time() {
        let path = std::env::temp_dir().join(format!("netwhy-kept-{}", std::process::id()));
        std::fs::write(&path, "one").unwrap();
        let mut kept = Kept::new(path.clone());
        let mut text = Vec::new();
        assert_eq!(kept.read(&mut text).unwrap(), "one");
        let long = "two".repeat(5000);
        std::fs::write(&path, &long).unwrap();
        assert_eq!(kept.read(&mut text).unwrap(), long);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn missing_switched_off_and_refused_are_three_things() {
        let path = Path::new("/proc/pressure/cpu");
        let of = |code| state_of(path, &io::Error::from_raw_os_error(code), &State::Absent);
        assert_eq!(of(libc::ENOENT), State::Absent);
        assert!(matches!(of(libc::EOPNOTSUPP), State::Unsupported(_)));
        assert!(matches!(of(libc::EACCES), State::Broken(why) if why.contains("/proc/pressure/cpu")));
    }
}
