//! This side of a session: the terminal, the keys, and what is shown.

use super::remote::{Pulse, Sent, Stream};
use bytes::Bytes;
use ratatui::crossterm::terminal;
use std::{
    io::{self, IsTerminal as _, Read as _},
    sync::Once,
    thread,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Bytes that are read from stdin at once.
const PIECE: usize = 4 << 10;
/// Pieces that wait to be sent.
pub(super) const WAITING: usize = 16;
/// Longest wait for a terminal to take its modes back.
const RESET: Duration = Duration::from_millis(300);
/// Pieces that wait to be shown.
const UNSHOWN: usize = 16;

/// A terminal's size, characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: u16,
    pub(super) rows: u16,
}

/// The size of this process's terminal. `None`: there is none.
pub(super) fn size() -> Option<Size> {
    terminal::size().ok().map(|(columns, rows)| Size { columns, rows })
}

/// Whether stdin, stdout are terminals.
pub(super) fn terminals() -> (bool, bool) {
    (io::stdin().is_terminal(), io::stdout().is_terminal())
}

/// The terminal passes every key on. It is as before when this is dropped, and when any thread panics.
pub(super) struct RawMode(());

impl RawMode {
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                // Before the report, so that it is readable. Without raw mode this does nothing.
                let _ = terminal::disable_raw_mode();
                report(info);
            }));
        });
        terminal::enable_raw_mode()?;
        Ok(Self(()))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = terminal::disable_raw_mode();
    }
}

/// Ends modes that a program in the container may have left: other screen, mouse, paste, hidden cursor, colors.
pub(super) fn reset() {
    const MODES: &str = "\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m\r\n";
    let (done, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        // Nobody is left to report a closed terminal to.
        let _ = write(&mut io::stdout().lock(), MODES.as_bytes());
        let _ = done.send(());
    });
    // A terminal that is held (Ctrl-S) must not hold the exit.
    let _ = ended.recv_timeout(RESET);
}

/// Sends stdin, piece by piece, then its end or why it can't be read. A separate thread, because reading blocks. It ends with the process.
pub(super) fn input(sender: mpsc::Sender<Sent>) {
    thread::spawn(move || {
        let mut piece = [0; PIECE];
        loop {
            let sent = match io::stdin().read(&mut piece) {
                Ok(0) => Sent::EndOfInput,
                Ok(length) => Sent::Input(Bytes::copy_from_slice(&piece[..length])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Sent::BrokenInput(error.to_string()),
            };
            let is_last = matches!(sent, Sent::EndOfInput | Sent::BrokenInput(_));
            if sender.blocking_send(sent).is_err() || is_last {
                return;
            }
        }
    });
}

/// All of stdin. `None`: it is longer than the limit.
///
/// # Errors
/// When it can't be read, with the reason. What came before is no whole stdin.
pub(super) async fn whole_input(limit: usize, pulse: &Pulse) -> Result<Option<Bytes>, String> {
    let (sender, mut inputs) = mpsc::channel(WAITING);
    input(sender);
    let mut all = Vec::new();
    loop {
        match inputs.recv().await {
            Some(Sent::Input(piece)) => all.extend_from_slice(&piece),
            Some(Sent::BrokenInput(why)) => return Err(why),
            _ => return Ok(Some(all.into())),
        }
        pulse.input.set(Instant::now());
        if all.len() > limit {
            return Ok(None);
        }
    }
}

/// Shows output as it is. Its end, once the sender is dropped, is that of the second channel.
pub(super) fn output() -> (mpsc::Sender<(Stream, Bytes)>, oneshot::Receiver<io::Result<()>>) {
    let (sender, mut outputs) = mpsc::channel::<(Stream, Bytes)>(UNSHOWN);
    let (done, ended) = oneshot::channel();
    thread::spawn(move || {
        let mut show = || -> io::Result<()> {
            while let Some((stream, bytes)) = outputs.blocking_recv() {
                match stream {
                    Stream::Out => write(&mut io::stdout().lock(), &bytes)?,
                    Stream::Err => write(&mut io::stderr().lock(), &bytes)?,
                }
            }
            Ok(())
        };
        // Nobody waits for it after a session that broke off.
        let _ = done.send(show());
    });
    (sender, ended)
}

fn write(out: &mut impl io::Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}
