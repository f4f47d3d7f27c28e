//! Close-ups: cgroups whose sockets are exempt from sampling for a while.

use crate::{
    kernel::{Ptr, load, probe},
    maps,
    offsets::*,
};

/// Whether a full socket's cgroup is under a close-up. [`Choice::close_ups`](netwhy_abi::Choice::close_ups) tells first
/// whether any is.
#[inline(never)]
pub(crate) unsafe fn has(sk: Ptr) -> bool {
    // SAFETY: as the caller says.
    maps::is_close_up(unsafe { cgroup(sk) })
}

/// cgroup id of a full socket, inside or outside this agent's subtree; 0: none. Counts nothing.
#[inline(always)]
unsafe fn cgroup(sk: Ptr) -> u64 {
    // SAFETY: offsets from BTF; tagged values are read through the probing helper.
    unsafe {
        if NW_SK_CGROUP_TAGGED.load() != 0 {
            let value: u64 = probe(sk, NW_SK_CGROUP.load()).unwrap_or(1);
            if value & 1 != 0 {
                return 0;
            }
            let kn = probe::<Ptr>((value & !3) as Ptr, NW_CGROUP_KN.load());
            return kn.and_then(|kn| probe(kn, NW_KERNFS_ID.load())).unwrap_or(0);
        }
        let cgroup: Ptr = load(sk, NW_SK_CGROUP.load());
        if cgroup.is_null() {
            return 0;
        }
        let kn: Ptr = load(cgroup, NW_CGROUP_KN.load());
        if kn.is_null() { 0 } else { load(kn, NW_KERNFS_ID.load()) }
    }
}
