//! How a command gets its stdin, and the end of it.
//!
//! Version 5 of the protocol passes the end on. Version 4 can't: it is all that API servers before 1.30 speak. There
//! the command gets stdin by its length, through `head -c` in the container. A terminal needs no end: Ctrl-D is a key.

use super::{
    local,
    remote::{End, Pulse, unreadable},
};
use crate::plugin::{
    Failure,
    fetch::{self, Place, Session, Streams},
};
use crate::text::complain;
use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::{pin::pin, time::Duration};
use tokio::time::timeout;

/// Longest stdin that goes by its length, bytes.
const MAX_LENGTH: usize = 8 << 20;
/// Time without its end until a note says what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Runs `"$@"` with so many bytes of stdin. It tries `head` first: without it the command would get an empty stdin, and
/// might overwrite something with that. The exit code is the command's. What the command leaves unread is read after its
/// end: containerd tells no end while more stdin waits than its pipes hold.
const BY_LENGTH: &str = "\
[ \"$(echo ab | head -c 1 2>/dev/null)\" = a ] || {
  echo 'error: the command did not run: this container has no head -c, which tells it the end of stdin here; \
use `kubectl exec -i`' >&2
  exit 1
}
head -c LENGTH 2>/dev/null | {
  \"$@\"
  code=$?
  head -c LENGTH >/dev/null 2>&1
  exit $code
}";

/// Where stdin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// None.
    Nothing,
    /// This process's, as it comes.
    Stream,
    /// All of it: the command knows its length.
    Whole(Bytes),
}

/// A command that runs.
pub(super) struct Opened {
    pub(super) connection: TokioIo<Upgraded>,
    /// The server passes on the end of stdin.
    pub(super) ends_input: bool,
    pub(super) input: Input,
}

/// Runs the command, with a stdin that ends where there is no terminal.
///
/// # Errors
/// When the API server or the kubelet refuses. When stdin is too long to go by its length: nothing runs then.
pub(super) async fn open(
    session: &Session,
    place: &Place,
    command: &[String],
    streams: Streams,
    pulse: &Pulse,
) -> Result<Opened, Failure> {
    if !streams.stdin {
        return exec(session, place, command, streams, Input::Nothing).await;
    }
    if streams.tty {
        return exec(session, place, command, streams, Input::Stream).await;
    }
    if fetch::may_end_input(session).await?
        && let Some(connection) = fetch::exec_with_end(session, place, command).await?
    {
        return Ok(Opened { connection, ends_input: true, input: Input::Stream });
    }
    let bytes = whole(pulse).await?;
    if bytes.is_empty() {
        return exec(session, place, command, streams, Input::Nothing).await;
    }
    exec(session, place, &by_length(command, bytes.len()), streams, Input::Whole(bytes)).await
}

/// Runs the command with this stdin.
async fn exec(
    session: &Session,
    place: &Place,
    command: &[String],
    streams: Streams,
    input: Input,
) -> Result<Opened, Failure> {
    let streams = Streams { stdin: input != Input::Nothing, ..streams };
    let (connection, ends_input) = fetch::exec(session, place, command, streams).await?;
    Ok(Opened { connection, ends_input, input })
}

/// All of stdin.
async fn whole(pulse: &Pulse) -> Result<Bytes, Failure> {
    let mut reading = pin!(local::whole_input(MAX_LENGTH, pulse));
    let read = match timeout(PATIENCE, reading.as_mut()).await {
        Ok(read) => read,
        Err(_) => {
            complain(
                "note: waits for the end of stdin: this API server can't pass it on, so the command runs after it. \
                 Without stdin: --no-stdin",
            );
            reading.await
        }
    };
    let read = read.map_err(|why| {
        Failure::new(format!("the command did not run: {}", unreadable(&why)), "pass a file or pipe that can be read")
    })?;
    read.ok_or_else(|| {
        let what = format!(
            "the command did not run: stdin is longer than {} MiB, and this API server can't pass on its end",
            MAX_LENGTH >> 20
        );
        Failure::new(what, "use `kubectl exec -i`, or an API server from 1.30")
    })
}

/// The command behind `head -c`.
fn by_length(command: &[String], bytes: usize) -> Vec<String> {
    let script = BY_LENGTH.replace("LENGTH", &bytes.to_string());
    let shell = ["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()];
    shell.into_iter().chain(command.iter().cloned()).collect()
}

/// The end, with the reason why there was a shell in between.
pub(super) fn explained(end: End, by_length: bool) -> End {
    match end {
        End::NotRun(why) if by_length => {
            End::NotRun(format!("{why} (with this API server, stdin takes `sh` and `head` in the container)"))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
