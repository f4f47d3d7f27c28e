//! Limit and use under a deadline: a cgroup file system that hangs makes them old, and delays no tick.

use super::{Limit, Reading};
use crate::{
    api::LimitSource,
    deadline::{Answer, Read, Reads},
};

/// Reads limit and use on a thread of its own.
pub struct TimelyLimit {
    reads: Reads<Option<u64>, (Reading, LimitSource)>,
    /// The newest answer.
    last: (Reading, LimitSource),
}

impl TimelyLimit {
    /// No thread starts before the first reading.
    pub fn new(limit: Limit) -> Self {
        let read: Read<Option<u64>, _> = Box::new(move |resident| {
            let reading = limit.read(*resident);
            (reading, limit.source(reading))
        });
        Self { reads: Reads::new("netwhy-memory", vec![read]), last: Default::default() }
    }

    /// Limit and use of now, and where the limit comes from; those of the last answer while there is no newer one, and
    /// unknown ones before the first. `resident`: as [`Limit::read`] takes it, bytes.
    pub fn read(&mut self, resident: Option<u64>) -> (Reading, LimitSource) {
        if let Some(Answer::Ready(answer)) = self.reads.ask(&resident).pop() {
            self.last = answer;
        }
        self.last
    }
}

#[cfg(test)]
mod tests;
