//! Answers of `/api/v1`: encoded one at a time, each into room that it has taken before.

use super::{
    budget::{self, Budget, Room},
    routes::error,
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Serialize, Serializer};
use std::{io, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

/// Longest wait for the encodings of other answers.
const PATIENCE: Duration = Duration::from_secs(3);
/// Room for the text of an answer whose length is not known yet, bytes.
const FIRST: usize = 64 << 10;
/// Most memory of an encoding beside its text, bytes: 256 kB for one row, or for the figures of the Node or the agent,
/// and 16 bytes for each edge of the view.
const BESIDE: usize = 512 << 10;
/// One part in so many of an answer's length is room for what it grows by until it is encoded again.
const GROWTH: usize = 16;
/// Most times that an answer is encoded. It needs the third where the view grows much between two of them.
const ATTEMPTS: usize = 3;

/// The encoder of answers.
pub(super) struct Answers {
    budget: Budget,
    /// Most bytes of an answer.
    most: usize,
    /// One encoding at a time bounds their memory and their CPU time.
    encoder: Arc<Semaphore>,
}

/// Items that are made as they are written, so that they never exist together.
pub(super) struct Each<F>(pub(super) F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

impl Answers {
    /// `bytes`: most memory of an answer while it is encoded.
    pub(super) fn new(budget: Budget, bytes: u64) -> Self {
        let most = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(BESIDE);
        Self { budget, most, encoder: Arc::new(Semaphore::new(1)) }
    }

    /// An answer in JSON. `write` runs on a thread of its own, so that it delays no other response, and again if there
    /// was too little room for its text.
    pub(super) async fn json<W>(&self, write: W) -> Response
    where
        W: Fn(&mut dyn io::Write) -> serde_json::Result<()> + Send + 'static,
    {
        let turn = timeout(PATIENCE, Arc::clone(&self.encoder).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return budget::unavailable() };
        // The thread has both: it goes on encoding when the client that waits for it has gone.
        let mut job = (write, turn);
        let mut fits = FIRST.min(self.most);
        for _ in 0..ATTEMPTS {
            let Some(room) = self.budget.room(BESIDE + fits).await else { return budget::unavailable() };
            let most = self.most;
            let encoded = spawn_blocking(move || {
                let (job, mut text) = (job, Text::new(room, fits, most));
                let written = (job.0)(&mut text);
                (written, text, job)
            });
            let (written, text, same) = match encoded.await {
                Ok(encoded) => encoded,
                Err(failure) => return failed(&failure),
            };
            job = same;
            match written {
                _ if text.length > most => return too_long(most),
                Err(failure) => return failed(&failure),
                Ok(()) if text.length <= fits => return text.response(),
                Ok(()) => fits = (text.length + text.length / GROWTH).min(most),
            }
        }
        budget::unavailable()
    }
}

/// The text of an answer: its length, and its bytes while they fit.
struct Text {
    bytes: Vec<u8>,
    room: Room,
    length: usize,
    /// Bytes that there is room for.
    fits: usize,
    /// Most bytes of an answer.
    most: usize,
}

impl Text {
    fn new(room: Room, fits: usize, most: usize) -> Self {
        Self { bytes: Vec::with_capacity(fits), room, length: 0, fits, most }
    }

    fn response(self) -> Response {
        let Self { mut bytes, room, .. } = self;
        bytes.shrink_to_fit();
        ([(header::CONTENT_TYPE, "application/json")], room.hold(Bytes::from(bytes))).into_response()
    }
}

impl io::Write for Text {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.length += part.len();
        if self.length > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if self.length <= self.fits {
            self.bytes.extend_from_slice(part);
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_long(most: usize) -> Response {
    let what = format!(
        "the answer is longer than {most} bytes: ask for one namespace or Pod, or raise http.max_response_bytes"
    );
    error(StatusCode::BAD_REQUEST, what)
}

fn failed(failure: &dyn std::error::Error) -> Response {
    error(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to encode the answer: {failure}"))
}

#[cfg(test)]
mod tests;
