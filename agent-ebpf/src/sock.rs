//! A socket's states, its `tcp_sock`, and its storage.

use aya_ebpf::helpers::generated::{bpf_sk_storage_get, bpf_skc_to_tcp_sock};
use core::ptr::NonNull;

use netwhy_abi::Counter;

use crate::{
    kernel::Ptr,
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

/// The socket as `struct tcp_sock`; null when it is not TCP.
#[inline(always)]
pub(crate) unsafe fn tcp(sk: Ptr) -> Ptr {
    // SAFETY: `sk` is a socket argument; the helper checks the protocol.
    unsafe { bpf_skc_to_tcp_sock(sk.cast_mut().cast()).cast() }
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
    // SAFETY: `sk` is a trusted socket pointer.
    let state = unsafe { bpf_sk_storage_get(maps::sockets(), sk.cast_mut(), core::ptr::null_mut(), 0) };
    NonNull::new(state.cast())
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
            None if !has_room(Need::Exact) => None,
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
    // SAFETY: `sk` is a trusted socket pointer.
    let state = unsafe { bpf_sk_storage_get(maps::sockets(), sk.cast_mut(), (&raw mut first).cast(), 1) };
    NonNull::new(state.cast())
}
