//! Following a resource: kube's watcher with back-off, and what happened to it in numbers.

use super::{
    client::{Cluster, one_line},
    ear::backoff,
};
use backon::ExponentialBackoff;
use futures::{StreamExt as _, stream::BoxStream};
use kube::runtime::watcher;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};

/// How a watch fares. Counters since the agent's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// What is watched: `pods`, `nodes`, `endpointslices`, `events`.
    pub name: String,
    /// A whole list was received.
    pub complete: bool,
    /// Objects known.
    pub objects: u64,
    /// Changes received.
    pub changes: u64,
    /// Lists received in full.
    pub lists: u64,
    /// Failures by kind, such as `forbidden` or `unreachable`.
    pub errors: BTreeMap<String, u64>,
    /// The newest failure, if nothing succeeded since, with its remedy.
    pub trouble: Option<String>,
    /// Time since the API server was last heard from, s. `None`: never.
    pub age_seconds: Option<f64>,
}

/// Kinds of failure: (label, what to do).
const FORBIDDEN: (&str, &str) =
    ("forbidden", "grant the agent's ServiceAccount this verb (see the chart's ClusterRole)");
const UNAUTHORIZED: (&str, &str) =
    ("unauthorized", "check the token or certificate that the agent identifies itself with");
const THROTTLED: (&str, &str) = ("throttled", "the API server is overloaded; the agent waits longer and longer");
const SERVER: (&str, &str) = ("server_error", "look at the API server's log; the agent goes on trying");
const GONE: (&str, &str) = ("gone", "the history was compacted; the agent lists again");
const UNREACHABLE: (&str, &str) =
    ("unreachable", "check that this Node reaches the API server; the agent goes on trying");
const GARBAGE: (&str, &str) =
    ("unreadable", "what answered is no Kubernetes API server, or a proxy changed its answer");
const STALLED: (&str, &str) =
    ("stalled", "the API server accepts requests and doesn't answer them; the agent asks again");
const OTHER: (&str, &str) = ("other", "the agent goes on trying");

/// One step of a watch.
pub(crate) enum Step<K> {
    /// Something changed.
    Event(watcher::Event<K>),
    /// Something failed; it is in the status.
    Trouble,
}

type Events<K> = BoxStream<'static, watcher::Result<watcher::Event<K>>>;

/// A watch that never ends: kube's watcher with a back-off that only what arrives resets (a list that merely begins says
/// nothing), and a new list when a change could not be read, which the watcher would skip.
pub(crate) struct Follow<K> {
    begin: Box<dyn Fn() -> Events<K> + Send>,
    stream: Events<K>,
    cluster: Cluster,
    status: WatchStatus,
    backoff: ExponentialBackoff,
    /// After a failure: when to go on.
    not_before: Option<Instant>,
    /// While a list is under way: when it must have shown progress.
    listed_by: Option<Instant>,
    /// When the trouble in the status was met.
    trouble_at: Duration,
}

impl<K: Send + 'static> Follow<K> {
    /// `name` is the resource's name in paths; `begin` makes the watcher's stream.
    pub(crate) fn new<S>(name: &str, cluster: &Cluster, begin: impl Fn() -> S + Send + 'static) -> Self
    where
        S: futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let begin: Box<dyn Fn() -> Events<K> + Send> = Box::new(move || begin().boxed());
        let stream = begin();
        let status = WatchStatus { name: name.to_owned(), ..WatchStatus::default() };
        let backoff = backoff(&cluster.patience);
        let (cluster, trouble_at) = (cluster.clone(), Duration::ZERO);
        let mut follow =
            Self { begin, stream, cluster, status, backoff, not_before: None, listed_by: None, trouble_at };
        follow.expect_list();
        follow
    }

    /// The next step; waits for it with back-off after failures. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Step<K> {
        if let Some(at) = self.not_before {
            sleep_until(at).await;
            self.not_before = None;
            if self.listed_by.is_some() {
                self.expect_list();
            }
        }
        let item = match self.listed_by {
            Some(by) => match timeout_at(by, self.stream.next()).await {
                Ok(item) => item,
                Err(_) => {
                    self.restart();
                    let seconds = self.cluster.patience.list.as_secs_f64();
                    return self.failed(STALLED, &format!("no answer to a list within {seconds} s"));
                }
            },
            None => self.stream.next().await,
        };
        match item {
            Some(Ok(event)) => {
                self.arrived(&event);
                Step::Event(event)
            }
            Some(Err(error)) => {
                let kind = kind(&error);
                match error {
                    watcher::Error::InitialListFailed(_) => self.expect_list(),
                    // A change may have been among it.
                    watcher::Error::WatchFailed(_) if kind == GARBAGE => self.restart(),
                    // Within a watch kube's watcher lists again by itself, but not when the answer itself says so.
                    watcher::Error::WatchStartFailed(_) if kind == GONE => self.restart(),
                    _ => {}
                }
                self.failed(kind, &told(&error))
            }
            // A watcher's stream has no end; if it had one, a new one would be due.
            None => {
                self.restart();
                self.failed(OTHER, "the watch ended")
            }
        }
    }

    fn arrived(&mut self, event: &watcher::Event<K>) {
        match event {
            watcher::Event::Init => return self.expect_list(),
            watcher::Event::InitApply(_) => return self.expect_list(),
            watcher::Event::InitDone => {
                self.listed_by = None;
                self.status.complete = true;
                self.status.lists += 1;
            }
            watcher::Event::Apply(_) | watcher::Event::Delete(_) => self.status.changes += 1,
        }
        self.status.trouble = None;
        self.backoff = backoff(&self.cluster.patience);
    }

    fn expect_list(&mut self) {
        self.listed_by = Some(Instant::now() + self.cluster.patience.list);
    }

    fn restart(&mut self) {
        self.stream = (self.begin)();
        self.expect_list();
    }

    fn failed(&mut self, (label, remedy): (&str, &str), what: &str) -> Step<K> {
        let n = self.status.errors.entry(label.to_owned()).or_default();
        *n += 1;
        let text = format!("watching {}: {what}: {remedy}", self.status.name);
        // The first of a series, and then rarely: the counter tells the rest.
        if n.is_power_of_two() {
            tracing::warn!(kind = label, failures = *n, "{text}");
        }
        self.status.trouble = Some(text);
        self.trouble_at = self.cluster.heard.clock();
        let wait = self.backoff.next().unwrap_or(self.cluster.patience.longest_wait);
        self.not_before = Some(Instant::now() + wait);
        Step::Trouble
    }

    /// How it fares, with the number of objects that its user keeps.
    pub(crate) fn status(&self, objects: usize) -> WatchStatus {
        let age = self.cluster.heard.age(&self.status.name);
        // A watch that stands again, with nothing to tell, is no trouble any more.
        let since = self.cluster.heard.clock().saturating_sub(self.trouble_at);
        let over = self.status.complete && self.listed_by.is_none() && age.is_some_and(|age| age < since);
        let trouble = self.status.trouble.clone().filter(|_| !over);
        WatchStatus {
            objects: objects as u64,
            age_seconds: age.map(|age| age.as_secs_f64()),
            trouble,
            ..self.status.clone()
        }
    }
}

/// A failure on one line. What kube's watcher wraps around it is said by the line anyway.
fn told(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => one_line(error),
        watcher::Error::WatchError(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        watcher::Error::NoResourceVersion => one_line(error),
    }
}

/// Sorts a failure.
fn kind(error: &watcher::Error) -> (&'static str, &'static str) {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => client_kind(error),
        watcher::Error::WatchError(status) => by_code(status.code),
        watcher::Error::NoResourceVersion => GARBAGE,
    }
}

/// The same for a single request: (label, remedy).
pub(crate) fn client_kind(error: &kube::Error) -> (&'static str, &'static str) {
    match error {
        kube::Error::Api(status) => by_code(status.code),
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) | kube::Error::HttpError(_) => GARBAGE,
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => UNREACHABLE,
        kube::Error::Auth(_) => UNAUTHORIZED,
        _ => OTHER,
    }
}

fn by_code(code: u16) -> (&'static str, &'static str) {
    match code {
        // What reads as a Status without a code is none.
        0 => GARBAGE,
        401 => UNAUTHORIZED,
        403 => FORBIDDEN,
        410 => GONE,
        429 => THROTTLED,
        500..=599 => SERVER,
        _ => OTHER,
    }
}
