//! Requests that can be read: sampled HTTP calls, from the bytes that the kernel programs copied.
//!
//! ```text
//! parse   bytes → method and route, or status
//! route   a request's target → a template without identifiers
//! pairs   requests and their answers → calls
//! http2   segments of followed connections → calls of HTTP/2 and gRPC
//! path    the path of such a request → a route, or a method of gRPC
//! code    status codes of gRPC
//! ```
//! Of a request, method and route stay, of an answer the status. No query, header or body does.

mod code;
mod http2;
mod pairs;
mod parse;
mod path;
mod route;

pub use code::Code;
pub use path::{UNKNOWN, service_and_method};

use self::{http2::Connections, pairs::Pairs, path::Path};

use netwhy_abi::{
    EdgeKey, HeadEvent,
    heads::{ANSWER, RECEIVED, REQUEST, SENT},
};
use serde::{Deserialize, Serialize};

/// First bytes of a message.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Whose message it is.
    pub event: HeadEvent,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The connection's edge.
    pub key: EdgeKey,
    /// Method.
    pub method: Method,
    /// Route: a path in which identifiers are `:id`; of gRPC `/service/method`. [`UNKNOWN`] stands for what could not be
    /// decoded. At most [`MAX_ROUTE`] characters, and only those of
    /// [`is_route`].
    pub route: String,
    /// Status code of the final answer. 0: not known.
    pub status: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// Response time to its first byte, µs; of gRPC to the end of the call. `None`: the begin or the end of a call of
    /// gRPC was missed.
    pub us: Option<u64>,
    /// Connections that its connection stands for, in units of [`WEIGHT`](netwhy_abi::pick::WEIGHT).
    pub weight: u32,
}

impl Call {
    /// Whether the server failed. `None`: not known.
    pub fn is_error(&self) -> Option<bool> {
        match self.protocol {
            Protocol::Grpc(code) => code.is_error(),
            Protocol::Http1 | Protocol::Http2 => (self.status != 0).then(|| (500..600).contains(&self.status)),
        }
    }
}

/// Kinds of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.
    #[default]
    Http1,
    /// HTTP/2, and not gRPC.
    Http2,
    /// gRPC.
    Grpc(Code),
}

impl Protocol {
    /// Code of a call of gRPC.
    pub const fn code(self) -> Option<Code> {
        match self {
            Self::Grpc(code) => Some(code),
            Self::Http1 | Self::Http2 => None,
        }
    }
}

/// Bytes of user memory that followed connections take, at most.
pub const FOLLOWED_BYTES: u64 = http2::MOST as u64 * http2::MOST_BYTES as u64 + http2::MOST_WAITING as u64;

/// The messages so far.
#[derive(Debug, Default)]
pub struct Messages {
    pairs: Pairs,
    connections: Connections,
}

impl Messages {
    /// Takes a message, or a segment. What is no HTTP is forgotten at once.
    pub fn take(&mut self, head: &Head<'_>) {
        match head.event.part {
            REQUEST | ANSWER => self.pairs.take(head),
            RECEIVED | SENT => self.connections.take(head),
            _ => {}
        }
    }

    /// The calls that ended since the last time.
    pub fn calls(&mut self) -> Vec<Call> {
        let mut calls = self.pairs.calls();
        calls.extend(self.connections.calls());
        calls
    }
}

/// Sampled calls whose outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// All.
    pub calls: u64,
    /// Those whose server failed.
    pub errors: u64,
    /// Those of gRPC.
    pub grpc: u64,
}

impl CallCounts {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.grpc += other.grpc;
    }

    /// One call.
    pub fn of(call: &Call) -> Self {
        let grpc = call.protocol.code().is_some().into();
        call.is_error().map_or_else(Self::default, |is_error| Self { calls: 1, errors: is_error.into(), grpc })
    }

    /// Share of errors, 0 … 1. `None`: no call.
    pub fn error_share(self) -> Option<f64> {
        (self.calls > 0).then(|| self.errors as f64 / self.calls as f64)
    }
}

/// Longest route, bytes.
pub const MAX_ROUTE: usize = 120;

/// Whether a text may be a route: paths of recordings are checked as those of the network are.
pub fn is_route(text: &str) -> bool {
    text.len() <= MAX_ROUTE && !text.is_empty() && text.bytes().all(route::is_plain)
}

macro_rules! methods {
    ($($name:ident = $label:literal,)+) => {
        /// Methods of HTTP. `unknown`: it could not be decoded, or is none of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Method {
            $(#[doc = $label] #[serde(rename = $label)] $name,)+
        }

        impl Method {
            /// Name in labels.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// The method with this name.
            fn find(name: &str) -> Option<Self> {
                let method = match name { $($label => Self::$name,)+ _ => return None };
                (method != Self::Unknown).then_some(method)
            }
        }
    };
}

methods! {
    Connect = "CONNECT",
    Delete = "DELETE",
    Get = "GET",
    Head = "HEAD",
    Options = "OPTIONS",
    Patch = "PATCH",
    Post = "POST",
    Put = "PUT",
    Trace = "TRACE",
    Unknown = "unknown",
}

/// Reads segments of a connection of HTTP/2, for fuzzing.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz_http2(data: &[u8]) {
    http2::fuzz::connection(data);
}

/// Reads bytes of a request and of an answer, for fuzzing.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(data: &[u8]) {
    if let Some((_, route)) = parse::request(data) {
        assert!(is_route(&route), "{route:?}");
        let again = route::template(route.as_bytes(), false);
        assert!(is_route(&again), "{again:?}");
    }
    if let Some(status) = parse::status(data) {
        assert!((100..1_000).contains(&status), "{status}");
    }
}
