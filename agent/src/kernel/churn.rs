//! Where very many sockets come and go: the program that sees their states is attached in windows, and of the plain ones
//! that end a part is counted for all.

use super::windows::{Limit, Windowed};
use netwhy_abi::{CHURN_PART, Windows};
use serde::Serialize;
use std::{io, os::fd::BorrowedFd, time::Duration};

/// The program that sees every change of a TCP socket's state.
pub(super) const PROGRAM: &str = "nw_state";
/// The program that sees attempts fail meanwhile.
pub(super) const FAILURES: &str = "nw_error";

/// How sockets that come and go are looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChurnStats {
    /// TCP sockets of all cgroups that ended, a second.
    pub sockets_per_second: f64,
    /// Whether a part of them is counted for all.
    pub in_part: bool,
    /// Windows so far in which handshakes were looked at.
    pub windows: u64,
    /// Time in which they were looked at, s.
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the program again.
    pub failures: u64,
}

/// Attaches the program on states, in windows while there is very much to see. Dropping it detaches it.
pub(super) struct Churn {
    program: Windowed,
    /// `None`: everything is counted whatever there is.
    limit: Option<Limit>,
    /// Sockets that ended, at the last reading.
    last: Option<(u64, Duration)>,
    rate: f64,
}

impl Churn {
    /// Attaches a loaded program. `limit`: sockets that end a second from which a part is counted for all; `None`: never.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn attach(program: BorrowedFd<'_>, limit: Option<u64>) -> io::Result<Self> {
        let program = Windowed::attach(program, "netwhy-connects", CHURN_PART)?;
        Ok(Self { program, limit: limit.map(|limit| Limit::new(limit as f64)), last: None, rate: 0.0 })
    }

    /// Asks the kernel whether the program can be attached again.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn check(&self) -> io::Result<()> {
        self.program.check()
    }

    /// Takes the program off until [`Churn::resume`].
    pub(super) fn pause(&mut self) {
        self.program.pause();
        // Nobody counts while it is off.
        self.last = None;
    }

    /// Attaches the program as it was last.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.program.resume()
    }

    /// Takes the count of sockets that ended so far. When it is time for a change, the program is off until
    /// [`Churn::start`], so that the programs can be told before: no handshake is to count eight times where all are seen.
    pub(super) fn follow(&mut self, now: Duration, ended: u64) {
        if let Some((before, since)) = self.last.replace((ended, now)) {
            let seconds = now.saturating_sub(since).as_secs_f64();
            if seconds > 0.0 {
                self.rate = ended.saturating_sub(before) as f64 / seconds;
            }
        }
        let Some(limit) = &mut self.limit else { return };
        let was_passed = limit.is_passed();
        if limit.update(now, self.rate) != was_passed {
            self.program.change(!was_passed);
        }
    }

    /// Attaches the program unless it is.
    ///
    /// # Errors
    /// When the kernel refused to attach the program again; it is tried anew at the next call.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.program.start()
    }

    /// What the programs are to be told ([`Control::churn`](netwhy_abi::Control)).
    pub(super) fn windows(&self) -> Windows {
        self.limit.as_ref().map_or(Windows::Never, Limit::windows)
    }

    /// How it is attached.
    pub(super) fn stats(&self) -> ChurnStats {
        let done = self.program.done();
        ChurnStats {
            sockets_per_second: self.rate,
            in_part: self.limit.as_ref().is_some_and(Limit::is_passed),
            windows: done.windows,
            attached_seconds: done.attached.as_secs_f64(),
            failures: done.failures,
        }
    }
}
