//! Errors of a configuration: all of them at once.

use std::fmt;

/// One mistake, with its place and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Line in the file, from 1. `None`: the whole file, or an unknown line.
    pub line: Option<usize>,
    /// Key, such as `thresholds.loss_ratio` or `peers.external[2]`. `None`: the whole file.
    pub path: Option<String>,
    /// The mistake and its remedy.
    pub message: String,
}

/// Every mistake of one configuration, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// Name of the file.
    pub origin: String,
    /// The mistakes.
    pub errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// One mistake of the whole file.
    pub(super) fn file(origin: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { origin: origin.to_owned(), errors: vec![ConfigError { line, path: None, message: message.into() }] }
    }
}

impl fmt::Display for ConfigErrors {
    /// One line per mistake: `error: FILE:LINE: KEY: mistake: remedy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, ConfigError { line, path, message }) in self.errors.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "error: {}", self.origin)?;
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
            if let Some(path) = path {
                write!(f, "{path}: ")?;
            }
            f.write_str(message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
