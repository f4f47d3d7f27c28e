//! Connections that are followed: clear-text HTTP/2, segment by segment. What a request or an answer says depends on those
//! before it on the connection (RFC 7541), so single exchanges can't be sampled.
//!
//! A connection is followed from its begin on, or, if it is older than the observation, from a HEADERS frame on.

use super::{HTTP2, IGNORED, TLS, Turn, is_after, sampled::JOINED};
use crate::heads::Start;

/// In [`Turn::flags`]: the connection is followed.
const FOLLOWED: u32 = 1 << 18;
/// In [`Turn::flags`]: one segment whose begin was read in vain.
const LOOK: u32 = 1 << 21;
/// All bits of that number.
const LOOKS: u32 = 15 * LOOK;

/// Those of the observation.
pub(super) const ALL: u32 = FOLLOWED | LOOKS;

/// Whether the connection with this hash is followed, if it can be. `threshold`: the share, in units of 2⁻³².
#[inline(always)]
pub const fn is_drawn(hash: u32, threshold: u32) -> bool {
    // The low bits of observed connections' hashes may be zero.
    hash.wrapping_mul(0x9e37_79b1) < threshold
}

impl Turn {
    /// Whether the connection is followed.
    #[inline(always)]
    pub const fn is_followed(&self) -> bool {
        self.flags & FOLLOWED != 0
    }

    /// Whether its content is HTTP/2 in clear text, as far as it is known.
    #[inline(always)]
    pub const fn is_http2(&self) -> bool {
        self.flags & (FOLLOWED | HTTP2) != 0
    }

    /// Whether the begin of a segment that arrives now may tell that it is HTTP/2.
    #[inline(always)]
    pub const fn is_follow_undecided(&self) -> bool {
        let is_early = if self.flags & JOINED != 0 { self.flags & LOOKS != LOOKS } else { self.looks == 0 };
        self.flags & (FOLLOWED | TLS | IGNORED) == 0 && is_early
    }

    /// Learns from the begin of such a segment. Returns whether the connection is followed from here on. `unacked`:
    /// `tcp_sock.snd_una`: where what is sent and still at hand begins.
    #[inline(always)]
    pub fn follow_if_http2(&mut self, start: &Start, unacked: u32) -> bool {
        let is_server = self.is_server();
        let is_begin = if is_server { start.is_http2_preface() } else { start.is_http2_settings() };
        let is_joined = self.flags & JOINED != 0;
        if is_begin || is_joined && start.is_http2_headers(!is_server) {
            self.follow(unacked);
            return true;
        }
        if is_joined {
            self.flags += LOOK;
        }
        false
    }

    /// Follows the connection. `unacked`: as above.
    #[inline(always)]
    pub fn follow(&mut self, unacked: u32) {
        (self.flags, self.copied) = (self.flags | FOLLOWED, unacked);
    }

    /// Whether a packet that was sent, with this end, is new.
    #[inline(always)]
    pub fn take_sent_packet(&mut self, end: u32) -> bool {
        let is_new = is_after(end, self.copied);
        if is_new {
            self.copied = end;
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
