//! A program that sees more than it must: attached always, or, where there is very much, in short windows only. Detached, a
//! tracepoint costs nothing.

use super::{switch::Switch, sys};
use netwhy_abi::{Windows, lot};
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Length of a window. With gaps of seven times that there are two in a second, so that a window of judgement, ten seconds,
/// has twenty.
const WINDOW: Duration = Duration::from_millis(64);
/// How long there must be much before windows begin …
const RISE: Duration = Duration::from_secs(2);
/// … and less than half as much before they end.
const FALL: Duration = Duration::from_secs(10);

/// Says when there is too much to look at all of it.
#[derive(Debug)]
pub(super) struct Limit {
    /// A second.
    rate: f64,
    switch: Switch,
    was_passed: bool,
}

impl Limit {
    pub(super) fn new(rate: f64) -> Self {
        Self { rate, switch: Switch::new(RISE, FALL), was_passed: false }
    }

    pub(super) fn is_passed(&self) -> bool {
        self.switch.is_on()
    }

    /// Takes the newest rate and says whether windows are to be used from now on.
    pub(super) fn update(&mut self, now: Duration, rate: f64) -> bool {
        let passed = self.switch.update(now, rate >= self.rate, rate < self.rate / 2.0);
        self.was_passed |= passed;
        passed
    }

    /// What the programs are to be told.
    pub(super) fn windows(&self) -> Windows {
        match (self.is_passed(), self.was_passed) {
            (true, _) => Windows::Now,
            (false, true) => Windows::Before,
            (false, false) => Windows::Never,
        }
    }
}

/// What was done so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// Windows.
    pub(super) windows: u64,
    /// Time in which the program was attached.
    pub(super) attached: Duration,
    /// Times that the kernel refused to attach it again.
    pub(super) failures: u64,
}

/// What the thread that opens windows is told, and tells.
struct Pace {
    stop: bool,
    /// The program is attached for one part in so many of the time.
    part: u32,
    done: Done,
    error: Option<String>,
}

/// Shared with the thread.
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

/// Attaches a program always or in windows. Dropping it detaches it.
pub(super) struct Windowed {
    program: OwnedFd,
    /// Name of the thread.
    name: &'static str,
    in_windows: bool,
    link: Link,
    paused: bool,
    shared: Arc<Shared>,
}

impl Windowed {
    /// Attaches a loaded program, always. In windows it would be for one `part` in so many of the time, by a thread of this
    /// `name`.
    ///
    /// # Errors
    /// What the kernel said.
    pub(super) fn attach(program: BorrowedFd<'_>, name: &'static str, part: u32) -> io::Result<Self> {
        let program = program.try_clone_to_owned()?;
        let pace = Mutex::new(Pace { stop: false, part, done: Done::default(), error: None });
        let shared = Arc::new(Shared { pace, stopped: Condvar::new() });
        let mut this = Self { program, name, in_windows: false, link: Link::Off, paused: false, shared };
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

    /// Takes the program off until [`Windowed::resume`].
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

    /// Takes the program off, to be attached otherwise at the next [`Windowed::start`].
    pub(super) fn change(&mut self, in_windows: bool) {
        self.stop();
        self.in_windows = in_windows;
    }

    /// How rare windows are from the next one on: one part in so many of the time.
    pub(super) fn set_part(&self, part: u32) {
        self.shared.pace().part = part;
    }

    /// Attaches the program unless it is, or paused; says also what went wrong in windows since the last call.
    ///
    /// # Errors
    /// When the kernel refused to attach it again; it is tried anew.
    pub(super) fn start(&mut self) -> io::Result<()> {
        if !self.paused && matches!(self.link, Link::Off) {
            self.link = if self.in_windows {
                let (program, shared) = (self.program.try_clone()?, Arc::clone(&self.shared));
                let thread = std::thread::Builder::new().name(self.name.to_owned());
                Link::InWindows(thread.spawn(move || open_windows(program.as_fd(), &shared))?)
            } else {
                Link::Always(sys::attach_tracing(self.program.as_fd())?, Instant::now())
            };
        }
        self.shared.pace().error.take().map_or(Ok(()), |error| Err(io::Error::other(error)))
    }

    fn stop(&mut self) {
        let link = std::mem::replace(&mut self.link, Link::Off);
        match link {
            Link::Off => {}
            Link::Always(_, since) => self.shared.pace().done.attached += since.elapsed(),
            Link::InWindows(thread) => {
                self.shared.pace().stop = true;
                self.shared.stopped.notify_all();
                // A thread that panicked has said so.
                let _ = thread.join();
                self.shared.pace().stop = false;
            }
        }
    }

    /// What was done so far.
    pub(super) fn done(&self) -> Done {
        let running = if let Link::Always(_, since) = &self.link { since.elapsed() } else { Duration::ZERO };
        let mut done = self.shared.pace().done.clone();
        done.attached += running;
        done
    }
}

impl Drop for Windowed {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Attaches the program for one part in so many of the time until it is told to stop. Gaps follow from how long the window
/// before really was, and vary by half, so that no rhythm of the traffic is followed in lockstep. The first begins anywhere in
/// a gap, so that the share also holds over a short life.
fn open_windows(program: BorrowedFd<'_>, shared: &Shared) {
    let gap = WINDOW * (shared.pace().part - 1);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    if shared.wait(gap.mul_f64(share(0, now.tv_nsec as u32))) {
        return;
    }
    loop {
        let link = sys::attach_tracing(program);
        let began = Instant::now();
        let stop = shared.wait(WINDOW);
        let opened = link.map(drop);
        let lasted = began.elapsed();
        let (number, part) = {
            let mut pace = shared.pace();
            match opened {
                Ok(()) => {
                    pace.done.windows += 1;
                    pace.done.attached += lasted;
                }
                Err(error) => {
                    pace.done.failures += 1;
                    pace.error = Some(error.to_string());
                }
            }
            (pace.done.windows + pace.done.failures, pace.part)
        };
        let varied = 0.5 + share(number as u32, lasted.subsec_nanos());
        if stop || shared.wait((lasted * (part - 1)).mul_f64(varied)) {
            return;
        }
    }
}

/// By lot, 0 … 1.
fn share(number: u32, entropy: u32) -> f64 {
    f64::from(lot(number, entropy).0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks for so many seconds at this rate; returns the last answer.
    fn run(limit: &mut Limit, clock: &mut u64, seconds: u64, rate: f64) -> bool {
        let mut open = false;
        for _ in 0..seconds {
            *clock += 1;
            open = limit.update(Duration::from_secs(*clock), rate);
        }
        open
    }

    #[test]
    fn windows_begin_after_seconds_of_many_segments_and_end_long_after_them() {
        let (mut limit, mut clock) = (Limit::new(10_000.0), 0);
        assert!(!run(&mut limit, &mut clock, 60, 9_999.0));
        assert!(!run(&mut limit, &mut clock, 2, 50_000.0));
        assert!(run(&mut limit, &mut clock, 1, 50_000.0));
        assert!(run(&mut limit, &mut clock, 60, 5_000.0), "between the limits nothing changes");
        assert!(run(&mut limit, &mut clock, 10, 4_999.0));
        assert!(!run(&mut limit, &mut clock, 1, 4_999.0));
    }

    #[test]
    fn a_short_burst_opens_no_windows() {
        let (mut limit, mut clock) = (Limit::new(10_000.0), 0);
        for _ in 0..5 {
            assert!(!run(&mut limit, &mut clock, 2, 1e6));
            assert!(!run(&mut limit, &mut clock, 1, 0.0));
        }
    }

    #[test]
    fn a_limit_of_nothing_is_always_in_windows() {
        let (mut limit, mut clock) = (Limit::new(0.0), 0);
        assert!(run(&mut limit, &mut clock, 3, 0.0));
        assert!(run(&mut limit, &mut clock, 60, 0.0));
    }
}
