//! A listener's loop, with limits on connections and their times.

use super::{
    Limits, Shared,
    connections::{Activity, Connections},
    limits::{HEADER_BYTES, HEADERS},
    routes,
    stream::ClientStream,
};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{future::Future, net::TcpListener, pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Pause after a failed accept. Its usual cause, a lack of file descriptors, lasts for a while.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` resolves. Then running responses have 5 s to end.
///
/// # Errors
/// When the server can't continue. A failed accept or connection is not an error.
pub async fn serve(
    limits: Limits,
    listener: TcpListener,
    shared: Shared,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    accept(limits, listener, |connections| routes::router(shared, limits, connections), shutdown).await
}

/// Accepts every connection at once. A connection above the limits closes an idle one instead of waiting for it.
pub(super) async fn accept(
    limits: Limits,
    listener: TcpListener,
    router: impl FnOnce(Arc<Connections>) -> Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let connections = Connections::new(limits);
    let router = router(Arc::clone(&connections));
    let mut tasks = JoinSet::new();
    // Dropping the sender ends every connection.
    let (stop, stopped) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Responses are written whole: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                let activity = Arc::new(Activity::new());
                let place = connections.enter(peer.ip(), Arc::clone(&activity));
                let id = place.id();
                let stream = ClientStream::new(stream, activity, limits.write);
                let (router, stopped) = (router.clone(), stopped.clone());
                let task = tasks.spawn(async move {
                    let _place = place;
                    connection(stream, router, limits, stopped).await;
                });
                connections.started(id, task);
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept an HTTP connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(stop);
    let drained = timeout(limits.drain, async { while tasks.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "closed HTTP connections that did not end in time");
    }
    Ok(())
}

async fn connection(stream: ClientStream, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read)
        .max_buf_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
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
