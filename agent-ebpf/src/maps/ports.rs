//! Ports of an address that have edges of their own.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{HashMap, LruHashMap},
    macros::btf_map,
};
use netwhy_abi::{EdgeKey, MAX_PORTS};

use super::ON_DEMAND;
use crate::atomic;

/// By address ([`EdgeKey::of_ports`]) the number of ports that have edges of their own. The agent takes back those
/// whose edges it takes out.
#[btf_map]
static PORTS: HashMap<EdgeKey, u64, 16384, ON_DEMAND> = HashMap::new();
/// Events of ports that have no edges of their own, by the edge that they would have. Evicts the port that was silent
/// for longest: the agent looks for the busiest, and a scanner's thousands must not crowd them out.
#[btf_map]
static FOLDED: LruHashMap<EdgeKey, u64, { netwhy_abi::memory::FOLDED_PORTS }> = LruHashMap::new();

/// Takes one of the places that an address has for ports. False: there is none left.
#[inline(always)]
pub(super) fn take_port(key: &EdgeKey) -> bool {
    let ports = key.of_ports();
    // Two CPUs at once may take one place too many, which the agent's next count sets right.
    if PORTS.get_ptr_mut(ports).is_none() {
        let _ = PORTS.insert(ports, 0, u64::from(BPF_NOEXIST));
    }
    match PORTS.get_ptr_mut(ports) {
        // SAFETY: a live map value.
        Some(taken) => unsafe {
            let is_free = core::ptr::read_volatile(taken) < MAX_PORTS;
            if is_free {
                atomic::add(taken, 1);
            }
            is_free
        },
        None => false,
    }
}

/// Gives a place back that no edge got.
#[inline(always)]
pub(super) fn give_port(key: &EdgeKey) {
    if key.port != 0
        && let Some(taken) = PORTS.get_ptr_mut(key.of_ports())
    {
        // SAFETY: a live map value.
        unsafe { atomic::add(taken, u64::MAX) };
    }
}

/// Counts an event of a port that has no edge of its own.
#[inline(always)]
pub(super) fn note_folded(key: &EdgeKey) {
    match FOLDED.get_ptr_mut(key) {
        // SAFETY: a live map value; an evicted row may be another's by then, and its count is of no figure.
        Some(events) => unsafe { atomic::add(events, 1) },
        // Fails when another CPU was faster.
        None => drop(FOLDED.insert(key, 1, u64::from(BPF_NOEXIST))),
    }
}
