//! Why the kernel refuses an operation, by its error number.

use crate::api::Refusal;
use aya::programs::ProgramError;
use std::{error::Error, io};

/// `ENOTSUPP` of the kernel, which has no name in user space.
pub(super) const ENOTSUPP: i32 = 524;

impl Refusal {
    /// Kind of an error: that of the first error number in its chain of sources.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let number = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        match number {
            None => error.source().map_or(Self::Other, Self::of),
            Some(libc::EPERM) => Self::Permission,
            Some(libc::EOPNOTSUPP | libc::ENOSYS | ENOTSUPP) => Self::Unsupported,
            Some(_) => Self::Other,
        }
    }
}

/// A refused operation, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refused {
    pub(super) kind: Refusal,
    pub(super) message: String,
}

impl Refused {
    /// An operation of the named program that failed.
    pub(super) fn program(name: &str, error: &(dyn Error + 'static)) -> Self {
        let kind = match error.downcast_ref::<ProgramError>() {
            Some(ProgramError::LoadError { verifier_log, .. }) if lacks_helper(&verifier_log.to_string()) => {
                Refusal::Unsupported
            }
            _ => Refusal::of(error),
        };
        Self { kind, message: format!("{name}: {}", brief(&one_line(error))) }
    }

    /// A feature that this kernel lacks.
    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self { kind: Refusal::Unsupported, message: message.into() }
    }

    /// An object that is not as the agent expects it.
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self { kind: Refusal::Other, message: message.into() }
    }
}

/// Whether the verifier refuses a program for a helper that the kernel lacks, or lacks in programs of that kind. The
/// error's number is that of every other refusal.
fn lacks_helper(log: &str) -> bool {
    const BEGINNINGS: [&str; 3] = ["unknown func ", "invalid func ", "program of this type cannot use helper "];
    log.lines().any(|line| BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)))
}

/// An error and its sources. Many errors of aya repeat their source's text, which is left out the second time.
pub(super) fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}

/// The first and the last line of a verifier's log, without its statistics. The whole log goes to the debug log.
fn brief(text: &str) -> String {
    const STATISTICS: [&str; 3] = ["verification time ", "stack depth ", "processed "];
    tracing::debug!("{text}");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.filter(|line| !STATISTICS.iter().any(|s| line.starts_with(s))).collect();
    match lines.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{first} … {last}"),
    }
}

#[cfg(test)]
mod tests;
