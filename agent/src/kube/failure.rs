//! Failures of requests to the API server: their kind, the remedy, and one line of text.

use super::page::is_too_large;
use ::kube::runtime::watcher;

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FailureKind {
    /// Value of the `kind` label, such as `forbidden`.
    pub(crate) label: &'static str,
    /// The remedy.
    pub(crate) remedy: &'static str,
}

impl FailureKind {
    const FORBIDDEN: Self =
        Self::new("forbidden", "grant the agent's ServiceAccount this verb (see the chart's ClusterRole)");
    const UNAUTHORIZED: Self = Self::new("unauthorized", "check the agent's token or certificate");
    const THROTTLED: Self = Self::new("throttled", "the API server is overloaded; the agent retries with backoff");
    const SERVER: Self = Self::new("server_error", "see the API server's log; the agent retries");
    pub(super) const GONE: Self = Self::new("gone", "the history was compacted; the agent lists again");
    const UNREACHABLE: Self =
        Self::new("unreachable", "check that this Node reaches the API server; the agent retries");
    pub(super) const UNREADABLE: Self =
        Self::new("unreadable", "the response is not from a Kubernetes API server, or a proxy changed it");
    const TOO_LARGE: Self = Self::new("too_large", "an object is above 4 MiB, or many are; make them smaller");
    pub(super) const STALLED: Self =
        Self::new("stalled", "the API server accepts requests and does not respond; the agent retries");
    pub(super) const OTHER: Self = Self::new("other", "the agent retries");

    const fn new(label: &'static str, remedy: &'static str) -> Self {
        Self { label, remedy }
    }

    /// Of a single request.
    pub(crate) fn of_request(error: &::kube::Error) -> Self {
        use ::kube::Error;
        match error {
            Error::Api(status) => Self::of_code(status.code),
            Error::SerdeError(_) | Error::FromUtf8(_) | Error::HttpError(_) => Self::UNREADABLE,
            Error::Service(_) if is_too_large(error) => Self::TOO_LARGE,
            Error::HyperError(_) | Error::Service(_) | Error::ReadEvents(_) => Self::UNREACHABLE,
            Error::Auth(_) => Self::UNAUTHORIZED,
            _ => Self::OTHER,
        }
    }

    /// Of a watch.
    pub(super) fn of_watch(error: &watcher::Error) -> Self {
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => Self::of_request(error),
            watcher::Error::WatchError(status) => Self::of_code(status.code),
            watcher::Error::NoResourceVersion => Self::UNREADABLE,
        }
    }

    /// Whether the same request fails again until somebody changes the cluster.
    pub(crate) fn is_lasting(self) -> bool {
        [Self::FORBIDDEN, Self::UNAUTHORIZED, Self::THROTTLED].contains(&self)
    }

    fn of_code(code: u16) -> Self {
        match code {
            // JSON without a code parses as a Status, but is none.
            0 => Self::UNREADABLE,
            401 => Self::UNAUTHORIZED,
            403 => Self::FORBIDDEN,
            410 => Self::GONE,
            429 => Self::THROTTLED,
            500..=599 => Self::SERVER,
            _ => Self::OTHER,
        }
    }
}

/// A watch's failure on one line, without what kube's watcher wraps around it.
pub(super) fn watch_error_line(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => one_line(error),
        watcher::Error::WatchError(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        watcher::Error::NoResourceVersion => one_line(error),
    }
}

/// An error and its causes on one line. An API server's refusal is reduced to its code, reason and message.
pub(crate) fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(::kube::Error::Api(status)) = cause.downcast_ref() {
            let refusal = format!("{} {}: {}", status.code, status.reason, status.message);
            return join(text, refusal).replace('\n', " ");
        }
        text = join(text, cause.to_string());
        next = cause.source();
    }
    text.replace('\n', " ")
}

fn join(text: String, more: String) -> String {
    if text.is_empty() {
        more
    } else if text.contains(&more) {
        text
    } else {
        format!("{text}: {more}")
    }
}
