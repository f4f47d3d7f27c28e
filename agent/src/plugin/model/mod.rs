//! What the answers come to: plain data, made by pure functions.

pub mod case;
pub mod diagnose;
pub mod health;
pub mod hints;
pub mod matrix;
pub mod nodes;
pub mod promql;
pub mod status;
pub mod target;
pub mod topology;
pub mod trail;

#[cfg(test)]
pub(crate) mod testing;

pub use target::{Kind, Target};

use super::Trouble;
use serde::Serialize;

/// An agent that did not answer: what is shown is partial.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Silent {
    /// Its Node.
    pub node: String,
    /// Its Pod, `namespace/name`, or its URL.
    pub agent: String,
    /// Why, and what to do.
    pub why: String,
}

impl Silent {
    /// From what happened to a request.
    pub fn new(node: &str, agent: &str, trouble: &Trouble) -> Self {
        Self { node: node.to_owned(), agent: agent.to_owned(), why: trouble.to_string() }
    }
}

/// Milliseconds since the Unix epoch of an RFC 3339 time. `None`: it is none.
pub fn unix_ms(stamp: &str) -> Option<i64> {
    stamp.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}
