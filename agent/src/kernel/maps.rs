//! Reading the programs' maps.

use super::{control::Traffic, loaded::Loaded, names::Names, steering, sys};
use crate::{
    api::MapFill,
    calls::Head,
    names::Answer,
    sample::{Families, Read, Table as _, for_each_family, repeat_for_family},
};
use aya::maps::{
    Array, HashMap, Map, MapData, MapError, PerCpuArray,
    lpm_trie::{Key, LpmTrie},
};
use netwhy_abi::{Control, Counter, EdgeKey, Exchange, Family, Object, PeerClass, is_lookup_observed};
use std::{
    collections::BTreeMap,
    fmt, io,
    net::Ipv6Addr,
    os::fd::{AsFd, BorrowedFd},
};

/// Two running totals of a walk.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct WalkPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for WalkPod {}

/// Words of a DNS lookup: its edge, its exchange, its weight.
const LOOKUP_WORDS: usize = (size_of::<EdgeKey>() + size_of::<Exchange>()) / 8 + 1;

/// A family whose rows could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    /// Name of the family.
    pub(super) family: &'static str,
    map: &'static str,
    error: io::Error,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read the map {}: {}", self.map, self.error)
    }
}

impl Loaded {
    /// Hands over the first bytes of exchanges since the last call, those of one CPU in order.
    pub fn read_heads(&mut self, each: impl FnMut(&Head<'_>)) {
        if let Some(heads) = &mut self.heads {
            heads.read(each);
        }
    }

    /// DNS answers with addresses since the last call.
    pub(super) fn read_answers(&mut self) -> Vec<Answer> {
        self.copied_answers.as_mut().map_or_else(Vec::new, Names::read)
    }

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

    /// Reads all rows of all families, at about one moment. Returns the families that could not be read whole.
    pub(super) fn read(&self, tables: &mut Families<Read>) -> Vec<Unread> {
        let mut unread = Vec::new();
        for_each_family!(F => {
            let read = self.fd::<F>().and_then(|map| match map {
                Some(map) => sys::read_all(map, &mut F::of_mut(tables).rows),
                None => Ok(()),
            });
            if let Err(error) = read {
                unread.push(Unread { family: F::NAME, map: F::MAP, error });
            }
        });
        unread
    }

    /// Number of families whose maps are loaded.
    pub(super) fn families(&self) -> usize {
        let mut families = 0;
        for_each_family!(F => {
            families += usize::from(!matches!(self.fd::<F>(), Ok(None)));
        });
        families
    }

    /// Asks the kernel once for all that a snapshot asks: rows, counters, a change, a walk (whose file is made, not
    /// read).
    ///
    /// # Errors
    /// The kernel refused something.
    pub fn check(&mut self) -> anyhow::Result<()> {
        if let Some(unread) = self.read(&mut Families::default()).into_iter().next() {
            return Err(anyhow::Error::new(unread.error).context(format!("read the map {}", unread.map)));
        }
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

    /// One of the programs' own counters, summed over CPUs.
    pub(super) fn counter(&self, counter: Counter) -> anyhow::Result<u64> {
        let map = self.map("COUNTERS").ok_or_else(|| anyhow::anyhow!("the object has no map COUNTERS"))?;
        let map: PerCpuArray<&MapData, u64> = map.try_into()?;
        Ok(map.get(&(counter as u32), 0)?.iter().sum())
    }

    /// Events so far, summed over CPUs.
    pub(super) fn traffic(&self) -> anyhow::Result<Traffic> {
        let map = self.map("COUNTERS").ok_or_else(|| anyhow::anyhow!("the object has no map COUNTERS"))?;
        let map: PerCpuArray<&MapData, u64> = map.try_into()?;
        let sum = |slot| anyhow::Ok(map.get(&slot, 0)?.iter().sum());
        Ok(Traffic {
            sampled: sum(Counter::WON_SLOT)?,
            closed: sum(Counter::ENDED_SLOT)?,
            asked: sum(Counter::ASKED_SLOT)?,
            timed: sum(Counter::TIMED_SLOT)?,
        })
    }

    /// Tells the programs the current walk, whether it is the first, and whether the edge map is full.
    pub(super) fn set_control(&mut self, control: Control) -> anyhow::Result<()> {
        steering::set_control(&mut self.ebpf, control)
    }

    /// Forgets the DNS lookups of sockets that the share leaves out.
    pub(super) fn sweep_lookups(&mut self, share: u32) -> anyhow::Result<()> {
        self.forget_lookups(|cookie| is_lookup_observed(cookie, share))
    }

    /// Forgets the DNS lookups of sockets by their cookies.
    pub(super) fn forget_lookups(&mut self, is_kept: impl Fn(u64) -> bool) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("LOOKUPS").ok_or_else(|| anyhow::anyhow!("the object has no map LOOKUPS"))?;
        let mut map: HashMap<&mut MapData, u64, [u64; LOOKUP_WORDS]> = map.try_into()?;
        let left_out = |cookie: &Result<u64, MapError>| !matches!(cookie, Ok(cookie) if is_kept(*cookie));
        let gone = map.keys().filter(left_out).collect::<Result<Vec<_>, _>>()?;
        for cookie in gone {
            match map.remove(&cookie) {
                // Its socket has just ended.
                Err(error) if !is_missing(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sets the walk's running totals to zero.
    pub(super) fn clear_walk(&mut self) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("WALK").ok_or_else(|| anyhow::anyhow!("the object has no map WALK"))?;
        let mut map: Array<&mut MapData, WalkPod> = map.try_into()?;
        Ok(map.set(0, WalkPod([0; 2]), 0)?)
    }

    /// Replaces the prefixes of the map: (address, leading bits in IPv6 form, class). Ranges that are in both the old
    /// and the new set are never missing.
    ///
    /// # Errors
    /// The first refusal, such as that of a full map. All other prefixes are as they should be.
    pub fn set_prefixes(&mut self, prefixes: &[(Ipv6Addr, u8, PeerClass)]) -> anyhow::Result<()> {
        let map = self.ebpf.map_mut("PEERS").ok_or_else(|| anyhow::anyhow!("the object has no map PEERS"))?;
        let mut map: LpmTrie<&mut MapData, [u8; 16], u32> = map.try_into()?;
        let wanted: BTreeMap<_, _> = prefixes.iter().map(|(addr, bits, class)| ((*addr, *bits), *class)).collect();
        let of = |(addr, bits): &(Ipv6Addr, u8)| Key::new(u32::from(*bits), addr.octets());
        let mut refused = None;
        // First, to make room.
        self.prefixes.retain(|prefix, _| {
            let removed = if wanted.contains_key(prefix) { None } else { Some(map.remove(&of(prefix))) };
            match removed {
                None => true,
                Some(Ok(())) => false,
                Some(Err(error)) if is_missing(&error) => false,
                Some(Err(error)) => {
                    let (addr, bits) = prefix;
                    refused.get_or_insert_with(|| anyhow::anyhow!("remove the prefix {addr}/{bits}: {error}"));
                    true
                }
            }
        });
        for (prefix, class) in wanted {
            if self.prefixes.get(&prefix) == Some(&class) {
                continue;
            }
            match map.insert(&of(&prefix), class as u32, 0) {
                Ok(()) => drop(self.prefixes.insert(prefix, class)),
                Err(error) => {
                    let (addr, bits) = prefix;
                    refused.get_or_insert_with(|| {
                        anyhow::anyhow!("prefix {addr}/{bits} does not fit: {error}: raise limits.prefixes")
                    });
                }
            }
        }
        refused.map_or(Ok(()), Err)
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

/// Whether the kernel has no such key.
fn is_missing(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound | MapError::ElementNotFound => true,
        MapError::SyscallError(error) => error.io_error.raw_os_error() == Some(libc::ENOENT),
        _ => false,
    }
}
