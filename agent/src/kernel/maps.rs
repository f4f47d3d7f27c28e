//! Reading the programs' maps.

use super::{load::Loaded, steering, sys};
use crate::{
    api::MapFill,
    sample::{Families, Read, Table as _, for_each_family, repeat_for_family},
};
use aya::maps::{Array, Map, MapData, PerCpuArray, lpm_trie::LpmTrie};
use netwhy_abi::{Control, Counter, Family, Object, PeerClass};
use std::{
    io,
    net::Ipv6Addr,
    os::fd::{AsFd, BorrowedFd},
};

/// Two running totals of a walk.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct WalkPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for WalkPod {}

impl Loaded {
    /// The hash map of a family. `None`: its object is not loaded.
    fn table<F: Family>(&self) -> io::Result<Option<&MapData>> {
        let map = match (F::OBJECT, &self.run_queue) {
            (Object::Main, _) => self.ebpf.map(F::MAP),
            (Object::RunQueue, Some(run_queue)) => run_queue.ebpf.map(F::MAP),
            (Object::RunQueue, None) => return Ok(None),
        };
        match map {
            Some(Map::HashMap(data)) => Ok(Some(data)),
            _ => Err(io::Error::other(format!("the object has no hash map {}", F::MAP))),
        }
    }

    /// The same as a file descriptor.
    pub(super) fn fd<F: Family>(&self) -> io::Result<Option<BorrowedFd<'_>>> {
        Ok(self.table::<F>()?.map(|data| data.fd().as_fd()))
    }

    /// Reads all rows of all families, at about one moment.
    pub(super) fn read(&self, tables: &mut Families<Read>) -> io::Result<()> {
        for_each_family!(F => {
            if let Some(map) = self.fd::<F>()? {
                sys::read_all(map, &mut F::of_mut(tables).rows)?;
            }
        });
        Ok(())
    }

    /// Asks the kernel once for all that a snapshot asks: rows, counters, a change, a walk (whose file is made, not
    /// read).
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.read(&mut Families::default())?;
        self.counters()?;
        self.clear_walk()?;
        if self.can_walk {
            self.walk_file()?;
            self.subflow_file()?;
        }
        Ok(self.check_duty_cycles()?)
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

    /// Segments sampled for their RTT, and TCP sockets that ended, summed over CPUs.
    pub(super) fn traffic(&self) -> anyhow::Result<(u64, u64)> {
        let map = self.map("COUNTERS").ok_or_else(|| anyhow::anyhow!("the object has no map COUNTERS"))?;
        let map: PerCpuArray<&MapData, u64> = map.try_into()?;
        let sum = |slot| anyhow::Ok(map.get(&slot, 0)?.iter().sum());
        Ok((sum(Counter::WON_SLOT)?, sum(Counter::ENDED_SLOT)?))
    }

    /// Tells the programs the current walk, whether it is the first, and whether the edge map is full.
    pub(super) fn set_control(&mut self, control: Control) -> anyhow::Result<()> {
        steering::set_control(&mut self.ebpf, control)
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
    pub(super) fn fill(&self, tables: &Families<Read>) -> Vec<MapFill> {
        let mut fill = Vec::new();
        for_each_family!(F => {
            let entries = F::of(tables).rows.len() as u64;
            let bytes = entries * size_of::<(<F as Family>::Key, <F as Family>::Row)>() as u64;
            let max_entries = self.capacity::<F>().unwrap_or(0);
            fill.push(MapFill { name: F::NAME.to_owned(), entries, max_entries, bytes: Some(bytes) });
        });
        fill
    }

    /// Rows that a family's map has room for. `None`: not known, or not loaded.
    pub(super) fn capacity<F: Family>(&self) -> Option<u64> {
        self.table::<F>().ok()??.info().ok().map(|info| u64::from(info.max_entries()))
    }
}
