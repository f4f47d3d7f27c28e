//! The server's end: it is asked, reads, and replies.

use super::{ASKED, End, Incoming, Outgoing, READ_IN_PARTS, READ_UNSEEN, Response, SMALL_TALK, Turn, UNSEEN, is_after};

/// Part of a time that passed before the first read, µs, or [`UNSEEN`].
#[inline(always)]
const fn unread_us(begun_ns: u64, read_ns: u64, whole_us: u64) -> u64 {
    if read_ns == 0 {
        return UNSEEN;
    }
    let unread_us = if read_ns > begun_ns { (read_ns - begun_ns) / 1_000 } else { 0 };
    if unread_us < whole_us { unread_us } else { whole_us }
}

impl Turn {
    /// Looks at what a server has sent: the answer, if a request is under way.
    #[inline(always)]
    pub fn reply(&mut self, sent: &Outgoing, expected: u32) -> Option<End> {
        if !is_after(sent.next, self.seen) {
            return None;
        }
        self.seen = sent.next;
        if self.received_ns == 0 {
            self.tell(sent.first_us);
            return None;
        }
        // The rest of what was written before the request arrived is no answer.
        if !is_after(sent.next, self.mark) {
            return None;
        }
        if self.is_flow_control(sent.next.wrapping_sub(self.mark), expected.wrapping_sub(self.begun)) {
            self.mark = sent.next;
            self.flags |= SMALL_TALK;
            return None;
        }
        let (begun_ns, read_ns, sent_ns) = (self.received_ns, self.read_ns, sent.first_us.wrapping_mul(1_000));
        // The read stays until the next request: two zeros side by side become a call of `memset`, byte by byte.
        (self.received_ns, self.told_us) = (0, sent.first_us);
        if self.is_left_out() {
            return Some(End::LeftOut);
        }
        // The clock of what is on its way began before: part of it is an earlier answer. One microsecond is rounding.
        if sent_ns.wrapping_add(1_000) < begun_ns {
            return Some(End::Overlapped);
        }
        let us = if sent_ns > begun_ns { (sent_ns - begun_ns) / 1_000 } else { 0 };
        Some(End::Answered(Response { us, part_us: unread_us(begun_ns, read_ns, us) }))
    }

    /// A server receives data: a request, if none is under way.
    #[inline(always)]
    pub fn request(&mut self, sent: &Outgoing, data: &Incoming) {
        // After a small answer this may be the next request; if it is not, the answer comes as late.
        if self.received_ns == 0 || self.flags & SMALL_TALK != 0 {
            (self.received_ns, self.read_ns) = (data.now_ns, 0);
            (self.mark, self.begun) = (sent.written, data.begin);
            self.flags = self.flags & !(SMALL_TALK | READ_UNSEEN) | ASKED;
        }
    }

    /// Whether the request under way waits for its first read, as far as anybody saw.
    #[inline(always)]
    pub const fn is_read_awaited(&self) -> bool {
        self.received_ns != 0 && self.read_ns == 0 && self.flags & READ_UNSEEN == 0
    }

    /// The application reads. `taken`: what it has read so far (`tcp_sock.copied_seq`). `sees_all`: reads are seen all
    /// the time.
    #[inline(always)]
    pub fn read(&mut self, taken: u32, sees_all: bool, now_ns: u64) {
        // A look at the data (MSG_PEEK) takes nothing.
        if !self.is_read_awaited() || !is_after(taken, self.begun) {
            return;
        }
        if self.flags & READ_IN_PARTS != 0 && !sees_all {
            // The first part may have been read unseen.
            self.flags |= READ_UNSEEN;
        } else {
            self.read_ns = now_ns;
        }
    }

    /// Whether a part of the request under way was read, while the rest waits. `expected`: `tcp_sock.rcv_nxt`.
    #[inline(always)]
    pub const fn is_read_in_part(&self, taken: u32, expected: u32) -> bool {
        self.is_server() && self.received_ns != 0 && is_after(taken, self.begun) && is_after(expected, taken)
    }

    /// Whether a server that closes may have answered the request under way, which nobody saw. The end of the stream
    /// counts as one byte.
    #[inline(always)]
    pub const fn is_reply_unseen(&self, sent: &Outgoing) -> bool {
        self.is_server() && self.received_ns != 0 && is_after(sent.next, self.mark.wrapping_add(1))
    }

    /// More of a request arrives: what was read of it by now was read unseen. `taken`: what the application has read so
    /// far.
    #[inline(always)]
    pub fn check_read(&mut self, taken: u32) {
        if self.is_read_awaited() && is_after(taken, self.begun) {
            self.flags |= READ_UNSEEN;
        }
    }

    /// Part of the age of a request without an answer that passed before its first read, µs, or [`UNSEEN`]. `taken`:
    /// what the application has read so far.
    #[inline(always)]
    pub const fn unread_us(&self, taken: u32, age_us: u64) -> u64 {
        if self.is_read_awaited() && !is_after(taken, self.begun) {
            return age_us;
        }
        unread_us(self.received_ns, self.read_ns, age_us)
    }
}
