//! The reports of the commands: plain data, made by pure functions.

pub mod why;
pub mod changed;
pub mod close_up;
pub mod diagnose;
pub mod differs;
pub mod fleet;
pub mod forecast;
pub mod health;
pub mod hints;
pub mod incidents;
pub mod logs;
pub mod map;
pub mod matrix;
pub mod nodes;
pub mod promql;
pub mod settle;
pub mod status;
pub mod target;
pub mod topology;
pub mod causal_path;
pub mod waterfall;

#[cfg(test)]
pub(crate) mod testing;

pub use target::{Kind, Target, is_namespace};

use super::Failure;
use serde::Serialize;

/// An agent that did not answer, so that the report is partial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SilentAgent {
    /// Its Node.
    pub node: String,
    /// Its Pod, `namespace/name`, or its URL.
    pub agent: String,
    /// The reason and the remedy.
    pub why: String,
}

impl SilentAgent {
    /// From a failed request.
    pub fn new(node: &str, agent: &str, failure: &Failure) -> Self {
        Self { node: node.to_owned(), agent: agent.to_owned(), why: failure.to_string() }
    }
}

/// Milliseconds since the Unix epoch of an RFC 3339 time. `None`: not a time.
pub fn unix_ms(stamp: &str) -> Option<i64> {
    stamp.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
