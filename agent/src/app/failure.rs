//! A failure with its exit code.

use crate::config::Exit;

/// A failure with its exit code.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// The failure, on one line.
    pub error: anyhow::Error,
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: Exit::Failure, error: error.into() }
    }
}

impl Failure {
    /// A mistake in the command line or the configuration.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    /// Something that this machine or its permissions lack.
    pub fn unsupported(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Unsupported, error: error.into() }
    }
}
