//! Programs inside the laboratory.

use super::cgroups::Pod;
use crate::{kept::Keeper, report::Report};
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::{OsStr, OsString},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A command line, ready to be started as often as wanted.
#[derive(Clone, Debug)]
pub struct ProgramSpec {
    line: Vec<OsString>,
}

impl ProgramSpec {
    /// `command` inside a network namespace and a Pod's cgroups, entered before it is executed.
    pub(super) fn new(traffic: &Path, netns: Option<&str>, pod: Option<&Pod>, command: &[OsString]) -> Self {
        let mut line: Vec<OsString> = vec![traffic.into(), "exec".into()];
        let mut option = |name: &str, value: &OsStr| line.extend([name.into(), value.to_owned()]);
        if let Some(netns) = netns {
            option("--netns", netns.as_ref());
        }
        if let Some(pod) = pod {
            option("--cgroup", pod.cgroup.as_ref());
            for v1 in pod.v1() {
                option("--cgroup-v1", v1.as_ref());
            }
        }
        line.push("--".into());
        line.extend_from_slice(command);
        Self { line }
    }

    /// As one would type it.
    pub fn shown(&self) -> String {
        self.line.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// The lines that the reader thread has read.
#[derive(Debug, Default)]
struct Output {
    reports: Vec<Report>,
    stray: Vec<String>,
    ended: bool,
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Program {
    spec: ProgramSpec,
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<(Mutex<Output>, Condvar)>,
    keeper: Option<Keeper>,
}

impl Program {
    /// Starts it and collects what it prints.
    pub fn start(spec: &ProgramSpec) -> Result<Self> {
        let (program, args) = spec.line.split_first().context("empty command")?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A terminal's Ctrl-C goes to the laboratory alone, which then ends its programs in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start `{}`", spec.shown()))?;
        let output = Arc::new((Mutex::new(Output::default()), Condvar::new()));
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            let output = Arc::clone(&output);
            std::thread::spawn(move || {
                let (seen, news) = &*output;
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let mut seen = lock(seen);
                    match serde_json::from_str(&line) {
                        Ok(report) => seen.reports.push(report),
                        Err(_) => seen.stray.push(line),
                    }
                    news.notify_all();
                }
                lock(seen).ended = true;
                news.notify_all();
            });
        }
        Ok(Self { spec: spec.clone(), child, stdin, output, keeper: None })
    }

    /// Gives it a keeper: for programs that change their user, which takes the kernel's signal at the starter's end away.
    pub fn kept(mut self) -> Result<Self> {
        let traffic = self.spec.line.first().context("empty command")?;
        self.keeper = Some(Keeper::of(Path::new(traffic), &self.child)?);
        Ok(self)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it was started.
    pub const fn spec(&self) -> &ProgramSpec {
        &self.spec
    }

    /// All reports so far.
    pub fn reports(&self) -> Vec<Report> {
        lock(&self.output.0).reports.clone()
    }

    /// The newest report. `None`: nothing printed yet.
    pub fn latest(&self) -> Option<Report> {
        lock(&self.output.0).reports.last().cloned()
    }

    /// Lines that are no reports.
    pub fn stray_lines(&self) -> Vec<String> {
        lock(&self.output.0).stray.clone()
    }

    /// Waits until a report satisfies `wanted` and returns it; an error when the program ends or time is up before.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&Report) -> bool) -> Result<Report> {
        let (seen, news) = &*self.output;
        let end = Instant::now() + timeout;
        let mut seen = lock(seen);
        let mut looked_at = 0;
        loop {
            if let Some(report) = seen.reports[looked_at..].iter().find(|report| wanted(report)) {
                return Ok(report.clone());
            }
            looked_at = seen.reports.len();
            if seen.ended {
                bail!("`{}` ended early", self.spec.shown());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("`{}` didn't do what was waited for within {timeout:?}", self.spec.shown());
            }
            seen = news.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for its first report: it listens, or has begun to send.
    pub fn wait_ready(&self, timeout: Duration) -> Result<Report> {
        self.wait_for(timeout, |_| true)
    }

    /// Writes a line to its standard input: how `netwhy-traffic server` and `sink` are told to change their behaviour.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("its standard input is closed")?;
        writeln!(stdin, "{line}").with_context(|| format!("tell {line:?} to `{}`", self.spec.shown()))
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > end {
                bail!("`{}` still runs after {timeout:?}", self.spec.shown());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end, kills it if it doesn't, and returns its last report. `None`: it printed nothing.
    pub fn stop(&mut self) -> Option<Report> {
        self.signal(Signal::TERM);
        if self.wait(GRACE).is_err() {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
        // The last lines may still be in the pipe.
        let (seen, news) = &*self.output;
        let seen =
            news.wait_timeout_while(lock(seen), GRACE, |seen| !seen.ended).unwrap_or_else(PoisonError::into_inner).0;
        seen.reports.last().cloned()
    }

    fn signal(&mut self, signal: Signal) {
        // Once it was waited for, its id may belong to another process.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), Pid::from_raw(self.child.id() as i32)) {
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        drop(self.keeper.take());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
