//! A socket's states, its `tcp_sock`, and its storage.

use aya_ebpf::helpers::generated::{bpf_sk_storage_get, bpf_skc_to_tcp_sock};
use core::ptr::NonNull;

use netwhy_abi::Counter;

use crate::{
    kernel::{Ptr, load},
    kfunc,
    maps::{self, Need},
    offsets::*,
    storage::SocketState,
};

/// Address families of `include/linux/socket.h`.
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;

/// `TCP_ESTABLISHED` … of `include/net/tcp_states.h`.
pub(crate) const TCP_ESTABLISHED: u8 = 1;
pub(crate) const TCP_SYN_SENT: u8 = 2;
pub(crate) const TCP_SYN_RECV: u8 = 3;
pub(crate) const TCP_FIN_WAIT1: u8 = 4;
pub(crate) const TCP_FIN_WAIT2: u8 = 5;
pub(crate) const TCP_TIME_WAIT: u8 = 6;
pub(crate) const TCP_CLOSE: u8 = 7;
pub(crate) const TCP_CLOSE_WAIT: u8 = 8;
pub(crate) const TCP_LAST_ACK: u8 = 9;
pub(crate) const TCP_LISTEN: u8 = 10;
pub(crate) const TCP_CLOSING: u8 = 11;
pub(crate) const TCP_NEW_SYN_RECV: u8 = 12;
/// `TCP_BOUND_INACTIVE`, which no socket's own state is.
const TCP_BOUND_INACTIVE: u8 = 13;

/// `SOCK_STREAM` of `enum sock_type`, and `IPPROTO_TCP`.
const SOCK_STREAM: u16 = 1;
const IPPROTO_TCP: u16 = 6;
/// `SOCK_DEAD` of `enum sock_flags`, as a mask: nobody holds the socket.
pub(crate) const SOCK_DEAD: u64 = 1;

/// The socket as `struct tcp_sock`; null when it is not TCP.
#[inline(always)]
pub(crate) unsafe fn tcp(sk: Ptr) -> Ptr {
    // SAFETY: `sk` is a socket argument; the helper checks the protocol.
    unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()).cast() }
}

/// The same for a socket of which members are read and no more: one that a walk comes to, perhaps.
#[inline(always)]
pub(crate) unsafe fn readable_tcp(sk: Ptr) -> Ptr {
    // SAFETY: members of a socket are read.
    unsafe {
        if !is_by_address() {
            tcp(sk)
        } else if is_tcp(sk) {
            kfunc::readable(sk, NW_TCP_SOCK_TYPE.load())
        } else {
            core::ptr::null()
        }
    }
}

/// Whether the states of sockets are kept by address. Some kernels refuse to use a walk's sockets for more than reading
/// their members, so that no walk comes to their storage.
#[inline(always)]
pub(crate) fn is_by_address() -> bool {
    NW_BY_ADDRESS.load() != 0
}

/// What `bpf_skc_to_tcp_sock` tests.
#[inline(always)]
unsafe fn is_tcp(sk: Ptr) -> bool {
    // SAFETY: a socket; one that is not full ends before the last two members.
    unsafe {
        !matches!(load(sk, NW_SK_STATE.load()), TCP_TIME_WAIT | TCP_NEW_SYN_RECV | TCP_BOUND_INACTIVE)
            && matches!(load(sk, NW_SK_FAMILY.load()), AF_INET | AF_INET6)
            && load::<u16>(sk, NW_SK_PROTOCOL.load()) == IPPROTO_TCP
            && load::<u16>(sk, NW_SK_TYPE.load()) == SOCK_STREAM
    }
}

/// A socket's storage. `NonNull`, because the pointer of a plain `None` may stay in a register that was never written,
/// which the verifier refuses when the compiler moves it about.
pub(crate) type Storage = NonNull<SocketState>;

/// Storage of a socket if it has one, without making it.
#[inline(always)]
pub(crate) unsafe fn seen(sk: Ptr) -> Option<Storage> {
    if NW_HAS_STORAGE.load() == 0 {
        return None;
    }
    if is_by_address() {
        return maps::state_at(sk as u64);
    }
    // SAFETY: `sk` is a trusted socket pointer.
    let state = unsafe { bpf_sk_storage_get(maps::sockets(), sk.cast_mut(), core::ptr::null_mut(), 0) };
    NonNull::new(state.cast())
}

/// Whether any program stores data for a socket, or may: saves the search for it.
#[inline(always)]
pub(crate) unsafe fn may_be_seen(sk: Ptr) -> bool {
    let storage = NW_SK_STORAGE.load();
    // SAFETY: a full TCP socket.
    is_by_address() || storage == NONE || unsafe { !load::<Ptr>(sk, storage).is_null() }
}

/// Whether a socket was destroyed: a state that is kept by its address would outlive it.
#[inline(always)]
pub(crate) unsafe fn is_gone(sk: Ptr) -> bool {
    // SAFETY: a full socket.
    unsafe {
        is_by_address()
            && load::<u8>(sk, NW_SK_STATE.load()) == TCP_CLOSE
            && load::<u64>(sk, NW_SK_FLAGS.load()) & SOCK_DEAD != 0
    }
}

/// Storage of a socket that just began, made when missing.
#[inline(always)]
pub(crate) unsafe fn new_state(sk: Ptr) -> Option<Storage> {
    if NW_HAS_STORAGE.load() == 0 {
        return None;
    }
    // SAFETY: `sk` is a trusted socket pointer.
    unsafe {
        match seen(sk) {
            None if is_gone(sk) || !has_room(Need::Exact) => None,
            None => insert(sk, SocketState::NEW),
            known => known,
        }
    }
}

/// Takes room for a socket's storage, and counts a refusal.
#[inline(always)]
pub(crate) fn has_room(need: Need) -> bool {
    let has_room = maps::take_storage(need);
    if !has_room {
        maps::count(Counter::StorageShed);
    }
    has_room
}

/// Storage of a socket; `first` becomes its value when there is none.
#[inline(always)]
pub(crate) unsafe fn insert(sk: Ptr, mut first: SocketState) -> Option<Storage> {
    if is_by_address() {
        return maps::add_state(sk as u64, &first);
    }
    // SAFETY: `sk` is a trusted socket pointer.
    let state = unsafe { bpf_sk_storage_get(maps::sockets(), sk.cast_mut(), (&raw mut first).cast(), 1) };
    NonNull::new(state.cast())
}
