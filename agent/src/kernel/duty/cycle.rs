//! Attaches and detaches a program: all the time, or on a duty cycle that a thread runs.

use netwhy_abi::{DutyCycle, random_bits};
use std::{
    any::Any,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Attaches a program until the returned descriptor is closed.
pub(in crate::kernel) type Attach = dyn Fn() -> io::Result<OwnedFd> + Send + Sync;

/// Timing of a duty cycle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// Name of the thread.
    pub(super) thread: &'static str,
    /// Length of a duty period.
    pub(super) period: Duration,
    /// Gaps vary by half and the first period begins at a random time, so that the cycle is not in lockstep with the
    /// traffic. Otherwise the first period begins at once and gaps are equal.
    pub(super) is_jittered: bool,
}

/// Totals of a duty cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CycleStats {
    /// Duty periods.
    pub(super) periods: u64,
    /// Time in which the program was attached, on a duty cycle or not.
    pub(super) attached: Duration,
    /// Times that the kernel refused to attach the program, and panics of the thread.
    pub(super) failures: u64,
}

/// State that the thread and its owner share.
struct State {
    is_stopped: bool,
    /// The cycle goes on after a pause: its next period begins at a random time, as if nobody had paused it.
    is_resumed: bool,
    cycle: DutyCycle,
    stats: CycleStats,
    /// Begin of the running duty period.
    attached_since: Option<Instant>,
    /// The last failure that nobody has taken yet.
    error: Option<io::Error>,
}

struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits. Returns true when the thread must stop.
    fn wait(&self, duration: Duration) -> bool {
        let waited = self.stopped.wait_timeout_while(self.state(), duration, |state| !state.is_stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_stopped
    }

    fn fail(&self, error: io::Error) {
        let mut state = self.state();
        state.stats.failures += 1;
        state.error = Some(error);
    }
}

/// How the program is attached now.
enum Link {
    Detached,
    /// All the time, since this moment.
    Continuous(#[expect(dead_code, reason = "closing it detaches the program")] OwnedFd, Instant),
    /// On a duty cycle.
    Cycling(JoinHandle<()>),
}

/// A program that is attached all the time or on a duty cycle. Dropping it detaches the program.
pub(super) struct DutyProbe {
    attach: Arc<Attach>,
    timing: Timing,
    /// The duty cycle to run. `None`: detached.
    target: Option<DutyCycle>,
    link: Link,
    is_paused: bool,
    shared: Arc<Shared>,
}

impl DutyProbe {
    /// A detached program; [`DutyProbe::set`] and [`DutyProbe::start`] attach it.
    pub(super) fn new(attach: Arc<Attach>, timing: Timing) -> Self {
        let state = State {
            is_stopped: false,
            is_resumed: false,
            cycle: DutyCycle::CONTINUOUS,
            stats: CycleStats::default(),
            attached_since: None,
            error: None,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), stopped: Condvar::new() });
        Self { attach, timing, target: None, link: Link::Detached, is_paused: false, shared }
    }

    /// Tests whether the kernel allows to attach the program again. Some kernels refuse it without capabilities.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(super) fn check(&self) -> io::Result<()> {
        match (self.attach)() {
            // Before 6.10 a tracepoint program attaches only once.
            Err(error) if error.raw_os_error() != Some(libc::EEXIST) => Err(error),
            _ => Ok(()),
        }
    }

    /// Detaches the program until [`DutyProbe::resume`].
    pub(super) fn pause(&mut self) {
        self.is_paused = true;
        self.stop();
    }

    /// Whether it is detached until [`DutyProbe::resume`].
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Ends a pause. The program runs on its last duty cycle again.
    ///
    /// # Errors
    /// As [`DutyProbe::start`].
    pub(super) fn resume(&mut self) -> io::Result<()> {
        self.is_paused = false;
        self.shared.state().is_resumed = true;
        self.start()
    }

    /// Sets the duty cycle; `None` detaches the program. A change between two reduced duty cycles takes effect at the
    /// next gap. Any other change detaches the program until [`DutyProbe::start`].
    pub(super) fn set(&mut self, target: Option<DutyCycle>) {
        let is_cycling = |target: Option<DutyCycle>| target.is_some_and(|cycle| !cycle.is_continuous());
        if target != self.target && !(is_cycling(target) && is_cycling(self.target)) {
            self.stop();
            self.shared.state().is_resumed = false;
        }
        self.target = target;
        self.shared.state().cycle = target.unwrap_or(DutyCycle::CONTINUOUS);
    }

    /// Attaches the program unless it is attached or paused. Call it once per tick: it also reports failures of the
    /// thread since the last call.
    ///
    /// # Errors
    /// The kernel's last refusal to attach the program; the next call, or the next duty period, tries again. A panic of
    /// the thread, once; the thread runs again then.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.reap();
        if let (false, Link::Detached, Some(cycle)) = (self.is_paused, &self.link, self.target) {
            self.link = if cycle.is_continuous() {
                Link::Continuous((self.attach)()?, Instant::now())
            } else {
                let (attach, timing, shared) = (Arc::clone(&self.attach), self.timing, Arc::clone(&self.shared));
                let thread = thread::Builder::new().name(timing.thread.to_owned());
                Link::Cycling(thread.spawn(move || run(&*attach, timing, &shared))?)
            };
        }
        self.shared.state().error.take().map_or(Ok(()), Err)
    }

    /// Detects a thread that panicked, so that it is started again. Calls once per tick bound the rate of restarts.
    fn reap(&mut self) {
        if !matches!(&self.link, Link::Cycling(thread) if thread.is_finished()) {
            return;
        }
        if let Link::Cycling(thread) = std::mem::replace(&mut self.link, Link::Detached)
            && let Err(panic) = thread.join()
        {
            self.shared.fail(io::Error::other(panic_text(self.timing.thread, &*panic)));
        }
    }

    fn stop(&mut self) {
        match std::mem::replace(&mut self.link, Link::Detached) {
            Link::Detached => {}
            Link::Continuous(_, since) => self.shared.state().stats.attached += since.elapsed(),
            Link::Cycling(thread) => {
                self.shared.state().is_stopped = true;
                self.shared.stopped.notify_all();
                if let Err(panic) = thread.join() {
                    self.shared.fail(io::Error::other(panic_text(self.timing.thread, &*panic)));
                }
                self.shared.state().is_stopped = false;
            }
        }
    }

    /// Totals so far. The attached time includes the running period.
    pub(super) fn stats(&self) -> CycleStats {
        let state = self.shared.state();
        let since = match &self.link {
            Link::Continuous(_, since) => Some(*since),
            _ => state.attached_since,
        };
        let mut stats = state.stats;
        stats.attached += since.map_or(Duration::ZERO, |since| since.elapsed());
        stats
    }
}

impl Drop for DutyProbe {
    fn drop(&mut self) {
        self.stop();
    }
}

fn panic_text(thread: &str, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the thread {thread} panicked: {}", text.unwrap_or("no message"))
}

/// Runs the duty cycle until it is stopped. A gap follows from the real length of the period before it, so that the
/// share holds on a busy machine too.
fn run(attach: &Attach, timing: Timing, shared: &Shared) {
    let is_resumed = shared.state().is_resumed;
    if timing.is_jittered || is_resumed {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let gap = gap_after(timing.period, shared.state().cycle);
        if shared.wait(gap.mul_f64(random_share(0, now.tv_nsec as u32))) {
            return;
        }
    }
    loop {
        let link = attach();
        let began = Instant::now();
        shared.state().attached_since = link.is_ok().then_some(began);
        let is_stopped = shared.wait(timing.period);
        let attached = link.map(drop);
        let lasted = match attached {
            Ok(()) => {
                let mut state = shared.state();
                let lasted = began.elapsed();
                state.attached_since = None;
                state.stats.periods += 1;
                state.stats.attached += lasted;
                lasted
            }
            Err(error) => {
                shared.fail(error);
                began.elapsed()
            }
        };
        let (number, gap) = {
            let state = shared.state();
            (state.stats.periods + state.stats.failures, gap_after(lasted, state.cycle))
        };
        let factor = if timing.is_jittered { 0.5 + random_share(number as u32, lasted.subsec_nanos()) } else { 1.0 };
        if is_stopped || shared.wait(gap.mul_f64(factor)) {
            return;
        }
    }
}

/// Mean gap after a period of this length.
fn gap_after(period: Duration, cycle: DutyCycle) -> Duration {
    period * (cycle.weight() - 1)
}

/// A pseudo-random number, 0 … 1.
fn random_share(number: u32, entropy: u32) -> f64 {
    f64::from(random_bits(number, entropy).0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
