//! Facts on cgroups for a snapshot: paths at once, control files in turn within a time budget.

use super::{CgroupTable, FileError, Reader};
use crate::sample::CgroupFacts;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Between two readings of what hardly ever changes.
const RARELY: Duration = Duration::from_secs(60);

/// Reads the control files of living cgroups, so often as time allows.
pub struct FactsReader {
    table: CgroupTable,
    reader: Reader,
    every: Duration,
    budget: Duration,
    files: bool,
    known: HashMap<u64, Known>,
    /// Files that were there and could not be read or understood.
    errors: u64,
}

struct Known {
    facts: CgroupFacts,
    read: Option<Duration>,
    /// When its weight was read.
    weighed: Option<Duration>,
}

impl FactsReader {
    /// Control files are read every `every` per cgroup, and for at most `budget` per call: the ones that waited longest
    /// go first, so that many cgroups make each one's turn rarer, not the agent dearer. `files`: false leaves them all.
    pub fn new(table: CgroupTable, reader: Reader, every: Duration, budget: Duration, files: bool) -> Self {
        Self { table, reader, every, budget, files, known: HashMap::new(), errors: 0 }
    }

    /// Files that could not be read or understood, so far.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Facts on every living cgroup, and on those of `named` that are gone. `now` is monotonic.
    pub fn read(&mut self, now: Duration, named: &[u64]) -> Vec<CgroupFacts> {
        self.table.refresh();
        for known in self.known.values_mut() {
            known.facts.alive = false;
        }
        for (id, path) in self.table.live() {
            let known = self.known.entry(id).or_insert_with(|| Known {
                facts: CgroupFacts { id, path: Some(path), ..CgroupFacts::default() },
                read: None,
                weighed: None,
            });
            known.facts.alive = true;
        }
        for id in named {
            if !self.known.contains_key(id) {
                let path = self.table.path(*id).map(|(path, _)| path);
                let facts = CgroupFacts { id: *id, path, ..CgroupFacts::default() };
                self.known.insert(*id, Known { facts, read: None, weighed: None });
            } else if let Some(known) = self.known.get_mut(id)
                && known.facts.path.is_none()
            {
                known.facts.path = self.table.path(*id).map(|(path, _)| path);
            }
        }
        self.known.retain(|id, known| known.facts.alive || named.binary_search(id).is_ok());
        if self.files {
            self.read_files(now);
        }
        self.known.values().map(|known| known.facts.clone()).collect()
    }

    fn read_files(&mut self, now: Duration) {
        let due = |known: &Known| known.read.is_none_or(|read| now.saturating_sub(read) >= self.every);
        let mut turn: Vec<(Option<Duration>, u64)> =
            (self.known.values()).filter(|k| k.facts.alive && due(k)).map(|k| (k.read, k.facts.id)).collect();
        turn.sort_unstable();
        let began = Instant::now();
        for (_, id) in turn {
            if began.elapsed() >= self.budget {
                break;
            }
            let Some(known) = self.known.get_mut(&id) else { continue };
            let Some(path) = known.facts.path.clone().filter(|path| path != "/") else { continue };
            known.read = Some(now);
            let mut errors = 0;
            let facts = &mut known.facts;
            facts.cpu = told(self.reader.cpu(&path), &mut errors);
            facts.usage_us = match facts.cpu {
                Some(cpu) => Some(cpu.usage_us),
                None => told(self.reader.usage_us(&path), &mut errors),
            };
            // Set when a Pod begins, and hardly ever after.
            if known.weighed.is_none_or(|at| now.saturating_sub(at) >= RARELY) {
                known.weighed = Some(now);
                facts.cpu_weight = told(self.reader.cpu_weight(&path), &mut errors);
            }
            facts.pressure = told(self.reader.pressure(&path), &mut errors);
            facts.oom_kills = told(self.reader.oom_kills(&path), &mut errors);
            facts.oom_own = !self.reader.oom_kills_include_descendants();
            // Nobody asks about limits of memory that nobody waits for.
            if facts.memory_limit_hits.is_none() || facts.pressure.is_some_and(|p| p.memory_some_us > 0) {
                facts.memory_limit_hits = told(self.reader.memory_limit_hits(&path), &mut errors);
            }
            self.errors += errors;
        }
    }
}

/// What a file told. `None` also when it could not be read or understood, which counts.
fn told<T>(result: Result<Option<T>, FileError>, errors: &mut u64) -> Option<T> {
    result.unwrap_or_else(|error| {
        *errors += 1;
        tracing::debug!(%error, "cgroup file");
        None
    })
}
