//! The program that sees every segment that a busy socket receives. Where many are received it is attached in short windows
//! only: detached, a tracepoint costs nothing.

use super::{switch::Switch, sys};
use netwhy_abi::{WINDOWS_PART, Windows, lot};
use serde::Serialize;
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Its name.
pub(super) const PROGRAM: &str = "nw_rtt";

/// Length of a window. With the gaps between them there are four in a second, so that a window of judgement, ten seconds,
/// has forty.
const WINDOW: Duration = Duration::from_millis(32);
/// How long there must be many segments before windows begin …
const RISE: Duration = Duration::from_secs(2);
/// … and fewer than half as many before they end.
const FALL: Duration = Duration::from_secs(10);

/// How the program is attached.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RttStats {
    /// Segments that sockets of this agent's cgroups and of others received, a second, while they were looked at.
    pub segments_per_second: f64,
    /// Whether they are looked at in windows only.
    pub in_windows: bool,
    /// Windows so far.
    pub windows: u64,
    /// Time in which they were looked at, s.
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the program again.
    pub failures: u64,
}

/// Says when there are too many segments to look at all of them.
#[derive(Debug)]
struct Gate {
    /// Segments a second.
    limit: f64,
    switch: Switch,
}

impl Gate {
    fn new(limit: u64) -> Self {
        Self { limit: limit as f64, switch: Switch::new(RISE, FALL) }
    }

    fn is_open(&self) -> bool {
        self.switch.is_on()
    }

    /// Takes the newest rate and says whether windows are to be used from now on.
    fn update(&mut self, now: Duration, rate: f64) -> bool {
        self.switch.update(now, rate >= self.limit, rate < self.limit / 2.0)
    }
}

/// What the thread that opens windows is told, and tells.
#[derive(Default)]
struct Pace {
    stop: bool,
    windows: u64,
    attached: Duration,
    failures: u64,
    error: Option<String>,
}

/// Shared with the thread.
#[derive(Default)]
struct Shared {
    pace: Mutex<Pace>,
    stopped: Condvar,
}

impl Shared {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; true when it is time to stop.
    fn wait(&self, duration: Duration) -> bool {
        let waited = self.stopped.wait_timeout_while(self.pace(), duration, |pace| !pace.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }
}

/// The attached program.
enum Link {
    /// Not at all.
    Off,
    /// Since when.
    Always(#[expect(dead_code, reason = "held for what dropping it does")] OwnedFd, Instant),
    /// A thread does it.
    InWindows(JoinHandle<()>),
}

/// Attaches the program always or in windows. Dropping it detaches it.
pub(super) struct Rtt {
    program: OwnedFd,
    /// Segments for one that wins the draw: always looked at, and in windows.
    every: (f64, f64),
    gate: Gate,
    link: Link,
    paused: bool,
    shared: Arc<Shared>,
    /// Segments that won, and the time in which they were looked at, at the last reading.
    last: Option<(u64, Duration)>,
    rate: f64,
    used_windows: bool,
}

impl Rtt {
    /// Attaches a loaded program. `every`: mean distance of samples; `limit`: segments a second from which windows are used.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn attach(program: BorrowedFd<'_>, every: u32, limit: u64) -> io::Result<Self> {
        let every = f64::from(every.max(1));
        let mut this = Self {
            program: program.try_clone_to_owned()?,
            every: (every, (every / f64::from(WINDOWS_PART)).max(1.0)),
            gate: Gate::new(limit),
            link: Link::Off,
            paused: false,
            shared: Arc::default(),
            last: None,
            rate: 0.0,
            used_windows: false,
        };
        this.start()?;
        Ok(this)
    }

    /// Asks the kernel whether the program can be attached again: some refuse it to a process without capabilities.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn check(&self) -> io::Result<()> {
        match sys::attach_tracing(self.program.as_fd()) {
            // Before 6.10 a program is attached to a tracepoint once only.
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes the program off until [`Rtt::resume`].
    pub(super) fn pause(&mut self) {
        self.paused = true;
        self.stop();
    }

    /// Attaches the program as it was last; does nothing when it is.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.paused = false;
        self.start()
    }

    fn stop(&mut self) {
        let link = std::mem::replace(&mut self.link, Link::Off);
        match link {
            Link::Off => {}
            Link::Always(_, since) => self.shared.pace().attached += since.elapsed(),
            Link::InWindows(thread) => {
                self.shared.pace().stop = true;
                self.shared.stopped.notify_all();
                // A thread that panicked has said so.
                let _ = thread.join();
                self.shared.pace().stop = false;
            }
        }
    }

    fn start(&mut self) -> io::Result<()> {
        if self.paused || !matches!(self.link, Link::Off) {
            return Ok(());
        }
        self.link = if self.gate.is_open() {
            let (program, shared) = (self.program.try_clone()?, Arc::clone(&self.shared));
            let thread = std::thread::Builder::new().name("netwhy-rtt".to_owned());
            Link::InWindows(thread.spawn(move || open_windows(program.as_fd(), &shared))?)
        } else {
            Link::Always(sys::attach_tracing(self.program.as_fd())?, Instant::now())
        };
        Ok(())
    }

    /// Takes the count of segments that won so far, and changes between always and windows when it is time.
    ///
    /// # Errors
    /// When the kernel refused to attach the program again; it is tried anew at the next call.
    pub(super) fn follow(&mut self, now: Duration, won: u64) -> io::Result<()> {
        let attached = self.attached();
        if let Some((before, since)) = self.last.replace((won, attached)) {
            let seconds = attached.saturating_sub(since).as_secs_f64();
            let each = if self.gate.is_open() { self.every.1 } else { self.every.0 };
            if seconds > 0.0 {
                self.rate = won.saturating_sub(before) as f64 * each / seconds;
            }
        }
        let open = self.gate.is_open();
        if self.gate.update(now, self.rate) != open {
            self.stop();
            self.last = None;
            self.used_windows = true;
        }
        self.start()?;
        self.shared.pace().error.take().map_or(Ok(()), |error| Err(io::Error::other(error)))
    }

    /// What the programs are to be told ([`Control::windows`](netwhy_abi::Control)).
    pub(super) fn windows(&self) -> Windows {
        match (self.gate.is_open(), self.used_windows) {
            (true, _) => Windows::Now,
            (false, true) => Windows::Before,
            (false, false) => Windows::Never,
        }
    }

    fn attached(&self) -> Duration {
        let running = if let Link::Always(_, since) = &self.link { since.elapsed() } else { Duration::ZERO };
        self.shared.pace().attached + running
    }

    /// How it is attached.
    pub(super) fn stats(&self) -> RttStats {
        let attached_seconds = self.attached().as_secs_f64();
        let pace = self.shared.pace();
        RttStats {
            segments_per_second: self.rate,
            in_windows: self.gate.is_open(),
            windows: pace.windows,
            attached_seconds,
            failures: pace.failures,
        }
    }
}

impl Drop for Rtt {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Attaches the program for one part in [`WINDOWS_PART`] of the time until it is told to stop. Gaps follow from how long the
/// window before really was, and vary by half, so that no rhythm of the traffic is followed in lockstep.
fn open_windows(program: BorrowedFd<'_>, shared: &Shared) {
    loop {
        let link = sys::attach_tracing(program);
        let began = Instant::now();
        let stop = shared.wait(WINDOW);
        let opened = link.map(drop);
        let lasted = began.elapsed();
        let number = {
            let mut pace = shared.pace();
            match opened {
                Ok(()) => {
                    pace.windows += 1;
                    pace.attached += lasted;
                }
                Err(error) => {
                    pace.failures += 1;
                    pace.error = Some(error.to_string());
                }
            }
            pace.windows + pace.failures
        };
        let varied = 0.5 + f64::from(lot(number as u32, lasted.subsec_nanos()).0) / f64::from(u32::MAX);
        if stop || shared.wait((lasted * (WINDOWS_PART - 1)).mul_f64(varied)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks for so many seconds at this rate; returns the last answer.
    fn run(gate: &mut Gate, clock: &mut u64, seconds: u64, rate: f64) -> bool {
        let mut open = false;
        for _ in 0..seconds {
            *clock += 1;
            open = gate.update(Duration::from_secs(*clock), rate);
        }
        open
    }

    #[test]
    fn windows_begin_after_seconds_of_many_segments_and_end_long_after_them() {
        let (mut gate, mut clock) = (Gate::new(10_000), 0);
        assert!(!run(&mut gate, &mut clock, 60, 9_999.0));
        assert!(!run(&mut gate, &mut clock, 2, 50_000.0));
        assert!(run(&mut gate, &mut clock, 1, 50_000.0));
        assert!(run(&mut gate, &mut clock, 60, 5_000.0), "between the limits nothing changes");
        assert!(run(&mut gate, &mut clock, 10, 4_999.0));
        assert!(!run(&mut gate, &mut clock, 1, 4_999.0));
    }

    #[test]
    fn a_short_burst_opens_no_windows() {
        let (mut gate, mut clock) = (Gate::new(10_000), 0);
        for _ in 0..5 {
            assert!(!run(&mut gate, &mut clock, 2, 1e6));
            assert!(!run(&mut gate, &mut clock, 1, 0.0));
        }
    }

    #[test]
    fn a_limit_of_nothing_is_always_in_windows() {
        let (mut gate, mut clock) = (Gate::new(0), 0);
        assert!(run(&mut gate, &mut clock, 3, 0.0));
        assert!(run(&mut gate, &mut clock, 60, 0.0));
    }
}
