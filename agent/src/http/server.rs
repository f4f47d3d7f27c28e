//! A listener's loop, with limits on connections and their times.

use super::{
    ApiPlace, Limits, Protection, Shared,
    authorization::Peer,
    connections::{Activity, Connections},
    host,
    limits::{HEADER_BYTES, HEADERS},
    protection::Transport,
    routes,
    stream::ClientStream,
};
use axum::{Extension, Router, middleware};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    future::{Future, poll_fn},
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Layer as _;

/// Pause after a failed accept. Its usual cause, a lack of file descriptors, lasts for a while.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener with the paths that it answers and their protection.
pub(super) struct Entrance {
    listener: tokio::net::TcpListener,
    router: Router,
    /// For clients on loopback.
    checked: Router,
    protection: Protection,
}

impl Entrance {
    pub(super) fn new(listener: TcpListener, router: Router, protection: Protection) -> io::Result<Self> {
        let checked = router.clone().layer(middleware::from_fn(host::check));
        Ok(Self { listener: tokio::net::TcpListener::from_std(listener)?, router, checked, protection })
    }

    /// Of a router that checks the Host header itself.
    pub(super) fn guarded(listener: TcpListener, router: Router) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(Self { listener, checked: router.clone(), router, protection: Protection::default() })
    }

    fn router(&self, stream: &TcpStream) -> Router {
        let is_local = stream.local_addr().is_ok_and(|addr| addr.ip().to_canonical().is_loopback());
        if is_local { self.checked.clone() } else { self.router.clone() }
    }
}

/// The next client, and the entrance that it uses. The one at `first` goes first, so that none waits for ever.
async fn next(entrances: &[Entrance], first: usize) -> (&Entrance, io::Result<(TcpStream, SocketAddr)>) {
    let (before, after) = entrances.split_at(first);
    poll_fn(|cx| {
        for entrance in after.iter().chain(before) {
            if let Poll::Ready(accepted) = entrance.listener.poll_accept(cx) {
                return Poll::Ready((entrance, accepted));
            }
        }
        Poll::Pending
    })
    .await
}

/// Serves until `shutdown` resolves. Then running responses have 5 s to end.
///
/// # Errors
/// When the server can't continue. A failed accept or connection is not an error.
pub async fn serve(
    limits: Limits,
    (listener, api): (TcpListener, ApiPlace),
    shared: Shared,
    protection: Protection,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let entrances = |connections| {
        let (main, own) = routes::routers(shared, limits, connections, protection.clone(), api.refusal());
        let mut entrances = vec![Entrance::new(listener, main, protection)?];
        if let ApiPlace::Loopback(listener) = api {
            // Port-forwards come over TLS, and with a right that RBAC grants.
            entrances.push(Entrance::new(listener, own, Protection::default())?);
        }
        Ok(entrances)
    };
    accept(limits, entrances, shutdown).await
}

/// Serves these routes in clear text until `shutdown` resolves. Then running responses have the limits' time to end.
///
/// # Errors
/// As [`serve`].
pub async fn serve_routes(
    limits: Limits,
    listener: TcpListener,
    routes: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    accept(limits, |_| Ok(vec![Entrance::new(listener, routes, Protection::default())?]), shutdown).await
}

/// Accepts every connection at once. A connection above the limits closes an idle one instead of waiting for it.
pub(super) async fn accept(
    limits: Limits,
    entrances: impl FnOnce(Arc<Connections>) -> io::Result<Vec<Entrance>>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let connections = Connections::new(limits);
    let entrances = entrances(Arc::clone(&connections))?;
    let mut turn = 0;
    let mut tasks = JoinSet::new();
    // Dropping the sender ends every connection.
    let (stop, stopped) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        while tasks.try_join_next().is_some() {}
        turn = (turn + 1) % entrances.len().max(1);
        let (entrance, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = next(&entrances, turn) => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Responses are written whole: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                let activity = Arc::new(Activity::new());
                let place = connections.enter(peer.ip(), Arc::clone(&activity));
                let (id, router) = (place.id(), entrance.router(&stream));
                let stream = ClientStream::new(stream, activity, limits.write);
                let client = Client { peer: Peer(peer.ip().to_canonical()), limits, stopped: stopped.clone() };
                let protection = entrance.protection.clone();
                let task = tasks.spawn(async move {
                    let _place = place;
                    client.serve(stream, router, protection).await;
                });
                connections.started(id, task);
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept an HTTP connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(entrances);
    drop(stop);
    let drained = timeout(limits.drain, async { while tasks.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "closed HTTP connections that did not end in time");
    }
    Ok(())
}

/// A connection's client, and the bounds of its connection.
struct Client {
    peer: Peer,
    limits: Limits,
    stopped: watch::Receiver<()>,
}

impl Client {
    /// Secures the connection and answers its requests.
    async fn serve(mut self, stream: ClientStream, router: Router, protection: Protection) {
        let secured = tokio::select! {
            secured = protection.secure(stream, self.limits.read) => secured,
            _ = self.stopped.changed() => None,
        };
        if let Some(stream) = secured {
            connection(stream, router, self).await;
        }
    }
}

async fn connection(stream: Transport, router: Router, client: Client) {
    let Client { peer, limits, mut stopped } = client;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(Extension(peer).layer(router)));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopped.changed() => None,
        () = sleep(limits.age) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.drain, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}
