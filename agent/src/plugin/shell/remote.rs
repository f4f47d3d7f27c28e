//! The container's side of a session: `pods/exec` over a WebSocket.
//!
//! Messages begin with a channel: 0 stdin, 1 stdout, 2 stderr, 3 the command's status, 4 the terminal's size, 255 the end
//! of a channel (`k8s.io/apimachinery/pkg/util/remotecommand/constants.go`; the last from v5 of the protocol on). Both
//! directions run at the same time: a container that reads nothing until its output is read must not block it.

use super::local::Size;
use crate::kube::one_line;
use bytes::{Buf as _, Bytes};
use futures::{SinkExt as _, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use std::{cell::Cell, future::pending, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{Role, WebSocketConfig},
    },
};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const SIZE: u8 = 4;
const END: u8 = 255;

/// Longest accepted message, bytes. kubelets send at most 32 KiB.
const MAX_MESSAGE: usize = 1 << 20;
/// Pause between two pings.
const PING: Duration = Duration::from_secs(10);
/// A server that has answered pings is gone when nothing came for so long.
const SILENCE: Duration = Duration::from_secs(40);
/// Unless it holds so many bytes of stdin: it reads no ping before the command has read those. TCP then tells a lost one.
const HELD: u64 = 1 << 10;

/// A message to the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Bytes of stdin.
    Input(Bytes),
    /// There is no more stdin.
    EndOfInput,
    /// stdin can't be read, for this reason. It has no message of its own: the session ends.
    BrokenInput(String),
    /// The terminal's size.
    Size(Size),
}

/// Streams of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// stdout, and all output of a terminal.
    Out,
    /// stderr.
    Err,
}

/// How the command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this exit code.
    Exit(i32),
    /// It could not be run. The message is the container runtime's.
    NotRun(String),
    /// The connection ended first.
    Lost(String),
    /// Nobody reads its output any more.
    Unread,
}

/// How much has passed and when something last did, for limits and the record. All of a session is one task.
#[derive(Debug)]
pub(super) struct Pulse {
    /// The last input.
    pub(super) input: Cell<Instant>,
    /// The last output.
    pub(super) output: Cell<Instant>,
    /// Bytes of input.
    pub(super) bytes_in: Cell<u64>,
    /// Bytes of output.
    pub(super) bytes_out: Cell<u64>,
    /// Pause between two pings.
    ping: Duration,
    /// A server that has answered pings is gone when nothing came for so long.
    silence: Duration,
}

impl Pulse {
    pub(super) fn now() -> Self {
        let now = || Cell::new(Instant::now());
        let (bytes_in, bytes_out) = Default::default();
        Self { input: now(), output: now(), bytes_in, bytes_out, ping: PING, silence: SILENCE }
    }
}

fn count(of: &Cell<u64>, bytes: &Bytes) {
    of.set(of.get() + bytes.len() as u64);
}

/// A WebSocket with bounds over a connection that was upgraded.
pub(super) async fn socket<S: AsyncRead + AsyncWrite + Unpin>(connection: S) -> WebSocketStream<S> {
    let limits = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    WebSocketStream::from_raw_socket(connection, Role::Client, Some(limits)).await
}

/// Passes input and output until the command ends. `ends_input`: the server knows the end of a channel. Otherwise there
/// is no way to tell the command of it.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    ends_input: bool,
    mut inputs: mpsc::Receiver<Sent>,
    outputs: mpsc::Sender<(Stream, Bytes)>,
    pulse: &Pulse,
) -> End {
    let (mut sink, mut stream) = socket.split();
    let signs = Signs::now();
    let send = async {
        let mut ping = interval(pulse.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_open = true;
        loop {
            let message = tokio::select! {
                sent = inputs.recv(), if is_open => match sent {
                    Some(Sent::EndOfInput) if !ends_input => continue,
                    Some(Sent::BrokenInput(why)) => return End::Lost(unreadable(&why)),
                    Some(sent) => {
                        if let Sent::Input(bytes) = &sent {
                            pulse.input.set(Instant::now());
                            count(&pulse.bytes_in, bytes);
                        }
                        frame(&sent)
                    }
                    None => {
                        is_open = false;
                        continue;
                    }
                },
                _ = ping.tick() => {
                    if signs.are_missing(pulse) {
                        return End::Lost(format!("the API server is silent for {} s", pulse.silence.as_secs()));
                    }
                    Message::Ping(Bytes::copy_from_slice(&pulse.bytes_in.get().to_be_bytes()))
                }
            };
            if sink.send(message).await.is_err() {
                // What came before may still be read, and says why.
                return pending().await;
            }
        }
    };
    let receive = async {
        loop {
            let Some(message) = stream.next().await else {
                return End::Lost("the connection was closed before the command's end".to_owned());
            };
            signs.heard.set(Instant::now());
            let bytes = match message {
                Ok(Message::Binary(bytes)) => bytes,
                Ok(Message::Pong(sum)) => {
                    signs.answered(&sum, pulse);
                    continue;
                }
                Ok(_) => continue,
                Err(error) => return End::Lost(one_line(&error)),
            };
            if let Some(end) = pass_on(bytes, &outputs, pulse).await {
                return end;
            }
        }
    };
    tokio::select! { end = send => end, end = receive => end }
}

/// Signs of life of the server.
struct Signs {
    /// The last message.
    heard: Cell<Instant>,
    answers_pings: Cell<bool>,
    /// Bytes of stdin that the server has taken in: each ping carries the sum, and its answer brings it back.
    taken: Cell<u64>,
}

impl Signs {
    fn now() -> Self {
        Self { heard: Cell::new(Instant::now()), answers_pings: Cell::new(false), taken: Cell::new(0) }
    }

    fn answered(&self, sum: &[u8], pulse: &Pulse) {
        self.answers_pings.set(true);
        let sum = sum.try_into().map_or(0, u64::from_be_bytes);
        self.taken.set(sum.clamp(self.taken.get(), pulse.bytes_in.get()));
    }

    /// Whether a server that would answer pings has been silent for too long.
    fn are_missing(&self, pulse: &Pulse) -> bool {
        let would_answer = self.answers_pings.get() && pulse.bytes_in.get() - self.taken.get() < HELD;
        would_answer && self.heard.get().elapsed() > pulse.silence
    }
}

/// Passes on what the server sent. The end, if that was it.
async fn pass_on(bytes: Bytes, outputs: &mpsc::Sender<(Stream, Bytes)>, pulse: &Pulse) -> Option<End> {
    match received(bytes) {
        Received::Output(stream, bytes) => {
            pulse.output.set(Instant::now());
            count(&pulse.bytes_out, &bytes);
            outputs.send((stream, bytes)).await.is_err().then_some(End::Unread)
        }
        Received::Status(end) => Some(end),
        Received::Nothing => None,
    }
}

/// In words, that stdin can't be read.
pub(super) fn unreadable(why: &str) -> String {
    format!("stdin can't be read: {why}")
}

fn frame(sent: &Sent) -> Message {
    let with = |channel: u8, bytes: &[u8]| {
        let mut out = Vec::with_capacity(1 + bytes.len());
        out.push(channel);
        out.extend_from_slice(bytes);
        Message::binary(out)
    };
    match sent {
        Sent::Input(bytes) => with(STDIN, bytes),
        Sent::EndOfInput | Sent::BrokenInput(_) => with(END, &[STDIN]),
        Sent::Size(Size { columns, rows }) => {
            let size = serde_json::json!({"Width": columns, "Height": rows});
            with(SIZE, size.to_string().as_bytes())
        }
    }
}

enum Received {
    Output(Stream, Bytes),
    Status(End),
    Nothing,
}

fn received(mut bytes: Bytes) -> Received {
    // A channel alone announces it.
    if bytes.len() < 2 {
        return Received::Nothing;
    }
    match bytes.get_u8() {
        STDOUT => Received::Output(Stream::Out, bytes),
        STDERR => Received::Output(Stream::Err, bytes),
        STATUS => Received::Status(status(&bytes)),
        _ => Received::Nothing,
    }
}

/// The end that the kubelet reports.
fn status(bytes: &[u8]) -> End {
    let status: Status = match serde_json::from_slice(bytes) {
        Ok(status) => status,
        Err(error) => return End::Lost(format!("the command's status can't be read: {error}")),
    };
    if status.status.as_deref() == Some("Success") {
        return End::Exit(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let mut codes = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode"));
    match codes.find_map(|cause| cause.message.as_ref()?.parse().ok()) {
        Some(code) => End::Exit(code),
        None => End::NotRun(status.message.unwrap_or_else(|| "the container runtime gives no reason".to_owned())),
    }
}

#[cfg(test)]
mod tests;
