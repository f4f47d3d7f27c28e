//! Streams of a connection → calls.

use super::{
    super::{Call, Code, Method, Protocol, UNKNOWN},
    frames::{Event, What},
    hpack::Fields,
};
use netwhy_abi::EdgeKey;
use std::collections::{BTreeMap, BTreeSet};

/// Streams of a connection that are open at a time. Beyond it the oldest is given up: its end may have been missed.
const MOST: usize = 100;
/// Streams that were counted without all of their parts, which are remembered: a part that comes later makes no call.
const MOST_COUNTED: usize = 1_000;
/// How long a stream waits for its next frame after segments were missed, ns. Then its end was in them.
pub(super) const PATIENCE_NS: u64 = 10_000_000_000;

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
    /// Newest frame, ktime ns.
    at_ns: u64,
    /// Whether its end was missed, so that it has been counted.
    is_given_up: bool,
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
    us: Option<u64>,
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
    /// Those without a place, whose end will not be seen.
    given_up: Vec<Stream>,
    /// Those that were counted before all of their parts came.
    counted: BTreeSet<u32>,
    /// When segments were missed last, ktime ns.
    missed_ns: u64,
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
        let is_known = self.open.contains_key(&stream);
        if !is_known && (!matches!(what, What::Headers(_)) || self.counted.contains(&stream)) {
            return;
        }
        if !is_known
            && self.open.len() >= MOST
            && let Some((number, oldest)) = self.open.pop_first()
        {
            count(&mut self.counted, number);
            if !oldest.is_given_up && self.given_up.len() < MOST {
                self.given_up.push(oldest);
            }
        }
        let state = self.open.entry(stream).or_default();
        state.at_ns = state.at_ns.max(at_ns);
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

    /// Segments before those of this time were missed. Any stream may have ended in them.
    pub(super) fn miss(&mut self, at_ns: u64) {
        self.missed_ns = self.missed_ns.max(at_ns);
    }

    /// Whether it is time to take the calls that ended, because others need their places.
    pub(super) fn is_crowded(&self) -> bool {
        self.open.len() >= MOST / 2
    }

    /// The calls that ended. One whose request has not come yet waits for the next time. `now_ns`: newest segment of
    /// all, ktime.
    pub(super) fn calls(&mut self, now_ns: u64) -> impl Iterator<Item = Done> + use<> {
        let mut done = std::mem::take(&mut self.given_up);
        let counted = &mut self.counted;
        self.open.retain(|number, stream| {
            if stream.ended.is_none() {
                let is_late = stream.at_ns < self.missed_ns && now_ns.saturating_sub(stream.at_ns) >= PATIENCE_NS;
                if is_late && !std::mem::replace(&mut stream.is_given_up, true) {
                    done.push(stream.clone());
                    count(counted, *number);
                }
                return true;
            }
            if stream.is_given_up {
                return false;
            }
            if stream.asked_ns.is_none() && !std::mem::replace(&mut stream.is_old, true) {
                return true;
            }
            if stream.asked_ns.is_none() {
                count(counted, *number);
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

/// Remembers a stream. Numbers grow, so the oldest goes first.
fn count(counted: &mut BTreeSet<u32>, number: u32) {
    counted.insert(number);
    if counted.len() > MOST_COUNTED {
        counted.pop_first();
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

    /// The call. `None`: what it is of is not known; or it is none of gRPC, and its begin or its answer is not known.
    /// `usual`: whether other calls of the connection are gRPC's.
    fn done(self, usual: Option<bool>) -> Option<Done> {
        let is_grpc = self.is_grpc().or(usual)?;
        let us = |to_ns: u64| Some(to_ns.saturating_sub(self.asked_ns?) / 1_000);
        let path = self.request.path.as_ref();
        let method = match self.request.method {
            Some(Some(method)) => method,
            _ => Method::Unknown,
        };
        let status = self.answer.status.unwrap_or(0);
        if is_grpc {
            let route = path.map_or_else(|| format!("/{UNKNOWN}/{UNKNOWN}"), |path| path.call.to_string());
            let code = self.ended.map_or(Code::Undecoded, |end| self.code(end));
            let us = self.ended.and_then(|end| us(end.at_ns));
            return Some(Done { method, route, status, protocol: Protocol::Grpc(code), us });
        }
        let route = path.map_or_else(|| UNKNOWN.to_owned(), |path| path.route.to_string());
        self.ended?;
        Some(Done { method, route, status, protocol: Protocol::Http2, us: Some(us(self.answered_ns?)?) })
    }
}
