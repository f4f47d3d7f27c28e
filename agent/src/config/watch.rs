//! Watches the configuration file for changes.

use super::Config;
use crate::system;
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

    /// Tests whether the process may read the file again.
    ///
    /// # Errors
    /// The file, the kernel's refusal and the remedy, on one line.
    pub fn check(&self) -> Result<(), String> {
        std::fs::File::open(&self.path).map(drop).map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &std::io::Error) -> String {
        let (path, user) = (self.path.display(), system::user());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => format!("read {path}: {error}: let user {user} read it"),
            _ => format!("read {path}: {error}"),
        }
    }

    /// Reads the file. `None`: its bytes have not changed. `Err`: its mistakes, one a line. Each state of the file is
    /// reported once.
    pub fn changed(&mut self) -> Option<Result<Config, String>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if !self.is_unreadable => {
                self.is_unreadable = true;
                return Some(Err(self.unreadable(&error)));
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
