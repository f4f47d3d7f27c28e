//! Paths of HTTP/2 requests, as routes and as methods of gRPC.

use super::{MAX_ROUTE, route};

/// Stands for a path, or a part of one, that could not be decoded.
pub const UNKNOWN: &str = "unknown";
/// Stands for a name that may hold more than a name.
const ID: &str = ":id";
/// Longest name of a service, or of a method.
const LONG: usize = 56;
/// Letters of a name's words, on average, at least: tokens have capital letters in their midst.
const WORD: usize = 3;

/// A path's templates. The path itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// As a route.
    pub(super) route: Box<str>,
    /// As a method of gRPC: `/service/method`.
    pub(super) call: Box<str>,
}

impl Path {
    /// Bytes that it takes.
    pub(super) const fn bytes(&self) -> usize {
        // Three allocations, and two counts.
        96 + self.route.len() + self.call.len()
    }

    /// `is_cut`: it goes on, unseen.
    pub(super) fn new(path: &[u8], is_cut: bool) -> Self {
        Self { route: route::template(path, is_cut).into(), call: call(path, is_cut).into() }
    }
}

/// The template of a path of gRPC: `/` service `/` method.
fn call(path: &[u8], is_cut: bool) -> String {
    let names = path.strip_prefix(b"/").filter(|_| !is_cut).and_then(|rest| {
        let at = rest.iter().position(|byte| *byte == b'/')?;
        Some((&rest[..at], &rest[at + 1..]))
    });
    let Some((service, method)) = names else { return format!("/{UNKNOWN}/{UNKNOWN}") };
    format!("/{}/{}", name(service), name(method))
}

/// The name of a service or a method: identifiers of the Protocol Buffers, with dots. Else it may be anything.
fn name(name: &[u8]) -> String {
    let text = std::str::from_utf8(name).unwrap_or_default();
    let is_name = !text.is_empty() && text.len() <= LONG && text.split('.').all(is_identifier);
    if is_name { text.to_owned() } else { ID.to_owned() }
}

/// Whether a text is an identifier that consists of words: letters, and few digits after them.
fn is_identifier(text: &str) -> bool {
    let bytes = text.as_bytes();
    let begins = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    if !begins || !bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return false;
    }
    let count = |is: fn(&u8) -> bool| bytes.iter().filter(|byte| is(byte)).count();
    let letters = count(u8::is_ascii_alphabetic);
    let words = text.split('_').filter(|part| !part.is_empty()).map(words).sum::<usize>();
    // Versions such as `v1beta2` have digits; identifiers of things have more.
    let digits = bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).filter(|run| run[0].is_ascii_digit());
    let (runs, longest) = digits.fold((0, 0), |(runs, longest), run| (runs + 1, longest.max(run.len())));
    let is_short = bytes.len() <= 8;
    runs <= 2 && longest <= 3 && (is_short || runs <= 1) && (is_short || letters >= WORD * words)
}

/// Words of a part in CamelCase. Capital letters in a row, as in `HTTP`, are one.
fn words(part: &str) -> usize {
    let capitals = part.as_bytes().chunk_by(|a, b| a.is_ascii_uppercase() == b.is_ascii_uppercase());
    let runs = capitals.filter(|run| run[0].is_ascii_uppercase()).count();
    runs + usize::from(!part.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// Service and method of a call's route. `None`: it is none of gRPC.
pub fn service_and_method(route: &str) -> Option<(&str, &str)> {
    let (service, method) = route.strip_prefix('/')?.split_once('/')?;
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    (is_name(service) && is_name(method)).then_some((service, method))
}

const _: () = assert!(2 * (LONG + 1) <= MAX_ROUTE);

#[cfg(test)]
mod tests;
