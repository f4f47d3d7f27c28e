//! Snapshots of the running kernel.

use super::{
    churn,
    gate::Gate,
    idle::IdleRows,
    load::Loaded,
    rtt,
    stats::{MapFill, ProgramRun, Slices},
    sys,
    walk::{WalkStats, Walker},
};
use crate::{
    node::HostReader,
    sample::{
        CgroupFacts, Counted, Families, Read, Rows, SampleSource, Snapshot, Table as _, for_each_family,
        repeat_for_family,
    },
};
use netwhy_abi::{Control, Edges, Key as _, Windows};
use std::{collections::HashMap, os::fd::BorrowedFd, time::Duration};

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
    read: Families<Read>,
    idle: Families<IdleRows>,
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
            read: Families::default(),
            idle: Families::default(),
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
        let Self { loaded, read, idle, settings, .. } = self;
        for_each_family!(F => {
            if let Some(map) = loaded.fd::<F>()? {
                let rows = &F::of(read).rows;
                let old = F::of_mut(idle).take_older(now, settings.limit(loaded.capacity::<F>(), rows.len()));
                retire::<F>(map, old, rows, F::of_mut(&mut snapshot.tables))?;
            }
        });
        let capacity = self.loaded.capacity::<Edges>().unwrap_or(u64::MAX) as usize;
        let full = self.read.edges.rows.len() >= capacity && snapshot.tables.edges.gone.is_empty();
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

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> SampleSource for KernelSource<F> {
    fn sample(&mut self) -> anyhow::Result<Option<Snapshot>> {
        let now = monotonic();
        self.loaded.flush_log();
        self.slices.turn(now);
        self.walk(now)?;
        self.loaded.read(&mut self.read)?;
        self.fill = self.loaded.fill(&self.read);
        let mut tables = Families::<Read>::default();
        let mut named: Vec<u64> = Vec::new();
        for_each_family!(F => {
            let rows = &F::of(&self.read).rows;
            named.extend(rows.iter().map(|(key, _)| key.cgroup()).filter(|id| *id != 0));
            F::of_mut(&mut tables).rows = F::of_mut(&mut self.idle).changed(now, rows);
        });
        named.sort_unstable();
        named.dedup();
        let mut snapshot = Snapshot {
            at: now,
            unix_ms: unix_ms(),
            hz: self.walker.hz,
            tables,
            counters: self.loaded.counters()?,
            groups: (self.facts)(now, &named),
            host: self.host.as_mut().map(|reader| reader.read(now)),
        };
        self.follow_pressure(&snapshot);
        self.follow_load(now)?;
        self.retire(now, &mut snapshot)?;
        Ok(Some(snapshot))
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
