//! DNS lookups over UDP, as the socket under a resolver shows them: counters of one (cgroup, server), and the state of
//! one socket between its first query and its end.
//!
//! The lookup is timed as its resolver waits for it, not as single messages: from the first query to the last
//! reply, so that one lost answer among several (the AAAA beside the A, say) shows as the wait that it causes.

use crate::DnsCode;

/// The port of DNS servers.
pub const DNS_PORT: u16 = 53;

/// A resolver ends its socket right after the last answer that it waits for: one that stays for this long after a
/// reply waited for another in vain, ns.
pub const IN_VAIN_NS: u64 = 1_000_000_000;
/// Default timeout of glibc, musl and Go. A socket that was read without telling where from and lived longer than
/// this served more than one lookup, so its life tells no lookup's time, ns.
pub const TIMEOUT_NS: u64 = 5_000_000_000;
/// No lookup waits for longer than this with common settings: older sockets are kept open by their owner, ns.
pub const KEPT_NS: u64 = 30_000_000_000;
/// Queries of one lookup: two types, three servers, two attempts, and room. A socket with more belongs to a forwarder,
/// which has many lookups under way at once.
pub const MAX_QUERIES: u32 = 16;

/// Above `sampling.dns_above`, the lookups of one socket in this many are observed, with this weight.
pub const DNS_SHARE: u32 = 16;

/// Whether the lookups of a socket are observed, when those of one socket in `share` are; a power of two. Resolvers make
/// sockets in turn, so that neighbouring cookies may be of one kind: a product spreads them (Knuth, TAOCP 6.4).
#[inline(always)]
pub const fn is_lookup_observed(cookie: u64, share: u32) -> bool {
    cookie.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (share.wrapping_sub(1)) as u64 == 0
}

/// Bytes of a DNS answer that are copied for its names, at most: one less than a power of two, which bounds the copy.
/// Messages over UDP have 512 without EDNS (RFC 1035 4.2.1).
pub const ANSWER_BYTES: usize = 511;
/// Bytes of the buffer for these answers: 489 of them, from one tick to the next.
pub const ANSWERS_BYTES: usize = 256 << 10;

/// A DNS server's answer with addresses, on its way to user space.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AnswerEvent {
    /// Who asked.
    pub cgroup: u64,
    /// Bytes of the message that are here; those after it are of earlier events.
    pub length: u32,
    /// The message from its header on, as far as it fits, and one byte of padding.
    pub bytes: [u8; ANSWER_BYTES + 1],
    /// Zero.
    pub padding: u32,
}

const _: () = assert!(size_of::<AnswerEvent>() == 528 && (ANSWER_BYTES + 1).is_power_of_two());

/// Whether a message, by its first eight bytes, is an answer without error that has records (RFC 1035 4.1.1).
#[inline(always)]
pub const fn has_records(header: [u8; 8]) -> bool {
    let [_, _, flags, code, _, _, high, low] = header;
    flags & 0x80 != 0 && code & 0xf == 0 && (high | low) != 0
}

/// Bits of a code's count among the codes of a lookup's answers.
const CODE_BITS: u32 = 6;
const _: () = assert!(DnsCode::ALL.len() as u32 * CODE_BITS <= u32::BITS);

/// Addition that notes a code among those of a lookup's answers; 0: it is noted. Answers arrive on several CPUs at once:
/// each adds bits of its own code, and none undoes what another noted.
#[inline(always)]
pub const fn code_to_add(codes: u32, code: DnsCode) -> u32 {
    if has_code(codes, code as usize) { 0 } else { 1 << (code as u32 * CODE_BITS) }
}

/// Whether a code, an index of [`DnsCode::ALL`], is noted.
#[inline(always)]
pub const fn has_code(codes: u32, code: usize) -> bool {
    codes >> (code as u32 * CODE_BITS) & ((1 << CODE_BITS) - 1) != 0
}

/// How a lookup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With every answer that was waited for, after this many ns.
    Answered(u64),
    /// The same, but one of them came a second or more after another: it was asked for again.
    SecondLate(u64),
    /// An answer that was waited for never came.
    Unanswered,
    /// The same, though another came.
    SecondMissing,
    /// The socket served more than one lookup at a time: no telling.
    Unknown,
}

/// One socket's lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Exchange {
    /// First query, ktime ns.
    pub start_ns: u64,
    /// Last reply, ktime ns.
    pub last_ns: u64,
    /// Queries; 0 when the socket is connected, because then the kernel tells nobody about them.
    pub sent: u32,
    /// Replies whose reader asked where they are from.
    pub received: u32,
    /// Replies that came [`IN_VAIN_NS`] or more after another.
    pub late: u32,
    /// Zero.
    pub pad: u32,
}

const _: () = assert!(size_of::<Exchange>() == 32);

impl Exchange {
    /// `connect(2)` to a server at this time.
    #[inline(always)]
    pub const fn connected(now_ns: u64) -> Self {
        Self { start_ns: now_ns, last_ns: 0, sent: 0, received: 0, late: 0, pad: 0 }
    }

    /// The first query on an unconnected socket.
    #[inline(always)]
    pub const fn sent(now_ns: u64) -> Self {
        Self { start_ns: now_ns, last_ns: 0, sent: 1, received: 0, late: 0, pad: 0 }
    }

    /// A further query. Returns how the lookup before it ended, if this one begins another.
    #[inline(always)]
    pub fn query(&mut self, now_ns: u64) -> Option<Outcome> {
        if self.is_shared() {
            return None;
        }
        let ended = if self.received > 0 && self.received >= self.sent {
            Some(self.answered())
        } else if now_ns.wrapping_sub(self.start_ns) >= KEPT_NS {
            Some(Outcome::Unanswered)
        } else {
            None
        };
        if ended.is_some() {
            *self = Self::sent(now_ns);
        } else {
            self.sent += 1;
        }
        ended
    }

    /// A reply whose reader asked where it is from.
    #[inline(always)]
    pub fn reply(&mut self, now_ns: u64) {
        if self.received > 0 && now_ns.wrapping_sub(self.last_ns) >= IN_VAIN_NS {
            self.late += 1;
        }
        self.received += 1;
        if now_ns.wrapping_sub(self.start_ns) >= KEPT_NS {
            self.received = MAX_QUERIES + 1;
        }
        self.last_ns = now_ns;
    }

    /// The socket ends. `was_read`: anything was ever read from it, in whatever way.
    #[inline(always)]
    pub fn end(&self, now_ns: u64, was_read: bool) -> Outcome {
        if self.is_shared() {
            return Outcome::Unknown;
        }
        let life = now_ns.wrapping_sub(self.start_ns);
        if self.received > 0 {
            let idle = now_ns.wrapping_sub(self.last_ns);
            let waited = (IN_VAIN_NS..KEPT_NS).contains(&idle);
            if waited && (self.sent == 0 || self.received < self.sent) {
                return Outcome::SecondMissing;
            }
            return self.answered();
        }
        match was_read {
            false => Outcome::Unanswered,
            true if life < TIMEOUT_NS => Outcome::Answered(life),
            true => Outcome::Unknown,
        }
    }

    #[inline(always)]
    const fn answered(&self) -> Outcome {
        let ns = self.last_ns.wrapping_sub(self.start_ns);
        if self.late > 0 { Outcome::SecondLate(ns) } else { Outcome::Answered(ns) }
    }

    #[inline(always)]
    fn is_shared(&self) -> bool {
        self.sent > MAX_QUERIES || self.received > MAX_QUERIES
    }
}

#[cfg(test)]
mod tests;
