//! Snapshots of the running kernel.

use super::{
    churn,
    gate::Gate,
    idle::Idle,
    load::Loaded,
    maps::Rows,
    rtt,
    stats::{MapFill, ProgramRun, Slices},
    sys,
    walk::{WalkStats, Walker},
};
use crate::{
    node::HostReader,
    sample::{CgroupFacts, SampleSource, Snapshot},
};
use netwhy_abi::{Control, DropKey, EdgeKey, EdgeStats, OverflowKey, PeerClass, Windows};
use std::{collections::HashMap, hash::Hash, os::fd::BorrowedFd, time::Duration};

/// Idle rows of every map.
#[derive(Default)]
struct IdleRows {
    edges: Idle<EdgeKey>,
    overflow: Idle<OverflowKey>,
    cgroups: Idle<u64>,
    drops: Idle<DropKey>,
    dns: Idle<EdgeKey>,
    run_queue: Idle<u64>,
}

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

impl SourceSettings {
    /// How long a row of a map may be idle: when room is short, ten seconds of silence are long.
    fn limit(&self, capacity: Option<u64>, used: usize) -> Duration {
        let short = capacity.is_some_and(|capacity| used as u64 * 10 >= capacity * 9);
        if short { self.edge_idle.min(Duration::from_secs(10)) } else { self.edge_idle }
    }
}

/// The running kernel as a source of snapshots. `F` tells what the cgroup file system says: all cgroups that live or that
/// the given ids name, once per snapshot, with the monotonic time.
pub struct KernelSource<F> {
    loaded: Loaded,
    facts: F,
    host: Option<HostReader>,
    walker: Walker,
    slices: Slices,
    rows: Rows,
    idle: IdleRows,
    gate: Gate,
    edges_full: bool,
    /// What the programs were told last.
    windows: (Windows, Windows),
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
            host: None,
            walker,
            slices: Slices::new(),
            rows: Rows::default(),
            idle: IdleRows::default(),
            gate: Gate::default(),
            edges_full: false,
            windows: (Windows::Never, Windows::Never),
            settings,
            fill: Vec::new(),
        };
        this.walk(monotonic())?;
        Ok(this)
    }

    /// Reads the Node's own signals too.
    #[must_use]
    pub fn with_host(mut self, reader: HostReader) -> Self {
        self.host = Some(reader);
        self
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

    /// Looks at the scheduler while tasks wait for CPUs, where that is what is wanted.
    fn follow_pressure(&mut self, snapshot: &Snapshot) {
        let Some(run_queue) = self.loaded.run_queue.as_mut().filter(|_| self.loaded.run_queue_by_pressure) else {
            return;
        };
        let short = self.gate.update(snapshot.at, &snapshot.groups, snapshot.host.as_ref());
        if let Err(error) = run_queue.watch(short && self.gate.is_turn(snapshot.at)) {
            tracing::warn!("waits for a CPU are not looked at: {error:#}: set signals.run_queue to `on` or `off`");
            self.loaded.run_queue_by_pressure = false;
        }
    }

    /// Takes rows that did not change for long out of the kernel's maps; their last values join the snapshot.
    fn retire(&mut self, now: Duration, snapshot: &mut Snapshot) -> std::io::Result<()> {
        let Self { loaded, rows, idle, settings, .. } = self;
        let limit = |map, used| settings.limit(loaded.capacity(map), used);
        let edges = limit("edges", rows.edges.len());
        snapshot.gone_edges =
            retire(loaded.fd("EDGES")?, &mut idle.edges, now, edges, &rows.edges, &mut snapshot.edges)?;
        let cgroups = limit("cgroups", rows.cgroups.len());
        snapshot.gone_cgroups =
            retire(loaded.fd("CGROUPS")?, &mut idle.cgroups, now, cgroups, &rows.cgroups, &mut snapshot.cgroups)?;
        let drops = limit("drops", rows.drops.len());
        snapshot.gone_drops =
            retire(loaded.fd("DROPS")?, &mut idle.drops, now, drops, &rows.drops, &mut snapshot.drops)?;
        let dns = limit("dns", rows.dns.len());
        snapshot.gone_dns = retire(loaded.fd("DNS")?, &mut idle.dns, now, dns, &rows.dns, &mut snapshot.dns)?;
        if let Some(run_queue) = &loaded.run_queue {
            let (map, limit) = (run_queue.fd()?, limit("run_queue", rows.run_queue.len()));
            snapshot.gone_run_queue =
                retire(map, &mut idle.run_queue, now, limit, &rows.run_queue, &mut snapshot.run_queue)?;
        }
        let overflow = limit("overflow", rows.overflow.len());
        let mut last = Vec::new();
        let gone = retire(loaded.fd("OVERFLOW")?, &mut idle.overflow, now, overflow, &rows.overflow, &mut last)?;
        snapshot.gone_overflow = gone.iter().map(class_key).collect();
        snapshot.overflow.extend(last.iter().map(|(key, row)| (class_key(key), *row)));
        let capacity = self.loaded.capacity("edges").unwrap_or(u64::MAX) as usize;
        let full = self.rows.edges.len() >= capacity && snapshot.gone_edges.is_empty();
        if full != self.edges_full {
            self.edges_full = full;
            self.set_control().map_err(std::io::Error::other)?;
        }
        Ok(())
    }

    /// Tells the programs what changed.
    fn set_control(&mut self) -> anyhow::Result<()> {
        let walk = (self.walker.stats.walks as u32).max(1);
        let (windows, churn) = self.windows;
        let edges_full = u32::from(self.edges_full);
        self.loaded.set_control(Control { baseline: 0, walk, edges_full, windows: windows as u32, churn: churn as u32 })
    }

    /// Looks at received segments, and at sockets that come and go, always, or in part while there are many.
    fn follow_load(&mut self, now: Duration) -> anyhow::Result<()> {
        let (won, ended) = self.loaded.traffic()?;
        if let Some(rtt) = &mut self.loaded.rtt {
            let followed = rtt.follow(now, won);
            self.loaded.judge(rtt::PROGRAM, followed.err());
        }
        if let Some(churn) = &mut self.loaded.churn {
            churn.follow(now, ended);
        }
        let windows = self.loaded.windows();
        if windows != self.windows {
            self.windows = windows;
            let segments = self.loaded.rtt_stats().unwrap_or_default().segments_per_second.round();
            let sockets = self.loaded.churn_stats().unwrap_or_default().sockets_per_second.round();
            tracing::debug!(?windows, segments, sockets, "how received segments and ending sockets are looked at");
            self.set_control()?;
        }
        // Not before the programs were told.
        if let Some(churn) = &mut self.loaded.churn {
            let started = churn.start();
            self.loaded.judge(churn::PROGRAM, started.err());
        }
        Ok(())
    }
}

fn class_key(key: &OverflowKey) -> (u64, PeerClass) {
    (key.cgroup, PeerClass::from_index(key.class))
}

/// Takes the idle rows of one map out; their last values go to `last`, their keys are returned.
fn retire<K: sys::Plain + Eq + Hash, V: sys::Plain>(
    map: BorrowedFd<'_>,
    idle: &mut Idle<K>,
    now: Duration,
    limit: Duration,
    rows: &[(K, V)],
    last: &mut Vec<(K, V)>,
) -> std::io::Result<Vec<K>> {
    let old = idle.take_older(now, limit);
    if old.is_empty() {
        return Ok(old);
    }
    let known: HashMap<K, &V> = rows.iter().map(|(key, row)| (*key, row)).collect();
    let mut gone = Vec::with_capacity(old.len());
    for key in old {
        let Some(read) = known.get(&key) else { continue };
        if let Some(value) = sys::take(map, &key, *read)? {
            last.push((key, value));
            gone.push(key);
        }
    }
    Ok(gone)
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> SampleSource for KernelSource<F> {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        let now = monotonic();
        self.loaded.flush_log();
        self.slices.turn(now);
        self.walk(now)?;
        self.loaded.read(&mut self.rows)?;
        self.fill = self.loaded.fill(&self.rows);
        let changed = self.idle.edges.changed(now, &self.rows.edges, moving);
        self.idle.overflow.changed(now, &self.rows.overflow, moving);
        self.idle.cgroups.changed(now, &self.rows.cgroups, |row| {
            (row.connect_sum_us, row.connect_buckets, row.accept_drops, row.accept_full)
        });
        self.idle.drops.changed(now, &self.rows.drops, |n| *n);
        self.idle.dns.changed(now, &self.rows.dns, |row| (row.answered, row.unanswered));
        self.idle.run_queue.changed(now, &self.rows.run_queue, |row| row.buckets);
        let edges = self.rows.edges.iter().zip(changed).filter(|(_, changed)| *changed).map(|(row, _)| *row).collect();
        let overflow = self.rows.overflow.iter().map(|(key, row)| (class_key(key), *row)).collect();
        let mut named: Vec<u64> = self.rows.edges.iter().map(|(key, _)| key.cgroup).collect();
        named.extend(self.rows.overflow.iter().map(|(key, _)| key.cgroup));
        named.extend(self.rows.cgroups.iter().map(|(id, _)| *id));
        named.extend(self.rows.drops.iter().map(|(key, _)| key.cgroup).filter(|id| *id != 0));
        named.extend(self.rows.dns.iter().map(|(key, _)| key.cgroup));
        named.extend(self.rows.run_queue.iter().map(|(id, _)| *id));
        named.sort_unstable();
        named.dedup();
        let mut snapshot = Snapshot {
            at: now,
            unix_ms: unix_ms(),
            hz: self.walker.hz,
            edges,
            overflow,
            cgroups: self.rows.cgroups.clone(),
            drops: self.rows.drops.clone(),
            dns: self.rows.dns.clone(),
            run_queue: self.rows.run_queue.clone(),
            counters: self.loaded.counters()?,
            groups: (self.facts)(now, &named),
            host: self.host.as_mut().map(|reader| reader.read(now)),
            ..Snapshot::default()
        };
        self.follow_pressure(&snapshot);
        self.follow_load(now)?;
        self.retire(now, &mut snapshot)?;
        Ok(Some(snapshot))
    }
}

/// What moves in an edge's row whenever anything is counted.
fn moving(row: &EdgeStats) -> impl Hash + use<> {
    let flow = (row.rtt_sum_us, row.segs_out, row.bytes_received, row.bytes_acked, row.retransmits, row.min_slots);
    let events = (row.connects, row.connect_failures, row.resets_sent, row.resets_received, row.loss_episodes);
    (flow, events, (row.busy_jiffies, row.rwnd_jiffies, row.sndbuf_jiffies, row.zero_window, row.unread_full))
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
