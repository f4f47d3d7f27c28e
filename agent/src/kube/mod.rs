//! The connection to an API server: what `pods`, `peers`, `publish` and the plugin share.
//!
//! | file | does |
//! |---|---|
//! | `client` | finds a configuration and makes the client |
//! | `token` | puts a token from a file into requests, and renews it |
//! | `activity` | notes the last response per resource, and spaces watches that end at once |
//! | `page` | bounds the bytes of a response, and adapts the size of pages to them |
//! | `timeouts` | time limits and backoff |
//! | `watch_stream` | follows a resource: kube's watcher with backoff and status |
//! | `reviews` | verdicts on bearer tokens: whose they are, and what their users may get |
//! | `failure` | names a failure: kind, remedy, and one line of text |
//!
//! The crate `kube` does the work. Inside this one it is written `::kube`.

mod activity;
mod client;
mod failure;
mod page;
mod reviews;
mod timeouts;
mod token;
mod watch_stream;

pub use activity::Activity;
pub use client::{Cluster, ConfigSource, ConnectError, Prepared, find_config};
pub(crate) use failure::{FailureKind, one_line};
pub use page::MAX_PAGE_BYTES;
pub(crate) use page::{PageSize, is_too_large};
pub use reviews::{Reviews, Verdict};
pub use timeouts::Timeouts;
pub use token::TokenRenewal;
pub(crate) use watch_stream::{Step, WatchStream};
