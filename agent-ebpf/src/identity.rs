//! The identity of a connection beside its address: role, port of the server's end, network namespace, redirection.
//!
//! | role | sign |
//! |---|---|
//! | client | the state is `SYN_SENT`; or no listener made the socket, and its port is of the namespace's client range |
//! | server | the state is `SYN_RECV`; or the socket has the backlog of the listener that it was cloned from |
//! | not known | neither: a client bound to another port, or a child of `listen(fd, 0)`, whose handshake nobody saw |
//!
//! The signs are the socket's own, so that they hold for sockets older than the agent as well. Where a handshake
//! contradicts them, the socket's storage keeps the truth.

use netwhy_abi::{Counter, EdgeKey, Role};

use crate::{
    kernel::{Ptr, forget, load},
    maps,
    offsets::*,
    sock::{self, TCP_SYN_RECV, TCP_SYN_SENT, seen},
    storage::{CLIENT, SERVER},
};

/// Index of the loopback device in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// Adds a full socket's identity to a key that has its address.
#[inline(always)]
pub(crate) unsafe fn identify(key: &mut EdgeKey, sk: Ptr) {
    // SAFETY: a full TCP socket.
    unsafe {
        let state: u8 = load(sk, NW_SK_STATE.load());
        let local = local_port(sk);
        let role = role(sk, state, local);
        key.role = EdgeKey::role_number(role);
        match role {
            Some(Role::Client) => {
                key.port = u16::from_be(load(sk, NW_SK_DPORT.load()));
                find_redirect(key, sk, state);
            }
            Some(Role::Server) => {
                key.port = local;
                set_loopback(key, sk);
            }
            None => {
                maps::count(Counter::RoleUnknown);
                set_loopback(key, sk);
            }
        }
        forget_key(key, load(sk, NW_SK_DADDR.load()));
    }
}

/// Makes all ways to a key one for the verifier.
#[inline(always)]
unsafe fn forget_key(key: &mut EdgeKey, noise: u32) {
    let words = (&raw mut *key).cast::<u64>();
    // SAFETY: a key is four words; the first is unknown already.
    unsafe {
        for at in 1..4 {
            let word = words.add(at);
            word.write_volatile(forget(word.read_volatile(), noise));
        }
    }
}

/// Adds the identity of a connection that a listener accepts, or turns away, to a key that has the peer's address.
#[inline(always)]
pub(crate) unsafe fn identify_accepted(key: &mut EdgeKey, listener: Ptr) {
    key.role = EdgeKey::role_number(Some(Role::Server));
    // SAFETY: a full socket.
    unsafe {
        key.port = load(listener, NW_SK_NUM.load());
        set_loopback(key, listener);
    }
}

/// The end that a socket is.
#[inline(always)]
unsafe fn role(sk: Ptr, state: u8, local: u16) -> Option<Role> {
    // SAFETY: a full TCP socket; its storage is a live map value.
    unsafe {
        if state == TCP_SYN_SENT {
            return Some(Role::Client);
        }
        if state == TCP_SYN_RECV || has_backlog(sk) {
            return Some(Role::Server);
        }
        let flags = if sock::may_be_seen(sk) { seen(sk).map_or(0, |storage| (*storage.as_ptr()).flags) } else { 0 };
        if flags & CLIENT != 0 {
            return Some(Role::Client);
        }
        if flags & SERVER != 0 {
            return Some(Role::Server);
        }
        // A listener's child has a port from the start.
        if local == 0 || is_client_port(sk, local) { Some(Role::Client) } else { None }
    }
}

/// Notes the role of a socket whose handshake shows it, where the socket's own signs would not.
#[inline(always)]
pub(crate) unsafe fn note_role(sk: Ptr, role: Role) {
    // SAFETY: a full TCP socket; its storage is a live map value.
    unsafe {
        let flag = match role {
            // A client that was bound before it connects has a port already.
            Role::Client if !has_backlog(sk) && is_bound_elsewhere(sk) => CLIENT,
            Role::Server if !has_backlog(sk) => SERVER,
            _ => return,
        };
        if let Some(storage) = sock::new_state(sk) {
            (*storage.as_ptr()).flags |= flag;
        }
    }
}

#[inline(always)]
unsafe fn is_bound_elsewhere(sk: Ptr) -> bool {
    // SAFETY: a full TCP socket.
    unsafe {
        let local = local_port(sk);
        local != 0 && !is_client_port(sk, local)
    }
}

/// Whether a socket is, or was cloned from, a listener: the kernel keeps `sk_max_ack_backlog` in the clone
/// (`sk_clone`), and gives it to no other socket.
#[inline(always)]
unsafe fn has_backlog(sk: Ptr) -> bool {
    // SAFETY: a full socket.
    unsafe { load::<u32>(sk, NW_SK_MAX_BACKLOG.load()) != 0 }
}

/// The local port, also after it was given back.
#[inline(always)]
unsafe fn local_port(sk: Ptr) -> u16 {
    let at = NW_TP_SPORT.load();
    // SAFETY: a full TCP socket.
    unsafe {
        let num: u16 = load(sk, NW_SK_NUM.load());
        if num != 0 || at == NONE {
            return num;
        }
        let tp = sock::readable_tcp(sk);
        if tp.is_null() { 0 } else { u16::from_be(load(tp, at)) }
    }
}

/// Whether a port is of those that the socket's network namespace gives to clients (`net.ipv4.ip_local_port_range`).
#[inline(always)]
unsafe fn is_client_port(sk: Ptr, port: u16) -> bool {
    let at = NW_NET_PORT_RANGE.load();
    if at == NONE || NW_SK_NET.load() == NONE {
        return false;
    }
    // SAFETY: a full socket, and its network namespace.
    unsafe {
        let net: Ptr = load(sk, NW_SK_NET.load());
        let first: u32 = load(net, at);
        let (low, high) = if NW_NET_PORT_RANGE_PACKED.load() != 0 {
            (first & 0xffff, first >> 16)
        } else {
            (first, load::<u32>(net, at + 4))
        };
        let port = u32::from(port);
        low <= port && port <= high
    }
}

/// Inode number of a socket's network namespace; 0 where the kernel doesn't tell.
#[inline(always)]
unsafe fn netns(sk: Ptr) -> u32 {
    if NW_NET_INUM.load() == NONE || NW_SK_NET.load() == NONE {
        return 0;
    }
    // SAFETY: a full socket, and its network namespace.
    unsafe { load(load(sk, NW_SK_NET.load()), NW_NET_INUM.load()) }
}

/// Words of a key's address.
#[inline(always)]
fn words(key: &EdgeKey) -> [u32; 4] {
    let addr = (&raw const key.addr).cast::<u32>();
    // SAFETY: four words make the 16 bytes of the address, which follows a u64 and is aligned.
    unsafe { [*addr, *addr.add(1), *addr.add(2), *addr.add(3)] }
}

/// Whether an address is one of 127.0.0.0/8, or ::1.
#[inline(always)]
pub(crate) fn is_loopback(key: &EdgeKey) -> bool {
    let [a, b, c, d] = words(key);
    let v4 = c == 0xffff_u32.to_be() && u32::from_be(d) >> 24 == 127;
    a | b == 0 && (v4 || (c == 0 && d == 1_u32.to_be()))
}

#[inline(always)]
unsafe fn set_loopback(key: &mut EdgeKey, sk: Ptr) {
    if is_loopback(key) {
        // SAFETY: a full socket.
        key.netns = unsafe { netns(sk) };
    }
}

/// Sets where a client's peer is inside its network namespace. Before anything arrived, the connections before it tell
/// whether it is redirected.
#[inline(always)]
unsafe fn find_redirect(key: &mut EdgeKey, sk: Ptr, state: u8) {
    if is_loopback(key) {
        // SAFETY: a full socket.
        key.netns = unsafe { netns(sk) };
        return;
    }
    if NW_SK_RX_IFINDEX.load() == NONE
        || NW_SK_DST.load() == NONE
        || NW_DST_DEV.load() == NONE
        || NW_DEV_IFINDEX.load() == NONE
    {
        return;
    }
    // SAFETY: a full socket.
    unsafe {
        // Of a connection before, while the state is this one.
        let device = if state == TCP_SYN_SENT { 0 } else { arrival_device(sk) };
        let is_local = device == LOOPBACK && route_device(sk) != LOOPBACK;
        if device != 0 && !is_local {
            return;
        }
        let redirected = EdgeKey { netns: netns(sk), redirected: 1, ..*key };
        if is_local || maps::has_edge(&redirected) {
            *key = redirected;
        }
    }
}

/// Index of the device that a socket's packets arrive on; 0: nothing arrived.
#[inline(always)]
unsafe fn arrival_device(sk: Ptr) -> u32 {
    let at = NW_SK_RX_IFINDEX.load();
    // SAFETY: a full TCP socket.
    unsafe {
        if NW_RX_IFINDEX_BEHIND_SK.load() == 0 {
            return load(sk, at);
        }
        let tp = sock::readable_tcp(sk);
        if tp.is_null() { 0 } else { load(tp, at) }
    }
}

/// Index of the device that a socket's route leads to; 0: it has none now.
#[inline(always)]
unsafe fn route_device(sk: Ptr) -> u32 {
    // SAFETY: a full socket; what it points to reads as zero when it is null.
    unsafe {
        let route: Ptr = load(sk, NW_SK_DST.load());
        if route.is_null() {
            return 0;
        }
        let device: Ptr = load(route, NW_DST_DEV.load());
        if device.is_null() { 0 } else { load(device, NW_DEV_IFINDEX.load()) }
    }
}
