//! First bytes of sampled requests and answers, on their way to user space: clear-text HTTP only.

use crate::keys::EdgeKey;

/// Bytes of a message by which its protocol is known.
pub const START: usize = 16;
/// Most bytes of a request that are copied: the request line.
pub const REQUEST_BYTES: u32 = 256;
/// Most bytes of an answer that are copied: the status line, also after an interim one.
pub const ANSWER_BYTES: u32 = 64;
/// log2 of a period's length in nanoseconds: 0.54 s.
pub const PERIOD_SHIFT: u32 = 29;
/// Exchanges of one cgroup per period whose first bytes are copied, at most.
pub const EXCHANGES_PER_PERIOD: u32 = 16;
/// Cgroups whose exchanges are counted for that bound: evicted, so allocated at once.
pub const HEAD_ROOMS: usize = 1_024;
/// Ports that are known to speak HTTP: evicted, so allocated at once.
pub const SPEAKERS: usize = 1_024;
/// Length of `HTTP/1.1 100 Continue` with the empty line after it. The final answer to such a request comes later.
pub const CONTINUE_BYTES: u32 = 25;

/// In [`HeadEvent::part`]: bytes of a request.
pub const REQUEST: u32 = 0;
/// In [`HeadEvent::part`]: bytes of an answer.
pub const ANSWER: u32 = 1;

/// Header of an event, before its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HeadEvent {
    /// The connection's edge.
    pub key: EdgeKey,
    /// The kernel's number of the socket.
    pub cookie: u64,
    /// When the message's first byte was sent or received, ktime ns.
    pub at_ns: u64,
    /// Number of the exchange on the connection.
    pub exchange: u32,
    /// Connections that this one stands for, in units of [`WEIGHT`](crate::pick::WEIGHT).
    pub weight: u32,
    /// [`REQUEST`] or [`ANSWER`].
    pub part: u32,
    /// Bytes before the message's: the TCP header.
    pub skip: u32,
    /// Bytes after this struct, those to skip included.
    pub length: u32,
    /// Zero.
    pub pad: u32,
}

const _: () = assert!(size_of::<HeadEvent>() == 72);

/// First bytes of a message, for a test of its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Start(pub [u8; START]);

/// First eight bytes as a number.
const fn word(bytes: &[u8; START]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Whether a message begins with these bytes, at most eight.
#[inline(always)]
const fn begins_with(word: u64, text: &[u8]) -> bool {
    let (mut wanted, mut mask, mut at) = (0u64, 0u64, 0);
    while at < text.len() {
        wanted |= (text[at] as u64) << (8 * at);
        mask |= 0xff << (8 * at);
        at += 1;
    }
    word & mask == wanted
}

impl Start {
    /// Of a message that is shorter.
    pub const SHORT: Self = Self([0; START]);

    /// Whether an HTTP/1 request begins so: a method of RFC 9110 or 5789, and a space.
    #[inline(always)]
    pub const fn is_request(&self) -> bool {
        let word = word(&self.0);
        begins_with(word, b"GET ")
            || begins_with(word, b"POST ")
            || begins_with(word, b"PUT ")
            || begins_with(word, b"HEAD ")
            || begins_with(word, b"DELETE ")
            || begins_with(word, b"PATCH ")
            || begins_with(word, b"OPTIONS ")
            || begins_with(word, b"TRACE ")
            || begins_with(word, b"CONNECT ")
    }

    /// Whether an HTTP/1 answer begins so.
    #[inline(always)]
    pub const fn is_answer(&self) -> bool {
        begins_with(word(&self.0), b"HTTP/1.") && self.0[8] == b' '
    }

    /// Whether the connection goes on with another protocol after this answer (101, or 2xx to CONNECT, which only the
    /// request tells).
    #[inline(always)]
    pub const fn is_switch(&self) -> bool {
        self.0[9] == b'1' && self.0[10] == b'0' && self.0[11] == b'1'
    }
}

#[cfg(test)]
mod tests;
