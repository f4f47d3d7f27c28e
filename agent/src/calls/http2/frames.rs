//! Frames of one direction of a connection (RFC 9113), from its segments, some of which may be missing.
//!
//! After a gap the next frame is looked for at the begin of a segment, where applications' writes begin. Segments that
//! hold nothing but the middle of a DATA frame may be missing: its length is known.

use super::hpack::{Decoder, Fields};

/// Bytes of a frame's header.
const HEADER: usize = 9;
/// Most bytes of the headers of one message that are decoded.
pub(super) const MOST_BLOCK: usize = 8 << 10;
/// Longest frame at which frames are found again: what endpoints allow unless they agree on more, and that 64 times.
const LIKELY_LENGTH: u32 = 1 << 20;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of gRPC before each of its messages: whether it is compressed, and its length.
const PREFIX: usize = 5;

// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
// Their flags.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const HAS_PRIORITY: u8 = 0x20;

/// News of a stream by a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) stream: u32,
    pub(super) what: What,
    /// Whether the direction ends with it.
    pub(super) ends: bool,
    /// When the frame's first byte was sent or received, ktime ns.
    pub(super) begun_ns: u64,
    /// The same of its last one.
    pub(super) at_ns: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All headers of a message, or its trailers.
    Headers(Fields),
    /// Data. Whether it begins as a message of gRPC of this length does.
    Data { is_message: bool },
    /// The stream is given up.
    Reset { code: u32 },
}

/// A frame's header.
#[derive(Clone, Copy, Debug)]
struct Frame {
    length: u32,
    kind: u8,
    flags: u8,
    stream: u32,
    begun_ns: u64,
}

impl Frame {
    fn new(header: [u8; HEADER], begun_ns: u64) -> Self {
        let [a, b, c, kind, flags, f, g, h, i] = header;
        let (length, stream) = (u32::from_be_bytes([0, a, b, c]), u32::from_be_bytes([f, g, h, i]));
        Self { length, kind, flags, stream, begun_ns }
    }

    /// Whether there can be such a frame.
    const fn is_valid(&self) -> bool {
        let is_streams = self.stream != 0 && self.stream < 1 << 31;
        match self.kind {
            DATA | HEADERS | PUSH_PROMISE | CONTINUATION => is_streams,
            PRIORITY => is_streams && self.length == 5,
            RST_STREAM => is_streams && self.length == 4,
            SETTINGS => self.stream == 0 && self.length.is_multiple_of(6),
            PING => self.stream == 0 && self.length == 8,
            GOAWAY => self.stream == 0 && self.length >= 8,
            WINDOW_UPDATE => self.stream < 1 << 31 && self.length == 4,
            // Others are to be ignored.
            _ => self.stream < 1 << 31,
        }
    }

    /// Whether it is one of the usual ones, so that hardly anything else looks so.
    const fn is_likely(&self) -> bool {
        let flags = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY,
            PUSH_PROMISE => END_HEADERS | PADDED,
            SETTINGS | PING => 1,
            CONTINUATION => END_HEADERS,
            PRIORITY | RST_STREAM | GOAWAY | WINDOW_UPDATE => 0,
            _ => return false,
        };
        self.is_valid() && self.flags & !flags == 0 && self.length <= LIKELY_LENGTH
    }

    /// Bytes of its payload that are kept.
    const fn wanted(&self) -> usize {
        match self.kind {
            HEADERS | PUSH_PROMISE | CONTINUATION => self.length as usize,
            DATA => PREFIX,
            RST_STREAM => 4,
            _ => 0,
        }
    }
}

/// Headers whose rest follows in CONTINUATION frames.
#[derive(Debug)]
struct Begun {
    frame: Frame,
    block: Vec<u8>,
}

/// Where the reader is.
#[derive(Debug, Default)]
enum Place {
    /// Somewhere: the next frame is to be found.
    #[default]
    Lost,
    /// In a frame's header, of which so many bytes are known.
    Header { bytes: [u8; HEADER], known: usize, begun_ns: u64 },
    /// In a frame, of which so many bytes are still to come.
    Payload { frame: Frame, left: u32 },
}

/// The reader of one direction.
#[derive(Debug, Default)]
pub(super) struct Reader {
    place: Place,
    /// Of the frame that is read: what is wanted of its payload.
    payload: Vec<u8>,
    begun: Option<Begun>,
    decoder: Decoder,
}

impl Reader {
    /// Bytes are missing before those that come at this time. Returns whether they may have held frames of which nothing
    /// is known.
    pub(super) fn miss(&mut self, bytes: u32, at_ns: u64, each: &mut impl FnMut(Event)) -> bool {
        match &mut self.place {
            Place::Payload { frame, left } if bytes <= *left && frame.wanted() <= self.payload.len() => {
                *left -= bytes;
                if *left == 0 {
                    let frame = *frame;
                    self.end(frame, at_ns, each);
                }
                false
            }
            _ => {
                self.lose();
                true
            }
        }
    }

    /// Takes a segment's bytes, or the rest of them.
    pub(super) fn take(&mut self, bytes: &[u8], at_ns: u64, each: &mut impl FnMut(Event)) {
        let mut rest = bytes;
        if matches!(self.place, Place::Lost) {
            rest = rest.strip_prefix(PREFACE).unwrap_or(rest);
            if !begins_with_frames(rest) {
                return;
            }
            self.next(at_ns);
        }
        while !rest.is_empty() {
            rest = self.step(rest, at_ns, each);
        }
    }

    /// Reads on in a frame.
    fn step<'a>(&mut self, rest: &'a [u8], at_ns: u64, each: &mut impl FnMut(Event)) -> &'a [u8] {
        match &mut self.place {
            Place::Lost => &[],
            Place::Header { bytes, known, begun_ns } => {
                if *known == 0 {
                    *begun_ns = at_ns;
                }
                let (taken, rest) = rest.split_at(rest.len().min(HEADER - *known));
                bytes[*known..*known + taken.len()].copy_from_slice(taken);
                *known += taken.len();
                if *known == HEADER {
                    let frame = Frame::new(*bytes, *begun_ns);
                    self.enter(frame, at_ns, each);
                }
                rest
            }
            Place::Payload { frame, left } => {
                let (taken, rest) = rest.split_at(rest.len().min(*left as usize));
                *left -= taken.len() as u32;
                let missing =
                    frame.wanted().saturating_sub(self.payload.len()).min(MOST_BLOCK + 1 - self.payload.len());
                self.payload.extend_from_slice(&taken[..taken.len().min(missing)]);
                if *left == 0 {
                    let frame = *frame;
                    self.end(frame, at_ns, each);
                }
                rest
            }
        }
    }

    /// A frame's header was read.
    fn enter(&mut self, frame: Frame, at_ns: u64, each: &mut impl FnMut(Event)) {
        let continues = self.begun.as_ref().map(|begun| begun.frame.stream);
        // Nothing comes between the headers of a message.
        let is_in_order = continues == (frame.kind == CONTINUATION).then_some(frame.stream);
        if !frame.is_valid() || !is_in_order {
            self.lose();
            return;
        }
        self.payload.clear();
        if frame.length == 0 {
            self.end(frame, at_ns, each);
        } else {
            self.place = Place::Payload { frame, left: frame.length };
        }
    }

    /// All of a frame was read.
    fn end(&mut self, frame: Frame, at_ns: u64, each: &mut impl FnMut(Event)) {
        self.next(at_ns);
        let event = |what, ends| Event { stream: frame.stream, what, ends, begun_ns: frame.begun_ns, at_ns };
        let ends = frame.flags & END_STREAM != 0;
        match frame.kind {
            DATA => each(event(What::Data { is_message: frame.is_message(&self.payload) }, ends)),
            RST_STREAM => {
                let code = self.payload.first_chunk().map_or(0, |code| u32::from_be_bytes(*code));
                each(event(What::Reset { code }, true));
            }
            HEADERS | PUSH_PROMISE => {
                let is_whole = self.payload.len() <= MOST_BLOCK;
                let block = if is_whole { fragment(&frame, &self.payload).map(<[u8]>::to_vec) } else { None };
                let block = block.unwrap_or_else(|| vec![0; MOST_BLOCK + 1]);
                self.add(Begun { frame, block }, frame.flags, at_ns, each);
            }
            CONTINUATION => {
                if let Some(mut begun) = self.begun.take() {
                    // Too long is too long, however long.
                    let room = (MOST_BLOCK + 1).saturating_sub(begun.block.len());
                    begun.block.extend_from_slice(&self.payload[..self.payload.len().min(room)]);
                    self.add(begun, frame.flags, at_ns, each);
                }
            }
            _ => {}
        }
        // It may hold anything that was sent.
        self.payload.fill(0);
        self.payload.clear();
    }

    /// Headers so far. `flags`: those of the newest frame.
    fn add(&mut self, mut begun: Begun, flags: u8, at_ns: u64, each: &mut impl FnMut(Event)) {
        if flags & END_HEADERS == 0 {
            self.begun = Some(begun);
            return;
        }
        let fields = if begun.block.len() > MOST_BLOCK { None } else { self.decoder.decode(&begun.block) };
        begun.block.fill(0);
        let frame = begun.frame;
        let fields = fields.unwrap_or_else(|| {
            self.decoder.forget();
            Fields::unknown()
        });
        // Nobody asks for a server's promises.
        if frame.kind == HEADERS {
            let ends = frame.flags & END_STREAM != 0;
            let (stream, begun_ns) = (frame.stream, frame.begun_ns);
            each(Event { stream, what: What::Headers(fields), ends, begun_ns, at_ns });
        }
    }

    /// A frame begins with the next byte.
    fn next(&mut self, at_ns: u64) {
        self.place = Place::Header { bytes: [0; HEADER], known: 0, begun_ns: at_ns };
    }

    /// Nothing is known any more.
    fn lose(&mut self) {
        self.place = Place::Lost;
        self.begun = None;
        self.payload.fill(0);
        self.payload.clear();
        self.decoder.forget();
    }
}

impl Frame {
    /// Whether its data begin with a message of gRPC, and end no later than this.
    fn is_message(&self, payload: &[u8]) -> bool {
        let Some([compressed, length @ ..]) = payload.first_chunk::<PREFIX>() else { return false };
        let length = u32::from_be_bytes(*length).saturating_add(PREFIX as u32);
        self.flags & PADDED == 0 && *compressed <= 1 && length == self.length
    }
}

/// The headers in a frame's payload. `None`: it is too short.
fn fragment<'a>(frame: &Frame, payload: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = payload;
    if frame.flags & PADDED != 0 {
        let (padding, after) = rest.split_first()?;
        rest = after.get(..after.len().checked_sub(usize::from(*padding))?)?;
    }
    if frame.kind == PUSH_PROMISE {
        rest = rest.get(4..)?;
    } else if frame.flags & HAS_PRIORITY != 0 {
        rest = rest.get(5..)?;
    }
    Some(rest)
}

/// Whether a segment consists of frames, as far as it is there. The last one may go on.
fn begins_with_frames(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    // Headers that go on have begun before.
    if bytes.get(3) == Some(&CONTINUATION) {
        return false;
    }
    while let Some((header, payload)) = rest.split_first_chunk::<HEADER>() {
        let frame = Frame::new(*header, 0);
        if !frame.is_likely() {
            return false;
        }
        rest = payload.get(frame.length as usize..).unwrap_or_default();
    }
    bytes.len() >= HEADER
}

#[cfg(test)]
mod tests;
