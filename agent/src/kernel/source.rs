//! Snapshots of the running kernel.

use super::{
    control::{Duties, Room},
    errors::{Errors, Operation},
    idle::IdleRows,
    loaded::Loaded,
    maps::Unread,
    ports::Ranking,
    settings::{Mode, Rates},
    stats::StartStatistics,
    walk::{Pace, Walker},
};
use crate::{
    api::{KernelErrors, MapFill, MemoryLevel, ProgramRun, WalkStats},
    calls::{Call, Messages},
    clock::{monotonic, unix_ms},
    memory::Headroom,
    node::HostReader,
    sample::{CgroupFacts, Families, Read, SampleSource, Snapshot, Table as _, for_each_family, repeat_for_family},
};
use anyhow::Context as _;
use netwhy_abi::{Counter, Key as _, PeerClass};
use std::{collections::BTreeSet, net::Ipv6Addr, time::Duration};

mod idle_rows;
mod steering;

/// Ticks in a row without any row and counter, after which the source is broken for good.
const BLIND_TICKS: u32 = 10;

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
    fn pace(&self) -> Pace {
        Pace {
            min_interval: self.walk_min_interval,
            max_interval: self.walk_max_interval.max(self.walk_min_interval),
            cpu_share: self.walk_cpu_share,
        }
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
    /// Sampled messages.
    messages: Messages,
}

impl<F: FnMut(Duration, &[u64]) -> Vec<CgroupFacts>> KernelSource<F> {
    /// Takes over attached programs, and makes the first walk, which sets the base of older sockets. A walk that fails
    /// degrades its probe.
    pub fn new(loaded: Loaded, facts: F, settings: SourceSettings) -> Self {
        let mut this = Self {
            loaded,
            facts,
            host: None,
            walker: Walker::new(settings.pace()),
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
            messages: Messages::default(),
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

    /// Replaces the peer ranges of the programs. A refusal of the kernel is counted, and tried again with each
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

    /// Takes over changed settings. A refusal of the kernel is counted.
    pub fn configure(&mut self, rates: &Rates, settings: SourceSettings, modes: &[(&str, Mode)]) {
        let switched = self.loaded.set_modes(modes);
        self.errors.note(Operation::Attach, switched);
        self.loaded.configure(rates);
        self.walker.set_pace(settings.pace());
        self.settings = settings;
        self.is_control_due = true;
    }

    /// Exempts the sockets of these cgroups from sampling, and those of no others. A refusal of the kernel is counted,
    /// and the next call tries again.
    pub fn set_close_ups(&mut self, cgroups: &BTreeSet<u64>) {
        let result = self.loaded.set_close_ups(cgroups).context("write the map CLOSE_UPS");
        self.errors.note(Operation::Steer, result);
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

    /// Sampled calls that ended since the last time.
    fn read_calls(&mut self) -> Vec<Call> {
        let Self { loaded, messages, .. } = self;
        loaded.read_heads(|head| messages.take(head));
        messages.calls()
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
            walked_at: self.walker.walked_at.or((!self.loaded.can_walk).then_some(Snapshot::NEVER)),
            hz: self.walker.hz,
            tables,
            counters: self.counters,
            calls: self.read_calls(),
            answers: self.loaded.read_answers(),
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
