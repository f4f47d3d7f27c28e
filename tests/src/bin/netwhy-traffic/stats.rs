//! Counters that all threads of a program share, and the lines printed from them.

use anyhow::{Context as _, Result};
use netwhy_tests::{
    histogram::Histogram,
    report::{Counts, Failures, Latency, Report},
    stop,
};
use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How long threads may take to finish what they are at when the program is asked to end.
const GRACE: Duration = Duration::from_millis(300);

/// Sums since the start.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) requests: AtomicU64,
    pub(crate) connects: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) frames: AtomicU64,
    pub(crate) frames_lost: AtomicU64,
    pub(crate) frames_refused: AtomicU64,
    pub(crate) latency: Histogram,
    refused: AtomicU64,
    reset: AtomicU64,
    timed_out: AtomicU64,
    unreachable: AtomicU64,
    other: AtomicU64,
    working: AtomicUsize,
}

/// Adds to a counter.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}

impl Stats {
    /// Counts a failed connect or request.
    pub(crate) fn fail(&self, error: &io::Error) {
        let counter = match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => &self.refused,
            Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => &self.reset,
            // The last two are how the kernel says that SO_SNDTIMEO and SO_RCVTIMEO are over.
            Some(libc::ETIMEDOUT | libc::EINPROGRESS | libc::EAGAIN) => &self.timed_out,
            Some(libc::EHOSTUNREACH | libc::ENETUNREACH) => &self.unreachable,
            None if error.kind() == io::ErrorKind::UnexpectedEof => &self.reset,
            _ => &self.other,
        };
        add(counter, 1);
    }

    fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        Counts {
            requests: get(&self.requests),
            connects: get(&self.connects),
            failures: Failures {
                refused: get(&self.refused),
                reset: get(&self.reset),
                timed_out: get(&self.timed_out),
                unreachable: get(&self.unreachable),
                other: get(&self.other),
            },
            bytes_sent: get(&self.bytes_sent),
            bytes_received: get(&self.bytes_received),
            frames: get(&self.frames),
            frames_lost: get(&self.frames_lost),
            frames_refused: get(&self.frames_refused),
        }
    }

    /// Starts a thread; when the last one ends by itself, so does the program.
    pub(crate) fn spawn(self: &Arc<Self>, work: impl FnOnce(&Arc<Self>) + Send + 'static) -> Result<()> {
        let stats = Arc::clone(self);
        self.working.fetch_add(1, Relaxed);
        // Small stacks: a client may have thousands of threads.
        std::thread::Builder::new()
            .stack_size(128 << 10)
            .spawn(move || {
                work(&stats);
                if stats.working.fetch_sub(1, Relaxed) == 1 {
                    stop::request();
                }
            })
            .context("start a thread")?;
        Ok(())
    }
}

/// Counts since the line before.
fn difference(new: &Counts, old: &Counts) -> Counts {
    Counts {
        requests: new.requests - old.requests,
        connects: new.connects - old.connects,
        failures: Failures {
            refused: new.failures.refused - old.failures.refused,
            reset: new.failures.reset - old.failures.reset,
            timed_out: new.failures.timed_out - old.failures.timed_out,
            unreachable: new.failures.unreachable - old.failures.unreachable,
            other: new.failures.other - old.failures.other,
        },
        bytes_sent: new.bytes_sent - old.bytes_sent,
        bytes_received: new.bytes_received - old.bytes_received,
        frames: new.frames - old.frames,
        frames_lost: new.frames_lost - old.frames_lost,
        frames_refused: new.frames_refused - old.frames_refused,
    }
}

/// Prints lines until `seconds` are over or a stop is requested, then lets the threads finish and prints the last one.
pub(crate) fn report(program: &str, port: Option<u16>, seconds: Option<f64>, stats: &Arc<Stats>) -> Result<()> {
    let start = Instant::now();
    let end = seconds.map(|seconds| start + Duration::from_secs_f64(seconds));
    let mut before = Counts::default();
    let mut print = |last: bool| -> Result<()> {
        let total = stats.counts();
        let counted = stats.latency.drain();
        let latency = counted.quantile_us(0.5).map(|p50_us| Latency {
            min_us: counted.quantile_us(0.0).unwrap_or(p50_us),
            p50_us,
            p99_us: counted.quantile_us(0.99).unwrap_or(p50_us),
            max_us: counted.quantile_us(1.0).unwrap_or(p50_us),
        });
        let line = Report {
            program: program.to_owned(),
            seconds: (start.elapsed().as_secs_f64() * 1e3).round() / 1e3,
            last,
            port,
            interval: difference(&total, &before),
            total,
            latency,
        };
        before = total;
        let mut out = io::stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&line)?).context("print a report")?;
        out.flush().context("print a report")
    };
    print(false)?;
    let mut next = start + Duration::from_secs(1);
    loop {
        let until = end.map_or(next, |end| end.min(next));
        let stopped = stop::sleep(until.saturating_duration_since(Instant::now()));
        if stopped || end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        print(false)?;
        next += Duration::from_secs(1);
    }
    stop::request();
    let grace = Instant::now() + GRACE;
    while stats.working.load(Relaxed) > 0 && Instant::now() < grace {
        std::thread::sleep(Duration::from_millis(2));
    }
    print(true)
}
