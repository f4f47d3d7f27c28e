//! The program that sees every segment that a busy socket receives.

use super::windows::{Limit, Windowed};
use netwhy_abi::{WINDOWS_PART, Windows};
use serde::Serialize;
use std::{io, os::fd::BorrowedFd, time::Duration};

/// Its name.
pub(super) const PROGRAM: &str = "nw_rtt";

/// Where windows are rare, the program is attached for one part in so many of the time. Each window holds thousands of
/// segments; sockets that rest most of the time have fewer samples, besides those of walks.
const RARE_PART: u32 = 32;

/// How the program is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RttStats {
    /// Segments that sockets of this agent's cgroups and of others received, a second, while they were looked at.
    pub segments_per_second: f64,
    /// They are looked at for one part in so many of the time, in windows; 1: always.
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
    share: Share,
    /// Segments that won, and the time in which they were looked at, at the last reading.
    last: Option<(u64, Duration)>,
    rate: f64,
}

impl Rtt {
    /// Attaches a loaded program. `every`: mean distance of samples; `windows_above`: segments a second from which windows
    /// are used; `rare_above`: from which these are rare.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn attach(program: BorrowedFd<'_>, every: u32, windows_above: u64, rare_above: u64) -> io::Result<Self> {
        let every = f64::from(every.max(1));
        Ok(Self {
            program: Windowed::attach(program, "netwhy-rtt", WINDOWS_PART)?,
            every: (every, (every / f64::from(WINDOWS_PART)).max(1.0)),
            share: Share::new(windows_above as f64, rare_above as f64),
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
        let in_windows = self.share.part() > 1;
        if let Some((before, since)) = self.last.replace((won, attached)) {
            let seconds = attached.saturating_sub(since).as_secs_f64();
            let each = if in_windows { self.every.1 } else { self.every.0 };
            if seconds > 0.0 {
                self.rate = won.saturating_sub(before) as f64 * each / seconds;
            }
        }
        let part = self.share.update(now, self.rate);
        if part > 1 {
            self.program.set_part(part);
        }
        if (part > 1) != in_windows {
            self.program.change(!in_windows);
            self.last = None;
        }
        self.program.start()
    }

    /// What the programs are to be told ([`Control::windows`](netwhy_abi::Control)).
    pub(super) fn windows(&self) -> Windows {
        self.share.always.windows()
    }

    /// How it is attached.
    pub(super) fn stats(&self) -> RttStats {
        let done = self.program.done();
        RttStats {
            segments_per_second: self.rate,
            part: self.share.part(),
            windows: done.windows,
            attached_seconds: done.attached.as_secs_f64(),
            failures: done.failures,
        }
    }
}

/// Which part of the time segments are looked at, by how many there are.
struct Share {
    /// Up to which they always are.
    always: Limit,
    /// Up to which windows are frequent.
    frequent: Limit,
}

impl Share {
    fn new(windows_above: f64, rare_above: f64) -> Self {
        Self { always: Limit::new(windows_above), frequent: Limit::new(rare_above) }
    }

    /// One part in so many; 1: always.
    fn part(&self) -> u32 {
        match (self.always.is_passed(), self.frequent.is_passed()) {
            (false, _) => 1,
            (true, false) => WINDOWS_PART,
            (true, true) => RARE_PART,
        }
    }

    /// Takes the newest rate, a second, and says which part it is from now on.
    fn update(&mut self, now: Duration, rate: f64) -> u32 {
        self.always.update(now, rate);
        self.frequent.update(now, rate);
        self.part()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_segments_the_smaller_the_part_of_the_time() {
        let (mut share, mut clock) = (Share::new(10_000.0, 100_000.0), 0);
        let mut parts = |rate: f64| -> Vec<u32> {
            let mut parts: Vec<u32> = (0..20)
                .map(|_| {
                    clock += 1;
                    share.update(Duration::from_secs(clock), rate)
                })
                .collect();
            parts.dedup();
            parts
        };
        assert_eq!(parts(9_000.0), [1]);
        assert_eq!(parts(20_000.0), [1, WINDOWS_PART]);
        assert_eq!(parts(200_000.0), [WINDOWS_PART, RARE_PART]);
        assert_eq!(parts(60_000.0), [RARE_PART], "more than half");
        assert_eq!(parts(40_000.0), [RARE_PART, WINDOWS_PART]);
        assert_eq!(parts(0.0), [WINDOWS_PART, 1]);
        assert_eq!(parts(200_000.0), [1, RARE_PART], "at once");
    }

    #[test]
    fn without_windows_none_is_rare() {
        let mut share = Share::new(f64::INFINITY, 0.0);
        for second in 0..10 {
            assert_eq!(share.update(Duration::from_secs(second), 1e6), 1);
        }
    }
}
