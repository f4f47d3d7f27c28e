//! Snapshots of the running kernel.

use super::{
    load::Loaded,
    maps::Rows,
    stats::{MapFill, ProgramRun, Slices},
    sys,
    walk::{WalkStats, Walker},
};
use crate::sample::{CgroupFacts, SampleSource, Snapshot};
use netwhy_abi::{Control, EdgeKey, EdgeStats, PeerClass};
use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    time::Duration,
};

/// Pace and limits of a source.
#[derive(Clone, Copy, Debug)]
pub struct SourceSettings {
    /// Shortest distance of walks.
    pub walk_min_interval: Duration,
    /// Share of one core that walks may take.
    pub walk_cpu_share: f64,
    /// Rows that did not change for this long are taken out of the kernel.
    pub edge_idle: Duration,
}

/// The running kernel as a source of snapshots. `F` tells what the cgroup file system says: all cgroups that live or that
/// the given ids name, once per snapshot, with the monotonic time.
pub struct KernelSource<F> {
    loaded: Loaded,
    facts: F,
    walker: Walker,
    slices: Slices,
    rows: Rows,
    idle: Idle,
    edges_full: bool,
    settings: SourceSettings,
    fill: Vec<MapFill>,
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> KernelSource<F> {
    /// Takes over attached programs, and makes the first walk, which sets the base of older sockets.
    ///
    /// # Errors
    /// When the walk fails.
    pub fn new(loaded: Loaded, facts: F, settings: SourceSettings) -> anyhow::Result<Self> {
        let walker = Walker::new(settings.walk_min_interval, settings.walk_cpu_share);
        let mut this = Self {
            loaded,
            facts,
            walker,
            slices: Slices::new(),
            rows: Rows::default(),
            idle: Idle::default(),
            edges_full: false,
            settings,
            fill: Vec::new(),
        };
        this.walk(monotonic())?;
        Ok(this)
    }

    /// The programs.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The programs, to change their prefixes.
    pub fn loaded_mut(&mut self) -> &mut Loaded {
        &mut self.loaded
    }

    /// The last walk.
    pub fn walk_stats(&self) -> WalkStats {
        self.walker.stats
    }

    /// Map fill at the last snapshot.
    pub fn map_fill(&self) -> &[MapFill] {
        &self.fill
    }

    /// Program costs.
    pub fn program_runs(&self) -> Vec<ProgramRun> {
        self.loaded.program_runs()
    }

    fn walk(&mut self, now: Duration) -> anyhow::Result<()> {
        if self.loaded.can_walk && self.walker.due(now) {
            self.walker.walk(&mut self.loaded, now, self.edges_full)?;
        }
        Ok(())
    }

    /// Takes rows that did not change for long out of the kernel; returns their last values.
    fn retire(&mut self, now: Duration) -> std::io::Result<Vec<(EdgeKey, EdgeStats)>> {
        let capacity = self.loaded.capacity("edges").unwrap_or(u64::MAX) as usize;
        let used = self.rows.edges.len();
        // When room is short, ten seconds of silence are long.
        let limit = if used * 10 >= capacity * 9 { Duration::from_secs(10) } else { self.settings.edge_idle };
        let full = used >= capacity;
        let idle = self.idle.older_than(now, limit);
        let mut gone = Vec::with_capacity(idle.len());
        for key in idle {
            if let Some(last) = sys::take(self.loaded.fd("EDGES")?, &key)? {
                gone.push((key, last));
            }
            self.idle.forget(&key);
        }
        let still_full = full && gone.is_empty();
        if still_full != self.edges_full {
            self.edges_full = still_full;
            let walk = (self.walker.stats.walks as u32).max(1);
            let control = Control { baseline: 0, walk, edges_full: u32::from(still_full), pad: 0 };
            self.loaded.set_control(control).map_err(std::io::Error::other)?;
        }
        Ok(gone)
    }
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> SampleSource for KernelSource<F> {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        let now = monotonic();
        self.loaded.flush_log();
        self.slices.turn(now);
        self.walk(now)?;
        self.loaded.read(&mut self.rows)?;
        self.fill = self.loaded.fill(&self.rows);
        let changed = self.idle.changed(now, &self.rows.edges);
        let gone = self.retire(now)?;
        let mut edges: Vec<_> =
            self.rows.edges.iter().zip(changed).filter(|(_, changed)| *changed).map(|(row, _)| *row).collect();
        let gone_edges = gone.iter().map(|(key, _)| *key).collect();
        edges.extend(gone);
        let overflow =
            self.rows.overflow.iter().map(|(k, v)| ((k.cgroup, PeerClass::from_index(k.class)), *v)).collect();
        let mut named: Vec<u64> = self.rows.edges.iter().map(|(key, _)| key.cgroup).collect();
        named.extend(self.rows.overflow.iter().map(|(key, _)| key.cgroup));
        named.extend(self.rows.cgroups.iter().map(|(id, _)| *id));
        named.extend(self.rows.drops.iter().map(|(key, _)| key.cgroup).filter(|id| *id != 0));
        named.sort_unstable();
        named.dedup();
        Ok(Some(Snapshot {
            at: now,
            unix_ms: unix_ms(),
            hz: self.walker.hz,
            edges,
            overflow,
            cgroups: self.rows.cgroups.clone(),
            drops: self.rows.drops.clone(),
            counters: self.loaded.counters()?,
            groups: (self.facts)(now, &named),
            gone_edges,
        }))
    }
}

/// When each edge last changed, by a hash of its row.
#[derive(Default)]
struct Idle {
    seen: HashMap<EdgeKey, (u64, Duration)>,
}

impl Idle {
    /// Whether each row changed since the last call.
    fn changed(&mut self, now: Duration, rows: &[(EdgeKey, EdgeStats)]) -> Vec<bool> {
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        rows.iter()
            .map(|(key, row)| {
                // Counters that move whenever anything is counted; the slots of the minimum come with RTT samples.
                let moving = (row.rtt_sum_us, row.segs_out, row.bytes_received, row.bytes_acked, row.retransmits);
                let events = (row.connects, row.connect_failures, row.resets_sent, row.resets_received);
                let times = (row.busy_jiffies, row.rwnd_jiffies, row.sndbuf_jiffies, row.zero_window, row.min_slots);
                let hash = hasher.hash_one((moving, events, times));
                match self.seen.insert(*key, (hash, now)) {
                    Some((before, since)) if before == hash => {
                        self.seen.insert(*key, (hash, since));
                        false
                    }
                    _ => true,
                }
            })
            .collect()
    }

    fn older_than(&self, now: Duration, limit: Duration) -> Vec<EdgeKey> {
        let old = |since: &Duration| now.saturating_sub(*since) > limit;
        self.seen.iter().filter(|(_, (_, since))| old(since)).map(|(key, _)| *key).collect()
    }

    fn forget(&mut self, key: &EdgeKey) {
        self.seen.remove(key);
    }
}

/// `CLOCK_MONOTONIC`, the kernel programs' clock.
pub fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
