//! Reads an agent's answer within bounds, whatever the agent sends.

use super::{
    super::Failure,
    room::{Account, Held},
};
use crate::text::json_values;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use serde::de::DeserializeOwned;
use std::{fmt::Display, sync::Arc};

/// Longest accepted answer, bytes.
const MAX_BYTES: usize = 8 << 20;
/// Longest error that is read, bytes. Longer ones are cut.
const MAX_ERROR: usize = 64 << 10;
/// Memory of one JSON value beside its text, bytes: a String, or an entry of a map. A PodRow has 110 values and takes 8 KB.
const VALUE: u64 = 48;

/// An answer that was read.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    /// Memory that it needs once it is parsed.
    parsed: u64,
    held: Held,
}

/// An answer can't be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is not worth another attempt.
    Bad(Failure),
    /// Other answers need the room now.
    NoRoom(Failure),
}

impl Answer {
    /// Reads the whole answer. Room is held for its text, and for what it is parsed to.
    pub(super) async fn read<B>(body: B, account: &Arc<Account>) -> Result<Self, Unread>
    where
        B: Body<Data = Bytes>,
        B::Error: Display,
    {
        let mut answer = Self { bytes: Vec::new(), parsed: 0, held: account.hold() };
        let mut body = std::pin::pin!(body);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| incomplete(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = answer.bytes.len() + data.len();
            if length > MAX_BYTES {
                let what = format!("the answer is longer than {} MiB", MAX_BYTES >> 20);
                return Err(Unread::Bad(Failure::new(what, "name a namespace, or check that the agent is genuine")));
            }
            answer.parsed += data.len() as u64 + VALUE * json_values(&data) as u64;
            answer.hold(length as u64 + answer.parsed)?;
            answer.append(&data);
        }
        Ok(answer)
    }

    /// Appends without the doubling of a vector, which would take memory that is not counted.
    fn append(&mut self, data: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < data.len() {
            self.bytes.reserve_exact(data.len().max(self.bytes.len() / 8));
        }
        self.bytes.extend_from_slice(data);
    }

    fn hold(&mut self, bytes: u64) -> Result<(), Unread> {
        if self.held.resize(bytes) {
            return Ok(());
        }
        let what = format!("no room for an answer that needs {:.1} MiB or more", bytes as f64 / f64::from(1 << 20));
        let remedy = "name a namespace, raise --answer-memory, or check that the agent is genuine";
        Err(Unread::NoRoom(Failure::new(what, remedy)))
    }

    /// Its text as JSON. The memory of the result stays counted.
    ///
    /// # Errors
    /// When it is not such a `T`.
    pub(super) fn parse<T: DeserializeOwned>(mut self) -> Result<T, serde_json::Error> {
        let parsed = serde_json::from_slice(&self.bytes)?;
        self.held.resize(self.parsed);
        self.held.keep();
        Ok(parsed)
    }
}

/// The beginning of an error's text.
pub(super) async fn error_text<B>(body: B) -> Result<String, Unread>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    let mut bytes = Vec::new();
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| incomplete(&error))?.into_data() else { continue };
        let room = MAX_ERROR - bytes.len();
        bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
        if bytes.len() == MAX_ERROR {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn incomplete(error: &dyn Display) -> Unread {
    Unread::Bad(Failure::new(format!("the answer is incomplete: {error}"), "try again"))
}

#[cfg(test)]
mod tests;
