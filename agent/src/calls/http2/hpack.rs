//! Header compression (RFC 7541), as far as calls need it: of the dynamic table the newest entries are kept, and of an
//! entry what its header says of a call. Values of other headers are never decoded.
//!
//! Indices count from the newest entry, so that a table whose older entries are not known still tells the newer ones. A
//! reference to an older one is [`Field::Unknown`]. Evictions need no care: nothing refers to what was evicted. After a
//! gap, [`Lost`] finds how many entries were missed.

use super::{
    super::{Code, Method, Path},
    huffman,
    lost::Lost,
};
use std::{collections::VecDeque, sync::Arc};

/// Entries of a table: as many as a table of 8 KiB can have, twice the usual size.
pub(super) const MOST_ENTRIES: usize = 256;
/// Bytes that the paths of a table take, at most. Entries older than those are not kept.
const MOST_PATHS: usize = 10 << 10;
/// Bytes of a value that are decoded.
const MOST_BYTES: usize = 256;
/// Entries of the static table.
const STATIC: usize = 61;
const CONTENT_TYPE: &str = "content-type";
const GRPC_STATUS: &str = "grpc-status";

/// A header's part of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// `:method`. `None`: none of those that are known.
    Method(Option<Method>),
    /// `:path`.
    Path(Arc<Path>),
    /// `:status`.
    Status(u16),
    /// `content-type`: whether it is gRPC's.
    Grpc(bool),
    /// `grpc-status`.
    Code(Code),
    /// Nothing.
    Other,
    /// An entry that was made before the table is known.
    Unknown,
}

/// Names of headers that say something of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Method,
    Path,
    Status,
    ContentType,
    GrpcStatus,
    Other,
    Unknown,
}

impl Field {
    const fn name(&self) -> Name {
        match self {
            Self::Method(_) => Name::Method,
            Self::Path(_) => Name::Path,
            Self::Status(_) => Name::Status,
            Self::Grpc(_) => Name::ContentType,
            Self::Code(_) => Name::GrpcStatus,
            Self::Other => Name::Other,
            Self::Unknown => Name::Unknown,
        }
    }
}

/// The headers of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) method: Option<Option<Method>>,
    pub(super) path: Option<Arc<Path>>,
    pub(super) status: Option<u16>,
    pub(super) is_grpc: Option<bool>,
    pub(super) code: Option<Code>,
    /// Whether there are others that are not known. What is `None` may be among them.
    pub(super) has_unknown: bool,
}

impl Fields {
    /// Of a block that can't be decoded.
    pub(super) fn unknown() -> Self {
        Self { has_unknown: true, ..Self::default() }
    }

    fn add(&mut self, field: Field) {
        match field {
            Field::Method(method) => self.method = Some(method),
            Field::Path(path) => self.path = Some(path),
            Field::Status(status) => self.status = Some(status),
            Field::Grpc(is_grpc) => self.is_grpc = Some(is_grpc),
            Field::Code(code) => self.code = Some(code),
            Field::Other => {}
            Field::Unknown => self.has_unknown = true,
        }
    }
}

/// An entry of the dynamic table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) field: Field,
    pub(super) name: NameId,
}

impl Entry {
    pub(super) const UNKNOWN: Self = Self { field: Field::Unknown, name: NameId::UNKNOWN };
}

/// A header's name: that of an entry of the static table, or a hash of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameId(u32);

impl NameId {
    /// Of no name.
    pub(super) const UNKNOWN: Self = Self(0);

    const fn of_static(index: usize) -> Self {
        Self(index as u32)
    }

    /// Of a string as it is coded (FNV-1a).
    fn of_text(text: &Text<'_>) -> Self {
        let hash =
            text.bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        Self(hash | 1 << 31)
    }
}

/// Where a header or its name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the static table, or in full.
    Given(NameId),
    /// In the dynamic table: an index from 0, the newest, on.
    At(usize),
}

/// A header as it is sent.
#[derive(Debug)]
pub(super) struct Header<'a> {
    /// The header, or its name.
    pub(super) place: Place,
    /// Index in the static table.
    index: usize,
    name: Option<Text<'a>>,
    value: Option<Text<'a>>,
    /// Whether it gets an entry.
    pub(super) is_added: bool,
}

/// One direction's dynamic table.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Newest first. What is older is not known, or in `lost`.
    entries: VecDeque<Entry>,
    lost: Lost,
}

impl Decoder {
    /// Something was missed: from here on, only entries that are made later are known, until a block shows how many were
    /// missed.
    pub(super) fn forget(&mut self) {
        self.lost.keep(std::mem::take(&mut self.entries));
    }

    /// The headers of a block. `None`: it is none.
    pub(super) fn decode(&mut self, block: &[u8]) -> Option<Fields> {
        let fields = self.try_decode(block);
        if fields.is_none() {
            self.forget();
        }
        fields
    }

    fn try_decode(&mut self, block: &[u8]) -> Option<Fields> {
        let headers = headers(block)?;
        if let Some(missed) = self.lost.missed(&headers, &self.entries) {
            self.entries.extend(std::iter::repeat_n(Entry::UNKNOWN, missed));
            self.entries.extend(self.lost.take());
            self.entries.truncate(MOST_ENTRIES);
        }
        let (mut fields, mut names) = (Fields::default(), Vec::with_capacity(headers.len()));
        for header in &headers {
            let entry = self.entry(header)?;
            fields.add(entry.field.clone());
            names.push(entry.name);
            if header.is_added {
                self.insert(entry);
            }
        }
        if !fields.has_unknown {
            self.lost.learn(names);
        }
        Some(fields)
    }

    /// Adds an entry. The oldest make room.
    fn insert(&mut self, entry: Entry) {
        self.entries.truncate(MOST_ENTRIES - 1);
        let is_path = matches!(entry.field, Field::Path(_));
        self.entries.push_front(entry);
        if is_path {
            let mut bytes = 0;
            let mut fits = |entry: &Entry| {
                bytes += if let Field::Path(path) = &entry.field { path.bytes() } else { 0 };
                bytes <= MOST_PATHS
            };
            let fitting = self.entries.iter().take_while(|entry| fits(entry)).count();
            self.entries.truncate(fitting);
        }
    }

    /// A header's part of a call. `None`: it has none.
    fn entry(&self, header: &Header<'_>) -> Option<Entry> {
        let known = match header.place {
            Place::At(at) => self.entries.get(at).cloned().unwrap_or(Entry::UNKNOWN),
            Place::Given(name) => Entry { field: Field::Other, name },
        };
        let Some(value) = &header.value else {
            return Some(if header.index == 0 { known } else { Entry { field: static_entry(header.index), ..known } });
        };
        let name = match (&header.name, header.index) {
            (Some(name), _) => named(&name.decode(32)?.0),
            (None, 0) => known.field.name(),
            (None, index) => static_entry(index).name(),
        };
        let field = match name {
            Name::Other => Field::Other,
            Name::Unknown => Field::Unknown,
            name => {
                let (value, is_cut) = value.decode(MOST_BYTES)?;
                field(name, &value, is_cut)
            }
        };
        Some(Entry { field, name: known.name })
    }
}

/// The headers of a block as they are sent. `None`: it is none.
fn headers(block: &[u8]) -> Option<Vec<Header<'_>>> {
    let (mut headers, mut rest) = (Vec::new(), block);
    while let Some(first) = rest.first().copied() {
        let (index, is_literal) = match first {
            0x80.. => (integer(&mut rest, 7)?, false),
            // A literal, with or without an entry of its own. A name by index, or in full.
            0x40.. => (integer(&mut rest, 6)?, true),
            // A new size of the table.
            0x20.. => {
                integer(&mut rest, 5)?;
                continue;
            }
            _ => (integer(&mut rest, 4)?, true),
        };
        let name = if is_literal && index == 0 { Some(Text::take(&mut rest)?) } else { None };
        let value = if is_literal { Some(Text::take(&mut rest)?) } else { None };
        let place = match (index, &name) {
            (0, None) => return None,
            (0, Some(name)) => Place::Given(NameId::of_text(name)),
            (1..=STATIC, _) => Place::Given(NameId::of_static(index)),
            _ => Place::At(index - STATIC - 1),
        };
        let is_added = is_literal && first >= 0x40;
        headers.push(Header { place, index: if index > STATIC { 0 } else { index }, name, value, is_added });
    }
    Some(headers)
}

/// An entry of the static table (RFC 7541, appendix A).
fn static_entry(index: usize) -> Field {
    match index {
        2 => Field::Method(Some(Method::Get)),
        3 => Field::Method(Some(Method::Post)),
        4 => field(Name::Path, b"/", false),
        5 => field(Name::Path, b"/index.html", false),
        8 => Field::Status(200),
        9 => Field::Status(204),
        10 => Field::Status(206),
        11 => Field::Status(304),
        12 => Field::Status(400),
        13 => Field::Status(404),
        14 => Field::Status(500),
        31 => Field::Grpc(false),
        _ => Field::Other,
    }
}

fn named(name: &[u8]) -> Name {
    match name {
        b":method" => Name::Method,
        b":path" => Name::Path,
        b":status" => Name::Status,
        _ if name == CONTENT_TYPE.as_bytes() => Name::ContentType,
        _ if name == GRPC_STATUS.as_bytes() => Name::GrpcStatus,
        _ => Name::Other,
    }
}

fn field(name: Name, value: &[u8], is_cut: bool) -> Field {
    let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<u16>().ok());
    match name {
        Name::Method => Field::Method(std::str::from_utf8(value).ok().and_then(Method::find)),
        Name::Path => Field::Path(Arc::new(Path::new(value, is_cut))),
        Name::Status => number().filter(|code| (100..1_000).contains(code)).map_or(Field::Unknown, Field::Status),
        Name::ContentType => Field::Grpc(value.starts_with(b"application/grpc")),
        Name::GrpcStatus => Field::Code(number().map_or(Code::Unknown, Code::of)),
        Name::Other => Field::Other,
        Name::Unknown => Field::Unknown,
    }
}

/// A string as it is sent (RFC 7541, 5.2).
#[derive(Debug)]
struct Text<'a> {
    bytes: &'a [u8],
    is_coded: bool,
}

impl<'a> Text<'a> {
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let is_coded = rest.first()? & 0x80 != 0;
        let length = integer(rest, 7)?;
        let (bytes, after) = rest.split_at_checked(length)?;
        *rest = after;
        Some(Self { bytes, is_coded })
    }

    /// Its first bytes, at most so many, and whether there are more. `None`: it is no string.
    fn decode(&self, most: usize) -> Option<(Vec<u8>, bool)> {
        let mut text = Vec::new();
        let mut is_cut = false;
        let mut add = |byte| if text.len() < most { text.push(byte) } else { is_cut = true };
        if self.is_coded {
            huffman::decode(self.bytes, add)?;
        } else {
            self.bytes.iter().copied().for_each(&mut add);
        }
        Some((text, is_cut))
    }
}

/// An integer behind a prefix of so many bits (RFC 7541, 5.1). `None`: it is cut off, or too large to be one.
fn integer(rest: &mut &[u8], prefix: u32) -> Option<usize> {
    let mask = (1_u8 << prefix) - 1;
    let (first, mut after) = rest.split_first()?;
    let mut value = usize::from(first & mask);
    if value == usize::from(mask) {
        for shift in [0, 7, 14, 21] {
            let (byte, more) = after.split_first()?;
            after = more;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                *rest = after;
                return Some(value);
            }
        }
        return None;
    }
    *rest = after;
    Some(value)
}

#[cfg(test)]
mod tests;
