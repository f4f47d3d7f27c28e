//! Ports that have edges of their own: how many each address has, and which.
//!
//! The kernel programs give the first ports of an address edges, and count the events of all further ones
//! (`FOLDED`). A ranking gives those that are busier an edge, and takes the edge of a less busy one out when it is
//! silent. So no count is moved, and none is lost: from then on the port counts elsewhere.

use super::{loaded::Loaded, sys};
use aya::maps::{HashMap, Map, MapData, MapError};
use netwhy_abi::{EdgeKey, EdgeStats, MAX_PORTS};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::AsFd as _,
    time::Duration,
};

/// How many times as busy as another a port must be to replace it: ports that are about as busy don't take turns.
const BUSIER: u64 = 2;
/// Events between two rankings below which no port is busy.
const MIN_EVENTS: u64 = 16;

/// An edge and its counts.
type Row = (EdgeKey, EdgeStats);

/// `EdgeKey` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct KeyPod(EdgeKey);
// SAFETY: `repr(C)`, integers only, without padding.
unsafe impl aya::Pod for KeyPod {}

/// `EdgeStats` as aya sees it.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct RowPod(EdgeStats);
// SAFETY: `repr(C)`, integers only, without padding.
unsafe impl aya::Pod for RowPod {}

impl Loaded {
    /// Gives addresses the places of the edges back that were taken out; `rows`: all edges before that.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn free_ports(&mut self, gone: &[EdgeKey], rows: &[Row]) -> anyhow::Result<()> {
        let left = ports_left(gone, rows.iter().map(|(key, _)| *key));
        if left.is_empty() {
            return Ok(());
        }
        let mut map: HashMap<&mut MapData, KeyPod, u64> = self.hash_map("PORTS")?;
        for (address, ports) in left {
            match ports {
                // It may be gone already.
                0 => drop(map.remove(&KeyPod(address))),
                _ => map.insert(KeyPod(address), ports, 0)?,
            }
        }
        Ok(())
    }

    /// Events of ports without edges of their own, by the edge that they would have. The counts begin anew now and then.
    pub(super) fn folded_ports(&self) -> anyhow::Result<Vec<(EdgeKey, u64)>> {
        let Some(Map::LruHashMap(map)) = self.map("FOLDED") else { anyhow::bail!("the object has no map FOLDED") };
        let mut rows = Vec::new();
        sys::read_all(map.fd().as_fd(), &mut rows)?;
        Ok(rows)
    }

    /// Gives ports edges of their own, beyond those that the kernel programs give; `rows`: all other edges.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn enter_ports(&mut self, ports: &[EdgeKey], rows: &[&Row]) -> anyhow::Result<()> {
        if ports.is_empty() {
            return Ok(());
        }
        let mut edges: HashMap<&mut MapData, KeyPod, RowPod> = self.hash_map("EDGES")?;
        for port in ports {
            // BPF_NOEXIST: a row that is there has counts.
            match edges.insert(KeyPod(*port), RowPod(EdgeStats::ZERO), 1) {
                Err(error) if !is_there(&error) => return Err(error.into()),
                _ => {}
            }
        }
        let mut taken: BTreeMap<EdgeKey, BTreeSet<EdgeKey>> =
            ports.iter().map(|port| (port.of_ports(), BTreeSet::new())).collect();
        for key in ports.iter().chain(rows.iter().map(|row| &row.0)).filter(|key| key.port != 0) {
            taken.entry(key.of_ports()).and_modify(|ports| _ = ports.insert(*key));
        }
        let mut map: HashMap<&mut MapData, KeyPod, u64> = self.hash_map("PORTS")?;
        for (address, ports) in taken {
            map.insert(KeyPod(address), ports.len() as u64, 0)?;
        }
        Ok(())
    }

    fn hash_map<V: aya::Pod>(&mut self, name: &str) -> anyhow::Result<HashMap<&mut MapData, KeyPod, V>> {
        let map = self.ebpf.map_mut(name).ok_or_else(|| anyhow::anyhow!("the object has no map {name}"))?;
        Ok(map.try_into()?)
    }
}

/// Whether a row could not be added because it is there already.
fn is_there(error: &MapError) -> bool {
    matches!(error, MapError::SyscallError(error) if error.io_error.raw_os_error() == Some(libc::EEXIST))
}

/// By address, of those in `gone`, the number of ports that still have edges.
fn ports_left(gone: &[EdgeKey], all: impl Iterator<Item = EdgeKey>) -> BTreeMap<EdgeKey, u64> {
    let has_port = |key: &&EdgeKey| key.port != 0;
    let mut left: BTreeMap<EdgeKey, u64> = gone.iter().filter(has_port).map(|key| (key.of_ports(), 0)).collect();
    if left.is_empty() {
        return left;
    }
    let gone: BTreeSet<&EdgeKey> = gone.iter().collect();
    for key in all.filter(|key| key.port != 0 && !gone.contains(key)) {
        if let Some(ports) = left.get_mut(&key.of_ports()) {
            *ports += 1;
        }
    }
    left
}

/// Which ports of addresses with many are the busiest.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    /// When the newest ranking was. `None`: none yet.
    ranked_at: Option<Duration>,
    /// Folded events at that time.
    folded: u64,
    /// Events of each port at that time, with an edge or without.
    events: BTreeMap<EdgeKey, u64>,
    /// Edges of ports that are not among the busiest.
    leaving: BTreeSet<EdgeKey>,
}

impl Ranking {
    /// Whether it is time to rank: `every` so often, if ports were folded since. `folded`: how many events so far.
    pub(super) fn is_due(&mut self, now: Duration, every: Duration, folded: u64) -> bool {
        if self.ranked_at.is_some_and(|at| now.saturating_sub(at) < every) {
            return false;
        }
        self.ranked_at = Some(now);
        std::mem::replace(&mut self.folded, folded) != folded
    }

    /// Ranks; returns the ports that get edges. `rows`: all edges; `folded`: events of ports without. An address is
    /// ranked from the second time on that it has such ports, because only growth can be compared.
    pub(super) fn rank(&mut self, rows: &[&Row], folded: &[(EdgeKey, u64)]) -> Vec<EdgeKey> {
        let known: BTreeSet<EdgeKey> = self.events.keys().map(EdgeKey::of_ports).collect();
        let mut addresses: BTreeMap<EdgeKey, Address> =
            folded.iter().map(|(key, _)| (key.of_ports(), Address::default())).collect();
        let mut events = BTreeMap::new();
        for (key, row) in rows.iter().copied().filter(|row| row.0.port != 0) {
            if let Some(address) = addresses.get_mut(&key.of_ports()) {
                let grown = self.grown(&mut events, *key, events_of(row));
                address.add(*key, grown, Some(self.leaving.contains(key)));
            }
        }
        for (key, n) in folded {
            if let Some(address) = addresses.get_mut(&key.of_ports())
                && !address.has(key)
            {
                let grown = self.grown(&mut events, *key, *n);
                address.add(*key, grown, None);
            }
        }
        self.events = events;
        let mut entered = Vec::new();
        for (place, address) in addresses.into_iter().filter(|(place, _)| known.contains(place)) {
            self.leaving.retain(|key| key.of_ports() != place);
            let (enter, leave) = address.rank();
            entered.extend(enter);
            self.leaving.extend(leave);
        }
        entered
    }

    /// Growth since the last ranking; remembers the value. One that fell began anew.
    fn grown(&self, events: &mut BTreeMap<EdgeKey, u64>, key: EdgeKey, now: u64) -> u64 {
        events.insert(key, now);
        match self.events.get(&key) {
            Some(before) if *before <= now => now - before,
            _ => now,
        }
    }

    /// Edges that leave and did not change in this tick; `rows`: all edges, `changed`: those that did.
    pub(super) fn silent(&mut self, rows: &[Row], changed: &[Row]) -> Vec<EdgeKey> {
        if self.leaving.is_empty() {
            return Vec::new();
        }
        let mut silent = std::mem::take(&mut self.leaving);
        for (key, _) in changed {
            if silent.remove(key) {
                self.leaving.insert(*key);
            }
        }
        let there: BTreeSet<&EdgeKey> = rows.iter().map(|(key, _)| key).collect();
        silent.into_iter().filter(|key| there.contains(key)).collect()
    }
}

/// Events that an edge counted: handshakes, attempts, resets and RTT samples; about as many as its events.
fn events_of(row: &EdgeStats) -> u64 {
    let samples: u64 = row.rtt.buckets.iter().map(|n| u64::from(*n)).sum();
    let others = row.connects.iter().chain(&row.connect_failures).chain([&row.resets_sent, &row.resets_received]);
    samples + others.sum::<u64>()
}

/// The ports of one address.
#[derive(Debug, Default)]
struct Address {
    /// By edge its events since the last ranking, and whether it leaves. `None`: it has no edge.
    ports: BTreeMap<EdgeKey, (u64, Option<bool>)>,
}

impl Address {
    fn add(&mut self, key: EdgeKey, events: u64, leaves: Option<bool>) {
        self.ports.insert(key, (events, leaves));
    }

    fn has(&self, key: &EdgeKey) -> bool {
        self.ports.contains_key(key)
    }

    /// Ports that get an edge, and those that shall lose theirs.
    fn rank(self) -> (Vec<EdgeKey>, Vec<EdgeKey>) {
        let most = MAX_PORTS as usize;
        let (mut stay, mut others): (Vec<_>, Vec<_>) = self
            .ports
            .into_iter()
            .map(|(key, (events, leaves))| (events, key, leaves))
            .partition(|p| p.2 == Some(false));
        let mut edges = stay.len() + others.iter().filter(|port| port.2.is_some()).count();
        // The busiest of the others first, the least busy of those that stay last.
        others.sort_unstable_by_key(|port| std::cmp::Reverse(*port));
        stay.sort_unstable_by_key(|port| std::cmp::Reverse(*port));
        let (mut enter, mut leave) = (Vec::new(), Vec::new());
        for port in others {
            let (events, key, leaves) = port;
            let weakest = stay.last().filter(|_| stay.len() >= most).map(|weakest| weakest.0);
            let is_busier = events >= MIN_EVENTS && weakest.is_none_or(|weakest| events >= BUSIER * weakest);
            let has_room = leaves.is_some() || edges < 2 * most;
            if !is_busier || !has_room {
                leave.extend(leaves.map(|_| key));
                continue;
            }
            if leaves.is_none() {
                enter.push(key);
                edges += 1;
            }
            if weakest.is_some() {
                leave.extend(stay.pop().map(|(_, key, _)| key));
            }
            let at = stay.partition_point(|other| *other > port);
            stay.insert(at, port);
        }
        (enter, leave)
    }
}

#[cfg(test)]
mod tests;
