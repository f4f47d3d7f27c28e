//! Segments of followed connections, put in order. Each CPU has its own buffer, so a later segment may be read first: one
//! that does not fit waits for the next time.

use super::super::Head;

/// Bytes that wait, together, at most.
pub(in super::super) const MOST_BYTES: usize = 1 << 20;

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// First sequence number.
    pub(super) begin: u32,
    /// Bytes on the wire.
    pub(super) size: u32,
    /// As many of them as were copied.
    pub(super) bytes: Vec<u8>,
    /// When it was sent or received, ktime ns.
    pub(super) at_ns: u64,
}

/// A segment that waits.
#[derive(Debug)]
struct Waiting {
    cookie: u64,
    part: u32,
    segment: Segment,
    /// Whether it waits since the last time.
    is_old: bool,
}

/// Segments of one direction of a connection, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) cookie: u64,
    pub(super) part: u32,
    pub(super) segments: Vec<Segment>,
}

/// The segments that wait.
#[derive(Debug, Default)]
pub(super) struct Segments {
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Segments {
    /// Takes a segment. Without room it is missed.
    pub(super) fn take(&mut self, head: &Head<'_>) {
        let Head { event, bytes } = head;
        if self.bytes + bytes.len() > MOST_BYTES {
            return;
        }
        self.bytes += bytes.len();
        let size = event.bytes.max(bytes.len() as u32);
        let segment = Segment { begin: event.exchange, size, bytes: bytes.to_vec(), at_ns: event.at_ns };
        self.waiting.push(Waiting { cookie: event.cookie, part: event.part, segment, is_old: false });
    }

    /// Hands over the segments of each direction in order. After a gap they wait once, and the first ones do. `expected`:
    /// the sequence number that comes next; `None`: any may.
    pub(super) fn in_order(&mut self, expected: impl Fn(u64, u32) -> Option<u32>) -> Vec<Run> {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        // Numbers wrap around: they count from what is expected, or from the earliest in time.
        waiting.sort_by_key(|one| (one.cookie, one.part, one.segment.at_ns));
        let mut runs = Vec::new();
        for chunk in waiting.chunk_by_mut(|a, b| (a.cookie, a.part) == (b.cookie, b.part)) {
            let (cookie, part) = (chunk[0].cookie, chunk[0].part);
            let base = expected(cookie, part);
            let zero = base.unwrap_or(chunk[0].segment.begin);
            let distance = |one: &Waiting| one.segment.begin.wrapping_sub(zero).cast_signed();
            chunk.sort_by_key(distance);
            let mut next = base.unwrap_or(chunk[0].segment.begin);
            let mut segments = Vec::new();
            let mut is_held = base.is_none() && chunk.iter().all(|one| !one.is_old);
            for one in chunk {
                let gap = one.segment.begin.wrapping_sub(next).cast_signed();
                is_held = is_held || gap > 0 && !one.is_old;
                let end = one.segment.begin.wrapping_add(one.segment.size);
                if end.wrapping_sub(next).cast_signed() > 0 {
                    next = end;
                }
                let segment = Segment { bytes: std::mem::take(&mut one.segment.bytes), ..one.segment.clone() };
                if is_held {
                    self.bytes += segment.bytes.len();
                    self.waiting.push(Waiting { cookie, part, segment, is_old: true });
                } else {
                    segments.push(segment);
                }
            }
            runs.push(Run { cookie, part, segments });
        }
        runs
    }
}

/// A segment of one direction of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) cookie: u64,
    pub(super) part: u32,
    pub(super) segment: Segment,
}

/// Segments of both directions of each connection in the order of time, so that a call's end comes before later calls.
/// Those of one direction stay in their order.
pub(super) fn by_time(runs: Vec<Run>) -> Vec<Placed> {
    let placed =
        |Run { cookie, part, segments }| segments.into_iter().map(move |segment| Placed { cookie, part, segment });
    let mut all = Vec::new();
    let mut runs = runs.into_iter().peekable();
    while let Some(run) = runs.next() {
        let other = runs.next_if(|next| next.cookie == run.cookie);
        let (mut one, mut other) = (placed(run).peekable(), other.into_iter().flat_map(placed).peekable());
        loop {
            let is_other_next = match (one.peek(), other.peek()) {
                (Some(one), Some(other)) => other.segment.at_ns < one.segment.at_ns,
                (Some(_), None) => false,
                (None, _) => true,
            };
            let Some(next) = (if is_other_next { other.next() } else { one.next() }) else { break };
            all.push(next);
        }
    }
    all
}
