//! Streams of a connection → calls.

use super::{
    super::{Call, Code, Method, Protocol, UNKNOWN},
    frames::{Event, What},
    hpack::Fields,
};
use netwhy_abi::EdgeKey;
use std::collections::BTreeMap;

/// Streams of a connection that are open at a time. Beyond it the oldest is given up: its end may have been missed.
const MOST: usize = 100;

/// One stream.
#[derive(Clone, Debug, Default)]
struct Stream {
    /// When the request began, ktime ns. `None`: it was not seen.
    asked_ns: Option<u64>,
    request: Fields,
    /// Whether its data begin as those of gRPC. `None`: no data so far.
    is_message: Option<bool>,
    /// When the final answer began, ktime ns.
    answered_ns: Option<u64>,
    answer: Fields,
    trailers: Option<Fields>,
    /// Whether the answer is nothing but its first headers.
    is_trailers_only: bool,
    ended: Option<End>,
    /// Whether it ended before the last time.
    is_old: bool,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug)]
struct End {
    at_ns: u64,
    /// Error code of HTTP/2, if it was reset.
    reset: Option<u32>,
}

/// A call that ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Done {
    method: Method,
    route: String,
    status: u16,
    protocol: Protocol,
    us: u64,
}

impl Done {
    pub(super) fn call(self, key: EdgeKey, weight: u32) -> Call {
        let Self { method, route, status, protocol, us } = self;
        Call { key, method, route, status, protocol, us, weight }
    }
}

/// The streams of one connection.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<u32, Stream>,
    /// Whether calls of it were gRPC's, and whether others were not.
    seen: [bool; 2],
}

impl Streams {
    /// Takes what a frame says.
    pub(super) fn take(&mut self, is_request: bool, event: Event) {
        let Event { stream, what, ends, begun_ns, at_ns } = event;
        // Streams that a server opens are asked by nobody.
        if stream.is_multiple_of(2) {
            return;
        }
        if !self.open.contains_key(&stream) && !matches!(what, What::Headers(_)) {
            return;
        }
        if self.open.len() >= MOST && !self.open.contains_key(&stream) {
            self.open.pop_first();
        }
        let state = self.open.entry(stream).or_default();
        let is_reset = matches!(what, What::Reset { .. });
        match what {
            What::Headers(fields) if is_request => {
                // A second block has the trailers of a request.
                if state.asked_ns.is_none() {
                    (state.asked_ns, state.request) = (Some(begun_ns), fields);
                }
            }
            What::Headers(fields) => state.answer(fields, ends, begun_ns),
            What::Data { is_message } if is_request => {
                state.is_message.get_or_insert(is_message);
            }
            What::Data { .. } => {}
            What::Reset { code } => {
                // A server may say that it needs no more of a request that it answered (RFC 9113, 8.1).
                state.end(End { at_ns, reset: Some(code) });
            }
        }
        if ends && !is_request && !is_reset {
            state.end(End { at_ns, reset: None });
        }
    }

    /// The calls that ended. One whose request has not come yet waits for the next time.
    pub(super) fn calls(&mut self) -> impl Iterator<Item = Done> + use<> {
        let mut done = Vec::new();
        self.open.retain(|_, stream| {
            if stream.ended.is_none() {
                return true;
            }
            if stream.asked_ns.is_none() && !std::mem::replace(&mut stream.is_old, true) {
                return true;
            }
            done.push(std::mem::take(stream));
            false
        });
        for stream in &done {
            if let Some(is_grpc) = stream.is_grpc() {
                self.seen[usize::from(is_grpc)] = true;
            }
        }
        // A connection usually carries one of the two.
        let usual = match self.seen {
            [false, true] => Some(true),
            [true, false] => Some(false),
            _ => None,
        };
        done.into_iter().filter_map(move |stream| stream.done(usual))
    }
}

impl Stream {
    /// Headers of an answer.
    fn answer(&mut self, fields: Fields, ends: bool, begun_ns: u64) {
        if self.answered_ns.is_some() {
            self.trailers = Some(fields);
        } else if ends || fields.status.is_none_or(|status| status >= 200) {
            (self.answered_ns, self.answer, self.is_trailers_only) = (Some(begun_ns), fields, ends);
        }
    }

    /// The stream ends: at the earliest of its ends.
    fn end(&mut self, end: End) {
        if self.ended.is_none_or(|known| end.at_ns < known.at_ns) {
            self.ended = Some(end);
        }
    }

    /// Whether it is a call of gRPC. `None`: not known.
    fn is_grpc(&self) -> Option<bool> {
        let said = [self.request.is_grpc, self.answer.is_grpc];
        let has_code = self.answer.code.is_some() || self.trailers.as_ref().is_some_and(|fields| fields.code.is_some());
        if has_code || said.contains(&Some(true)) {
            return Some(true);
        }
        let is_known = self.asked_ns.is_some() && !self.request.has_unknown;
        let is_post = self.request.method.is_none_or(|method| method == Some(Method::Post));
        if said.contains(&Some(false)) || is_known || !is_post {
            return Some(false);
        }
        // Its framing: a message's length is that of its frame.
        self.is_message.filter(|is_message| *is_message)
    }

    /// Code of a call of gRPC.
    fn code(&self, end: End) -> Code {
        let said = self.trailers.as_ref().and_then(|fields| fields.code).or(self.answer.code);
        if let Some(code) = said {
            return code;
        }
        if let Some(reset) = end.reset {
            return Code::of_reset(reset);
        }
        if let Some(status) = self.answer.status.filter(|status| *status != 200) {
            return Code::of_http(status);
        }
        let last = self.trailers.as_ref().unwrap_or(&self.answer);
        match (last.has_unknown, self.is_trailers_only) {
            (true, true) => Code::TrailersOnly,
            (true, false) => Code::Undecoded,
            // A server must say it (gRPC's `PROTOCOL-HTTP2`).
            (false, _) => Code::Unknown,
        }
    }

    /// The call. `None`: when it began is not known, or what it is of, or nobody answered. `usual`: whether other calls of the connection
    /// are gRPC's.
    fn done(self, usual: Option<bool>) -> Option<Done> {
        let (asked_ns, end) = (self.asked_ns?, self.ended?);
        let is_grpc = self.is_grpc().or(usual)?;
        let us = |to_ns: u64| to_ns.saturating_sub(asked_ns) / 1_000;
        let path = self.request.path.as_ref();
        let method = match self.request.method {
            Some(Some(method)) => method,
            _ => Method::Unknown,
        };
        let status = self.answer.status.unwrap_or(0);
        if is_grpc {
            let route = path.map_or_else(|| format!("/{UNKNOWN}/{UNKNOWN}"), |path| path.call.to_string());
            return Some(Done { method, route, status, protocol: Protocol::Grpc(self.code(end)), us: us(end.at_ns) });
        }
        let route = path.map_or_else(|| UNKNOWN.to_owned(), |path| path.route.to_string());
        Some(Done { method, route, status, protocol: Protocol::Http2, us: us(self.answered_ns?) })
    }
}
