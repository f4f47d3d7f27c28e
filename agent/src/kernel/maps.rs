//! Reading the programs' maps.

use super::{churn::Churn, load::Loaded, rtt::Rtt, stats::MapFill, sys};
use aya::maps::{Array, Map, MapData, PerCpuArray, lpm_trie::LpmTrie};
use netwhy_abi::{
    CgroupStats, Control, Counter, DnsStats, DropKey, EdgeKey, EdgeStats, OverflowKey, PeerClass, RunQueueStats,
};
use std::{
    io,
    net::Ipv6Addr,
    os::fd::{AsFd, BorrowedFd},
};

/// `Control` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct ControlPod(Control);
// SAFETY: `repr(C)`, integers only, padding explicit.
unsafe impl aya::Pod for ControlPod {}

/// Two running totals of a walk.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct WalkPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for WalkPod {}

/// All rows of all maps at about one moment.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) edges: Vec<(EdgeKey, EdgeStats)>,
    pub(super) overflow: Vec<(OverflowKey, EdgeStats)>,
    pub(super) cgroups: Vec<(u64, CgroupStats)>,
    pub(super) drops: Vec<(DropKey, u64)>,
    pub(super) dns: Vec<(EdgeKey, DnsStats)>,
    pub(super) run_queue: Vec<(u64, RunQueueStats)>,
}

impl Loaded {
    pub(super) fn fd(&self, name: &str) -> io::Result<BorrowedFd<'_>> {
        let data = match self.map(name) {
            Some(Map::HashMap(data) | Map::LpmTrie(data) | Map::Array(data) | Map::PerCpuArray(data)) => data,
            _ => return Err(io::Error::other(format!("the object has no map {name}"))),
        };
        Ok(data.fd().as_fd())
    }

    /// Reads all hash maps.
    pub(super) fn read(&self, rows: &mut Rows) -> io::Result<()> {
        sys::read_all(self.fd("EDGES")?, &mut rows.edges)?;
        sys::read_all(self.fd("OVERFLOW")?, &mut rows.overflow)?;
        sys::read_all(self.fd("CGROUPS")?, &mut rows.cgroups)?;
        sys::read_all(self.fd("DROPS")?, &mut rows.drops)?;
        sys::read_all(self.fd("DNS")?, &mut rows.dns)?;
        self.run_queue.as_ref().map_or(Ok(()), |run_queue| run_queue.read(&mut rows.run_queue))
    }

    /// Asks the kernel once for all that a snapshot asks: rows, counters, a change, a walk (whose file is made, not read).
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.read(&mut Rows::default())?;
        self.counters()?;
        self.clear_walk()?;
        if self.can_walk {
            self.walk_file()?;
        }
        self.rtt.as_ref().map_or(Ok(()), Rtt::check)?;
        Ok(self.churn.as_ref().map_or(Ok(()), Churn::check)?)
    }

    /// The programs' own counters, summed over CPUs.
    pub(super) fn counters(&self) -> anyhow::Result<[u64; Counter::ALL.len()]> {
        let map = self.map("COUNTERS").ok_or_else(|| anyhow::anyhow!("the object has no map COUNTERS"))?;
        let map: PerCpuArray<&MapData, u64> = map.try_into()?;
        let mut sums = [0; Counter::ALL.len()];
        for counter in Counter::ALL {
            sums[counter as usize] = map.get(&(counter as u32), 0)?.iter().sum();
        }
        if let Some(run_queue) = &self.run_queue {
            sums[Counter::RunQueueFull as usize] = run_queue.lost()?;
        }
        Ok(sums)
    }

    /// Segments that won the draw for an RTT sample, and TCP sockets that ended, summed over CPUs.
    pub(super) fn traffic(&self) -> anyhow::Result<(u64, u64)> {
        let map = self.map("COUNTERS").ok_or_else(|| anyhow::anyhow!("the object has no map COUNTERS"))?;
        let map: PerCpuArray<&MapData, u64> = map.try_into()?;
        let sum = |slot| anyhow::Ok(map.get(&slot, 0)?.iter().sum());
        Ok((sum(Counter::WON_SLOT)?, sum(Counter::ENDED_SLOT)?))
    }

    /// Tells the programs the current walk, whether it is the first, and whether the edge map is full.
    pub(super) fn set_control(&mut self, control: Control) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("CONTROL").ok_or_else(|| anyhow::anyhow!("the object has no map CONTROL"))?;
        let mut map: Array<&mut MapData, ControlPod> = map.try_into()?;
        Ok(map.set(0, ControlPod(control), 0)?)
    }

    /// Sets the walk's running totals to zero.
    pub(super) fn clear_walk(&mut self) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("WALK").ok_or_else(|| anyhow::anyhow!("the object has no map WALK"))?;
        let mut map: Array<&mut MapData, WalkPod> = map.try_into()?;
        Ok(map.set(0, WalkPod([0; 2]), 0)?)
    }

    /// Fills the prefix map: (address, leading bits in IPv6 form, class).
    ///
    /// # Errors
    /// When there are more prefixes than the map has room for.
    pub fn set_prefixes(&mut self, prefixes: &[(Ipv6Addr, u8, PeerClass)]) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("PEERS").ok_or_else(|| anyhow::anyhow!("the object has no map PEERS"))?;
        let mut map: LpmTrie<&mut MapData, [u8; 16], u32> = map.try_into()?;
        for (addr, bits, class) in prefixes {
            let key = aya::maps::lpm_trie::Key::new(u32::from(*bits), addr.octets());
            map.insert(&key, *class as u32, 0)
                .map_err(|e| anyhow::anyhow!("prefix {addr}/{bits} does not fit: {e}: raise limits.prefixes"))?;
        }
        Ok(())
    }

    /// How full the maps are.
    pub(super) fn fill(&self, rows: &Rows) -> Vec<MapFill> {
        let of = |name: &'static str, entries: usize, row: usize| {
            let info = self.map(name).and_then(|map| match map {
                Map::HashMap(data) => data.info().ok(),
                _ => None,
            });
            let max_entries = info.map_or(0, |info| u64::from(info.max_entries()));
            MapFill { name, entries: entries as u64, max_entries, bytes: (entries * row) as u64 }
        };
        vec![
            of("edges", rows.edges.len(), size_of::<(EdgeKey, EdgeStats)>()),
            of("overflow", rows.overflow.len(), size_of::<(OverflowKey, EdgeStats)>()),
            of("cgroups", rows.cgroups.len(), size_of::<(u64, CgroupStats)>()),
            of("drops", rows.drops.len(), size_of::<(DropKey, u64)>()),
            of("dns", rows.dns.len(), size_of::<(EdgeKey, DnsStats)>()),
            of("run_queue", rows.run_queue.len(), size_of::<(u64, RunQueueStats)>()),
        ]
        .into_iter()
        .map(|fill| MapFill { max_entries: self.capacity(fill.name).unwrap_or(fill.max_entries), ..fill })
        .collect()
    }

    /// Rows that a map has room for.
    pub(super) fn capacity(&self, name: &str) -> Option<u64> {
        if name == "run_queue" {
            return self.run_queue.as_ref()?.capacity();
        }
        match self.map(&name.to_ascii_uppercase())? {
            Map::HashMap(data) => data.info().ok().map(|info| u64::from(info.max_entries())),
            _ => None,
        }
    }
}
