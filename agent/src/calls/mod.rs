//! Requests that can be read: sampled HTTP calls, from the first bytes that the kernel programs copied.
//!
//! ```text
//! parse   bytes → method and route, or status
//! route   a request's target → a template without identifiers
//! pairs   requests and their answers → calls
//! ```
//! Of a request, method and route stay, of an answer the status. No query, header or body does.

mod pairs;
mod parse;
mod route;

pub use pairs::Pairs;

use netwhy_abi::{EdgeKey, HeadEvent};
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
    /// Route: a path in which identifiers are `:id`. At most [`MAX_ROUTE`] characters, and only those of
    /// [`is_route`].
    pub route: String,
    /// Status code of the final answer.
    pub status: u16,
    /// Response time to its first byte, µs.
    pub us: u64,
    /// Connections that its connection stands for, in units of [`WEIGHT`](netwhy_abi::pick::WEIGHT).
    pub weight: u32,
}

impl Call {
    /// Whether the server failed.
    pub fn is_error(&self) -> bool {
        (500..600).contains(&self.status)
    }
}

/// Sampled calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// All.
    pub calls: u64,
    /// Those whose server failed.
    pub errors: u64,
}

impl CallCounts {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.errors += other.errors;
    }

    /// One call.
    pub fn of(call: &Call) -> Self {
        Self { calls: 1, errors: call.is_error().into() }
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
        /// Methods of HTTP.
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
                match name { $($label => Some(Self::$name),)+ _ => None }
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
