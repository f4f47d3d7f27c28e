//! An endpoint's end of HTTP/2, as those of gRPC are: it indexes all headers.

use std::collections::VecDeque;

/// Entries of the static table that it uses, with a value.
const STATIC: [(usize, &str, &str); 4] =
    [(2, ":method", "GET"), (3, ":method", "POST"), (6, ":scheme", "http"), (8, ":status", "200")];
/// Names of the static table that it uses.
const NAMES: [(usize, &str); 3] = [(4, ":path"), (8, ":status"), (31, "content-type")];
const SIZE: usize = 4_096;

/// Compresses headers.
#[derive(Default)]
pub(super) struct Encoder {
    entries: VecDeque<(String, String)>,
}

impl Encoder {
    /// The block of some headers.
    pub(super) fn block(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
        headers.iter().flat_map(|(name, value)| self.header(name, value)).collect()
    }

    fn header(&mut self, name: &str, value: &str) -> Vec<u8> {
        if let Some((index, ..)) = STATIC.iter().find(|(_, key, text)| (*key, *text) == (name, value)) {
            return integer(0x80, 7, *index);
        }
        if let Some(at) = self.entries.iter().position(|(key, text)| (key.as_str(), text.as_str()) == (name, value)) {
            return integer(0x80, 7, 62 + at);
        }
        let by_name = NAMES.iter().find(|(_, key)| *key == name).map(|(index, _)| *index);
        let index = by_name.or_else(|| self.entries.iter().position(|(key, _)| key == name).map(|at| 62 + at));
        let mut bytes = integer(0x40, 6, index.unwrap_or(0));
        if index.is_none() {
            bytes.extend(text(name));
        }
        bytes.extend(text(value));
        self.entries.push_front((name.to_owned(), value.to_owned()));
        while self.entries.iter().map(|(name, value)| name.len() + value.len() + 32).sum::<usize>() > SIZE {
            self.entries.pop_back();
        }
        bytes
    }
}

/// An integer behind some bits.
pub(super) fn integer(bits: u8, prefix: u32, value: usize) -> Vec<u8> {
    let most = (1 << prefix) - 1;
    if value < most {
        return vec![bits | value as u8];
    }
    let (mut bytes, mut rest) = (vec![bits | most as u8], value - most);
    while rest >= 128 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

fn text(text: &str) -> Vec<u8> {
    [integer(0, 7, text.len()), text.as_bytes().to_vec()].concat()
}

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Data that are a message of gRPC.
pub(super) fn data(stream: u32, bytes: usize, flags: u8) -> Vec<u8> {
    let length = u32::try_from(bytes).unwrap().to_be_bytes();
    frame(0, flags, stream, &[&[0], &length[..], &vec![b'x'; bytes]].concat())
}

/// The request of a call.
pub(super) fn request(encoder: &mut Encoder, stream: u32, path: &str) -> Vec<u8> {
    let block = encoder.block(&[
        (":scheme", "http"),
        (":method", "POST"),
        (":authority", "shop:80"),
        (":path", path),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("authorization", "secret"),
    ]);
    [frame(1, 4, stream, &block), data(stream, 20, 1)].concat()
}

/// The first headers of an answer, and its data.
pub(super) fn answer(encoder: &mut Encoder, stream: u32) -> Vec<u8> {
    let block = encoder.block(&[(":status", "200"), ("content-type", "application/grpc")]);
    [frame(1, 4, stream, &block), data(stream, 30, 0)].concat()
}

/// The end of an answer.
pub(super) fn trailers(encoder: &mut Encoder, stream: u32, code: u16) -> Vec<u8> {
    let block = encoder.block(&[("grpc-status", &code.to_string()), ("grpc-message", "secret")]);
    frame(1, 5, stream, &block)
}
