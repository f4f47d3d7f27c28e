//! Snapshots of the running kernel.

use super::{
    control::{Duties, Room},
    duty::{HANDSHAKE_PROGRAM, RTT_PROGRAM},
    errors::{Errors, Operation},
    idle::IdleRows,
    load::Loaded,
    maps::Unread,
    ports::Ranking,
    run_queue::RUN_QUEUE_PROGRAM,
    stats::StartStatistics,
    sys,
    walk::{Pace, Walker},
};
use crate::{
    api::{KernelErrors, MapFill, MemoryLevel, ProgramRun, WalkStats},
    clock::monotonic,
    memory::Headroom,
    node::HostReader,
    sample::{
        CgroupFacts, Counted, Families, Read, Rows, SampleSource, Snapshot, Table as _, for_each_family,
        repeat_for_family,
    },
};
use anyhow::Context as _;
use netwhy_abi::{Control, Counter, EdgeKey, Edges, Family as _, Key as _, PeerClass};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::Ipv6Addr,
    os::fd::BorrowedFd,
    time::Duration,
};

/// Ticks in a row without any row and counter, after which the source is broken for good.
const BLIND_TICKS: u32 = 10;
/// Rows of a cgroup that is gone are taken out after this long without a change: its sockets are closing.
const GONE_IDLE: Duration = Duration::from_secs(3);
/// How long a row may be idle when room is short.
const SHORT_IDLE: Duration = Duration::from_secs(10);

/// Pace and limits of a source.
#[derive(Clone, Copy, Debug)]
pub struct SourceSettings {
    /// Shortest distance of walks.
    pub walk_min_interval: Duration,
    /// Longest distance of walks.
    pub walk_max_interval: Duration,
    /// Share of one core that walks may take, as long as their distance is below the longest.
    pub walk_cpu_share: f64,
    /// Rows that did not change for this long are taken out of the kernel.
    pub edge_idle: Duration,
    /// How often an address's ports are ranked: the busiest have edges of their own.
    pub rank_ports: Duration,
}

impl SourceSettings {
    /// How long a row of a map may be idle: when room is short, ten seconds of silence are long.
    fn limit(&self, capacity: Option<u64>, used: usize, level: MemoryLevel) -> Duration {
        let is_full = capacity.is_some_and(|capacity| used as u64 * 10 >= capacity * 9);
        if is_full || level > MemoryLevel::Ok { self.edge_idle.min(SHORT_IDLE) } else { self.edge_idle }
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
    /// How near the agent is to its memory limit.
    level: MemoryLevel,
    /// cgroups of the last snapshot.
    cgroups: usize,
    /// Duties that the programs know.
    duties: Duties,
    /// Whether the programs don't know the newest control record.
    is_control_due: bool,
    /// Peer ranges that the kernel refused. `None`: it has the newest.
    prefixes: Option<Vec<(Ipv6Addr, u8, PeerClass)>>,
    /// The programs' own counters at the last reading.
    counters: [u64; Counter::ALL.len()],
    errors: Errors,
    /// The first program of this tick that could not be attached again.
    refused: Option<anyhow::Error>,
    /// Ticks in a row in which nothing could be read.
    blind_ticks: u32,
    settings: SourceSettings,
    fill: Vec<MapFill>,
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> KernelSource<F> {
    /// Takes over attached programs, and makes the first walk, which sets the base of older sockets. A walk that fails
    /// degrades its probe.
    pub fn new(loaded: Loaded, facts: F, settings: SourceSettings) -> Self {
        let SourceSettings { walk_min_interval, walk_max_interval, walk_cpu_share, .. } = settings;
        let pace = Pace {
            min_interval: walk_min_interval,
            max_interval: walk_max_interval.max(walk_min_interval),
            cpu_share: walk_cpu_share,
        };
        let mut this = Self {
            loaded,
            facts,
            host: None,
            walker: Walker::new(pace),
            statistics: None,
            read: Families::default(),
            idle: Families::default(),
            room: Room::default(),
            ports: Ranking::default(),
            level: MemoryLevel::Ok,
            cgroups: 0,
            duties: Duties::default(),
            is_control_due: true,
            prefixes: None,
            counters: [0; Counter::ALL.len()],
            errors: Errors::default(),
            refused: None,
            blind_ticks: 0,
            settings,
            fill: Vec::new(),
        };
        this.walk(monotonic());
        // Without a walk, this ends the baseline.
        this.steer();
        this
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

    /// Replaces the peer ranges of the programs. What the kernel refuses is counted, and tried again with each
    /// snapshot.
    pub fn set_prefixes(&mut self, prefixes: Vec<(Ipv6Addr, u8, PeerClass)>) {
        let result = self.loaded.set_prefixes(&prefixes);
        let is_set = self.errors.note(Operation::SetPrefixes, result).is_some();
        self.prefixes = (!is_set).then_some(prefixes);
    }

    /// The newest walk that ended. `None`: none yet.
    pub fn walk_stats(&self) -> Option<WalkStats> {
        self.walker.stats(monotonic())
    }

    /// Errors of the kernel while the agent runs, by operation.
    pub fn kernel_errors(&self) -> Vec<KernelErrors> {
        self.errors.stats()
    }

    /// Bounds what the kernel side may still take, until the next call.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_headroom(&mut self, headroom: &Headroom) -> anyhow::Result<()> {
        self.level = headroom.level;
        self.loaded.set_headroom(headroom)
    }

    /// cgroups of the last snapshot.
    pub fn cgroups(&self) -> usize {
        self.cgroups
    }

    /// Map fill at the last snapshot.
    pub fn map_fill(&self) -> &[MapFill] {
        &self.fill
    }

    /// Program costs.
    pub fn program_runs(&self) -> Vec<ProgramRun> {
        self.loaded.program_runs().0
    }

    /// The same, with errors counted.
    pub fn read_program_runs(&mut self) -> Vec<ProgramRun> {
        let (runs, refused) = self.loaded.program_runs();
        let result = refused.map_or(Ok(()), Err).context("read the statistics of a program");
        self.errors.note(Operation::ReadPrograms, result);
        runs
    }

    /// Begins a walk if one is due, and makes the next part of the one in progress.
    fn walk(&mut self, now: Duration) {
        if !self.loaded.can_walk || !(self.walker.is_due(now) || self.walker.is_walking()) {
            return;
        }
        let result = self.part_of_walk(now);
        if self.errors.note(Operation::Walk, result).is_none() {
            self.walker.give_up(now);
            // A baseline without a walk must end.
            self.is_control_due = true;
        }
        self.loaded.set_walk_status(self.errors.why(Operation::Walk));
    }

    fn part_of_walk(&mut self, now: Duration) -> anyhow::Result<()> {
        if self.walker.is_due(now) {
            self.loaded.clear_walk().context("clear the walk's totals")?;
            self.loaded.clear_shed_sockets().context("clear the walk's totals")?;
            let file = self.loaded.walk_file().context("open the iterator task_file")?;
            let subflows = self.loaded.subflow_file().context("open the iterator bpf_sk_storage_map")?;
            self.walker.begin(now, file, subflows);
            self.loaded.set_control(self.control()).context("announce the walk")?;
        }
        let was_baseline = self.walker.is_baseline();
        if self.walker.go_on(now)? {
            let without = self.loaded.shed_sockets().context("read the map STORAGE_SHED")?;
            self.walker.note_without_storage(without);
            if was_baseline {
                self.is_control_due = true;
                self.steer();
            }
        }
        Ok(())
    }

    /// Runs the scheduler probe while tasks wait for CPUs.
    fn follow_pressure(&mut self, snapshot: &Snapshot) {
        if let Some(run_queue) = &mut self.loaded.run_queue {
            let followed = run_queue.probe.follow(snapshot.at, &snapshot.groups, snapshot.host.as_ref());
            self.attached(RUN_QUEUE_PROGRAM, followed);
        }
    }

    /// Takes in an attempt to attach a program again.
    fn attached(&mut self, program: &'static str, attempt: std::io::Result<()>) {
        if let Err(error) = &attempt {
            self.refused.get_or_insert_with(|| anyhow::anyhow!("attach {program}: {error}"));
        }
        self.loaded.set_duty_status(program, attempt);
    }

    /// Reads the rows of all families. Returns those that could not be read whole: what was read of them is valid.
    fn read_rows(&mut self) -> Vec<Unread> {
        let unread = self.loaded.read(&mut self.read);
        let result = match unread.as_slice() {
            [] => Ok(()),
            all => Err(anyhow::anyhow!("{}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
        };
        self.errors.note(Operation::ReadRows, result);
        unread
    }

    /// Reads the programs' own counters. Returns whether they could be read; else the last ones stay.
    fn read_counters(&mut self) -> bool {
        let counters = self.loaded.counters().context("read the map COUNTERS");
        let counters = self.errors.note(Operation::ReadCounters, counters);
        self.counters = counters.unwrap_or(self.counters);
        counters.is_some()
    }

    /// Counts ticks in which nothing was read.
    ///
    /// # Errors
    /// When nothing can be measured any more.
    fn check_sight(&mut self, is_blind: bool) -> anyhow::Result<()> {
        self.blind_ticks = if is_blind { self.blind_ticks + 1 } else { 0 };
        let why = self.errors.why(Operation::ReadRows).unwrap_or_default();
        anyhow::ensure!(
            self.blind_ticks < BLIND_TICKS,
            "no map could be read in {BLIND_TICKS} ticks in a row: {why}: restart the agent"
        );
        Ok(())
    }

    /// Takes rows that did not change for long out of the kernel's maps; their last values join the snapshot. Families
    /// that were not read whole keep theirs.
    fn retire(&mut self, now: Duration, snapshot: &mut Snapshot, unread: &[Unread]) {
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

    /// The record that steers the programs.
    fn control(&self) -> Control {
        let (rtt_duty, handshake_duty) = (self.duties.rtt as u32, self.duties.handshakes as u32);
        let (edges_full, ports_folded) = (u32::from(self.room == Room::None), u32::from(self.room != Room::Enough));
        let baseline = u32::from(self.walker.is_baseline());
        Control { baseline, walk: self.walker.number(), edges_full, rtt_duty, handshake_duty, ports_folded }
    }

    /// Tells the programs what changed, and what the kernel refused before.
    fn steer(&mut self) {
        if self.is_control_due {
            let result = self.loaded.set_control(self.control()).context("write the map CONTROL");
            self.is_control_due = self.errors.note(Operation::Steer, result).is_none();
        }
        if let Some(prefixes) = self.prefixes.take() {
            self.set_prefixes(prefixes);
        }
    }

    /// Adapts the duty cycles of the RTT probe and of the handshake probe to the load.
    fn follow_load(&mut self, now: Duration) {
        let traffic = self.loaded.traffic().context("read the map COUNTERS");
        let Some((sampled, closed)) = self.errors.note(Operation::ReadCounters, traffic) else { return };
        if let Some(rtt) = &mut self.loaded.rtt {
            let followed = rtt.follow(now, sampled);
            self.attached(RTT_PROGRAM, followed);
        }
        if let Some(handshakes) = &mut self.loaded.handshakes {
            handshakes.follow(now, closed);
        }
        if let Some(chosen) = self.loaded.follow_busyness() {
            self.errors.note(Operation::Steer, chosen.context("write the map CHOICE"));
        }
        let duties = self.loaded.duties();
        if duties != self.duties {
            self.duties = duties;
            let segments = self.loaded.rtt_stats().unwrap_or_default().segments_per_second.round();
            let sockets = self.loaded.handshake_stats().unwrap_or_default().sockets_per_second.round();
            tracing::debug!(?duties, segments, sockets, "duty of the probes changed");
            self.is_control_due = true;
            self.steer();
        }
        // Only after the programs know the new duty.
        if let Some(handshakes) = &mut self.loaded.handshakes {
            let started = handshakes.start();
            self.attached(HANDSHAKE_PROGRAM, started);
        }
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
        self.walk(now);
        let unread = self.read_rows();
        let has_counters = self.read_counters();
        let is_blind = unread.len() == self.loaded.families() && !has_counters;
        self.check_sight(is_blind)?;
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
            counters: self.counters,
            groups: (self.facts)(now, &named),
            host: self.host.as_mut().map(|reader| reader.read(now)),
        };
        self.cgroups = snapshot.groups.len();
        self.follow_pressure(&snapshot);
        self.follow_load(now);
        let attached = self.refused.take().map_or(Ok(()), Err);
        self.errors.note(Operation::Attach, attached);
        self.retire(now, &mut snapshot, &unread);
        self.steer();
        Ok(Some(snapshot))
    }
}

fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}
