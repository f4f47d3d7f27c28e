//! Subflows of MPTCP connections.
//!
//! An MPTCP connection is one MPTCP socket, and a TCP socket for each of its paths, a subflow. No descriptor leads to a
//! subflow, and a program that has the MPTCP socket may read a subflow by probing alone, not its storage.
//!
//! | subflows | walks reach them by |
//! |---|---|
//! | of connections since the agent's start | a storage map of marks, over which the kernel iterates |
//! | of older connections | the same, from the first program on that comes to them; the first walk keeps their base |
//! | that listen | their MPTCP socket: see `programs::listeners` |

use aya_ebpf::helpers::generated::bpf_sk_storage_get;

use crate::{
    figures::Figures,
    kernel::{Probed, Ptr, load, probe},
    maps,
    offsets::*,
    sock::{AF_INET, AF_INET6, is_by_address},
    storage::{OLDER, SocketState},
};

/// `IPPROTO_MPTCP` of `include/uapi/linux/in.h`.
const IPPROTO_MPTCP: u16 = 262;

/// Subflows of one connection whose base is kept. The kernel's own path manager makes up to 8 beside the first.
const MAX_SUBFLOWS: u32 = 16;

/// Whether a TCP socket is a subflow.
#[inline(always)]
pub(crate) unsafe fn is_subflow(tp: Ptr) -> bool {
    // SAFETY: a TCP socket.
    NW_MSK_FIRST.load() != NONE && NW_TP_MPTCP.load() != NONE && unsafe { load::<u8>(tp, NW_TP_MPTCP.load()) } != 0
}

/// Whether a TCP socket is a further path of a connection that exists already.
#[inline(always)]
pub(crate) unsafe fn is_joined(tp: Ptr) -> bool {
    // SAFETY: a TCP socket; its subflow context is read by probing.
    unsafe {
        if NW_SUBFLOW_JOINED.load() == 0 || !is_subflow(tp) {
            return false;
        }
        let context: Ptr = load(tp, NW_TP_ULP_DATA.load());
        probe::<u32>(context, NW_SUBFLOW_BITS.load()).is_some_and(|bits| bits & NW_SUBFLOW_JOINED.load() != 0)
    }
}

/// Whether a socket that is not TCP is an MPTCP socket.
#[inline(always)]
pub(crate) unsafe fn is_mptcp(sk: Ptr) -> bool {
    // SAFETY: a socket held by its file.
    unsafe {
        NW_MSK_FIRST.load() != NONE
            && load::<u16>(sk, NW_SK_PROTOCOL.load()) == IPPROTO_MPTCP
            && matches!(load::<u16>(sk, NW_SK_FAMILY.load()), AF_INET | AF_INET6)
    }
}

/// Lets walks come to a subflow.
#[inline(always)]
pub(crate) unsafe fn mark(sk: Ptr) {
    // Where states are kept by address, no walk comes to subflows.
    if NW_HAS_STORAGE.load() == 0 || is_by_address() {
        return;
    }
    let mut first = 0_u64;
    // SAFETY: a trusted socket pointer. Fails when the kernel is out of memory: then the socket's end tells.
    unsafe { bpf_sk_storage_get(maps::subflow_marks(), sk.cast_mut(), (&raw mut first).cast(), 1) };
}

/// Keeps the figures of an MPTCP connection's subflows as their base, because they are older than the agent.
#[inline(always)]
pub(crate) unsafe fn note_older(sk: Ptr) {
    let head = sk as u64 + u64::from(NW_MSK_CONN_LIST.load());
    // SAFETY: probing reads, whose addresses come from the kernel's list.
    unsafe {
        let mut node = probe::<u64>(sk, NW_MSK_CONN_LIST.load()).unwrap_or(0);
        for _ in 0..MAX_SUBFLOWS {
            if node == 0 || node == head {
                return;
            }
            let context = node.wrapping_sub(u64::from(NW_SUBFLOW_NODE.load())) as Ptr;
            if let Some(tp) = probe::<Ptr>(context, NW_SUBFLOW_SOCK.load()).filter(|tp| !tp.is_null()) {
                let mut first = SocketState { flags: OLDER, ..SocketState::NEW };
                Figures::read(&Probed(tp), true).set_base(&mut first, 0);
                maps::add_older_subflow(tp as u64, &first);
            }
            node = probe::<u64>(node as Ptr, 0).unwrap_or(0);
        }
    }
}

/// Takes the base of a subflow that is older than the agent. False: it is not, or nobody kept its base.
#[inline(always)]
pub(crate) unsafe fn take_older(tp: Ptr, first: &mut SocketState) -> bool {
    // SAFETY: a TCP socket.
    unsafe { is_subflow(tp) && maps::take_older_subflow(tp as u64, first) }
}
