//! HTTP/2 in clear text, and gRPC over it: the calls of followed connections.
//!
//! ```text
//! segments  events of the kernel → segments in order, gaps
//! frames    segments → frames → headers, data and resets of streams
//! hpack     blocks of headers → what they say of a call
//! lost      entries from before a gap
//! huffman   the code of strings in them
//! streams   streams → calls
//! ```
//! All of it is bounded: a connection takes some 10 KB and at most [`MOST_BYTES`], and there are [`MOST`] of them. What can't be decoded, because
//! its connection was joined late or a segment was missed, is said to be unknown.

mod frames;
mod hpack;
mod huffman;
mod lost;
mod segments;
mod streams;

pub(super) use self::segments::MOST_BYTES as MOST_WAITING;
use self::{frames::Reader, segments::Segments, streams::Streams};
use super::{Call, Head};
use netwhy_abi::{EdgeKey, Role, heads::SENT};
use std::collections::HashMap;

/// Connections that are followed at a time.
pub(super) const MOST: usize = 64;
/// Bytes that one takes, at most: tables of 256 entries and 10 KB of paths, from before and after a gap, in both
/// directions; headers that are not complete; 100 open streams.
pub(super) const MOST_BYTES: usize = 150 << 10;
/// How long a connection is kept after its last segment, ns.
const PATIENCE_NS: u64 = 600_000_000_000;

/// A connection.
#[derive(Debug)]
struct Connection {
    key: EdgeKey,
    weight: u32,
    /// Of what it receives, and of what it sends.
    directions: [Direction; 2],
    streams: Streams,
    /// Newest segment, ktime ns.
    at_ns: u64,
}

/// One direction.
#[derive(Debug, Default)]
struct Direction {
    /// The sequence number that comes next. `None`: nothing came yet.
    expected: Option<u32>,
    reader: Reader,
}

/// The connections so far.
#[derive(Debug, Default)]
pub(super) struct Connections {
    segments: Segments,
    connections: HashMap<u64, Connection>,
    /// Newest segment of all, ktime ns.
    now_ns: u64,
}

impl Connections {
    /// Takes a segment. It is read when all of this time have come: each CPU has its own buffer.
    pub(super) fn take(&mut self, head: &Head<'_>) {
        let Head { event, bytes } = head;
        self.now_ns = self.now_ns.max(event.at_ns);
        if !self.has_room(event.cookie) || event.key.role().is_none() {
            return;
        }
        self.segments.take(head);
        let connection = self.connections.entry(event.cookie).or_insert_with(|| Connection {
            key: event.key,
            weight: event.weight,
            directions: Default::default(),
            streams: Streams::default(),
            at_ns: 0,
        });
        connection.at_ns = connection.at_ns.max(event.at_ns);
        debug_assert!(bytes.len() <= event.bytes.max(event.length) as usize);
    }

    /// Whether a connection has a place, or gets one.
    fn has_room(&mut self, cookie: u64) -> bool {
        if self.connections.len() < MOST || self.connections.contains_key(&cookie) {
            return true;
        }
        let begin = self.now_ns.saturating_sub(PATIENCE_NS);
        self.connections.retain(|_, connection| connection.at_ns >= begin);
        self.connections.len() < MOST
    }

    /// The calls that ended since the last time.
    pub(super) fn calls(&mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        let runs = self.segments.in_order(|cookie, part| self.connections.get(&cookie)?.direction(part).expected);
        for one in segments::by_time(runs) {
            let Some(connection) = self.connections.get_mut(&one.cookie) else { continue };
            connection.read(one.part, &one.segment);
            // A busy connection ends more calls than may be open.
            if connection.streams.is_crowded() {
                calls.extend(connection.calls(self.now_ns));
            }
        }
        for connection in self.connections.values_mut() {
            calls.extend(connection.calls(self.now_ns));
        }
        calls
    }
}

impl Connection {
    fn direction(&self, part: u32) -> &Direction {
        &self.directions[usize::from(part == SENT)]
    }

    /// The calls that ended.
    fn calls(&mut self, now_ns: u64) -> impl Iterator<Item = Call> + use<> {
        let (key, weight) = (self.key, self.weight);
        self.streams.calls(now_ns).map(move |done| done.call(key, weight))
    }

    /// Reads the next segment of one direction.
    fn read(&mut self, part: u32, segment: &segments::Segment) {
        let Self { key, directions, streams, .. } = self;
        let Direction { expected, reader } = &mut directions[usize::from(part == SENT)];
        // A client sends requests, a server receives them.
        let is_request = (part == SENT) == (key.role() == Some(Role::Client));
        let begin = *expected.get_or_insert(segment.begin);
        let ahead = segment.begin.wrapping_sub(begin).cast_signed();
        let mut missing = ahead.max(0).unsigned_abs();
        if missing > 0 && reader.miss(missing, segment.at_ns, &mut |event| streams.take(is_request, event)) {
            streams.miss(segment.at_ns);
        }
        // Sent again, as a whole or with more.
        let known = if ahead < 0 { ahead.unsigned_abs() as usize } else { 0 };
        if known >= segment.size as usize {
            return;
        }
        let fresh = segment.bytes.get(known..).unwrap_or_default();
        reader.take(fresh, segment.at_ns, &mut |event| streams.take(is_request, event));
        missing = segment.size.saturating_sub(segment.bytes.len().max(known) as u32);
        if missing > 0 && reader.miss(missing, segment.at_ns, &mut |event| streams.take(is_request, event)) {
            streams.miss(segment.at_ns);
        }
        *expected = Some(segment.begin.wrapping_add(segment.size));
    }
}

#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
#[cfg(test)]
mod tests;
