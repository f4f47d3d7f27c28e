//! What passes between agent and API server: when each resource was last heard of, and a pause between watches that end
//! as soon as they begin.

use super::patience::Patience;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use http_body_util::{BodyExt as _, combinators::MapFrame};
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

/// Resources that are told apart, as in paths.
const RESOURCES: [&str; 4] = ["pods", "nodes", "endpointslices", "events"];

/// Monotonic times at which the API server last said something of a resource without refusing: an answer, a change, a
/// bookmark.
#[derive(Clone, Debug)]
pub struct Heard {
    resources: Arc<[Resource; RESOURCES.len()]>,
    clock: fn() -> Duration,
    patience: Patience,
}

#[derive(Debug, Default)]
struct Resource {
    at_ms: AtomicU64,
    watches: Mutex<Watches>,
}

#[derive(Debug, Default)]
struct Watches {
    begun: Option<Duration>,
    waits: Option<ExponentialBackoff>,
}

impl Heard {
    /// Nothing was heard yet; `clock` is monotonic.
    pub fn new(clock: fn() -> Duration, patience: Patience) -> Self {
        Self { resources: Arc::default(), clock, patience }
    }

    /// How long ago a resource, such as `pods`, was heard of. `None`: never, or no resource of ours.
    pub fn age(&self, resource: &str) -> Option<Duration> {
        let ms = self.resource(resource)?.at_ms.load(Ordering::Relaxed);
        (ms > 0).then(|| self.clock().saturating_sub(Duration::from_millis(ms)))
    }

    /// The present time on the same clock.
    pub fn clock(&self) -> Duration {
        (self.clock)()
    }

    fn resource(&self, name: &str) -> Option<&Resource> {
        let place = RESOURCES.iter().position(|known| *known == name)?;
        Some(&self.resources[place])
    }

    fn of_path(&self, path: &str) -> Option<usize> {
        let named = path.split('/').rev().take(2).find_map(|part| RESOURCES.iter().position(|known| *known == part));
        named.filter(|_| !path.ends_with("/proxy"))
    }

    fn note(&self, place: usize) {
        let ms = self.clock().as_millis() as u64;
        self.resources[place].at_ms.store(ms.max(1), Ordering::Relaxed);
    }

    /// How long a watch that is about to begin has to wait.
    fn pause(&self, place: usize) -> Duration {
        let now = self.clock();
        let mut watches = self.resources[place].watches.lock().unwrap_or_else(PoisonError::into_inner);
        let brief = watches.begun.is_some_and(|begun| now.saturating_sub(begun) < self.patience.brief);
        let wait = if brief {
            let waits = watches.waits.get_or_insert_with(|| backoff(&self.patience));
            waits.next().unwrap_or(self.patience.longest_wait)
        } else {
            watches.waits = None;
            Duration::ZERO
        };
        watches.begun = Some(now + wait);
        wait
    }
}

/// Growing waits with jitter.
pub(super) fn backoff(patience: &Patience) -> ExponentialBackoff {
    let waits = ExponentialBuilder::new().with_min_delay(patience.first_wait).with_max_delay(patience.longest_wait);
    waits.with_factor(2.0).with_jitter().without_max_times().build()
}

/// Puts [`Heard`] around a client.
pub(super) struct Ear(pub(super) Heard);

impl<S> Layer<S> for Ear {
    type Service = Listening<S>;

    fn layer(&self, inner: S) -> Listening<S> {
        Listening { inner, heard: self.0.clone() }
    }
}

/// A client that takes note of what it hears.
pub(super) struct Listening<S> {
    inner: S,
    heard: Heard,
}

type OnFrame<D> = Box<dyn FnMut(Frame<D>) -> Frame<D> + Send>;
type Answer<B, E> = Result<Response<MapFrame<B, OnFrame<<B as Body>::Data>>>, E>;

impl<S, Q, B> Service<Request<Q>> for Listening<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body + 'static,
{
    type Response = Response<MapFrame<B, OnFrame<B::Data>>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Answer<B, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let heard = self.heard.clone();
        let place = heard.of_path(request.uri().path());
        let watch = request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
        let pause = place.filter(|_| watch).map_or(Duration::ZERO, |place| heard.pause(place));
        // Nothing is sent before the future is polled.
        let answer = self.inner.call(request);
        Box::pin(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            let response = answer.await?;
            let place = place.filter(|_| response.status().is_success());
            if let Some(place) = place {
                heard.note(place);
            }
            let listen: OnFrame<B::Data> = Box::new(move |frame| {
                if let Some(place) = place {
                    heard.note(place);
                }
                frame
            });
            Ok(response.map(|body| body.map_frame(listen)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn a_path_tells_its_resource() {
        let heard = Heard::new(|| Duration::ZERO, Patience::default());
        let of = |path| heard.of_path(path).map(|place| RESOURCES[place]);
        assert_eq!(of("/api/v1/pods"), Some("pods"));
        assert_eq!(of("/api/v1/nodes/node-b"), Some("nodes"));
        assert_eq!(of("/apis/discovery.k8s.io/v1/endpointslices"), Some("endpointslices"));
        assert_eq!(of("/api/v1/namespaces/shop/events"), Some("events"));
        assert_eq!(of("/version"), None);
    }

    #[test]
    fn watches_that_end_at_once_wait_longer_and_longer_until_one_lasts() {
        static NOW_MS: AtomicU64 = AtomicU64::new(1);
        let patience = Patience::default();
        let heard = Heard::new(|| Duration::from_millis(NOW_MS.load(Ordering::Relaxed)), patience);
        assert_eq!(heard.pause(0), Duration::ZERO);
        assert_eq!(heard.pause(1), Duration::ZERO, "resources don't wait for each other");
        let mut last = Duration::ZERO;
        for n in 0..8 {
            let wait = heard.pause(0);
            let base = (patience.first_wait * 2u32.pow(n)).min(patience.longest_wait);
            assert!(wait >= base && wait <= base * 2, "{n}: {wait:?}");
            last = wait;
            NOW_MS.fetch_add(wait.as_millis() as u64 + 1, Ordering::Relaxed);
        }
        assert!(last >= patience.longest_wait);
        NOW_MS.fetch_add(patience.brief.as_millis() as u64 + last.as_millis() as u64, Ordering::Relaxed);
        assert_eq!(heard.pause(0), Duration::ZERO);
    }

    #[test]
    fn ages_are_each_resources_own() {
        let heard = Heard::new(|| Duration::from_secs(7), Patience::default());
        assert_eq!(heard.age("pods"), None);
        heard.note(0);
        assert_eq!(heard.age("pods"), Some(Duration::ZERO));
        assert_eq!(heard.age("nodes"), None);
    }
}
