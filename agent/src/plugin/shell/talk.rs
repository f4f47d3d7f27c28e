//! One session: both sides, and the limits on it.

use super::{
    asciicast::Cast,
    local::{self, RawMode, Size},
    policy::Limits,
    remote::{self, End, Pulse, Sent, Stream},
    span,
    stdin::{self, Input},
};
use crate::plugin::{
    Failure,
    fetch::{Place, Session, Streams},
    signals::{Sizes, Stop, Stops},
};
use bytes::Bytes;
use std::{cell::RefCell, fs::File, future::pending, io, pin::pin, time::Duration};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, sleep_until},
};

/// Exit code of a session that ran into a limit, as of timeout(1).
const LIMIT_CODE: u8 = 124;

/// All that a session takes.
pub(super) struct Plan {
    pub(super) command: Vec<String>,
    pub(super) streams: Streams,
    pub(super) limits: Limits,
    pub(super) recording: Option<Cast<File>>,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By the command or the connection.
    Remote(End),
    /// Nothing was typed for so long.
    Idle(Duration),
    /// It took so long.
    MaxTime(Duration),
    /// This process got the signal.
    Signal(i32),
    /// On this side, or before it began.
    Failed(Failure),
}

/// The end of a session, and its figures.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) ended: Ended,
    pub(super) time: Duration,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl Outcome {
    /// Name in the record.
    pub(super) const fn label(&self) -> &'static str {
        match &self.ended {
            Ended::Remote(End::Exit(_)) => "exit",
            Ended::Remote(End::NotRun(_)) => "not_run",
            Ended::Remote(End::Lost(_)) => "lost",
            Ended::Remote(End::Unread) => "unread",
            Ended::Idle(_) => "idle_timeout",
            Ended::MaxTime(_) => "max_time",
            Ended::Signal(_) => "signal",
            Ended::Failed(_) => "failed",
        }
    }

    /// The command's exit code. `None`: unknown.
    pub(super) const fn code(&self) -> Option<i32> {
        match &self.ended {
            Ended::Remote(End::Exit(code)) => Some(*code),
            _ => None,
        }
    }

    /// More about the end; empty for a command that ended.
    pub(super) fn why(&self) -> String {
        match &self.ended {
            Ended::Remote(End::Exit(_) | End::Unread) => String::new(),
            Ended::Remote(End::NotRun(why) | End::Lost(why)) => why.clone(),
            Ended::Idle(limit) => format!("ended: nothing happened for {} (idle timeout)", span(*limit)),
            Ended::MaxTime(limit) => format!("ended: a session lasts {} at most", span(*limit)),
            Ended::Signal(signal) => format!("ended by signal {signal}"),
            Ended::Failed(failure) => failure.to_string(),
        }
    }

    /// The exit code of this program. `None`: it failed.
    pub(super) fn exit_code(&self) -> Option<u8> {
        match &self.ended {
            // As a shell does: the low eight bits.
            Ended::Remote(End::Exit(code)) => Some((code & 0xff) as u8),
            // A closed pipe is no failure.
            Ended::Remote(End::Unread) => Some(0),
            Ended::Idle(_) | Ended::MaxTime(_) => Some(LIMIT_CODE),
            Ended::Signal(signal) => Some((128 + signal) as u8),
            Ended::Remote(_) | Ended::Failed(_) => None,
        }
    }

    /// The failure of a session without an exit code.
    pub(super) fn failure(self) -> Failure {
        let why = self.why();
        match self.ended {
            Ended::Failed(failure) => failure,
            Ended::Remote(End::NotRun(_)) => {
                let remedy = "name a command that the image has, or use `kubectl debug` with one that has a shell";
                Failure::new(format!("the command did not run: {why}"), remedy)
            }
            Ended::Remote(End::Lost(_)) => {
                Failure::new(format!("the session broke off: {why}"), "the command may still run in the container")
            }
            _ => Failure::new(why, ""),
        }
    }
}

/// Runs the command to its end, or that of the session. The terminal is as before then.
pub(super) async fn talk(session: &Session, place: &Place, plan: Plan) -> Outcome {
    let (begun, pulse) = (Instant::now(), Pulse::now());
    let ended = match converse(session, place, plan, begun, &pulse).await {
        Ok(ended) => ended,
        Err(failure) => Ended::Failed(failure),
    };
    Outcome { ended, time: begun.elapsed(), bytes_in: pulse.bytes_in.get(), bytes_out: pulse.bytes_out.get() }
}

async fn converse(
    session: &Session,
    place: &Place,
    plan: Plan,
    begun: Instant,
    pulse: &Pulse,
) -> Result<Ended, Failure> {
    let Plan { command, streams, limits, recording } = plan;
    let broken = |error: io::Error| Failure::new(format!("the terminal: {error}"), "");
    let mut stops = Stops::receive(&Stop::ALL).map_err(broken)?;
    let mut sizes = Sizes::receive().map_err(broken)?;
    let mut limit = pin!(first_limit(limits, begun, pulse, streams.tty));
    let opened = tokio::select! {
        opened = stdin::open(session, place, &command, streams, pulse) => opened?,
        ended = &mut limit => return Ok(ended),
        signal = stops.next() => return Ok(Ended::Signal(signal)),
    };
    let (input, ends_input) = (opened.input, opened.ends_input);
    let by_length = matches!(input, Input::Whole(_));
    let socket = remote::socket(opened.connection).await;
    let (sent, inputs) = mpsc::channel(local::WAITING);
    let (heard, outputs) = mpsc::channel(local::WAITING);
    let raw = if streams.tty { Some(RawMode::enter().map_err(broken)?) } else { None };
    let tape = Tape { cast: RefCell::new(recording), begun };
    if let (true, Some(size)) = (streams.tty, local::size()) {
        let _ = sent.send(Sent::Size(size)).await;
    }
    let feed = feed(input, sent.clone());
    let session = async {
        let (end, shown) = tokio::join!(remote::converse(socket, ends_input, inputs, heard, pulse), tape.show(outputs));
        match shown {
            Err(failure) => Ended::Failed(failure),
            Ok(()) => Ended::Remote(stdin::explained(end, by_length)),
        }
    };
    let side = async {
        tokio::join!(feed, follow_size(&mut sizes, streams.tty.then_some(&sent), &tape));
        pending::<Ended>().await
    };
    let ended = tokio::select! {
        ended = session => ended,
        ended = side => ended,
        ended = &mut limit => ended,
        signal = stops.next() => Ended::Signal(signal),
    };
    let was_raw = raw.is_some();
    drop(raw);
    if was_raw && !matches!(ended, Ended::Remote(End::Exit(_))) {
        local::reset();
    }
    match tape.end() {
        Err(failure) => Ok(Ended::Failed(failure)),
        Ok(()) => Ok(ended),
    }
}

/// The first limit that a session runs into, from its begin on.
async fn first_limit(limits: Limits, begun: Instant, pulse: &Pulse, tty: bool) -> Ended {
    let max = async {
        match limits.max.and_then(|limit| begun.checked_add(limit)) {
            Some(end) => sleep_until(end).await,
            None => pending().await,
        }
    };
    tokio::select! {
        () = idle(limits.idle, pulse, tty) => Ended::Idle(limits.idle.unwrap_or_default()),
        () = max => Ended::MaxTime(limits.max.unwrap_or_default()),
    }
}

/// Passes stdin on.
async fn feed(input: Input, sent: Sender<Sent>) {
    match input {
        Input::Nothing => {}
        Input::Stream => local::input(sent),
        Input::Whole(bytes) => {
            let pieces = bytes.chunks(32 << 10).map(Bytes::copy_from_slice);
            for piece in pieces {
                if sent.send(Sent::Input(piece)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Passes on each new size of the terminal. `None`: there is none.
async fn follow_size(sizes: &mut Sizes, sent: Option<&Sender<Sent>>, tape: &Tape) {
    let Some(sent) = sent else { return };
    while sizes.next().await.is_some() {
        let Some(size) = local::size() else { continue };
        if sent.send(Sent::Size(size)).await.is_err() {
            return;
        }
        tape.resized(size);
    }
}

/// Waits until nothing was typed for so long. Without a terminal output counts too.
async fn idle(limit: Option<Duration>, pulse: &Pulse, tty: bool) {
    let Some(limit) = limit else { return pending().await };
    loop {
        let input = pulse.input.get();
        let last = if tty { input } else { input.max(pulse.output.get()) };
        if last.elapsed() >= limit {
            return;
        }
        sleep_until(last + limit).await;
    }
}

/// The recording of a session, if there is one.
struct Tape {
    cast: RefCell<Option<Cast<File>>>,
    begun: Instant,
}

impl Tape {
    /// Shows and records all output.
    async fn show(&self, mut outputs: Receiver<(Stream, Bytes)>) -> Result<(), Failure> {
        let (shown, written) = local::output();
        while let Some((stream, bytes)) = outputs.recv().await {
            if let Some(cast) = self.cast.borrow_mut().as_mut() {
                cast.output(self.begun.elapsed(), &bytes).map_err(unrecorded)?;
            }
            if shown.send((stream, bytes)).await.is_err() {
                break;
            }
        }
        drop(shown);
        match written.await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(format!("can't write the output: {error}"), ""))
            }
            _ => Ok(()),
        }
    }

    fn resized(&self, size: Size) {
        if let Some(cast) = self.cast.borrow_mut().as_mut() {
            // The next output fails too, and ends the session.
            let _ = cast.resized(self.begun.elapsed(), size);
        }
    }

    fn end(&self) -> Result<(), Failure> {
        match self.cast.borrow_mut().as_mut() {
            Some(cast) => cast.end(self.begun.elapsed()).map_err(unrecorded),
            None => Ok(()),
        }
    }
}

fn unrecorded(error: io::Error) -> Failure {
    Failure::new(format!("can't write the recording: {error}"), "the session ended there: make room for it")
}

#[cfg(test)]
mod tests;
