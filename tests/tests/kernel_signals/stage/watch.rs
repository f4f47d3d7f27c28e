//! An agent's kernel side over a stage, and the sums of its snapshots.

use super::{SYSFS, id_of};
use netwhy_abi::{Counter, EdgeKey, PeerClass, memory::Limits};
use netwhy_agent::{
    kernel::{KernelSource, Loaded, Mode, Rates, Settings, SourceSettings, Subtree, monotonic},
    memory::Headroom,
    sample::{CgroupFacts, Families, Ledger, Lookups, SampleSource as _, Snapshot, Sums, Tally, Window},
};
use std::{
    fs,
    net::{IpAddr, Ipv6Addr},
    path::Path,
    time::Duration,
};

/// How an agent is set up.
pub(crate) struct Options {
    pub(crate) rtt_every: u32,
    pub(crate) rtt_duty_above: u64,
    pub(crate) rtt_low_duty_above: u64,
    pub(crate) churn_above: u64,
    pub(crate) dns_above: u64,
    /// Share of exchanges that are looked at for HTTP.
    pub(crate) http_share: f64,
    /// Share of connections that are followed for HTTP/2.
    pub(crate) grpc_share: f64,
    /// Shortest time between two walks.
    pub(crate) walk_min_interval: Duration,
    /// Share of one core that walks may take.
    pub(crate) walk_cpu_share: f64,
    pub(crate) limits: Limits,
    pub(crate) prefixes: Vec<(Ipv6Addr, u8, PeerClass)>,
    pub(crate) modes: &'static [(&'static str, Mode)],
    /// The contents of the cgroup files.
    pub(crate) facts: Facts,
    /// Memory that the first walk may take. `None`: any.
    pub(crate) headroom: Option<Headroom>,
}

impl Options {
    pub(crate) fn rates(&self) -> Rates {
        Rates {
            rtt_every: self.rtt_every,
            rtt_duty_above: self.rtt_duty_above,
            rtt_low_duty_above: self.rtt_low_duty_above,
            churn_above: self.churn_above,
            dns_above: self.dns_above,
            http_share: self.http_share,
            grpc_share: self.grpc_share,
        }
    }

    pub(crate) fn pace(&self) -> SourceSettings {
        SourceSettings {
            walk_min_interval: self.walk_min_interval,
            walk_max_interval: Duration::from_secs(3600),
            walk_cpu_share: self.walk_cpu_share,
            edge_idle: Duration::from_secs(3600),
            rank_ports: Duration::ZERO,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        let limits = Limits { cgroups: 256, edges: 1024, drops: 256, prefixes: 64 };
        Self {
            rtt_every: 16,
            // Out of reach: the rates are those of the whole machine, which has other work.
            rtt_duty_above: u64::MAX,
            rtt_low_duty_above: u64::MAX,
            churn_above: u64::MAX,
            dns_above: u64::MAX,
            http_share: 1.0,
            grpc_share: 1.0,
            walk_min_interval: Duration::ZERO,
            walk_cpu_share: 1e9,
            limits,
            prefixes: Vec::new(),
            modes: &[],
            facts: |_, _| Vec::new(),
            headroom: None,
        }
    }
}

type Facts = fn(Duration, &[u64]) -> Vec<CgroupFacts>;

/// An agent's kernel side, and the sums of its snapshots.
pub(crate) struct Watch {
    pub(crate) source: KernelSource<Facts>,
    pub(crate) ledger: Ledger,
    /// Everything since the start: a window without end.
    window: Window,
    pub(crate) last: Snapshot,
}

impl Watch {
    /// An agent over one cgroup's subtree. By default every read walks over the sockets.
    pub(crate) fn over(dir: &Path, options: Options) -> Self {
        Self::begin(dir, options, || {})
    }

    /// The same; something happens when the programs are attached, before the first walk.
    pub(crate) fn begin(dir: &Path, options: Options, meanwhile: impl FnOnce()) -> Self {
        let mut loaded = Loaded::load(&settings(dir, &options)).unwrap();
        loaded.set_prefixes(&options.prefixes).unwrap();
        let pace = options.pace();
        if let Some(headroom) = &options.headroom {
            loaded.set_headroom(headroom).unwrap();
        }
        meanwhile();
        let source = KernelSource::new(loaded, options.facts, pace);
        Self { source, ledger: Ledger::default(), window: Window::new(Duration::MAX), last: Snapshot::default() }
    }

    /// Takes a snapshot and adds what it brings.
    pub(crate) fn read(&mut self) {
        self.last = self.source.sample().unwrap().unwrap();
        self.window.push(self.ledger.take(&self.last));
    }

    /// Sums of every family's rows.
    pub(crate) fn sums(&self) -> &Families<Sums> {
        self.window.sums()
    }

    /// Programs that the kernel skipped because they were running on that CPU already: they explain a low count.
    pub(crate) fn missed(&self) -> Vec<(String, u64)> {
        let runs = self.source.program_runs().into_iter();
        runs.filter_map(|run| Some((run.name, run.missed.filter(|n| *n > 0)?))).collect()
    }

    /// Everything of one cgroup.
    pub(crate) fn of(&self, cgroup: u64) -> Tally {
        let (mut sum, sums) = (Tally::default(), self.sums());
        sums.edges.iter().filter(|(key, _)| key.cgroup == cgroup).for_each(|(_, tally)| sum.add(tally));
        sums.overflow.iter().filter(|(key, _)| key.cgroup == cgroup).for_each(|(_, tally)| sum.add(tally));
        sum
    }

    /// Everything.
    pub(crate) fn all(&self) -> Tally {
        let (mut sum, sums) = (Tally::default(), self.sums());
        sums.edges.values().chain(sums.overflow.values()).for_each(|tally| sum.add(tally));
        sum
    }

    /// The counters of one cgroup towards one address: all ports, both roles.
    pub(crate) fn edge(&self, cgroup: u64, peer: IpAddr) -> Tally {
        let (mut sum, rows) = (Tally::default(), self.keys(cgroup, peer).filter_map(|key| self.sums().edges.get(&key)));
        rows.for_each(|tally| sum.add(tally));
        sum
    }

    /// The lowest RTT of one cgroup towards one address, µs.
    pub(crate) fn min_rtt_us(&self, cgroup: u64, peer: IpAddr) -> Option<u32> {
        self.keys(cgroup, peer).filter_map(|key| self.ledger.min_rtt_us(&key, monotonic())).min()
    }

    /// Edges of one cgroup towards one address.
    fn keys(&self, cgroup: u64, peer: IpAddr) -> impl Iterator<Item = EdgeKey> {
        let address = edge_key(cgroup, peer);
        let rows = self.sums().edges.keys().copied();
        rows.filter(move |key| (key.cgroup, key.addr) == (address.cgroup, address.addr))
    }

    /// DNS lookups of one cgroup at one address.
    pub(crate) fn lookups(&self, cgroup: u64, server: IpAddr) -> Lookups {
        let (mut sum, address) = (Lookups::default(), edge_key(cgroup, server));
        let rows = self.sums().dns.iter().filter(|(key, _)| (key.cgroup, key.addr) == (address.cgroup, address.addr));
        rows.for_each(|(_, lookups)| sum.add(lookups));
        sum
    }

    /// cgroups that anything was counted for, in order.
    pub(crate) fn cgroups(&self) -> Vec<u64> {
        let sums = self.sums();
        let rows = sums.edges.keys().map(|key| key.cgroup).chain(sums.overflow.keys().map(|key| key.cgroup));
        let mut ids: Vec<u64> = rows.chain(sums.cgroups.keys().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// One of the programs' own counters.
    pub(crate) fn counter(&self, counter: Counter) -> u64 {
        self.last.counters[counter as usize]
    }
}

/// Settings of an agent over one cgroup's subtree.
fn settings<'a>(dir: &'a Path, options: &Options) -> Settings<'a> {
    let mount = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mount.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).unwrap();
    let mount = Path::new(mount.split(' ').nth(1).unwrap());
    let level = u32::try_from(dir.strip_prefix(mount).unwrap().components().count()).unwrap();
    Settings {
        sysfs: Path::new(SYSFS),
        rates: options.rates(),
        has_room: true,
        modes: options.modes,
        limits: options.limits,
        subtree: Some(Subtree { level, id: id_of(dir) }),
        cgroup_dir: dir,
    }
}

/// Key of an edge.
pub(crate) fn edge_key(cgroup: u64, peer: IpAddr) -> EdgeKey {
    let addr = match peer {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    EdgeKey::new(cgroup, addr.octets())
}
