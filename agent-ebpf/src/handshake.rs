//! A handshake under way: its name, and when it began.

use netwhy_abi::EdgeKey;

use crate::{
    kernel::{Ptr, load},
    maps,
    offsets::*,
};

/// Longest time between the first SYN and one that is sent again, ms: the kernel gives up before. More means that the
/// stamp is of another clock.
const LONGEST_ATTEMPT_MS: u32 = 600_000;

/// Names a handshake at a server, by its request or by the socket that it became.
#[inline(always)]
pub(crate) unsafe fn handshake(edge: EdgeKey, common: Ptr) -> maps::Handshake {
    // SAFETY: something that begins with `sock_common`.
    unsafe {
        maps::Handshake { edge, ports: [load(common, NW_SK_NUM.load()), load(common, NW_SK_DPORT.load())], pad: 0 }
    }
}

/// When a socket that connects sent its first SYN, ns; 0: unknown. `tcp_connect` stamps it with the clock of
/// timestamps, which is the monotonic one in ms, or in µs where a route asks for it (6.7 and later): however timeouts
/// grow, and whoever set them, this is when the attempt began.
#[inline(always)]
pub(crate) unsafe fn first_syn_ns(tp: Ptr, now: u64) -> u64 {
    // SAFETY: a TCP socket.
    unsafe { since_first_syn_ms(tp, now) }.map_or(0, |ms| now - u64::from(ms) * 1_000_000)
}

/// Time since a socket that connects sent its first SYN, ms. `None`: unknown.
#[inline(always)]
pub(crate) unsafe fn since_first_syn_ms(tp: Ptr, now: u64) -> Option<u32> {
    if NW_TP_RETRANS_STAMP.load() == NONE {
        return None;
    }
    // SAFETY: a TCP socket.
    let stamp: u32 = unsafe { load(tp, NW_TP_RETRANS_STAMP.load()) };
    let age_ms = ((now / 1_000_000) as u32).wrapping_sub(stamp);
    if stamp == 0 || age_ms > LONGEST_ATTEMPT_MS { None } else { Some(age_ms) }
}
