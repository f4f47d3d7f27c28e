//! The listener's loop, with limits on connections and their times.

use super::{Shared, routes};
use crate::config::Http;
use anyhow::Context;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{future::Future, net::TcpListener, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Limits of the server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once. More wait in the listener's queue.
    pub(super) connections: usize,
    /// Time for a request's headers, and for the next request on an idle connection.
    pub(super) read: Duration,
    /// Age at which a connection is closed after its present response.
    pub(super) age: Duration,
    /// Time that responses have for ending, once the connection or the server ends.
    pub(super) drain: Duration,
}

impl From<&Http> for Limits {
    fn from(config: &Http) -> Self {
        Self {
            connections: usize::try_from(config.max_connections()).unwrap_or(usize::MAX),
            read: config.read_timeout_seconds(),
            age: Duration::from_secs(300),
            drain: Duration::from_secs(5),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from(&Http::default())
    }
}

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
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = routes::router(shared);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    // Dropping the sender ends every connection.
    let (stop, stopped) = watch::channel(());
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {}
        let permit = tokio::select! {
            biased;
            () = &mut shutdown => break,
            permit = Arc::clone(&permits).acquire_owned() => permit.context("the connection limit was closed")?,
        };
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stopped) = (router.clone(), stopped.clone());
                connections.spawn(async move {
                    connection(stream, router, limits, stopped).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept an HTTP connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(stop);
    let drained = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "closed HTTP connections that did not end in time");
    }
    Ok(())
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, mut stopped: watch::Receiver<()>) {
    // Responses are written whole: Nagle's algorithm would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read)
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
