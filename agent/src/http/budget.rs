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
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of one permit. A semaphore counts fewer permits than a large budget has bytes.
const UNIT: u64 = 1024;
/// Longest wait for other clients to take their responses.
const PATIENCE: Duration = Duration::from_secs(1);

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

    async fn permit(&self, units: u32) -> Option<OwnedSemaphorePermit> {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_many_owned(units) {
                return Some(permit);
            }
            if !self.connections.close_stalled() {
                let wait = Arc::clone(&self.free).acquire_many_owned(units);
                return timeout(PATIENCE, wait).await.ok()?.ok();
            }
            // The closed connection's task ends now, and frees what it held.
            tokio::task::yield_now().await;
        }
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
