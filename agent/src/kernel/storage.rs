//! Room for the storage of sockets: how many may still get some, and how many did not.

use super::{loaded::Loaded, steering};
use crate::memory::Headroom;
use aya::maps::{Array, MapData};
use netwhy_abi::{
    Counter,
    memory::{States, UNBOUNDED},
};

/// Sockets that the newest walk found without storage, and the highest cookie of those that the first one found.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct ShedPod([u64; 2]);
// SAFETY: integers only.
unsafe impl aya::Pod for ShedPod {}

/// More sockets than this have no bound: counting them down would cost every one of them an atomic instruction.
const PLENTY: u64 = 4 << 20;

/// Sockets whose states fit into these bytes. With response times, each may get turns too.
fn sockets(bytes: Option<u64>, states: States, has_responses: bool) -> u64 {
    let of_socket = states.of_socket() + if has_responses { states.of_turns() } else { 0 };
    let fit = bytes.map(|bytes| bytes / of_socket as u64);
    fit.filter(|sockets| *sockets < PLENTY).unwrap_or(UNBOUNDED)
}

impl Loaded {
    /// Bounds the storage of sockets from now on. Call it once a tick: the programs count down in between.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_headroom(&mut self, headroom: &Headroom) -> anyhow::Result<()> {
        let has_responses = self.choice.generation != 0;
        let room = [headroom.timely, headroom.exact].map(|bytes| sockets(bytes, self.states, has_responses));
        // A map of states by address that is full refuses as well.
        self.has_shed = self.has_shed || self.states != States::InStorage && self.counter(Counter::NoStorage)? > 0;
        self.has_shed = self.has_shed || room != [UNBOUNDED; 2] && self.counter(Counter::StorageShed)? > 0;
        steering::set_room(&mut self.ebpf, room, self.has_shed)
    }

    /// Sockets that the newest walk found without storage. One with several descriptors counts for each.
    pub(super) fn shed_sockets(&self) -> anyhow::Result<u64> {
        Ok(self.shed()?[0])
    }

    /// Counts anew with the next walk.
    pub(super) fn clear_shed_sockets(&mut self) -> anyhow::Result<()> {
        let [found, highest] = self.shed()?;
        if found == 0 {
            return Ok(());
        }
        let map = self.ebpf.map_mut("STORAGE_SHED").ok_or_else(no_map)?;
        let mut map: Array<&mut MapData, ShedPod> = map.try_into()?;
        Ok(map.set(0, ShedPod([0, highest]), 0)?)
    }

    fn shed(&self) -> anyhow::Result<[u64; 2]> {
        let map = self.map("STORAGE_SHED").ok_or_else(no_map)?;
        let map: Array<&MapData, ShedPod> = map.try_into()?;
        Ok(map.get(&0, 0)?.0)
    }
}

fn no_map() -> anyhow::Error {
    anyhow::anyhow!("the object has no map STORAGE_SHED")
}

#[cfg(test)]
mod tests;
