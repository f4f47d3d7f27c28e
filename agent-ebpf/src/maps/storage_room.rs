//! Storage of sockets, and the room that is left for it.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{Array, HashMap, SkStorage},
    macros::btf_map,
};
use core::ptr::NonNull;

use super::ON_DEMAND;
use crate::{atomic, kernel::probe, storage::SocketState};
use netwhy_abi::memory::OLDER_BITS;

/// The state of each socket; lives and dies with the socket.
#[btf_map]
static SOCKETS: SkStorage<SocketState> = SkStorage::new();
/// The same by the socket's address, where walks can't come to storage; one row elsewhere. `nw_destroy` takes it out.
#[btf_map]
static SOCKETS_BY_ADDR: HashMap<u64, SocketState, 1, ON_DEMAND> = HashMap::new();
/// Bits by address of living sockets that the first walk found without room, where states are kept by address; one word
/// elsewhere. Two sockets may share a bit.
#[btf_map]
static OLDER_BY_ADDR: Array<u64, 1> = Array::new();
/// Sockets that may still get storage, by [`Need`], and whether storage was ever refused. The agent sets it once a
/// tick, so that storage stays within its memory limit also when a tick is late.
#[btf_map]
static STORAGE_ROOM: Array<[u64; 3], 1> = Array::new();
/// Sockets that the walk in progress found without storage, and the highest cookie of those that the first walk found.
#[btf_map]
static STORAGE_SHED: Array<[u64; 2], 1> = Array::new();

/// Address of the socket storage map, for the helper.
#[inline(always)]
pub(crate) fn sockets() -> *mut core::ffi::c_void {
    (&raw const SOCKETS).cast_mut().cast()
}

/// State of the socket at an address.
#[inline(always)]
pub(crate) fn state_at(address: u64) -> Option<NonNull<SocketState>> {
    NonNull::new(SOCKETS_BY_ADDR.get_ptr_mut(address).unwrap_or_default())
}

/// State of the socket at an address, made when missing. `None`: no room.
#[inline(always)]
pub(crate) fn add_state(address: u64, first: &SocketState) -> Option<NonNull<SocketState>> {
    // Fails when there is no room, or another CPU was faster.
    let _ = SOCKETS_BY_ADDR.insert(address, first, u64::from(BPF_NOEXIST));
    state_at(address)
}

/// Takes out the state of a socket that ends.
#[inline(always)]
pub(crate) fn remove_state(address: u64) {
    // Fails when it is not there.
    let _ = SOCKETS_BY_ADDR.remove(address);
}

/// Word and bit of a socket that is older than the agent. `None`: unreadable.
#[inline(always)]
fn older_bit(address: u64) -> Option<(NonNull<u64>, u64)> {
    // SAFETY: a word of the stack. Read so, it is a number to the verifier, no pointer.
    let number: u64 = unsafe { probe((&raw const address).cast(), 0) }?;
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - OLDER_BITS);
    Some((NonNull::new(OLDER_BY_ADDR.get_ptr_mut((hash >> 6) as u32)?)?, 1 << (hash & 63)))
}

/// Whether the first walk found the socket at an address without room.
#[inline(always)]
pub(crate) fn is_older_at(address: u64) -> bool {
    // SAFETY: a live map value.
    older_bit(address).is_some_and(|(word, bit)| unsafe { word.as_ptr().read_volatile() } & bit != 0)
}

/// Notes that the first walk found the socket at an address without room.
#[inline(always)]
pub(crate) fn add_older_at(address: u64) {
    if let Some((word, bit)) = older_bit(address) {
        // SAFETY: a live map value. One walk alone sets bits, and a socket's end alone takes its bit back.
        unsafe {
            if word.as_ptr().read_volatile() & bit == 0 {
                atomic::add(word.as_ptr(), bit);
            }
        }
    }
}

/// Forgets it when the socket ends.
#[inline(always)]
pub(crate) fn remove_older_at(address: u64) {
    if highest_without_base() == 0 {
        return;
    }
    if let Some((word, bit)) = older_bit(address) {
        // SAFETY: as above.
        unsafe {
            if word.as_ptr().read_volatile() & bit != 0 {
                atomic::add(word.as_ptr(), bit.wrapping_neg());
            }
        }
    }
}

/// How much a socket needs storage. The discriminants are indices of `STORAGE_ROOM`.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// Without it the socket's counts arrive when it closes.
    Timely = 0,
    /// Without it the socket's counts are wrong: it listens, failed, or sent something again.
    Exact = 1,
}

/// Takes room for one socket's storage. False: there is none.
#[inline(always)]
pub(crate) fn take_storage(need: Need) -> bool {
    let Some(room) = STORAGE_ROOM.get_ptr_mut(0) else { return true };
    let room = room.cast::<u64>();
    // SAFETY: the index is below the array's length. Two CPUs at once may take one place too many.
    unsafe {
        let left = core::ptr::read_volatile(room.add(need as usize)) as i64;
        if left == netwhy_abi::memory::UNBOUNDED as i64 {
            return true;
        }
        if left <= 0 {
            return false;
        }
        atomic::add(room, u64::MAX);
        atomic::add(room.add(1), u64::MAX);
    }
    true
}

/// Whether any socket was ever refused storage.
#[inline(always)]
pub(crate) fn has_shed_storage() -> bool {
    STORAGE_ROOM.get(0).is_some_and(|room| room[2] != 0)
}

/// Counts a socket that the walk found without storage. `cookie`: of one older than the agent, else 0.
#[inline(always)]
pub(crate) fn add_shed(cookie: u64) {
    if let Some(shed) = STORAGE_SHED.get_ptr_mut(0) {
        // SAFETY: a live map value that one walk alone writes.
        unsafe {
            (*shed)[0] += 1;
            if cookie > (*shed)[1] {
                (*shed)[1] = cookie;
            }
        }
    }
}

/// The highest cookie of the sockets that the first walk found without room for storage; 0: there was room.
#[inline(always)]
pub(crate) fn highest_without_base() -> u64 {
    STORAGE_SHED.get(0).map_or(0, |shed| shed[1])
}
