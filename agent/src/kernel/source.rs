//! Snapshots of the running kernel.

use super::{
    control::{Duties, Room},
    duty::{HANDSHAKE_PROGRAM, RTT_PROGRAM},
    idle::IdleRows,
    load::Loaded,
    ports::Ranking,
    run_queue::RUN_QUEUE_PROGRAM,
    stats::StartStatistics,
    sys,
    walk::Walker,
};
use crate::{
    api::{MapFill, ProgramRun, WalkStats},
    clock::monotonic,
    node::HostReader,
    sample::{
        CgroupFacts, Counted, Families, Read, Rows, SampleSource, Snapshot, Table as _, for_each_family,
        repeat_for_family,
    },
};
use netwhy_abi::{Control, Counter, EdgeKey, Edges, Key as _};
use std::{
    collections::{BTreeSet, HashMap},
    os::fd::BorrowedFd,
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
    /// How often an address's ports are ranked: the busiest have edges of their own.
    pub rank_ports: Duration,
}

impl SourceSettings {
    /// How long a row of a map may be idle: when room is short, ten seconds of silence are long.
    fn limit(&self, capacity: Option<u64>, used: usize) -> Duration {
        let short = capacity.is_some_and(|capacity| used as u64 * 10 >= capacity * 9);
        if short { self.edge_idle.min(Duration::from_secs(10)) } else { self.edge_idle }
    }
}

/// The running kernel as a source of snapshots. `F` tells what the cgroup file system says: all cgroups that live or
/// that the given ids name, once per snapshot, with the monotonic time.
pub struct KernelSource<F> {
    loaded: Loaded,
    facts: F,
    host: Option<HostReader>,
    walker: Walker,
    statistics: Option<StartStatistics>,
    read: Families<Read>,
    idle: Families<IdleRows>,
    room: Room,
    ports: Ranking,
    /// Duties that the programs know.
    duties: Duties,
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
            statistics: None,
            read: Families::default(),
            idle: Families::default(),
            room: Room::default(),
            ports: Ranking::default(),
            duties: Duties::default(),
            settings,
            fill: Vec::new(),
        };
        if this.loaded.can_walk {
            this.walk(monotonic())?;
        } else {
            // No walk ends the baseline.
            this.set_control()?;
        }
        Ok(this)
    }

    /// Reads the Node's own signals too.
    #[must_use]
    pub fn with_host(mut self, reader: HostReader) -> Self {
        self.host = Some(reader);
        self
    }

    /// Ends program statistics that the start switched on.
    #[must_use]
    pub fn with_statistics(mut self, statistics: StartStatistics) -> Self {
        self.statistics = Some(statistics);
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
    pub fn walk_stats(&self) -> Option<WalkStats> {
        self.walker.newest
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
            self.walker.walk(&mut self.loaded, now, self.room)?;
        }
        Ok(())
    }

    /// Runs the scheduler probe while tasks wait for CPUs.
    fn follow_pressure(&mut self, snapshot: &Snapshot) {
        if let Some(run_queue) = &mut self.loaded.run_queue {
            let followed = run_queue.probe.follow(snapshot.at, &snapshot.groups, snapshot.host.as_ref());
            self.loaded.set_duty_status(RUN_QUEUE_PROGRAM, followed);
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
        let silent = self.ports.silent(&self.read.edges.rows, &snapshot.tables.edges.rows);
        if let Some(map) = self.loaded.fd::<Edges>()? {
            retire::<Edges>(map, silent, &self.read.edges.rows, &mut snapshot.tables.edges)?;
        }
        let gone = &snapshot.tables.edges.gone;
        self.loaded.free_ports(gone, &self.read.edges.rows).map_err(std::io::Error::other)?;
        let capacity = self.loaded.capacity::<Edges>().unwrap_or(u64::MAX);
        let room = Room::left_by(self.read.edges.rows.len(), capacity, !gone.is_empty());
        if room != self.room {
            self.room = room;
            self.set_control().map_err(std::io::Error::other)?;
        }
        self.rank_ports(now, snapshot).map_err(std::io::Error::other)
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

    /// Tells the programs what changed.
    fn set_control(&mut self) -> anyhow::Result<()> {
        let walk = (self.walker.walks as u32).max(1);
        let (rtt_duty, handshake_duty) = (self.duties.rtt as u32, self.duties.handshakes as u32);
        let (edges_full, ports_folded) = (u32::from(self.room == Room::None), u32::from(self.room != Room::Enough));
        self.loaded.set_control(Control { baseline: 0, walk, edges_full, rtt_duty, handshake_duty, ports_folded })
    }

    /// Adapts the duty cycles of the RTT probe and of the handshake probe to the load.
    fn follow_load(&mut self, now: Duration) -> anyhow::Result<()> {
        let (sampled, closed) = self.loaded.traffic()?;
        if let Some(rtt) = &mut self.loaded.rtt {
            let followed = rtt.follow(now, sampled);
            self.loaded.set_duty_status(RTT_PROGRAM, followed);
        }
        if let Some(handshakes) = &mut self.loaded.handshakes {
            handshakes.follow(now, closed);
        }
        let duties = self.loaded.duties();
        if duties != self.duties {
            self.duties = duties;
            let segments = self.loaded.rtt_stats().unwrap_or_default().segments_per_second.round();
            let sockets = self.loaded.handshake_stats().unwrap_or_default().sockets_per_second.round();
            tracing::debug!(?duties, segments, sockets, "duty of the probes changed");
            self.set_control()?;
        }
        // Only after the programs know the new duty.
        if let Some(handshakes) = &mut self.loaded.handshakes {
            let started = handshakes.start();
            self.loaded.set_duty_status(HANDSHAKE_PROGRAM, started);
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
        if let Some(statistics) = &mut self.statistics {
            statistics.follow(now);
        }
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
            walked_at: self.walker.walked_at,
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

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
