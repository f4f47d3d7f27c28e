//! Exchanges whose first bytes are copied. The kernel can read what arrives, not what is sent. So the bytes of a request
//! that a client sends are copied only where the answer before it, or other answers of that port, were HTTP/1.

use super::Turn;
use crate::heads::{CONTINUE_BYTES, Start};

/// In [`Turn::flags`]: the exchange under way is sampled.
const TAKEN: u32 = 2_048;
/// In [`Turn::flags`]: a client's next exchange is sampled.
const NEXT: u32 = 4_096;
/// In [`Turn::flags`]: the last answer was HTTP/1, and another may follow.
const CHECKED: u32 = 8_192;
/// In [`Turn::flags`]: an interim answer was sent: the request goes on.
const CONTINUES: u32 = 16_384;
/// In [`Turn::flags`]: the sampled exchange's request was copied.
const COPIED: u32 = 32_768;
/// In [`Turn::flags`]: the sampled exchange is HTTP/1.
const READABLE: u32 = 65_536;

/// In [`Turn::flags`]: the connection was found in the middle.
pub(super) const JOINED: u32 = 131_072;

/// Those of an exchange.
pub(super) const ALL: u32 = TAKEN | NEXT | CHECKED | CONTINUES | COPIED | READABLE;

/// Two random numbers: for an exchange, and for the one after it.
pub type Lots = (u32, u32);

impl Turn {
    /// Whether the exchange under way is sampled.
    #[inline(always)]
    pub const fn is_taken(&self) -> bool {
        self.flags & TAKEN != 0
    }

    /// Whether it is, and its bytes may leave the kernel.
    #[inline(always)]
    pub const fn is_readable(&self) -> bool {
        self.flags & (TAKEN | READABLE) == TAKEN | READABLE
    }

    /// Whether the start of a message that arrives now must be read.
    #[inline(always)]
    pub const fn is_start_wanted(&self, lots: Lots, threshold: u32) -> bool {
        if self.is_server() {
            lots.0 < threshold || self.flags & CONTINUES != 0
        } else {
            self.flags & (TAKEN | NEXT) != 0
        }
    }

    /// A server's exchange begins. Returns whether its request is to be copied.
    #[inline(always)]
    pub fn take_request(&mut self, lots: Lots, threshold: u32, start: &Start) -> bool {
        let is_request = start.is_request();
        if self.flags & CONTINUES != 0 && !is_request {
            self.flags &= !CONTINUES;
            return false;
        }
        self.pass_request();
        if lots.0 >= threshold {
            return false;
        }
        self.flags |= if is_request { TAKEN | READABLE | COPIED } else { TAKEN };
        is_request
    }

    /// A server's exchange begins whose start need not be read: it is not sampled.
    #[inline(always)]
    pub fn pass_request(&mut self) {
        self.flags &= !ALL;
        self.exchange = self.exchange.wrapping_add(1);
    }

    /// A client's exchange begins: nothing of it can be read. Returns whether it is sampled.
    #[inline(always)]
    pub fn take_sent(&mut self, lots: Lots, threshold: u32) -> bool {
        if self.flags & CONTINUES != 0 {
            self.flags &= !CONTINUES;
            return false;
        }
        let is_taken = if self.looks == 0 { lots.0 < threshold } else { self.flags & NEXT != 0 };
        self.flags &= if is_taken { !ALL | CHECKED } else { !ALL };
        self.exchange = self.exchange.wrapping_add(1);
        if lots.1 < threshold {
            self.flags |= NEXT;
        }
        if is_taken {
            self.flags |= TAKEN;
        }
        is_taken
    }

    /// Whether the answer before a client's request was HTTP/1, so that the request is too.
    #[inline(always)]
    pub const fn is_checked(&self) -> bool {
        self.flags & CHECKED != 0
    }

    /// Whether nothing was sent or received on the connection before its first request.
    #[inline(always)]
    pub const fn is_fresh(&self) -> bool {
        self.looks == 0 && self.flags & JOINED == 0
    }

    /// Notes that the request was copied.
    #[inline(always)]
    pub fn note_copied(&mut self) {
        self.flags |= COPIED;
    }

    /// Whether a client's request was not copied so far.
    #[inline(always)]
    pub const fn lacks_request(&self) -> bool {
        self.flags & COPIED == 0
    }

    /// A client's answer begins. Returns whether it is to be copied.
    #[inline(always)]
    pub fn check_answer(&mut self, start: &Start) -> bool {
        self.flags &= !CHECKED;
        if !start.is_answer() {
            return false;
        }
        if !start.is_switch() {
            self.flags |= CHECKED;
        }
        if self.flags & TAKEN == 0 {
            return false;
        }
        self.flags |= READABLE;
        true
    }

    /// An answer of this many bytes so far was copied.
    #[inline(always)]
    pub fn note_answer(&mut self, bytes: u32) {
        if bytes == CONTINUE_BYTES {
            self.flags |= CONTINUES;
        }
    }

    /// Gives the sample up.
    #[inline(always)]
    pub fn leave(&mut self) {
        self.flags &= !(TAKEN | READABLE);
    }
}

#[cfg(test)]
mod tests;
