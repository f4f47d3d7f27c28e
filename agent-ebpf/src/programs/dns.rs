//! DNS lookups over UDP: socket calls of the agent's cgroup subtree, so that nothing runs for single packets, and TCP
//! pays for one comparison per connection.
//!
//! These programs sit in the way of the calls that they see: whatever happens here, they answer 1, which is "go on",
//! and they write to nothing but their own maps.
//!
//! | resolver | socket | begins | ends |
//! |---|---|---|---|
//! | glibc, c-ares | connected, `recvfrom` | connect | last reply, told at close |
//! | musl, dnspython | unconnected, `sendto` and `recvfrom` | first send | last reply, told at close or at the next lookup |
//! | Go, `read(2)` | connected | connect | close |
//!
//! Whether a name was found stands in the answer itself, which one more program sees as it wakes the resolver up. [`names`] copies answers.
//!
//! Lookups over TCP, TLS and HTTPS are not seen, nor those of sockets that serve many lookups at once (forwarders).

use aya_ebpf::{
    EbpfContext,
    bindings::bpf_sock_addr,
    helpers::generated::{bpf_get_current_cgroup_id, bpf_get_socket_cookie, bpf_ktime_get_ns},
    macros::{btf_tracepoint, cgroup_sock, cgroup_sock_addr},
    programs::{BtfTracePointContext, SockAddrContext, SockContext},
};
use core::ptr::{addr_of, read_volatile};
use netwhy_abi::{DNS_PORT, DnsCode, EdgeKey, Exchange, is_lookup_observed};

use crate::{
    identity,
    kernel::{Ptr, load, probe},
    maps::{self, Lookup},
    offsets::*,
};

mod names;

const GO_ON: i32 = 1;
const SOCK_DGRAM: u32 = 2;
const IPPROTO_UDP: u32 = 17;
/// `SK_DEFAULT_STAMP` (include/net/sock.h): nothing was received yet.
const NEVER_READ: i64 = -1_000_000_000;
/// Bytes of a UDP header, which begins with the sender's port.
const UDP_HEADER: usize = 8;
/// Bytes of a DNS message's header (RFC 1035 4.1.1).
const DNS_HEADER: u32 = 12;
/// The byte of it that ends with the RCODE.
const CODE_AT: u32 = 3;
const CODE_BITS: u8 = 0xf;
/// `sk_buff_head` and `sk_buff` begin with two pointers: next, and this one.
const PREVIOUS: u32 = 8;
/// Answers of one lookup that may wait at a time.
const MAX_WAITING: u32 = 4;

/// `inet_dgram_connect` → `udp_pre_connect`, before the socket is connected; 4.17 and later.
#[cgroup_sock_addr(connect4)]
pub(crate) fn nw_dns_connect4(ctx: SockAddrContext) -> i32 {
    connect(&ctx, addr4)
}

/// As above, in IPv6's `udpv6_pre_connect`.
#[cgroup_sock_addr(connect6)]
pub(crate) fn nw_dns_connect6(ctx: SockAddrContext) -> i32 {
    connect(&ctx, addr6)
}

/// `udp_sendmsg` with an address, before the packet is made; 4.18 and later. Silent on connected sockets.
#[cgroup_sock_addr(sendmsg4)]
pub(crate) fn nw_dns_sendmsg4(ctx: SockAddrContext) -> i32 {
    send(&ctx, addr4)
}

/// As above, in `udpv6_sendmsg`.
#[cgroup_sock_addr(sendmsg6)]
pub(crate) fn nw_dns_sendmsg6(ctx: SockAddrContext) -> i32 {
    send(&ctx, addr6)
}

/// `udp_recvmsg` when the caller asks where the packet is from; 5.2 and later.
#[cgroup_sock_addr(recvmsg4)]
pub(crate) fn nw_dns_recvmsg4(ctx: SockAddrContext) -> i32 {
    receive(&ctx)
}

/// As above, in `udpv6_recvmsg`.
#[cgroup_sock_addr(recvmsg6)]
pub(crate) fn nw_dns_recvmsg6(ctx: SockAddrContext) -> i32 {
    receive(&ctx)
}

/// `inet_release`: the last descriptor of a socket was closed; 5.9 and later. The program's context is the socket.
#[cgroup_sock(sock_release)]
pub(crate) fn nw_dns_release(ctx: SockContext) -> i32 {
    // SAFETY: members of the context, at offsets that the verifier knows.
    let (kind, protocol) =
        unsafe { (read_volatile(addr_of!((*ctx.sock).type_)), read_volatile(addr_of!((*ctx.sock).protocol))) };
    if kind != SOCK_DGRAM || protocol != IPPROTO_UDP {
        return GO_ON;
    }
    // SAFETY: any context of a socket.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    if let Some(lookup) = under_way(cookie) {
        // SAFETY: a live map value, and the socket itself. Every receive that tells no time leaves 0 in `sk_stamp`
        // (`sock_recv_cmsgs`).
        unsafe {
            let stamp = NW_SK_STAMP.load();
            let was_read =
                stamp != NONE && probe::<i64>(ctx.as_ptr() as Ptr, stamp).is_some_and(|stamp| stamp != NEVER_READ);
            let outcome = (*lookup).exchange.end(bpf_ktime_get_ns(), was_read);
            maps::looked_up(&ctx, lookup, outcome);
        }
        maps::forget_lookup(cookie);
    }
    GO_ON
}

/// `sk_data_ready(const struct sock *sk)`: something waits in a socket's receive queue, and its reader was not woken up
/// yet; 6.3 and later. Called for sockets of every kind, and ends at once where it is not UDP's.
///
/// A reader that sleeps finds an answer after this program. One that runs, because another answer woke it up, may take
/// the answer in the fraction of a microsecond between the queue and this program, which then sees no code.
#[btf_tracepoint(function = "sk_data_ready")]
pub(crate) fn nw_dns_answer(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: argument 0 is a full socket. What waits in its queue is read by copying alone.
    unsafe {
        let sk: Ptr = ctx.arg(0);
        if u32::from(load::<u16>(sk, NW_SK_PROTOCOL.load())) != IPPROTO_UDP
            || NW_SK_COOKIE.load() == NONE
            || NW_SK_QUEUE.load() == NONE
        {
            return 0;
        }
        let port: u16 = load(sk, NW_SK_DPORT.load());
        if port != 0 && port != DNS_PORT.to_be() {
            return 0;
        }
        let cookie: u64 = load(sk, NW_SK_COOKIE.load());
        if cookie == 0 {
            return 0;
        }
        let Some(lookup) = under_way(cookie) else { return 0 };
        let queue = sk.cast::<u8>().wrapping_add(NW_SK_QUEUE.load() as usize).cast();
        let mut packet = probe::<Ptr>(queue, PREVIOUS).unwrap_or(queue);
        for _ in 0..MAX_WAITING {
            if packet == queue || packet.is_null() {
                break;
            }
            if let Some(code) = code_of(packet) {
                maps::answered_with(lookup, code);
            }
            packet = probe::<Ptr>(packet, PREVIOUS).unwrap_or(queue);
        }
    }
    0
}

/// The code of a received packet, if it is a DNS answer whose header is beside its UDP header.
#[inline(always)]
unsafe fn code_of(skb: Ptr) -> Option<DnsCode> {
    // SAFETY: probing reads.
    unsafe {
        let data = probe::<Ptr>(skb, NW_SKB_DATA.load())?;
        let header = data.cast::<u8>().wrapping_sub(UDP_HEADER).cast();
        let (all, apart) = (probe::<u32>(skb, NW_SKB_LEN.load())?, probe::<u32>(skb, NW_SKB_DATA_LEN.load())?);
        if probe::<u16>(header, 0)? != DNS_PORT.to_be() || all.wrapping_sub(apart) < DNS_HEADER {
            return None;
        }
        Some(DnsCode::of(probe::<u8>(data, CODE_AT)? & CODE_BITS))
    }
}

/// Times that each lookup of a socket that is asked for the first time counts; 0: its lookups are not observed.
#[inline(always)]
fn weight(cookie: u64) -> u32 {
    let share = maps::control().dns_share.max(1);
    if is_lookup_observed(cookie, share) { share } else { 0 }
}

/// The lookup under way on a socket. On a machine with many lookups most sockets have none, and aren't searched for.
#[inline(always)]
fn under_way(cookie: u64) -> Option<*mut Lookup> {
    let is_possible = weight(cookie) != 0 || maps::control().dns_mixed != 0;
    if is_possible { maps::lookup(cookie) } else { None }
}

/// Begins a lookup on a socket that has none, unless it is left out.
#[inline(always)]
fn begin(
    ctx: &SockAddrContext,
    cookie: u64,
    exchange: impl Fn(u64) -> Exchange,
    addr: impl Fn(*mut bpf_sock_addr, &mut [u32; 4]),
) {
    let weight = weight(cookie);
    if weight == 0 {
        if maps::control().dns_mixed != 0 {
            maps::forget_lookup(cookie);
        }
    } else {
        maps::count_asked();
        maps::set_lookup(
            ctx,
            cookie,
            &Lookup { key: key(ctx.sock_addr, addr), exchange: exchange(now()), weight, codes: 0 },
        );
    }
}

/// The lookup after another one on the same socket.
#[inline(always)]
unsafe fn renew(
    ctx: &SockAddrContext,
    cookie: u64,
    lookup: *mut Lookup,
    addr: impl Fn(*mut bpf_sock_addr, &mut [u32; 4]),
) {
    let weight = weight(cookie);
    if weight == 0 {
        maps::forget_lookup(cookie);
        return;
    }
    maps::count_asked();
    // SAFETY: a live map value.
    unsafe { ((*lookup).key, (*lookup).weight, (*lookup).codes) = (key(ctx.sock_addr, addr), weight, 0) };
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes nothing.
    unsafe { bpf_ktime_get_ns() }
}

/// Whether a call is about UDP and a server's port.
#[inline(always)]
fn is_dns(at: *mut bpf_sock_addr) -> bool {
    // SAFETY: members of the context, at offsets that the verifier knows. The port is in network order in the low half.
    unsafe {
        read_volatile(addr_of!((*at).user_port)) as u16 == DNS_PORT.to_be()
            && read_volatile(addr_of!((*at).type_)) == SOCK_DGRAM
            && read_volatile(addr_of!((*at).protocol)) == IPPROTO_UDP
    }
}

#[inline(always)]
fn addr4(at: *mut bpf_sock_addr, words: &mut [u32; 4]) {
    words[2] = 0xffff_u32.to_be();
    // SAFETY: as above.
    words[3] = unsafe { read_volatile(addr_of!((*at).user_ip4)) };
}

#[inline(always)]
fn addr6(at: *mut bpf_sock_addr, words: &mut [u32; 4]) {
    // SAFETY: as above.
    unsafe {
        words[0] = read_volatile(addr_of!((*at).user_ip6[0]));
        words[1] = read_volatile(addr_of!((*at).user_ip6[1]));
        words[2] = read_volatile(addr_of!((*at).user_ip6[2]));
        words[3] = read_volatile(addr_of!((*at).user_ip6[3]));
    }
}

#[inline(always)]
fn key(at: *mut bpf_sock_addr, addr: impl Fn(*mut bpf_sock_addr, &mut [u32; 4])) -> EdgeKey {
    let mut words = [0; 4];
    addr(at, &mut words);
    // SAFETY: four words are sixteen bytes; the helper takes nothing.
    unsafe {
        let mut key = EdgeKey::new(bpf_get_current_cgroup_id(), core::mem::transmute::<[u32; 4], [u8; 16]>(words));
        if identity::is_loopback(&key) {
            key.netns = netns(at);
        }
        key
    }
}

/// Inode number of the network namespace of a call's socket; 0: unknown.
#[inline(always)]
unsafe fn netns(at: *mut bpf_sock_addr) -> u32 {
    if NW_NET_INUM.load() == NONE || NW_SK_NET.load() == NONE {
        return 0;
    }
    // SAFETY: a member of the context; all else is read by probing. These programs may not follow the socket's pointer,
    // whose type they know, so they read it from the stack as a number.
    unsafe {
        let slot = read_volatile(addr_of!((*at).__bindgen_anon_1.sk));
        let socket = probe::<Ptr>(addr_of!(slot).cast(), 0);
        let net = socket.and_then(|sk| probe::<Ptr>(sk, NW_SK_NET.load()));
        net.and_then(|net| probe(net, NW_NET_INUM.load())).unwrap_or(0)
    }
}

#[inline(always)]
fn connect(ctx: &SockAddrContext, addr: impl Fn(*mut bpf_sock_addr, &mut [u32; 4])) -> i32 {
    if is_dns(ctx.sock_addr) {
        // SAFETY: any context of a socket.
        let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
        if let Some(lookup) = under_way(cookie) {
            // Another server on the same socket: what was asked before ends here. Whether it was answered is known only
            // when its reader asked for addresses.
            // SAFETY: a live map value.
            unsafe { maps::looked_up(ctx, lookup, (*lookup).exchange.end(now(), false)) };
        }
        begin(ctx, cookie, Exchange::connected, addr);
    }
    GO_ON
}

#[inline(always)]
fn send(ctx: &SockAddrContext, addr: impl Fn(*mut bpf_sock_addr, &mut [u32; 4])) -> i32 {
    if is_dns(ctx.sock_addr) {
        // SAFETY: any context of a socket.
        let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
        match under_way(cookie) {
            Some(lookup) => {
                // SAFETY: a live map value. Two threads on one socket may lose a count of queries to each other.
                unsafe {
                    if let Some(outcome) = (*lookup).exchange.query(now()) {
                        maps::looked_up(ctx, lookup, outcome);
                        renew(ctx, cookie, lookup, addr);
                    }
                }
            }
            None => begin(ctx, cookie, Exchange::sent, addr),
        }
    }
    GO_ON
}

#[inline(always)]
fn receive(ctx: &SockAddrContext) -> i32 {
    if is_dns(ctx.sock_addr) {
        // SAFETY: any context of a socket, and a live map value.
        unsafe {
            if let Some(lookup) = under_way(bpf_get_socket_cookie(ctx.as_ptr())) {
                (*lookup).exchange.reply(now());
            }
        }
    }
    GO_ON
}
