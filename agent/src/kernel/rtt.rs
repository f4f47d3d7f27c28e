//! The program that sees every segment that a busy socket receives.

use super::windows::{Limit, Windowed};
use netwhy_abi::{WINDOWS_PART, Windows};
use serde::Serialize;
use std::{io, os::fd::BorrowedFd, time::Duration};

/// Its name.
pub(super) const PROGRAM: &str = "nw_rtt";

/// Segments a second and CPU from which windows are rarer: being called costs some 200 ns each, which for an eighth of so many
/// is 0.1 % of the CPU's time.
const DENSE: u64 = 50_000;
/// The program is then attached for one part in so many of the time. Each window holds thousands of segments; sockets that
/// rest most of the time have fewer samples, besides those of walks.
const DENSE_PART: u32 = 32;

/// How the program is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RttStats {
    /// Segments that sockets of this agent's cgroups and of others received, a second, while they were looked at.
    pub segments_per_second: f64,
    /// Whether they are looked at in windows only.
    pub in_windows: bool,
    /// They are looked at for one part in so many of the time; 1: always.
    pub part: u32,
    /// Windows so far.
    pub windows: u64,
    /// Time in which they were looked at, s.
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the program again.
    pub failures: u64,
}

/// Attaches the program, in windows while there are very many segments. Dropping it detaches it.
pub(super) struct Rtt {
    program: Windowed,
    /// Segments for one that wins the draw: always looked at, and in windows.
    every: (f64, f64),
    limit: Limit,
    /// From which windows are rarer.
    dense: Limit,
    /// Segments that won, and the time in which they were looked at, at the last reading.
    last: Option<(u64, Duration)>,
    rate: f64,
}

impl Rtt {
    /// Attaches a loaded program. `every`: mean distance of samples; `limit`: segments a second from which windows are used;
    /// `cpus`: that share them.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn attach(program: BorrowedFd<'_>, every: u32, limit: u64, cpus: u64) -> io::Result<Self> {
        let every = f64::from(every.max(1));
        Ok(Self {
            program: Windowed::attach(program, "netwhy-rtt", WINDOWS_PART)?,
            every: (every, (every / f64::from(WINDOWS_PART)).max(1.0)),
            limit: Limit::new(limit as f64),
            dense: Limit::new(DENSE.saturating_mul(cpus) as f64),
            last: None,
            rate: 0.0,
        })
    }

    /// Asks the kernel whether the program can be attached again.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn check(&self) -> io::Result<()> {
        self.program.check()
    }

    /// Takes the program off until [`Rtt::resume`].
    pub(super) fn pause(&mut self) {
        self.program.pause();
    }

    /// Attaches the program as it was last.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.program.resume()
    }

    /// Takes the count of segments that won so far, and changes between always and windows when it is time.
    ///
    /// # Errors
    /// When the kernel refused to attach the program again; it is tried anew at the next call.
    pub(super) fn follow(&mut self, now: Duration, won: u64) -> io::Result<()> {
        let attached = self.program.done().attached;
        let was_passed = self.limit.is_passed();
        if let Some((before, since)) = self.last.replace((won, attached)) {
            let seconds = attached.saturating_sub(since).as_secs_f64();
            let each = if was_passed { self.every.1 } else { self.every.0 };
            if seconds > 0.0 {
                self.rate = won.saturating_sub(before) as f64 * each / seconds;
            }
        }
        self.dense.update(now, self.rate);
        self.program.set_part(self.rare_part());
        if self.limit.update(now, self.rate) != was_passed {
            self.program.change(!was_passed);
            self.last = None;
        }
        self.program.start()
    }

    /// Of the time, in windows.
    fn rare_part(&self) -> u32 {
        if self.dense.is_passed() { DENSE_PART } else { WINDOWS_PART }
    }

    /// What the programs are to be told ([`Control::windows`](netwhy_abi::Control)).
    pub(super) fn windows(&self) -> Windows {
        self.limit.windows()
    }

    /// How it is attached.
    pub(super) fn stats(&self) -> RttStats {
        let done = self.program.done();
        RttStats {
            segments_per_second: self.rate,
            in_windows: self.limit.is_passed(),
            part: if self.limit.is_passed() { self.rare_part() } else { 1 },
            windows: done.windows,
            attached_seconds: done.attached.as_secs_f64(),
            failures: done.failures,
        }
    }
}
