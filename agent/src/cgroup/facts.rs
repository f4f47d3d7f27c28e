//! Facts about cgroups for a snapshot: all paths, and control files in turn within a time budget.

use super::{CgroupTable, FileError, Reader};
use crate::sample::{CgroupFacts, shrink};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Time between two readings of the CPU weight, which hardly ever changes.
const WEIGHT_INTERVAL: Duration = Duration::from_secs(60);

/// Pace of readings of control files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactsPace {
    /// Shortest time between two readings of one cgroup.
    pub every: Duration,
    /// Longest time of one call.
    pub budget: Duration,
    /// Whether control files are read at all.
    pub is_on: bool,
}

/// Reads the control files of living cgroups within a time budget.
pub struct FactsReader {
    table: CgroupTable,
    reader: Reader,
    pace: FactsPace,
    known: HashMap<u64, Known>,
    /// Number of existing files that could not be read or parsed.
    errors: u64,
}

struct Known {
    facts: CgroupFacts,
    read: Option<Duration>,
    /// When its CPU weight was read.
    weight_read: Option<Duration>,
}

impl Known {
    /// Forgets what the control files said.
    fn forget(&mut self) {
        let CgroupFacts { id, path, alive, .. } = std::mem::take(&mut self.facts);
        self.facts = CgroupFacts { id, path, alive, ..CgroupFacts::default() };
        (self.read, self.weight_read) = (None, None);
    }
}

impl FactsReader {
    /// Reads each cgroup's control files once per `pace.every`, and for at most `pace.budget` per call. The cgroup that waited
    /// longest comes first, so that more cgroups mean rarer readings, not more cost.
    pub fn new(table: CgroupTable, reader: Reader, pace: FactsPace) -> Self {
        Self { table, reader, pace, known: HashMap::new(), errors: 0 }
    }

    /// Pace of now.
    pub fn pace(&self) -> FactsPace {
        self.pace
    }

    /// Another pace from now on. What is not read any more is not known any more.
    pub fn set_pace(&mut self, pace: FactsPace) {
        if self.pace.is_on && !pace.is_on {
            self.known.values_mut().for_each(Known::forget);
        }
        self.pace = pace;
    }

    /// Number of existing files that could not be read or parsed, so far.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Facts about every living cgroup, and about those of `named` that were removed. `now` is monotonic.
    pub fn read(&mut self, now: Duration, named: &[u64]) -> Vec<CgroupFacts> {
        self.table.refresh();
        for known in self.known.values_mut() {
            known.facts.alive = false;
        }
        for (id, path) in self.table.live() {
            let known = self.known.entry(id).or_insert_with(|| Known {
                facts: CgroupFacts { id, path: Some(path), ..CgroupFacts::default() },
                read: None,
                weight_read: None,
            });
            known.facts.alive = true;
        }
        for id in named {
            if !self.known.contains_key(id) {
                let path = self.table.path(*id).map(|(path, _)| path);
                let facts = CgroupFacts { id: *id, path, ..CgroupFacts::default() };
                self.known.insert(*id, Known { facts, read: None, weight_read: None });
            } else if let Some(known) = self.known.get_mut(id)
                && known.facts.path.is_none()
            {
                known.facts.path = self.table.path(*id).map(|(path, _)| path);
            }
        }
        self.known.retain(|id, known| known.facts.alive || named.binary_search(id).is_ok());
        shrink(&mut self.known);
        if self.pace.is_on {
            self.read_files(now);
        }
        self.known.values().map(|known| known.facts.clone()).collect()
    }

    fn read_files(&mut self, now: Duration) {
        let due = |known: &Known| known.read.is_none_or(|read| now.saturating_sub(read) >= self.pace.every);
        let mut turn: Vec<(Option<Duration>, u64)> =
            (self.known.values()).filter(|k| k.facts.alive && due(k)).map(|k| (k.read, k.facts.id)).collect();
        turn.sort_unstable();
        let began = Instant::now();
        for (_, id) in turn {
            if began.elapsed() >= self.pace.budget {
                break;
            }
            let Some(known) = self.known.get_mut(&id) else { continue };
            let Some(path) = known.facts.path.clone().filter(|path| path != "/") else { continue };
            known.read = Some(now);
            let mut errors = 0;
            let facts = &mut known.facts;
            facts.cpu = value_of(self.reader.cpu(&path), &mut errors);
            facts.usage_us = match facts.cpu {
                Some(cpu) => Some(cpu.usage_us),
                None => value_of(self.reader.usage_us(&path), &mut errors),
            };
            // Set when a Pod starts, and hardly ever later.
            if known.weight_read.is_none_or(|at| now.saturating_sub(at) >= WEIGHT_INTERVAL) {
                known.weight_read = Some(now);
                facts.cpu_weight = value_of(self.reader.cpu_weight(&path), &mut errors);
            }
            facts.pressure = value_of(self.reader.pressure(&path), &mut errors);
            facts.oom_kills = value_of(self.reader.oom_kills(&path), &mut errors);
            facts.oom_own = !self.reader.oom_kills_include_descendants();
            // Without memory pressure nothing needs the limit hits.
            if facts.memory_limit_hits.is_none() || facts.pressure.is_some_and(|p| p.memory_some_us > 0) {
                facts.memory_limit_hits = value_of(self.reader.memory_limit_hits(&path), &mut errors);
            }
            self.errors += errors;
        }
    }
}

/// Value of a file. `None` also after an error, which is counted.
fn value_of<T>(result: Result<Option<T>, FileError>, errors: &mut u64) -> Option<T> {
    result.unwrap_or_else(|error| {
        *errors += 1;
        tracing::debug!(%error, "failed to read a cgroup file");
        None
    })
}
