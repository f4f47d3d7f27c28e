//! How far a socket's application has read, from one walk to the next.

/// Unread bytes below which a socket's reader is not called slow, whatever its window.
pub const MIN_UNREAD: u32 = 4_096;
/// Differences of sequence numbers from which one wrapped: they are read without the socket's lock.
const WRAPPED: u32 = 1 << 30;

/// Places in a socket's stream: received, and taken by its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `tcp_sock.rcv_nxt`: what came lies before.
    pub expected: u32,
    /// `tcp_sock.copied_seq`: what was read lies before.
    pub taken: u32,
}

impl Reading {
    /// In one cell, which [`Self::unpack`] reads.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        (self.expected as u64) << 32 | self.taken as u64
    }

    /// What [`Self::pack`] made.
    #[inline(always)]
    pub const fn unpack(cell: u64) -> Self {
        Self { expected: (cell >> 32) as u32, taken: cell as u32 }
    }

    /// Unread bytes that had come when the socket was `before`, if the application read others since. `None`: they are
    /// fewer than [`MIN_UNREAD`], or it read nothing.
    #[inline(always)]
    pub const fn late_since(self, before: Self) -> Option<u32> {
        let late = before.expected.wrapping_sub(self.taken);
        let read = self.taken.wrapping_sub(before.taken);
        if late >= MIN_UNREAD && late < WRAPPED && read > 0 && read < WRAPPED { Some(late) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(expected: u32, taken: u32) -> Reading {
        Reading { expected, taken }
    }

    #[test]
    fn a_reader_is_late_that_reads_and_leaves_what_had_come_before() {
        let before = at(1_000_000, 100_000);
        assert_eq!(at(1_000_000, 400_000).late_since(before), Some(600_000));
        assert_eq!(at(5_000_000, 400_000).late_since(before), Some(600_000), "what came since is not late");
        assert_eq!(at(5_000_000, 100_000).late_since(before), None, "it reads nothing");
        assert_eq!(at(5_000_000, 1_000_000).late_since(before), None, "all that had come is read");
        assert_eq!(at(5_000_000, 4_900_000).late_since(before), None, "and more");
        assert_eq!(at(1_000_000, 1_000_000 - MIN_UNREAD).late_since(before), Some(MIN_UNREAD));
        assert_eq!(at(1_000_000, 1_000_001 - MIN_UNREAD).late_since(before), None, "too little");
    }

    #[test]
    fn sequence_numbers_wrap() {
        let before = at(500_000, u32::MAX - 500_000);
        assert_eq!(at(500_000, u32::MAX - 100_000).late_since(before), Some(600_001));
        assert_eq!(at(500_000, 100_000).late_since(before), Some(400_000));
    }

    #[test]
    fn one_cell_holds_both() {
        let all = at(0xfedc_ba98, 0x1234_5678);
        assert_eq!(Reading::unpack(all.pack()), all);
    }
}
