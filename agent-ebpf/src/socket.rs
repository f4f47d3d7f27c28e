//! One TCP socket: whose it is, whom it talks to, and what of it was counted already.

use aya_ebpf::{EbpfContext, helpers::generated::bpf_jiffies64};
use aya_log_ebpf::warn;
use netwhy_abi::{Counter, Duty, EdgeKey, EdgeStats};

use crate::{
    identity,
    kernel::{Ptr, Typed, load, probe},
    maps::{self, Need},
    offsets::*,
    storage::{OLDER, SocketState},
    subflows,
};

pub(crate) use crate::figures::{Figures, retransmits, step_segments, step32};
pub(crate) use crate::sock::{
    AF_INET, AF_INET6, Storage, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_CLOSING, TCP_ESTABLISHED, TCP_FIN_WAIT1, TCP_FIN_WAIT2,
    TCP_LAST_ACK, TCP_LISTEN, TCP_NEW_SYN_RECV, TCP_SYN_RECV, TCP_SYN_SENT, TCP_TIME_WAIT, new_state, seen, tcp,
};
use crate::sock::{has_room, insert, is_by_address, is_gone};

/// cgroup id of a full socket. `None`: no cgroup, or one outside this agent's subtree; both are counted.
#[inline(always)]
pub(crate) unsafe fn cgroup_id(sk: Ptr) -> Option<u64> {
    // SAFETY: offsets from BTF; tagged values are read through the probing helper.
    unsafe {
        if NW_SK_CGROUP_TAGGED.load() != 0 {
            return tagged_cgroup_id(sk);
        }
        let cgroup: Ptr = load(sk, NW_SK_CGROUP.load());
        if cgroup.is_null() {
            maps::count(Counter::NoCgroup);
            return None;
        }
        if !in_subtree(cgroup) {
            maps::count(Counter::OutsideSubtree);
            return None;
        }
        let kn: Ptr = load(cgroup, NW_CGROUP_KN.load());
        if kn.is_null() {
            maps::count(Counter::NoCgroup);
            return None;
        }
        Some(load(kn, NW_KERNFS_ID.load()))
    }
}

#[inline(always)]
unsafe fn tagged_cgroup_id(sk: Ptr) -> Option<u64> {
    // SAFETY: probing reads.
    unsafe {
        let value: u64 = match probe(sk, NW_SK_CGROUP.load()) {
            Some(value) => value,
            None => {
                maps::count(Counter::BadRead);
                return None;
            }
        };
        let cgroup = (value & !3) as Ptr;
        if value & 1 != 0 || cgroup.is_null() {
            maps::count(Counter::NoCgroup);
            return None;
        }
        if !in_subtree(cgroup) {
            maps::count(Counter::OutsideSubtree);
            return None;
        }
        let id = probe::<Ptr>(cgroup, NW_CGROUP_KN.load()).and_then(|kn| probe(kn, NW_KERNFS_ID.load()));
        if id.is_none() {
            maps::count(Counter::BadRead);
        }
        id
    }
}

/// Whether a cgroup lies in the subtree that this agent was given.
#[inline(always)]
unsafe fn in_subtree(cgroup: Ptr) -> bool {
    let level = NW_ROOT_LEVEL.load();
    if level == 0 {
        return true;
    }
    // SAFETY: probing reads: the array's length is the cgroup's level + 1, which the verifier can't know.
    unsafe {
        match probe::<i32>(cgroup, NW_CGROUP_LEVEL.load()) {
            Some(own) if own >= level as i32 => {}
            _ => return false,
        }
        let slot = NW_CGROUP_ANCESTORS.load() + level * 8;
        let id = if NW_CGROUP_ANCESTOR_IDS.load() != 0 {
            probe::<u64>(cgroup, slot)
        } else {
            probe::<Ptr>(cgroup, slot)
                .and_then(|ancestor| probe::<Ptr>(ancestor, NW_CGROUP_KN.load()))
                .and_then(|kn| probe::<u64>(kn, NW_KERNFS_ID.load()))
        };
        id == Some(NW_ROOT_ID.load())
    }
}

/// Key of the edge that a full TCP socket belongs to.
#[inline(always)]
pub(crate) unsafe fn edge_key(cgroup: u64, sk: Ptr) -> EdgeKey {
    // SAFETY: `sk` is a full socket.
    unsafe {
        let mut key = address_key(cgroup, sk);
        identity::identify(&mut key, sk);
        key
    }
}

/// Remote address of a socket (or of anything that begins with `sock_common`) in [`EdgeKey::addr`]'s form.
#[inline(always)]
pub(crate) unsafe fn address_key(cgroup: u64, common: Ptr) -> EdgeKey {
    let mut key = EdgeKey::new(cgroup, [0; 16]);
    let words = (&raw mut key.addr).cast::<u32>();
    // SAFETY: four words make the 16 bytes of the address, which follows a u64 and is aligned.
    unsafe {
        if load::<u16>(common, NW_SK_FAMILY.load()) == AF_INET || NW_SK_DADDR6.load() == NONE {
            *words.add(2) = 0xffff_u32.to_be();
            *words.add(3) = load(common, NW_SK_DADDR.load());
        } else {
            let from = NW_SK_DADDR6.load();
            *words = load(common, from);
            *words.add(1) = load(common, from + 4);
            *words.add(2) = load(common, from + 8);
            *words.add(3) = load(common, from + 12);
        }
    }
    key
}

/// Row of the edge that a full socket belongs to.
#[inline(always)]
pub(crate) unsafe fn edge_of<C: maps::Caller>(ctx: &C, sk: Ptr) -> Option<*mut EdgeStats> {
    // SAFETY: `sk` is a full socket.
    unsafe {
        let key = edge_key(cgroup_id(sk)?, sk);
        maps::edge(ctx, &key)
    }
}

/// Storage of a socket, made when missing: from zero for a new socket, from its current figures for one older than
/// the agent. `now_retrans`: segments of the retransmission being looked at, which count in either case.
#[inline(always)]
pub(crate) unsafe fn state<C: EbpfContext>(ctx: &C, sk: Ptr, tp: Ptr, now_retrans: u32) -> Option<Storage> {
    // SAFETY: as the caller says.
    unsafe { state_for(ctx, sk, tp, now_retrans, Need::Exact) }
}

/// The same for one [`Need`]. `None` also when there is no room for it.
#[inline(always)]
pub(crate) unsafe fn state_for<C: EbpfContext>(
    ctx: &C,
    sk: Ptr,
    tp: Ptr,
    now_retrans: u32,
    need: Need,
) -> Option<Storage> {
    if NW_HAS_STORAGE.load() == 0 {
        return None;
    }
    // SAFETY: `sk` and `tp` are the same trusted socket.
    unsafe {
        if let Some(state) = seen(sk) {
            return Some(state);
        }
        // At the end of an older subflow its base is needed once more.
        if (is_gone(sk) && !subflows::is_subflow(tp)) || !has_room(need) {
            return None;
        }
        let mut first = SocketState::NEW;
        if subflows::take_older(tp, &mut first) {
            // The first walk read it.
        } else if is_older(tp) {
            if maps::control().baseline == 0 && lacks_base(tp) {
                maps::count(Counter::BaseShed);
            }
            first.flags = OLDER;
            Figures::read(&Typed(tp), true).set_base(&mut first, now_retrans);
            first.drops = u64::from(load::<u32>(tp, NW_SK_DROPS.load()));
        } else if maps::may_restart() || maps::has_shed_storage() {
            // Its handshake may not have been seen, or it had no storage so far. An accepted socket begins with its
            // SYN-ACK's retransmissions, which were counted as they happened; a client's make storage.
            let total: u32 = load(tp, NW_TP_TOTAL_RETRANS.load());
            first.total_retrans = total.wrapping_sub(now_retrans).into();
        }
        let state = insert(sk, first);
        if subflows::is_subflow(tp) {
            subflows::mark(sk);
        }
        if state.is_none() && maps::count(Counter::NoStorage) {
            warn!(ctx, "no memory for socket storage: counts of long-lived sockets arrive when they close");
        }
        state
    }
}

/// Whether a socket without storage is older than the agent.
#[inline(always)]
pub(crate) unsafe fn is_older(tp: Ptr) -> bool {
    let control = maps::control();
    if control.baseline != 0 {
        return true;
    }
    // SAFETY: `tp` is a TCP socket.
    unsafe {
        if lacks_base(tp) {
            return true;
        }
        if load::<u32>(tp, NW_TP_SEGS_IN.load()) <= control.unseen_segments {
            return false;
        }
        // It carried that many without being sampled. A new socket does so when the sampling program is not always
        // attached, or when it is half-closed, because that program sees established sockets alone. The first walk saw
        // what is older, save for what no descriptor leads to: the kernel's own sockets, and those that are quiet.
        let is_always_seen = control.rtt_duty == Duty::Continuous as u32;
        let is_established = load::<u8>(tp, NW_SK_STATE.load()) == TCP_ESTABLISHED;
        (is_always_seen && is_established) || (is_kernels(tp) && !subflows::is_subflow(tp)) || is_quiet_since_start(tp)
    }
}

/// Whether the first walk found a socket and had no room for its base. That walk gives such a socket a cookie, and the
/// kernel hands cookies out in rising order, save for a batch of 4096 per CPU: as many newer sockets may be taken for
/// older ones, if something else asks for their cookies.
#[inline(always)]
pub(crate) unsafe fn lacks_base(tp: Ptr) -> bool {
    let highest = maps::highest_without_base();
    if highest == 0 {
        return false;
    }
    if is_by_address() {
        return maps::is_older_at(tp as u64);
    }
    if NW_SK_COOKIE.load() == NONE {
        return false;
    }
    // SAFETY: `tp` is a TCP socket.
    let cookie: u64 = unsafe { load(tp, NW_SK_COOKIE.load()) };
    cookie != 0 && cookie <= highest
}

/// Whether a socket has neither sent nor received data since the first walk.
#[inline(always)]
unsafe fn is_quiet_since_start(tp: Ptr) -> bool {
    if NW_TP_LSNDTIME.load() == NONE || NW_TP_LRCVTIME.load() == NONE {
        return true;
    }
    // SAFETY: `tp` is a TCP socket.
    unsafe {
        let now = bpf_jiffies64();
        let running = now.wrapping_sub(maps::started());
        let since = |jiffies: u32| u64::from((now as u32).wrapping_sub(jiffies));
        since(load(tp, NW_TP_LSNDTIME.load())) > running && since(load(tp, NW_TP_LRCVTIME.load())) > running
    }
}

/// Whether a socket belongs to the kernel itself, such as a network file system's, or is a subflow.
#[inline(always)]
unsafe fn is_kernels(tp: Ptr) -> bool {
    // SAFETY: `tp` is a TCP socket.
    NW_SK_KERN.load() != NONE && unsafe { (load::<u8>(tp, NW_SK_KERN.load()) >> NW_SK_KERN_SHIFT.load()) & 1 != 0 }
}
