//! Following a resource: kube's watcher with back-off, and what happened to it in numbers.

use super::client::{Cluster, one_line};
use futures::{StreamExt as _, stream::BoxStream};
use kube::runtime::{WatchStreamExt as _, watcher};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The API server ends a watch after this long, and the watcher resumes it: a connection that died silently is found
/// out soon after. At 5,000 agents that is 42 requests per second and resource.
pub(crate) const WATCH_SECONDS: u32 = 120;
/// A list that shows no progress for this long is begun anew. Longer than the longest back-off (30 s and as much
/// jitter), which counts as no progress.
const PATIENCE: Duration = Duration::from_secs(90);

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

/// A watch that never ends.
pub(crate) struct Follow<K> {
    begin: Box<dyn Fn() -> Events<K> + Send>,
    stream: Events<K>,
    cluster: Cluster,
    status: WatchStatus,
    /// A list is under way.
    listing: bool,
}

impl<K: Send + 'static> Follow<K> {
    /// `begin` makes the watcher's stream.
    pub(crate) fn new<S>(name: &str, cluster: &Cluster, begin: impl Fn() -> S + Send + 'static) -> Self
    where
        S: futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let begin: Box<dyn Fn() -> Events<K> + Send> = Box::new(move || begin().default_backoff().boxed());
        let stream = begin();
        let status = WatchStatus { name: name.to_owned(), ..WatchStatus::default() };
        Self { begin, stream, cluster: cluster.clone(), status, listing: true }
    }

    /// The next step; waits for it with back-off after failures. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Step<K> {
        let item = if self.listing {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await {
                Ok(item) => item,
                Err(_) => {
                    self.stream = (self.begin)();
                    return self.failed(STALLED, &format!("no answer to a list within {} s", PATIENCE.as_secs()));
                }
            }
        } else {
            self.stream.next().await
        };
        match item {
            Some(Ok(event)) => {
                match &event {
                    watcher::Event::Init => self.listing = true,
                    watcher::Event::InitApply(_) => {}
                    watcher::Event::InitDone => {
                        self.listing = false;
                        self.status.complete = true;
                        self.status.lists += 1;
                        self.status.trouble = None;
                    }
                    watcher::Event::Apply(_) | watcher::Event::Delete(_) => {
                        self.status.changes += 1;
                        self.status.trouble = None;
                    }
                }
                Step::Event(event)
            }
            Some(Err(error)) => {
                self.listing = matches!(error, watcher::Error::InitialListFailed(_)) || self.listing;
                self.failed(kind(&error), &one_line(&error))
            }
            // A watcher's stream has no end; if it had one, a new one would be due.
            None => {
                self.stream = (self.begin)();
                self.failed(OTHER, "the watch ended")
            }
        }
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
        Step::Trouble
    }

    /// How it fares, with the number of objects that its user keeps.
    pub(crate) fn status(&self, objects: usize) -> WatchStatus {
        let age_seconds = self.cluster.heard.age().map(|age| age.as_secs_f64());
        WatchStatus { objects: objects as u64, age_seconds, ..self.status.clone() }
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
        401 => UNAUTHORIZED,
        403 => FORBIDDEN,
        410 => GONE,
        429 => THROTTLED,
        500..=599 => SERVER,
        _ => OTHER,
    }
}
