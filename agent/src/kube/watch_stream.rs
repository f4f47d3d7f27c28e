//! Follows a resource: kube's watcher with backoff, and its status.

use super::{
    client::Cluster,
    failure::{FailureKind, watch_error_line},
    page::{PageSize, is_too_large},
};
use crate::api::WatchStatus;
use ::kube::runtime::watcher;
use backon::ExponentialBackoff;
use futures::{StreamExt as _, stream::BoxStream};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// One step of a watch.
pub(crate) enum Step<K> {
    /// Something changed.
    Event(watcher::Event<K>),
    /// Something failed. The status says what.
    Failed,
}

type Events<K> = BoxStream<'static, watcher::Result<watcher::Event<K>>>;

/// A watch that never ends. It adds to kube's watcher: a backoff that only objects reset, because a list that merely
/// begins proves nothing; and a new list after a change that could not be read, which the watcher would skip.
pub(crate) struct WatchStream<K> {
    begin: Box<dyn Fn(u32) -> Events<K> + Send>,
    page: PageSize,
    stream: Events<K>,
    cluster: Cluster,
    status: WatchStatus,
    backoff: ExponentialBackoff,
    /// After a failure: when to continue.
    resume_at: Option<Instant>,
    /// During a list: when it must have made progress.
    list_deadline: Option<Instant>,
    /// Time of the failure in the status.
    failed_at: Duration,
}

impl<K: Send + 'static> WatchStream<K> {
    /// `name` is the resource's name in paths; `page` the objects of a page at most; `begin` makes the watcher's stream
    /// with pages of a size.
    pub(crate) fn new<S>(name: &str, cluster: &Cluster, page: u32, begin: impl Fn(u32) -> S + Send + 'static) -> Self
    where
        S: futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
    {
        let begin: Box<dyn Fn(u32) -> Events<K> + Send> = Box::new(move |size| begin(size).boxed());
        let mut this = Self {
            stream: begin(page),
            begin,
            page: PageSize::new(page),
            cluster: cluster.clone(),
            status: WatchStatus { name: name.to_owned(), ..WatchStatus::default() },
            backoff: cluster.timeouts.backoff(),
            resume_at: None,
            list_deadline: None,
            failed_at: Duration::ZERO,
        };
        this.extend_list_deadline();
        this
    }

    /// The next step. Backs off after failures. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Step<K> {
        if let Some(at) = self.resume_at {
            sleep_until(at).await;
            self.resume_at = None;
            if self.list_deadline.is_some() {
                self.extend_list_deadline();
            }
        }
        let item = match self.list_deadline {
            None => self.stream.next().await,
            Some(deadline) => match timeout_at(deadline, self.stream.next()).await {
                Ok(item) => item,
                Err(_) => {
                    self.restart();
                    let seconds = self.cluster.timeouts.list.as_secs_f64();
                    return self.failed(FailureKind::STALLED, &format!("no response to a list within {seconds} s"));
                }
            },
        };
        match item {
            Some(Ok(event)) => {
                self.received(&event);
                Step::Event(event)
            }
            Some(Err(error)) => self.stream_failed(&error),
            // kube's watcher has no end. If it had one, a new one would be due.
            None => {
                self.restart();
                self.failed(FailureKind::OTHER, "the watch ended")
            }
        }
    }

    fn stream_failed(&mut self, error: &watcher::Error) -> Step<K> {
        let kind = FailureKind::of_watch(error);
        match error {
            watcher::Error::InitialListFailed(cause) if is_too_large(cause) && self.page.shrink() => {
                self.restart();
                tracing::info!(
                    watch = self.status.name,
                    objects = self.page.get(),
                    "pages of fewer objects from now on"
                );
                // Not a failure of the API server, so no backoff. The list begins anew at once.
                return Step::Failed;
            }
            watcher::Error::InitialListFailed(_) => self.extend_list_deadline(),
            // The unreadable text may have been a change.
            watcher::Error::WatchFailed(_) if kind == FailureKind::UNREADABLE => self.restart(),
            // kube's watcher lists again after 410 within a watch, but not after 410 as the response.
            watcher::Error::WatchStartFailed(_) if kind == FailureKind::GONE => self.restart(),
            _ => {}
        }
        self.failed(kind, &watch_error_line(error))
    }

    fn received(&mut self, event: &watcher::Event<K>) {
        match event {
            watcher::Event::Init | watcher::Event::InitApply(_) => return self.extend_list_deadline(),
            watcher::Event::InitDone => {
                self.list_deadline = None;
                self.status.complete = true;
                self.status.lists += 1;
            }
            watcher::Event::Apply(_) | watcher::Event::Delete(_) => self.status.changes += 1,
        }
        self.status.last_error = None;
        self.backoff = self.cluster.timeouts.backoff();
    }

    fn extend_list_deadline(&mut self) {
        self.list_deadline = Some(Instant::now() + self.cluster.timeouts.list);
    }

    fn restart(&mut self) {
        self.stream = (self.begin)(self.page.get());
        self.extend_list_deadline();
    }

    fn failed(&mut self, kind: FailureKind, error: &str) -> Step<K> {
        let FailureKind { label, remedy } = kind;
        let n = self.status.errors.entry(label.to_owned()).or_default();
        *n += 1;
        let text = format!("watching {}: {error}: {remedy}", self.status.name);
        // The first of a series, then ever more rarely. The counter has the rest.
        if n.is_power_of_two() {
            tracing::warn!(kind = label, failures = *n, "{text}");
        }
        self.status.last_error = Some(text);
        self.failed_at = self.cluster.activity.now();
        let wait = self.backoff.next().unwrap_or(self.cluster.timeouts.max_backoff);
        self.resume_at = Some(Instant::now() + wait);
        Step::Failed
    }

    /// The status, with the number of objects that the caller keeps.
    pub(crate) fn status(&self, objects: usize) -> WatchStatus {
        let age = self.cluster.activity.age(&self.status.name);
        // A resumed watch without changes has recovered too.
        let since_failure = self.cluster.activity.now().saturating_sub(self.failed_at);
        let is_watching = self.status.complete && self.list_deadline.is_none();
        let recovered = is_watching && age.is_some_and(|age| age < since_failure);
        WatchStatus {
            objects: objects as u64,
            age_seconds: age.map(|age| age.as_secs_f64()),
            last_error: self.status.last_error.clone().filter(|_| !recovered),
            ..self.status.clone()
        }
    }
}
