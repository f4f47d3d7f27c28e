//! Errors of the plugin: one line with a remedy.

use serde::Serialize;
use std::fmt;

/// An error with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The error and its place.
    pub what: String,
    /// The remedy; empty if unknown.
    pub remedy: String,
}

impl Failure {
    /// From any text, without its line breaks.
    pub fn new(what: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { what: line(what.as_ref()), remedy: line(remedy.as_ref()) }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(self, place: impl AsRef<str>) -> Self {
        Self::new(format!("{}: {}", place.as_ref(), self.what), self.remedy)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, remedy } = self;
        f.write_str(what)?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "; {remedy}") }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
