//! A bound on the bytes of responses that clients have not taken yet.

use super::connections::Connections;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of one permit. A semaphore counts fewer permits than a large budget has bytes.
const UNIT: u64 = 1024;
/// Wait for other clients to take their responses. It is longer than the time after which a client counts as stalled:
/// one that takes nothing any more as the wait begins is stalled at its end.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Bytes that responses may hold together.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    free: Arc<Semaphore>,
    units: u32,
    connections: Arc<Connections>,
}

/// A body that counts against the budget until the last connection has written it.
struct Held {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The body counts against the budget already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted;

impl Budget {
    pub(super) fn new(bytes: u64, connections: Arc<Connections>) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units, connections }
    }

    /// Counts a body until it is written. Room comes from clients that don't read: their connections close. A body
    /// above the whole budget waits until no other is held. `None`: there is no room.
    pub(super) async fn hold(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.is_empty() {
            return Some(bytes);
        }
        let units = u32::try_from((bytes.len() as u64).div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        let permit = self.permit(units).await?;
        Some(Bytes::from_owner(Held { bytes, _permit: permit }))
    }

    /// Closes stalled clients, waits, and closes those that have stalled meanwhile. `None`: all others go on reading.
    async fn permit(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        // One place in line for all of it: what a closed client frees goes to whoever has waited longest.
        let mut turn = pin!(Arc::clone(&self.free).acquire_many_owned(units));
        for has_waited in [false, true] {
            let mut has_closed = false;
            loop {
                if let Poll::Ready(permit) = poll_fn(|cx| Poll::Ready(turn.as_mut().poll(cx))).await {
                    return permit.ok();
                }
                if !self.connections.close_stalled() {
                    break;
                }
                has_closed = true;
                // The closed connection's task ends now, and frees what it held.
                tokio::task::yield_now().await;
            }
            if has_waited && !has_closed {
                break;
            }
            if let Ok(permit) = timeout(PATIENCE, turn.as_mut()).await {
                return permit.ok();
            }
        }
        None
    }
}

/// Counts every response that is not [`Counted`] yet.
pub(super) async fn count(State(budget): State<Budget>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<Counted>().is_some() {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return unavailable() };
    match budget.hold(bytes).await {
        Some(bytes) => Response::from_parts(head, Body::from(bytes)),
        None => unavailable(),
    }
}

/// The response while there is no room.
pub(super) fn unavailable() -> Response {
    let body = "too many responses wait for their clients: try again, or raise http.max_response_bytes\n";
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}
