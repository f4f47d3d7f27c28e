//! Requests and answers on one connection, as turns of its two ends: times to the first byte, for any protocol over
//! TCP, encrypted ones too.
//!
//! | end | the response time lasts |
//! |---|---|
//! | client | from the request's first transmission to the arrival of the answer's first byte |
//! | server | from the arrival of the request's first byte to the answer's first transmission |
//!
//! A kernel program feeds it every segment that the socket receives, before the kernel processes the segment. What the
//! socket sent in between is seen at the next segment that it receives.
//!
//! Requests that overlap (pipelining, HTTP/2) are one busy period: its first request and its first answer count. Of a
//! stream the first byte counts.

use crate::{
    content::{Content, Head},
    keys::EdgeKey,
};

mod client;
mod followed;
mod sampled;
mod server;

pub use followed::is_drawn;
pub use sampled::Lots;

/// Bytes sent in the middle of [`MUCH`] received that may be flow control, such as HTTP/2's WINDOW_UPDATE.
const SMALL: u32 = 64;
/// See [`SMALL`].
const MUCH: u32 = 8_192;
/// A message after this long a silence that nobody asked for is unasked, µs.
const SILENCE_US: u64 = 1_000_000;
/// The same before the first request, µs: some servers greet, and none greets twice.
const GREETING_US: u64 = 20_000;
/// Unasked messages from which a connection is left out.
const MAX_UNASKED: u16 = 4;
/// Exchanges from a TLS hello on that are no requests: the hello's own, and the one that ends the handshake. A
/// connection whose content can't be read may begin with as many.
const HANDSHAKE: u32 = 2;
/// Messages at the begin of a TLS connection that are looked at: a server may ask for a second hello.
const MAX_LOOKS: u16 = 4;

/// The part before a first read that nobody saw. No `None`, whose undefined value the kernel's verifier would find read.
pub const UNSEEN: u64 = u64::MAX;

/// Age from which a request that is never answered counts, µs.
pub const UNANSWERED_US: u64 = 1_000_000;

/// In [`Turn::flags`]: the socket is of no use, because nobody knows whose it is or which end it is.
pub const IGNORED: u32 = 1;
/// In [`Turn::flags`]: the socket is a server's.
pub const SERVER: u32 = 2;
/// In [`Turn::flags`]: a request was seen, or sent.
pub const ASKED: u32 = 4;
/// In [`Turn::flags`]: the socket is about to close: what it sends from here on is no message.
pub const CLOSING: u32 = 8;
/// In [`Turn::flags`]: one end sends unasked. No exchange of the connection counts.
pub const PUSHES: u32 = 16;
/// In [`Turn::flags`]: the content may be HTTP/2, so that small messages may be flow control.
pub const MULTIPLEXED: u32 = 32;
/// In [`Turn::flags`]: the content is HTTP/2 in clear text.
pub const HTTP2: u32 = 64;
/// In [`Turn::flags`]: the content is TLS.
pub const TLS: u32 = 128;
/// In [`Turn::flags`]: a walk chose the connection, not its hash.
pub const KEPT: u32 = 512;
/// In [`Turn::flags`]: the socket's cgroup is under a close-up, so that each exchange counts.
pub const EXEMPT: u32 = 1 << 25;
/// In [`Turn::flags`]: a small message was taken for flow control. It may have been the answer.
const SMALL_TALK: u32 = 256;
/// In [`Turn::flags`]: the request under way was read, and nobody saw when.
const READ_UNSEEN: u32 = 1_024;
/// In [`Turn::flags`]: a walk found a request of which a part was read while the rest waited. A read may be a later one.
pub const READ_IN_PARTS: u32 = 1 << 20;

/// The state of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Turn {
    /// Its edge.
    pub key: EdgeKey,
    /// Of a client: first transmission of the request under way, ktime µs; 0: there is none.
    pub sent_us: u64,
    /// Of a server: arrival of the request under way, ktime ns; 0: there is none.
    pub received_ns: u64,
    /// Its first read, ktime ns; 0: none was seen. While none is under way: that of the request before.
    pub read_ns: u64,
    /// Newest message of the server's end, ktime µs; 0: none yet.
    pub told_us: u64,
    /// Newest retransmission, ktime ns.
    pub retransmitted_ns: u64,
    /// Time that retransmissions of the request under way took, µs.
    pub stalled_us: u32,
    /// Of a followed connection: data sent before this sequence number was copied.
    pub copied: u32,
    /// Data before this sequence number belongs to past exchanges.
    pub mark: u32,
    /// Data sent before this sequence number has been examined.
    pub seen: u32,
    /// First sequence number of the newest message received.
    pub begun: u32,
    /// Bits of [`IGNORED`] to [`KEPT`], [`READ_IN_PARTS`], [`EXEMPT`], and others of this module.
    pub flags: u32,
    /// Exchanges from now on that don't count.
    pub left_out: u32,
    /// Unasked messages.
    pub unasked: u16,
    /// Messages whose content was looked at.
    pub looks: u16,
    /// Period of observation that the state is of.
    pub generation: u32,
    /// Connections that this one stands for, in units of [`WEIGHT`](crate::pick::WEIGHT).
    pub weight: u32,
    /// Number of the exchange under way, where exchanges are sampled.
    pub exchange: u32,
    /// End of the newest data that was seen to arrive.
    pub heard: u32,
}

const _: () = assert!(size_of::<Turn>() == 120);

/// Progress of a socket's sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// `tcp_sock.snd_nxt`.
    pub next: u32,
    /// `tcp_sock.write_seq`: what the application has written.
    pub written: u32,
    /// `tcp_sock.first_tx_mstamp`: when the packets that are on their way began to be sent, µs.
    pub first_us: u64,
}

/// A segment with new data that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its first sequence number.
    pub begin: u32,
    /// Bytes of data.
    pub bytes: u32,
    /// Its acknowledgement number.
    pub ack: u32,
    /// When, ktime ns.
    pub now_ns: u64,
}

/// An exchange that ended with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Response time, µs.
    pub us: u64,
    /// Of a client: its part for retransmissions of the request; of a server: its part before the first read, µs, or
    /// [`UNSEEN`].
    pub part_us: u64,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With an answer.
    Answered(Response),
    /// It doesn't count: the connection was found in the middle of it, or one end sends unasked.
    LeftOut,
    /// It overlaps another one: nothing tells when its answer began.
    Overlapped,
}

/// Whether sequence number `a` comes after `b`.
#[inline(always)]
const fn is_after(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

impl Turn {
    /// A connection of which nothing is known.
    #[inline(always)]
    pub const fn new(key: EdgeKey, generation: u32, weight: u32) -> Self {
        Self {
            key,
            sent_us: 0,
            received_ns: 0,
            read_ns: 0,
            told_us: 0,
            retransmitted_ns: 0,
            stalled_us: 0,
            copied: 0,
            mark: 0,
            seen: 0,
            begun: 0,
            flags: 0,
            left_out: 0,
            unasked: 0,
            generation,
            weight,
            looks: 0,
            exchange: 0,
            heard: 0,
        }
    }

    /// Begins with a connection that has not carried data yet. `sent`: `tcp_sock.snd_una`; `expected`:
    /// `tcp_sock.rcv_nxt`.
    #[inline(always)]
    pub fn begin(&mut self, sent: u32, expected: u32) {
        (self.mark, self.seen, self.begun, self.heard) = (sent, sent, expected, expected);
    }

    /// Begins in the middle of a connection: forgets what is under way, whose beginning nobody saw.
    #[inline(always)]
    pub fn join(&mut self, sent: &Outgoing, expected: u32, generation: u32, weight: u32) {
        self.begin(sent.written, expected);
        (self.sent_us, self.received_ns, self.read_ns, self.told_us) = (0, 0, 0, 0);
        (self.retransmitted_ns, self.stalled_us) = (0, 0);
        (self.generation, self.weight) = (generation, weight);
        self.flags = self.flags & !(KEPT | EXEMPT | sampled::ALL | followed::ALL) | ASKED | sampled::JOINED;
        // The rest of a request may be taken for one.
        self.left_out = if self.flags & SERVER != 0 { 1 } else { 0 };
    }

    /// Whether the socket is a server's.
    #[inline(always)]
    pub const fn is_server(&self) -> bool {
        self.flags & SERVER != 0
    }

    /// Whether the content of a message that begins now says more of the connection than is known.
    #[inline(always)]
    pub const fn is_content_wanted(&self) -> bool {
        self.looks == 0 || (self.flags & TLS != 0 && self.looks < MAX_LOOKS) || self.flags & HTTP2 != 0
    }

    /// Learns from the first bytes of a message; `None`: they can't be read. Returns whether it is one: HTTP/2's
    /// control frames are none.
    #[inline(always)]
    pub fn learn(&mut self, head: Option<&Head>) -> bool {
        let Some(head) = head else {
            if self.looks == 0 {
                (self.looks, self.flags) = (1, self.flags | MULTIPLEXED);
                self.left_out = HANDSHAKE;
            }
            return true;
        };
        if self.flags & HTTP2 != 0 {
            return head.is_http2_message();
        }
        self.looks += 1;
        match head.content() {
            Content::TlsHello => {
                self.flags |= TLS | MULTIPLEXED;
                self.left_out = HANDSHAKE;
            }
            Content::Tls => self.flags |= TLS | MULTIPLEXED,
            // The server answers the preface with its settings.
            Content::Http2Preface => {
                self.flags |= HTTP2 | MULTIPLEXED;
                self.left_out = 1;
            }
            Content::Http2Settings if !self.is_server() => {
                self.flags |= HTTP2 | MULTIPLEXED;
                return false;
            }
            Content::Http2Settings | Content::Other => {}
        }
        true
    }

    /// Age of the request under way, µs. `None`: there is none that counts.
    #[inline(always)]
    pub fn age_us(&self, now_ns: u64) -> Option<u64> {
        let begun_us = if self.is_server() { self.received_ns / 1_000 } else { self.sent_us };
        if begun_us == 0 || self.left_out != 0 || self.flags & PUSHES != 0 {
            return None;
        }
        Some((now_ns / 1_000).wrapping_sub(begun_us))
    }

    /// The same, also of a client's request that nothing was received since. `may_ask`: what the socket sent may be a
    /// request, because it has not closed its end. The socket may change meanwhile: ages of seconds are right.
    #[inline(always)]
    pub fn waiting_us(&self, sent: &Outgoing, may_ask: bool, now_ns: u64) -> Option<u64> {
        let mut turn = *self;
        if !turn.is_server() && may_ask {
            turn.ask(sent, turn.begun);
        }
        turn.age_us(now_ns)
    }

    /// Data arrives up to this sequence number.
    #[inline(always)]
    pub fn hear(&mut self, end: u32) {
        if is_after(end, self.heard) {
            self.heard = end;
        }
    }

    /// The server's end sends while no request is under way: more of its answer, unless it was silent before.
    #[inline(always)]
    fn tell(&mut self, now_us: u64) {
        let before_us = core::mem::replace(&mut self.told_us, now_us);
        let silence_us = if self.flags & ASKED != 0 { SILENCE_US } else { GREETING_US };
        if before_us == 0 || now_us.wrapping_sub(before_us) < silence_us || now_us < before_us {
            return;
        }
        self.unasked += 1;
        // The other end's next message may be an answer to this one.
        self.left_out = 1;
        if self.unasked >= MAX_UNASKED || self.flags & ASKED == 0 {
            self.flags |= PUSHES;
        }
    }

    /// Whether a message of `bytes` in the middle of `others` may be flow control.
    #[inline(always)]
    const fn is_flow_control(&self, bytes: u32, others: u32) -> bool {
        self.flags & MULTIPLEXED != 0 && bytes < SMALL && others >= MUCH
    }

    /// Whether the exchange that ends doesn't count.
    #[inline(always)]
    fn is_left_out(&mut self) -> bool {
        let is_left_out = self.left_out != 0;
        if is_left_out {
            self.left_out -= 1;
        }
        is_left_out || self.flags & PUSHES != 0
    }
}

#[cfg(test)]
mod tests;
