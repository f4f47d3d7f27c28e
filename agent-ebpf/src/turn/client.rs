//! The client's end: it asks, and is answered.

use super::{ASKED, End, Incoming, Outgoing, Response, SMALL_TALK, Turn, is_after};

impl Turn {
    /// Looks at what a client has sent: a request may be under way since.
    #[inline(always)]
    pub fn ask(&mut self, sent: &Outgoing, expected: u32) {
        let is_restarted =
            self.flags & SMALL_TALK != 0 && sent.first_us > self.sent_us && is_after(sent.next, self.seen);
        self.seen = sent.next;
        if (self.sent_us != 0 && !is_restarted) || !is_after(sent.next, self.mark) {
            return;
        }
        if self.is_flow_control(sent.next.wrapping_sub(self.mark), expected.wrapping_sub(self.begun)) {
            self.mark = sent.next;
            return;
        }
        self.flags &= !SMALL_TALK;
        self.sent_us = sent.first_us;
        self.flags |= ASKED;
        if self.retransmitted_ns < sent.first_us.wrapping_mul(1_000) {
            self.stalled_us = 0;
        }
    }

    /// A client receives data: the answer, if a request is under way.
    #[inline(always)]
    pub fn answer(&mut self, sent: &Outgoing, data: &Incoming) -> Option<End> {
        let now_us = data.now_ns / 1_000;
        if self.sent_us == 0 {
            self.tell(now_us);
            return None;
        }
        // Data that was sent before the request arrived does not acknowledge it.
        if !is_after(data.ack, self.mark) {
            return None;
        }
        if self.is_flow_control(data.bytes, sent.next.wrapping_sub(self.mark)) {
            self.flags |= SMALL_TALK;
            return None;
        }
        self.begun = data.begin;
        Some(self.answered(sent, now_us))
    }

    /// A client's request under way is answered.
    #[inline(always)]
    pub fn answered(&mut self, sent: &Outgoing, now_us: u64) -> End {
        let (begun_us, stalled_us) = (self.sent_us, self.stalled_us);
        (self.sent_us, self.stalled_us, self.told_us) = (0, 0, now_us);
        self.mark = sent.written;
        if self.is_left_out() {
            return End::LeftOut;
        }
        End::Answered(Response { us: now_us.wrapping_sub(begun_us), part_us: stalled_us as u64 })
    }

    /// A client sends data again.
    #[inline(always)]
    pub fn retransmit(&mut self, sent: &Outgoing, now_ns: u64) {
        let first_ns = sent.first_us.wrapping_mul(1_000);
        if self.sent_us == 0 && self.retransmitted_ns < first_ns {
            self.stalled_us = 0;
        }
        let from_ns = if self.retransmitted_ns > first_ns { self.retransmitted_ns } else { first_ns };
        if now_ns > from_ns {
            let stalled_us = self.stalled_us as u64 + (now_ns - from_ns) / 1_000;
            self.stalled_us = if stalled_us > u32::MAX as u64 { u32::MAX } else { stalled_us as u32 };
        }
        self.retransmitted_ns = now_ns;
    }

    /// Whether data arrived after a client said all that it has to say, when nobody sees it arrive any more: when its
    /// answer came is not known. `expected`: `tcp_sock.rcv_nxt`, in which the end of the stream counts as one byte.
    #[inline(always)]
    pub const fn is_answer_unseen(&self, expected: u32) -> bool {
        !self.is_server() && is_after(expected, self.heard.wrapping_add(1))
    }
}
