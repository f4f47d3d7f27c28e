//! A bound on the bytes of responses that clients have not taken yet.

use super::{connections::Connections, routes::error};
use axum::{http::StatusCode, response::Response};
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

/// Room for a body.
#[derive(Debug)]
pub(super) struct Room(OwnedSemaphorePermit);

/// A body that counts against the budget until the last connection has written it.
struct Held {
    bytes: Bytes,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Budget {
    pub(super) fn new(bytes: u64, connections: Arc<Connections>) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units, connections }
    }

    /// Counts a body until it is written. `None`: there is no room.
    pub(super) async fn hold(&self, bytes: Bytes) -> Option<Bytes> {
        if bytes.is_empty() {
            return Some(bytes);
        }
        let room = self.room(bytes.len()).await?;
        Some(room.hold(bytes))
    }

    /// Takes room for so many bytes. It comes from clients that don't read: their connections close. More than the
    /// whole budget waits until nothing else is held. `None`: there is no room.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        self.permit(units(bytes).min(self.units)).await.map(Room)
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

impl Room {
    /// Counts a body until it is written, and gives back the room that it doesn't fill.
    pub(super) fn hold(mut self, bytes: Bytes) -> Bytes {
        let rest = self.0.num_permits().saturating_sub(units(bytes.len()) as usize);
        drop(self.0.split(rest));
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

/// Permits of so many bytes.
fn units(bytes: usize) -> u32 {
    u32::try_from((bytes as u64).div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// The response while there is no room.
pub(super) fn unavailable() -> Response {
    let what = "too many responses wait for their clients: try again, or raise http.max_response_bytes";
    error(StatusCode::SERVICE_UNAVAILABLE, what.to_owned())
}
