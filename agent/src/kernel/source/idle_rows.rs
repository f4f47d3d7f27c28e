//! Rows that are taken out of the kernel's maps, and ports that get edges of their own.

use super::{KernelSource, SourceSettings};
use crate::{
    api::MemoryLevel,
    kernel::{control::Room, errors::Operation, maps::Unread, sys},
    sample::{CgroupFacts, Counted, Rows, Snapshot, Table as _, for_each_family, repeat_for_family},
};
use anyhow::Context as _;
use netwhy_abi::{Counter, EdgeKey, Edges, Family as _, Key as _};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    os::fd::BorrowedFd,
    time::Duration,
};

/// Rows of a cgroup that is gone are taken out after this long without a change: its sockets are closing.
const GONE_IDLE: Duration = Duration::from_secs(3);
/// How long a row may be idle when room is short.
const SHORT_IDLE: Duration = Duration::from_secs(10);

impl SourceSettings {
    /// How long a row of a map may be idle: when room is short, ten seconds of silence are long.
    fn limit(&self, capacity: Option<u64>, used: usize, level: MemoryLevel) -> Duration {
        let is_full = capacity.is_some_and(|capacity| used as u64 * 10 >= capacity * 9);
        if is_full || level > MemoryLevel::Ok { self.edge_idle.min(SHORT_IDLE) } else { self.edge_idle }
    }
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> KernelSource<F> {
    /// Takes rows that did not change for long out of the kernel's maps; their last values join the snapshot. Families
    /// that were not read whole keep theirs.
    pub(super) fn retire(&mut self, now: Duration, snapshot: &mut Snapshot, unread: &[Unread]) {
        let Self { loaded, read, idle, settings, errors, level, .. } = self;
        let removed: HashSet<u64> = snapshot.groups.iter().filter(|group| !group.alive).map(|group| group.id).collect();
        let is_unread = |name| unread.iter().any(|unread| unread.family == name);
        let mut refused = None;
        for_each_family!(F => {
            if let Ok(Some(map)) = loaded.fd::<F>() && !is_unread(F::NAME) {
                let rows = &F::of(read).rows;
                let gone_idle = if *level > MemoryLevel::Ok { Duration::ZERO } else { GONE_IDLE };
                let limit = settings.limit(loaded.capacity::<F>(), rows.len(), *level);
                let of_row = |key: &<F as netwhy_abi::Family>::Key| {
                    if removed.contains(&key.cgroup()) { limit.min(gone_idle) } else { limit }
                };
                let old = F::of_mut(idle).take_older(now, of_row);
                if let Err(error) = retire::<F>(map, old, rows, F::of_mut(&mut snapshot.tables)) {
                    refused = Some(anyhow::Error::from(error).context(format!("take a row out of the map {}", F::MAP)));
                }
            }
        });
        if is_unread(Edges::NAME) {
            errors.note(Operation::TakeRows, refused.map_or(Ok(()), Err));
            return;
        }
        let silent = self.ports.silent(&read.edges.rows, &snapshot.tables.edges.rows);
        if let Ok(Some(map)) = loaded.fd::<Edges>()
            && let Err(error) = retire::<Edges>(map, silent, &read.edges.rows, &mut snapshot.tables.edges)
        {
            refused = Some(anyhow::Error::from(error).context("take a row out of the map EDGES"));
        }
        errors.note(Operation::TakeRows, refused.map_or(Ok(()), Err));
        let gone = &snapshot.tables.edges.gone;
        let freed = loaded.free_ports(gone, &read.edges.rows);
        let capacity = loaded.capacity::<Edges>().unwrap_or(u64::MAX);
        let room = Room::left_by(read.edges.rows.len(), capacity, !gone.is_empty()).at(self.level);
        if room != self.room {
            self.room = room;
            self.is_control_due = true;
        }
        let ranked = freed.and_then(|()| self.rank_ports(now, snapshot));
        self.errors.note(Operation::FreePorts, ranked.context("write the map PORTS"));
    }

    /// Gives the busiest ports of an address edges of their own.
    fn rank_ports(&mut self, now: Duration, snapshot: &Snapshot) -> anyhow::Result<()> {
        let folded = snapshot.counters[Counter::PortsFolded as usize];
        if self.room != Room::Enough || !self.ports.is_due(now, self.settings.rank_ports, folded) {
            return Ok(());
        }
        let gone: BTreeSet<&EdgeKey> = snapshot.tables.edges.gone.iter().collect();
        let rows: Vec<_> = self.read.edges.rows.iter().filter(|(key, _)| !gone.contains(key)).collect();
        let entered = self.ports.rank(&rows, &self.loaded.folded_ports()?);
        self.loaded.enter_ports(&entered, &rows)
    }
}

/// Takes the `old` rows of one family out of its map; `read` is the last reading.
fn retire<F: Counted>(
    map: BorrowedFd<'_>,
    old: Vec<F::Key>,
    read: &[(F::Key, F::Row)],
    table: &mut Rows<F>,
) -> std::io::Result<()> {
    if old.is_empty() {
        return Ok(());
    }
    let known: HashMap<F::Key, &F::Row> = read.iter().map(|(key, row)| (*key, row)).collect();
    for key in old {
        let Some(read) = known.get(&key) else { continue };
        if let Some(value) = sys::take(map, &key, *read)? {
            table.rows.push((key, value));
            table.gone.push(key);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
