//! Facts about cgroups under a deadline: a cgroup file system that hangs makes them old, and delays no tick.

use super::{FactsPace, FactsReader};
use crate::{
    deadline::{Answer, Read, Reads},
    sample::CgroupFacts,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Reads facts about cgroups on a thread of its own.
pub struct TimelyFacts {
    reads: Reads<(Duration, Vec<u64>), Vec<CgroupFacts>>,
    /// The newest answer, and when it was asked for.
    last: Vec<CgroupFacts>,
    answered: Option<Duration>,
    handle: FactsHandle,
}

/// A hand on the readings of a [`TimelyFacts`], for other threads.
#[derive(Clone, Debug)]
pub struct FactsHandle {
    /// Age of the newest facts.
    pub age: FactsAge,
    pace: Arc<Mutex<FactsPace>>,
}

impl FactsHandle {
    /// Another pace, from the next reading on.
    pub fn set_pace(&self, pace: FactsPace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    fn pace(&self) -> FactsPace {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Age of the newest facts.
#[derive(Clone, Debug)]
pub struct FactsAge(Arc<AtomicU64>);

impl FactsAge {
    /// Unknown yet.
    const NONE: u64 = u64::MAX;

    /// The age at the last call of [`TimelyFacts::read`]. `None`: there are no facts yet.
    pub fn get(&self) -> Option<Duration> {
        let ns = self.0.load(Ordering::Relaxed);
        (ns != Self::NONE).then(|| Duration::from_nanos(ns))
    }

    fn set(&self, age: Option<Duration>) {
        let ns = age.map_or(Self::NONE, |age| u64::try_from(age.as_nanos()).unwrap_or(Self::NONE - 1));
        self.0.store(ns, Ordering::Relaxed);
    }
}

impl TimelyFacts {
    /// No thread starts before the first reading.
    pub fn new(mut reader: FactsReader) -> Self {
        let age = FactsAge(Arc::new(AtomicU64::new(FactsAge::NONE)));
        let handle = FactsHandle { age, pace: Arc::new(Mutex::new(reader.pace())) };
        let hand = handle.clone();
        let read: Read<(Duration, Vec<u64>), _> = Box::new(move |(now, named)| {
            reader.set_pace(hand.pace());
            reader.read(*now, named)
        });
        Self { reads: Reads::new("netwhy-cgroups", vec![read]), last: Vec::new(), answered: None, handle }
    }

    /// The age of the facts, and the pace of readings.
    pub fn handle(&self) -> FactsHandle {
        self.handle.clone()
    }

    /// Facts about every living cgroup, and about those of `named` that were removed; those of the last answer while
    /// there is no newer one. `now` is monotonic.
    pub fn read(&mut self, now: Duration, named: &[u64]) -> Vec<CgroupFacts> {
        if let Some(Answer::Ready(facts)) = self.reads.ask(&(now, named.to_vec())).pop() {
            self.last = facts;
            self.answered = Some(now);
        }
        self.handle.age.set(self.answered.map(|at| now.saturating_sub(at)));
        self.last.clone()
    }
}

#[cfg(test)]
mod tests;
