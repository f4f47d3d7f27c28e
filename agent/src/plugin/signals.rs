//! Requests to end this process, and new sizes of its terminal: signals, and on Windows the console's events.

use std::{future::poll_fn, io, task::Poll};

pub(super) use system::Sizes;

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Ctrl-C.
    Interrupt,
    /// As kill(1) sends it. On Windows Ctrl-Break.
    Terminate,
    /// The terminal is gone.
    HangUp,
}

impl Stop {
    pub(super) const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::HangUp];

    /// The signal's number, which is part of exit codes: on all systems that of signal(7).
    const fn number(self) -> i32 {
        match self {
            Self::HangUp => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

/// Requests that this process takes, instead of ending at once.
pub(super) struct Stops(Vec<(i32, system::Listener)>);

impl Stops {
    /// Takes these from now on, until the process ends.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn receive(stops: &[Stop]) -> io::Result<Self> {
        let mut listeners = Vec::with_capacity(stops.len());
        for stop in stops {
            listeners.push((stop.number(), system::listen(*stop)?));
        }
        Ok(Self(listeners))
    }

    /// Waits for the next one. Returns its number.
    pub(super) async fn next(&mut self) -> i32 {
        let first = poll_fn(|cx| {
            for (number, listener) in &mut self.0 {
                if listener.poll_recv(cx).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        });
        first.await
    }
}

#[cfg(unix)]
mod system {
    use super::Stop;
    use std::io;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    pub(super) type Listener = Signal;

    pub(super) fn listen(stop: Stop) -> io::Result<Listener> {
        signal(match stop {
            Stop::Interrupt => SignalKind::interrupt(),
            Stop::Terminate => SignalKind::terminate(),
            Stop::HangUp => SignalKind::hangup(),
        })
    }

    /// Changes of the terminal's size.
    pub(in crate::plugin) struct Sizes(Signal);

    impl Sizes {
        pub(in crate::plugin) fn receive() -> io::Result<Self> {
            signal(SignalKind::window_change()).map(Self)
        }

        /// Waits for the next one. `None`: there will be none.
        pub(in crate::plugin) async fn next(&mut self) -> Option<()> {
            self.0.recv().await
        }
    }
}

#[cfg(windows)]
mod system {
    use super::Stop;
    use ratatui::crossterm::terminal;
    use std::{
        io,
        task::{Context, Poll},
        time::Duration,
    };
    use tokio::{
        signal::windows::{CtrlBreak, CtrlC, CtrlClose, ctrl_break, ctrl_c, ctrl_close},
        time::sleep,
    };

    /// Pause between two looks at the size, of which no event tells.
    const LOOK: Duration = Duration::from_millis(500);

    pub(super) enum Listener {
        C(CtrlC),
        Break(CtrlBreak),
        Close(CtrlClose),
    }

    impl Listener {
        pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
            match self {
                Self::C(event) => event.poll_recv(cx),
                Self::Break(event) => event.poll_recv(cx),
                Self::Close(event) => event.poll_recv(cx),
            }
        }
    }

    pub(super) fn listen(stop: Stop) -> io::Result<Listener> {
        match stop {
            Stop::Interrupt => ctrl_c().map(Listener::C),
            Stop::Terminate => ctrl_break().map(Listener::Break),
            Stop::HangUp => ctrl_close().map(Listener::Close),
        }
    }

    /// Changes of the terminal's size.
    pub(in crate::plugin) struct Sizes(Option<(u16, u16)>);

    impl Sizes {
        pub(in crate::plugin) fn receive() -> io::Result<Self> {
            Ok(Self(terminal::size().ok()))
        }

        /// Waits for the next one.
        pub(in crate::plugin) async fn next(&mut self) -> Option<()> {
            loop {
                sleep(LOOK).await;
                let now = terminal::size().ok();
                if now != self.0 {
                    self.0 = now;
                    return Some(());
                }
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
