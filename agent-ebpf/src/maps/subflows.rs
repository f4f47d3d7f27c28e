//! Subflows of MPTCP sockets; see [`crate::subflows`].

use aya_ebpf::{
    btf_maps::{HashMap, SkStorage},
    macros::btf_map,
};
use core::ptr::NonNull;

use super::ON_DEMAND;
use crate::storage::SocketState;

/// The state of listeners that are subflows of MPTCP sockets, by the subflow's address: a walk can't reach their
/// storage. Taken out when they end. One that does not fit counts when it closes.
#[btf_map]
static SUBFLOWS: HashMap<u64, SocketState, { netwhy_abi::memory::SUBFLOWS }, ON_DEMAND> = HashMap::new();
/// Subflows of MPTCP connections, for walks to come to them.
#[btf_map]
static SUBFLOW_MARKS: SkStorage<u64> = SkStorage::new();
/// Base of subflows that are older than the agent, by the subflow's address, until a program comes to them that can
/// store it with the socket. Those that do not fit count from then on.
#[btf_map]
static OLDER_SUBFLOWS: HashMap<u64, SocketState, { netwhy_abi::memory::OLDER_SUBFLOWS }, ON_DEMAND> = HashMap::new();

/// Address of the map of subflows' marks, for the helper.
#[inline(always)]
pub(crate) fn subflow_marks() -> *mut core::ffi::c_void {
    (&raw const SUBFLOW_MARKS).cast_mut().cast()
}

/// State of a listening subflow.
#[inline(always)]
pub(crate) fn subflow(address: u64) -> Option<NonNull<SocketState>> {
    NonNull::new(SUBFLOWS.get_ptr_mut(address).unwrap_or_default())
}

/// Adds a listening subflow. Replaces one that ended unseen.
#[inline(always)]
pub(crate) fn add_subflow(address: u64, state: &SocketState) {
    // Fails when there is no room.
    let _ = SUBFLOWS.insert(address, state, 0);
}

/// Takes a listening subflow out.
#[inline(always)]
pub(crate) fn remove_subflow(address: u64) {
    // Fails when it is not there.
    let _ = SUBFLOWS.remove(address);
}

/// Keeps the base of a subflow that is older than the agent.
#[inline(always)]
pub(crate) fn add_older_subflow(address: u64, base: &SocketState) {
    // Fails when there is no room.
    let _ = OLDER_SUBFLOWS.insert(address, base, 0);
}

/// Takes the base of a subflow that is older than the agent; false: there is none.
#[inline(always)]
pub(crate) fn take_older_subflow(address: u64, base: &mut SocketState) -> bool {
    // SAFETY: a copy is made at once.
    let Some(kept) = (unsafe { OLDER_SUBFLOWS.get(address) }) else { return false };
    *base = *kept;
    // Fails when another CPU was faster.
    let _ = OLDER_SUBFLOWS.remove(address);
    true
}

/// Whether the base of a subflow is kept.
#[inline(always)]
pub(crate) fn is_older_subflow(address: u64) -> bool {
    OLDER_SUBFLOWS.get_ptr(address).is_some()
}

/// Forgets the base of a subflow.
#[inline(always)]
pub(crate) fn remove_older_subflow(address: u64) {
    // Fails when it is not there.
    let _ = OLDER_SUBFLOWS.remove(address);
}
