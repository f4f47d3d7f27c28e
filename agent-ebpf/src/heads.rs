//! First bytes of sampled requests and answers, and the segments of followed connections, on their way to user space:
//! clear-text HTTP only.

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
/// Bytes of one cgroup's followed connections per period that are copied, at most, with the headers of their events.
pub const FOLLOWED_BYTES_PER_PERIOD: u32 = 96 << 10;
/// Most bytes of a segment of a followed connection that are copied.
pub const SEGMENT_BYTES: u32 = 8 << 10;
/// Marks the sum of those bytes in the map of rooms, beside the cgroup's number of exchanges.
pub const FOLLOWED_ROOM: u64 = 1 << 63;
/// Cgroups whose exchanges and bytes are counted for these bounds: evicted, so allocated at once.
pub const HEAD_ROOMS: usize = 1_024;
/// The protocol that a port is known to speak.
pub const SPEAKS_HTTP1: u64 = 1;
/// See [`SPEAKS_HTTP1`].
pub const SPEAKS_HTTP2: u64 = 2;
/// Ports that are known to speak HTTP: evicted, so allocated at once.
pub const SPEAKERS: usize = 1_024;
/// Length of `HTTP/1.1 100 Continue` with the empty line after it. The final answer to such a request comes later.
pub const CONTINUE_BYTES: u32 = 25;

/// In [`HeadEvent::part`]: bytes of a request.
pub const REQUEST: u32 = 0;
/// In [`HeadEvent::part`]: bytes of an answer.
pub const ANSWER: u32 = 1;
/// In [`HeadEvent::part`]: a segment that a followed connection received.
pub const RECEIVED: u32 = 2;
/// In [`HeadEvent::part`]: a segment that it sent.
pub const SENT: u32 = 3;

/// Header of an event, before its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HeadEvent {
    /// The connection's edge.
    pub key: EdgeKey,
    /// The kernel's number of the socket.
    pub cookie: u64,
    /// When the message's first byte, or the segment, was sent or received, ktime ns.
    pub at_ns: u64,
    /// Number of the exchange on the connection; of a segment its first sequence number.
    pub exchange: u32,
    /// Connections that this one stands for, in units of [`WEIGHT`](crate::pick::WEIGHT).
    pub weight: u32,
    /// [`REQUEST`], [`ANSWER`], [`RECEIVED`] or [`SENT`].
    pub part: u32,
    /// Bytes before the message's: the TCP header.
    pub skip: u32,
    /// Bytes after this struct, those to skip included.
    pub length: u32,
    /// Of a segment: its bytes, of which fewer may have been copied. Else zero.
    pub bytes: u32,
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

    /// Whether an HTTP/2 connection of a client begins so (RFC 9113, 3.4).
    #[inline(always)]
    pub const fn is_http2_preface(&self) -> bool {
        begins_with(word(&self.0), b"PRI * HT")
    }

    /// Whether a server's first frame of HTTP/2 begins so: its settings (RFC 9113, 6.5).
    #[inline(always)]
    pub const fn is_http2_settings(&self) -> bool {
        let [a, b, c, kind, flags, f, g, h, i, ..] = self.0;
        a == 0 && b == 0 && c % 6 == 0 && kind == 4 && flags == 0 && f == 0 && g == 0 && h == 0 && i == 0
    }

    /// Whether a HEADERS frame of HTTP/2 begins so that has all headers of a request, or of an answer (RFC 9113, 6.2).
    /// An answer begins with `:status` of the static table (RFC 7541, appendix A); of a request `:method` is among the
    /// first.
    #[inline(always)]
    pub const fn is_http2_headers(&self, of_answer: bool) -> bool {
        let [a, b, _, kind, flags, f, _, _, i, ..] = self.0;
        // END_STREAM, END_HEADERS, PADDED and PRIORITY are the flags that there are.
        let is_frame =
            a == 0 && b < 0x40 && kind == 1 && flags & !0x2d == 0 && flags & 4 != 0 && f < 0x80 && i & 1 == 1;
        if !is_frame || flags & 8 != 0 {
            return false;
        }
        let mut at = if flags & 0x20 == 0 { 9 } else { 14 };
        if of_answer {
            return matches!(self.0[at], 0x88..=0x8e | 0x48);
        }
        // A request's pseudo-headers come first, in any order; `:method` is mostly GET or POST.
        if !matches!(self.0[at], 0x82..=0x87 | 0x41 | 0x44 | 0xbe..) {
            return false;
        }
        while at < START {
            if matches!(self.0[at], 0x82 | 0x83) {
                return true;
            }
            at += 1;
        }
        false
    }

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
