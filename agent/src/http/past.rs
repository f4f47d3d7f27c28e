//! Answers about the past: one replay at a time, on a thread for blocking work, within bounds of time and memory.

use super::routes::error;
use crate::{
    api::{Hint, History, MemoryLevel},
    history::{Past, PastError},
    state::NodeView,
};
use axum::{http::StatusCode, response::Response};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    task::spawn_blocking,
    time::timeout,
};

/// Longest replay.
const REPLAY: Duration = Duration::from_secs(20);
/// Longest wait for another replay.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for which a replayed view is kept: one look-up asks for several parts of it.
const KEPT: Duration = Duration::from_secs(30);

/// The newest replay.
struct Replayed {
    at_ms: u64,
    made: Instant,
    view: Arc<NodeView>,
}

/// The turn of a replay. Whoever has it may replace the newest one.
type Turn = OwnedMutexGuard<Option<Replayed>>;

/// Something of the past. Nothing else is read before its answer is encoded: one waits for room at a time.
pub(super) struct Found<T> {
    what: T,
    _turn: Turn,
}

impl<T> Found<T> {
    pub(super) fn get(&self) -> &T {
        &self.what
    }
}

/// The flight recorder's reading side, for handlers. `None`: nothing is recorded.
#[derive(Clone)]
pub(super) struct Archive {
    past: Option<Arc<Past>>,
    /// Locked from the begin of a replay until its answer is encoded.
    newest: Arc<Mutex<Option<Replayed>>>,
}

impl Archive {
    pub(super) fn new(past: Option<Past>) -> Self {
        Self { past: past.map(Arc::new), newest: Arc::default() }
    }

    /// The view at a time, RFC 3339. `level`: of the agent's memory.
    pub(super) async fn view(&self, at: &str, level: MemoryLevel) -> Result<Found<Arc<NodeView>>, Response> {
        let at_ms = unix_ms("at", at).map_err(wrong)?;
        let mut turn = self.turn(level).await?;
        let known = turn.as_ref().filter(|known| known.at_ms == at_ms && known.made.elapsed() < KEPT);
        if let Some(what) = known.map(|known| known.view.clone()) {
            return Ok(Found { what, _turn: turn });
        }
        *turn = None;
        self.run(move |past, is_over| {
            let what = Arc::new(past.view(at_ms, is_over)?);
            *turn = Some(Replayed { at_ms, made: Instant::now(), view: what.clone() });
            Ok(Found { what, _turn: turn })
        })
        .await
    }

    /// Hints that fired between two times, RFC 3339.
    pub(super) async fn hints(
        &self,
        (from, to): (&str, &str),
        level: MemoryLevel,
    ) -> Result<Found<Vec<Hint>>, Response> {
        let (from, to) = range(from, to).map_err(wrong)?;
        let turn = self.turn(level).await?;
        self.run(move |past, is_over| Ok(Found { what: past.hints(from, to, is_over)?, _turn: turn })).await
    }

    /// The record between two times, RFC 3339.
    pub(super) async fn history(&self, from: &str, to: &str) -> Result<Found<History>, Response> {
        let (from, to) = range(from, to).map_err(wrong)?;
        let turn = self.turn(MemoryLevel::Ok).await?;
        self.run(move |past, _| Ok(Found { what: past.history(from, to)?, _turn: turn })).await
    }

    /// Forgets a view that nobody asked for lately.
    pub(super) fn forget_old(&self) {
        if let Ok(mut newest) = self.newest.try_lock()
            && newest.as_ref().is_some_and(|known| known.made.elapsed() >= KEPT)
        {
            *newest = None;
        }
    }

    async fn turn(&self, level: MemoryLevel) -> Result<Turn, Response> {
        if level != MemoryLevel::Ok {
            let what = "the agent is near its memory limit and replays nothing: try again later, or raise the limit";
            return Err(error(StatusCode::SERVICE_UNAVAILABLE, what.to_owned()));
        }
        timeout(PATIENCE, self.newest.clone().lock_owned()).await.map_err(|_| {
            error(StatusCode::SERVICE_UNAVAILABLE, "another replay runs: try again in some seconds".to_owned())
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Past, &dyn Fn() -> bool) -> Result<T, PastError> + Send + 'static,
    ) -> Result<T, Response> {
        let Some(past) = self.past.clone() else {
            let what = "this agent records no history: set history.folder";
            return Err(error(StatusCode::GONE, what.to_owned()));
        };
        let end = Instant::now() + REPLAY;
        let read = spawn_blocking(move || read(&past, &|| Instant::now() >= end));
        match read.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => {
                let status = match failure {
                    PastError::NotRecorded(_) => StatusCode::GONE,
                    PastError::TooMany => StatusCode::BAD_REQUEST,
                    PastError::TooLong => StatusCode::SERVICE_UNAVAILABLE,
                    PastError::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR,
                };
                Err(error(status, failure.to_string()))
            }
            Err(failure) => Err(error(StatusCode::INTERNAL_SERVER_ERROR, format!("the replay failed: {failure}"))),
        }
    }
}

/// The answer to a wrong question.
fn wrong(what: String) -> Response {
    error(StatusCode::BAD_REQUEST, what)
}

fn range(from: &str, to: &str) -> Result<(u64, u64), String> {
    let (from, to) = (unix_ms("from", from)?, unix_ms("to", to)?);
    if from > to { Err("from must not be after to".to_owned()) } else { Ok((from, to)) }
}

/// A time of RFC 3339 as ms since the Unix epoch.
fn unix_ms(name: &str, text: &str) -> Result<u64, String> {
    let time = text.parse::<jiff::Timestamp>().ok().and_then(|time| u64::try_from(time.as_millisecond()).ok());
    time.ok_or_else(|| format!("{name} must be a time of RFC 3339 such as 2026-01-31T03:12:00Z, not {text:?}"))
}
