//! Walks over all living sockets, in parts: a large Node's walk is spread over several ticks.

mod pace;

pub(super) use pace::Pace;

use super::{
    loaded::Loaded,
    probes::{SUBFLOW_PROGRAM, WALK_PROGRAM},
    sys,
};
use crate::api::WalkStats;
use anyhow::Context as _;
use aya::{
    maps::Map,
    programs::{Iter, Program},
};
use netwhy_abi::WalkSummary;
use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::fd::AsFd as _,
    time::Duration,
};

/// Values of CONFIG_HZ in the wild.
const HZ: [u32; 6] = [100, 250, 300, 500, 1000, 1024];
/// CPU time of the first walk before the agent starts without its rest, which the ticks then make.
const FIRST: Duration = Duration::from_secs(2);

/// Makes the walks, and learns the kernel's HZ from them.
pub(super) struct Walker {
    pace: Pace,
    /// When the next walk is due, monotonic.
    next: Duration,
    /// Number of the newest walk that began.
    number: u64,
    /// Walks that ended.
    walks: u64,
    /// The walk in progress.
    pass: Option<Pass>,
    /// When the newest part was made, monotonic. `None`: none yet.
    part_at: Option<Duration>,
    /// CPU time of the newest walk that ended.
    expected: Option<Duration>,
    first: Option<(u64, u64)>,
    pub(super) hz: Option<u32>,
    /// When the newest walk that ended began. `None`: none yet.
    pub(super) walked_at: Option<Duration>,
    newest: Option<WalkStats>,
}

/// A walk in progress.
struct Pass {
    began: Duration,
    cpu: Duration,
    /// The subflows of MPTCP connections, which come first, so that the other file's reports have them too. `None`: done,
    /// or none.
    subflows: Option<File>,
    file: File,
}

/// How a part of a walk ended.
enum Part {
    /// The rest follows.
    Rest,
    /// The walk is complete.
    End(WalkSummary),
}

impl Walker {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            next: Duration::ZERO,
            number: 0,
            walks: 0,
            pass: None,
            part_at: None,
            expected: None,
            first: None,
            hz: None,
            walked_at: None,
            newest: None,
        }
    }

    /// Another pace, from the next walk on.
    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Whether a walk must begin.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.pass.is_none() && now >= self.next
    }

    /// Whether a walk is in progress.
    pub(super) fn is_walking(&self) -> bool {
        self.pass.is_some()
    }

    /// Whether the base of sockets that are older than the agent is being taken.
    pub(super) fn is_baseline(&self) -> bool {
        self.walks == 0 && self.pass.is_some()
    }

    /// Number of the newest walk, as the programs know it. Zero is what a socket has that no walk visited.
    pub(super) fn number(&self) -> u32 {
        (self.number as u32).max(1)
    }

    /// Begins a walk over the iterators' files.
    pub(super) fn begin(&mut self, now: Duration, file: File, subflows: Option<File>) {
        self.number += 1;
        self.pass = Some(Pass { began: now, cpu: Duration::ZERO, subflows, file });
    }

    /// Makes the next part of the walk in progress. Returns whether it ended the walk. The first part of the first walk
    /// is long, so that the base of older sockets is there at the first snapshot.
    ///
    /// # Errors
    /// The kernel's; the walk in progress is over then, and the next one is due after the usual pause.
    pub(super) fn go_on(&mut self, now: Duration) -> anyhow::Result<bool> {
        let Some(mut pass) = self.pass.take() else { return Ok(false) };
        let is_first = self.part_at.is_none();
        let elapsed = now.saturating_sub(self.part_at.replace(now).unwrap_or(now));
        let until = (pass.began + self.pace.duration()).saturating_sub(now);
        let left = self.expected.map(|all| all.saturating_sub(pass.cpu));
        let budget = if is_first { FIRST } else { Pace::part(left, until, elapsed) };
        let begun = cpu_time();
        let subflows = pass.subflows.take().map_or(Ok(()), |mut file| read_through(&mut file));
        let result = subflows.and_then(|()| self.read(&mut pass.file, budget));
        pass.cpu += cpu_time().saturating_sub(begun);
        match result {
            Ok(Part::Rest) => self.pass = Some(pass),
            Ok(Part::End(summary)) => self.end(&pass, &summary),
            Err(error) => {
                self.next = now + self.pace.interval(pass.cpu);
                return Err(error);
            }
        }
        Ok(self.pass.is_none())
    }

    /// Gives up the walk in progress, and tries the next one after the shortest pause.
    pub(super) fn give_up(&mut self, now: Duration) {
        self.pass = None;
        self.next = self.next.max(now + self.pace.min_interval);
    }

    fn end(&mut self, pass: &Pass, summary: &WalkSummary) {
        let interval = self.pace.interval(pass.cpu);
        self.next = pass.began + interval;
        self.walks += 1;
        self.walked_at = Some(pass.began);
        self.expected = Some(pass.cpu);
        self.newest = Some(WalkStats {
            sockets: summary.sockets,
            listeners: summary.listeners,
            seconds: pass.cpu.as_secs_f64(),
            interval_seconds: interval.as_secs_f64(),
            age_seconds: None,
            without_storage: 0,
        });
    }

    /// The newest walk that ended. `None`: none yet.
    pub(super) fn stats(&self, now: Duration) -> Option<WalkStats> {
        let age = now.saturating_sub(self.walked_at?).as_secs_f64();
        self.newest.map(|newest| WalkStats { age_seconds: Some(age), ..newest })
    }

    /// Notes the sockets without storage of a walk that just ended.
    pub(super) fn note_without_storage(&mut self, sockets: u64) {
        if let Some(newest) = &mut self.newest {
            newest.without_storage = sockets;
        }
    }

    /// Reads reports until the walk ends or has taken this much CPU time.
    fn read(&mut self, file: &mut File, budget: Duration) -> anyhow::Result<Part> {
        let begun = cpu_time();
        loop {
            if let Some(report) = next_report(file)? {
                self.learn_hz(&report);
                if report.is_end != 0 {
                    return Ok(Part::End(report));
                }
            }
            if cpu_time().saturating_sub(begun) >= budget {
                return Ok(Part::Rest);
            }
        }
    }

    /// Jiffies per second, from two reports at least half a second apart.
    fn learn_hz(&mut self, summary: &WalkSummary) {
        let (ns, jiffies) = *self.first.get_or_insert((summary.ktime_ns, summary.jiffies));
        let (ns, jiffies) = (summary.ktime_ns.saturating_sub(ns), summary.jiffies.saturating_sub(jiffies));
        if self.hz.is_none() && ns >= 500_000_000 {
            let rate = jiffies as f64 * 1e9 / ns as f64;
            self.hz = HZ.into_iter().find(|hz| (rate / f64::from(*hz) - 1.0).abs() < 0.05);
        }
    }
}

/// CPU time of this thread: a busy machine makes a walk longer, but no dearer.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Reads an iterator without reports to its end.
fn read_through(file: &mut impl Read) -> anyhow::Result<()> {
    loop {
        match file.read(&mut [0; 64]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("read the iterator bpf_sk_storage_map"),
        }
    }
}

/// Reads on to the program's next report. `None`: the kernel paused before it, and the next read goes on. An iterator
/// does so after 1,000,000 objects without output (`MAX_ITER_OBJECTS` in kernel/bpf/bpf_iter.c).
fn next_report(file: &mut impl Read) -> anyhow::Result<Option<WalkSummary>> {
    let mut bytes = [0; size_of::<WalkSummary>()];
    let read = match file.read(&mut bytes) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
        Err(error) => return Err(error).context("read the iterator task_file"),
    };
    anyhow::ensure!(read == bytes.len(), "the iterator task_file gave {read} bytes instead of a report");
    let word = |i: usize| bytes[8 * i..8 * i + 8].try_into().map_or(0, u64::from_ne_bytes);
    let [ktime_ns, jiffies, sockets, listeners, is_end] = std::array::from_fn(word);
    Ok(Some(WalkSummary { ktime_ns, jiffies, sockets, listeners, is_end }))
}

impl Loaded {
    /// The iterator's file; reading it walks.
    pub(super) fn walk_file(&mut self) -> anyhow::Result<File> {
        let program =
            self.ebpf.program_mut(WALK_PROGRAM).ok_or_else(|| anyhow::anyhow!("no program {WALK_PROGRAM}"))?;
        let Program::Iter(program) = program else { anyhow::bail!("nw_walk is no iterator") };
        let program: &mut Iter = program;
        let link = program.attach()?;
        Ok(program.take_link(link)?.into_file()?)
    }

    /// The file of the iterator over the subflows of MPTCP connections. `None`: the kernel has no MPTCP, or refuses the
    /// iterator.
    pub(super) fn subflow_file(&self) -> anyhow::Result<Option<File>> {
        let program = self.ebpf.program(SUBFLOW_PROGRAM).and_then(|program| program.fd().ok());
        let (Some(program), Some(Map::SkStorage(marks))) = (program, self.ebpf.map("SUBFLOW_MARKS")) else {
            return Ok(None);
        };
        Ok(Some(sys::iterate(program.as_fd(), marks.fd().as_fd())?))
    }
}

#[cfg(test)]
mod tests;
