//! A layer around the HTTP client. It notes when each resource was last answered, spaces watches that end at once, and
//! bounds the bytes of all other responses.

use super::{page::bounded, timeouts::Timeouts};
use backon::ExponentialBackoff;
use http_body_util::{BodyExt as _, Limited, combinators::MapFrame};
use hyper::{
    Request, Response,
    body::{Body, Frame},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tower::{Layer, Service};

/// Resources, as named in paths.
const RESOURCES: [&str; 4] = ["pods", "nodes", "endpointslices", "events"];

/// Monotonic times of the API server's last successful response per resource: an answer, a change, or a bookmark.
#[derive(Clone, Debug)]
pub struct Activity {
    resources: Arc<[Resource; RESOURCES.len()]>,
    clock: fn() -> Duration,
    timeouts: Timeouts,
}

#[derive(Debug, Default)]
struct Resource {
    last_response_ms: AtomicU64,
    watches: Mutex<Watches>,
}

#[derive(Debug, Default)]
struct Watches {
    /// Start of the newest watch.
    began: Option<Duration>,
    /// Backoff after watches that ended at once.
    backoff: Option<ExponentialBackoff>,
}

impl Activity {
    /// Without any response yet. `clock` is monotonic.
    pub fn new(clock: fn() -> Duration, timeouts: Timeouts) -> Self {
        Self { resources: Arc::default(), clock, timeouts }
    }

    /// Time since the last response for a resource, such as `pods`. `None`: there was none, or the resource is unknown.
    pub fn age(&self, resource: &str) -> Option<Duration> {
        let index = RESOURCES.iter().position(|known| *known == resource)?;
        let ms = self.resources[index].last_response_ms.load(Ordering::Relaxed);
        (ms > 0).then(|| self.now().saturating_sub(Duration::from_millis(ms)))
    }

    /// The present time on the same clock.
    pub fn now(&self) -> Duration {
        (self.clock)()
    }

    /// Index of the resource that a request's path names.
    fn index_of_path(&self, path: &str) -> Option<usize> {
        let last_two = path.split('/').rev().take(2);
        let index = last_two.into_iter().find_map(|word| RESOURCES.iter().position(|known| *known == word));
        index.filter(|_| !path.ends_with("/proxy"))
    }

    fn note_response(&self, index: usize) {
        let ms = self.now().as_millis() as u64;
        self.resources[index].last_response_ms.store(ms.max(1), Ordering::Relaxed);
    }

    /// Pause before a watch that is about to begin.
    fn pause_before_watch(&self, index: usize) -> Duration {
        let now = self.now();
        let mut watches = self.resources[index].watches.lock().unwrap_or_else(PoisonError::into_inner);
        let too_short = watches.began.is_some_and(|began| now.saturating_sub(began) < self.timeouts.min_watch);
        let pause = if too_short {
            let backoff = watches.backoff.get_or_insert_with(|| self.timeouts.backoff());
            backoff.next().unwrap_or(self.timeouts.max_backoff)
        } else {
            watches.backoff = None;
            Duration::ZERO
        };
        watches.began = Some(now + pause);
        pause
    }
}

/// Puts [`Activity`] around a client.
pub(super) struct ActivityLayer(pub(super) Activity);

impl<S> Layer<S> for ActivityLayer {
    type Service = ActivityService<S>;

    fn layer(&self, inner: S) -> ActivityService<S> {
        ActivityService { inner, activity: self.0.clone() }
    }
}

/// A client whose responses are noted.
pub(super) struct ActivityService<S> {
    inner: S,
    activity: Activity,
}

type OnFrame<D> = Box<dyn FnMut(Frame<D>) -> Frame<D> + Send>;
type Noted<B> = MapFrame<Limited<B>, OnFrame<<B as Body>::Data>>;
type NotedResponse<B, E> = Result<Response<Noted<B>>, E>;

impl<S, Q, B> Service<Request<Q>> for ActivityService<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body<Error: Into<Box<dyn std::error::Error + Send + Sync>>> + 'static,
{
    type Response = Response<Noted<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = NotedResponse<B, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let activity = self.activity.clone();
        let resource = activity.index_of_path(request.uri().path());
        let is_watch = request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let watched = resource.filter(|_| is_watch);
        let pause = watched.map_or(Duration::ZERO, |index| activity.pause_before_watch(index));
        // The client sends nothing before its future is polled.
        let response = self.inner.call(request);
        Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let response = response.await?;
            let resource = resource.filter(|_| response.status().is_success());
            if let Some(index) = resource {
                activity.note_response(index);
            }
            let on_frame: OnFrame<B::Data> = Box::new(move |frame| {
                if let Some(index) = resource {
                    activity.note_response(index);
                }
                frame
            });
            Ok(response.map(|body| bounded(body, is_watch).map_frame(on_frame)))
        })
    }
}

#[cfg(test)]
mod tests;
