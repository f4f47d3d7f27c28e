//! Handshakes at servers: when they began, and which listeners wait for data before they accept.

use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap},
    macros::btf_map,
};
use netwhy_abi::EdgeKey;

use super::ON_DEMAND;

/// When the first SYN-ACK was sent, ns, of handshakes that took more than one. Evicts the oldest: most handshakes of a
/// flood never end, and one whose row is gone counts as untimed.
#[btf_map]
static HANDSHAKES: LruHashMap<Handshake, u64, { netwhy_abi::memory::HANDSHAKES }> = LruHashMap::new();
/// Listeners with TCP_DEFER_ACCEPT that a walk visited, by cgroup and port. One that does not fit counts the time to
/// think.
#[btf_map]
static DEFERRED: HashMap<[u64; 2], u64, 256, ON_DEMAND> = HashMap::new();
/// 1 when there ever was such a listener: spares the look-up on most machines.
#[btf_map]
static HAS_DEFERRED: Array<u64, 1> = Array::new();

/// One handshake at a server.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Handshake {
    pub(crate) edge: EdgeKey,
    /// Local and remote port, as the socket holds them.
    pub(crate) ports: [u16; 2],
    /// Zero.
    pub(crate) pad: u32,
}

/// Remembers when the first SYN-ACK of a handshake was sent.
#[inline(always)]
pub(crate) fn set_handshake(handshake: &Handshake, ns: u64) {
    // Fails only when the kernel is out of memory: then the handshake is untimed.
    let _ = HANDSHAKES.insert(handshake, ns, 0);
}

/// When the first SYN-ACK of a handshake was sent, ns; 0: unknown. Forgets it.
#[inline(always)]
pub(crate) fn take_handshake(handshake: &Handshake) -> u64 {
    // SAFETY: a copy is made at once; an evicted row may be another's by then, and its time is as recent.
    let ns = unsafe { HANDSHAKES.get(handshake) }.copied().unwrap_or(0);
    if ns != 0 {
        // Fails when it was evicted meanwhile.
        let _ = HANDSHAKES.remove(handshake);
    }
    ns
}

/// Remembers whether the listener of a cgroup and port waits for data.
#[inline(always)]
pub(crate) fn set_deferred(cgroup: u64, port: u16, is_deferred: bool) {
    let key = [cgroup, port.into()];
    if is_deferred {
        // Fails when there is no room.
        let _ = DEFERRED.insert(key, 1, 0);
        if let Some(any) = HAS_DEFERRED.get_ptr_mut(0) {
            // SAFETY: a live map value that one walk alone writes.
            unsafe { *any = 1 };
        }
    } else if has_deferred() {
        // Fails when it is not there.
        let _ = DEFERRED.remove(key);
    }
}

/// Whether the listener of a cgroup and port waits for data.
#[inline(always)]
pub(crate) fn is_deferred(cgroup: u64, port: u16) -> bool {
    has_deferred() && DEFERRED.get_ptr([cgroup, port.into()]).is_some()
}

#[inline(always)]
fn has_deferred() -> bool {
    HAS_DEFERRED.get(0).is_some_and(|any| *any != 0)
}
