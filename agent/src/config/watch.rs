//! Watches the configuration file for changes.

use super::Config;
use std::{path::PathBuf, sync::atomic::AtomicU64};

/// Counts of readings of a changed file.
#[derive(Debug, Default)]
pub struct ReloadCounters {
    /// Accepted.
    pub ok: AtomicU64,
    /// Refused.
    pub failed: AtomicU64,
}

/// A configuration file, and its bytes when it was last read.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    bytes: Vec<u8>,
    is_unreadable: bool,
}

impl ConfigFile {
    /// A file that was just read.
    pub fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes, is_unreadable: false }
    }

    /// Reads the file. `None`: its bytes have not changed. `Err`: its mistakes, one a line. Each state of the file is
    /// reported once.
    pub fn changed(&mut self) -> Option<Result<Config, String>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if !self.is_unreadable => {
                self.is_unreadable = true;
                return Some(Err(format!("read {}: {error}", self.path.display())));
            }
            Err(_) => return None,
        };
        self.is_unreadable = false;
        if bytes == self.bytes {
            return None;
        }
        match Config::load(&self.path) {
            Ok((config, bytes)) => {
                self.bytes = bytes;
                Some(Ok(config))
            }
            Err(errors) => {
                self.bytes = bytes;
                Some(Err(errors.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
