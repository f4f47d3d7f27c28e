//! From cumulative snapshots to their growth.

use super::{
    CgroupFacts, Counted, Cumulative as _, FactsDelta, Families, Growth, Highest, HostKey, Rows, Snapshot, Sum as _,
    SumOf, Table as _, host::HostLedger, shrink,
};
use crate::calls::CallCounts;
use netwhy_abi::{EdgeKey, OverflowKey, RotatingMin, Zero as _, min_slot_epoch};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// Slots of the rotating minimum that count as the window, besides the current one: 8.6 … 12.9 s.
const MIN_BACK: u32 = 2;

/// Growth between two snapshots.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Time of the newer one, monotonic.
    pub at: Duration,
    /// Time between the two; zero for the first.
    pub elapsed: Duration,
    /// When the newest walk began. `None`: not known.
    pub walked_at: Option<Duration>,
    /// Growth of the kernel programs' rows, where they counted something.
    pub growth: Families<Growth>,
    /// Sampled calls by edge.
    pub calls: Vec<(EdgeKey, CallCounts)>,
    /// cgroup control files, all cgroups that have any.
    pub facts: Vec<(u64, FactsDelta)>,
    /// The Node's own counters, zeros included.
    pub host: Vec<(HostKey, u64)>,
}

/// The highest values of every row so far.
#[derive(Debug, Default)]
pub struct Ledger {
    started: bool,
    /// cgroups whose control files may be older than their first reading: those of the first snapshot that has any, and
    /// of the newest one without any reading.
    older: Option<HashSet<u64>>,
    /// Time of the newest frame.
    at: Duration,
    highest: Families<Highest>,
    facts: HashMap<u64, CgroupFacts>,
    host: HostLedger,
}

impl Ledger {
    /// Takes the next snapshot and returns its growth.
    ///
    /// Kernel rows begin at zero when the agent attaches, so all that they hold is news. Control files of the first
    /// cgroups are older than the agent: their first reading is the base. A cgroup that appears later begins at zero.
    /// While no file is read, nobody knows how old they are: the next reading of each is its base.
    pub fn take(&mut self, snapshot: &Snapshot) -> Frame {
        // The time of frames never falls: a window could not tell any more which of them are over.
        let at = snapshot.at.max(self.at);
        let elapsed = if self.started { at.saturating_sub(self.at) } else { Duration::ZERO };
        let mut frame = Frame { at, elapsed, walked_at: snapshot.walked_at, ..Frame::default() };
        for_each_family!(F => {
            *F::of_mut(&mut frame.growth) = growth::<F>(F::of_mut(&mut self.highest), F::of(&snapshot.tables));
        });
        frame.calls = snapshot.calls.iter().map(|call| (call.key, CallCounts::of(call))).collect();
        let is_read = snapshot.groups.iter().any(CgroupFacts::is_read);
        if (self.older.is_none() || !is_read) && !snapshot.groups.is_empty() {
            self.older = Some(snapshot.groups.iter().map(|group| group.id).collect());
        }
        let is_older = |id| self.older.as_ref().is_some_and(|older| older.contains(&id));
        for now in &snapshot.groups {
            let last = self.facts.get(&now.id).cloned().unwrap_or_default();
            let base = if is_older(now.id) { last.or(now) } else { last };
            let delta = FactsDelta::between(&base, now);
            if delta != FactsDelta::default() {
                frame.facts.push((now.id, delta));
            }
            self.facts.insert(now.id, now.clone());
        }
        if let Some(sample) = &snapshot.host {
            frame.host = self.host.take(sample);
        }
        let named: HashSet<u64> = snapshot.groups.iter().map(|g| g.id).collect();
        self.facts.retain(|id, _| named.contains(id));
        if let Some(older) = &mut self.older {
            older.retain(|id| named.contains(id));
        }
        shrink(&mut self.facts);
        self.started = true;
        self.at = at;
        frame
    }

    /// Lowest RTT (µs) of an edge over about the last ten seconds before `now`. `None`: no sample in that time.
    pub fn min_rtt_us(&self, key: &EdgeKey, now: Duration) -> Option<u32> {
        lowest(&self.highest.edges.get(key)?.min_rtt_us, now)
    }

    /// Requests without an answer for a second or more, by edge, as a walk that began at this time found them.
    pub fn unanswered(&self, walked_at: Duration) -> impl Iterator<Item = (&EdgeKey, u32)> {
        let since = walked_at.as_nanos() as u64;
        self.highest.edges.iter().filter_map(move |(key, row)| Some((key, row.unanswered_now.since(since)?)))
    }

    /// The fullest accept queue of each cgroup that has one which is not empty, in parts of
    /// [`FILL_PARTS`](netwhy_abi::FILL_PARTS), as a walk that began at this time found it.
    pub fn accept_fill(&self, walked_at: Duration) -> impl Iterator<Item = (u64, u16)> {
        let since = walked_at.as_nanos() as u64;
        self.highest.cgroups.iter().filter_map(move |(cgroup, row)| Some((*cgroup, row.accept_fill.since(since)?)))
    }

    /// Exchanges of an edge that were looked at for HTTP, and those of them that were HTTP/1.
    pub fn looked_at(&self, key: &EdgeKey) -> Option<(u64, u64)> {
        self.highest.responses.get(key).map(|row| (row.sampled, row.readable))
    }

    /// Lowest RTT of an overflow row.
    pub fn overflow_min_rtt_us(&self, key: &OverflowKey, now: Duration) -> Option<u32> {
        lowest(&self.highest.overflow.get(key)?.min_rtt_us, now)
    }
}

fn lowest(slots: &RotatingMin, now: Duration) -> Option<u32> {
    slots.lowest(min_slot_epoch(now.as_nanos() as u64), MIN_BACK)
}

/// Growth of a family's rows since the highest values so far, which it raises. Rows that are gone begin at zero again.
pub(super) fn growth<F: Counted>(highest: &mut HashMap<F::Key, F::Row>, table: &Rows<F>) -> Vec<(F::Key, SumOf<F>)> {
    let mut grown = Vec::new();
    for (key, row) in &table.rows {
        let high = highest.entry(*key).or_insert_with(|| F::Row::ZERO);
        let growth = row.growth(high);
        high.raise(row);
        if !growth.is_zero() {
            grown.push((*key, growth));
        }
    }
    for key in &table.gone {
        highest.remove(key);
    }
    if !table.gone.is_empty() {
        shrink(highest);
    }
    grown
}

#[cfg(test)]
mod tests;
