//! What the programs cost, and how full their maps are.

use super::{
    attach::link,
    churn::{self, Churn, ChurnStats},
    load::Loaded,
    probes::{PROBES, Probe, State},
    rtt::{self, Rtt, RttStats},
    sys,
};
use netwhy_abi::Windows;
use serde::Serialize;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// Time spent in one program while statistics were on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProgramRun {
    /// Function name.
    pub name: &'static str,
    /// Time, ns, the measuring itself (some 60 ns a run) included.
    pub run_ns: u64,
    /// Runs.
    pub run_count: u64,
    /// Runs that the kernel left out because the program was running on that CPU already, whether statistics are on or not.
    /// `None`: the kernel doesn't count them (before 5.12).
    pub missed: Option<u64>,
}

/// How full a map is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MapFill {
    /// Map.
    pub name: &'static str,
    /// Rows in use.
    pub entries: u64,
    /// Rows that it has room for.
    pub max_entries: u64,
    /// Bytes of keys and values in use.
    pub bytes: u64,
}

/// Switches the kernel's program statistics on for a short slice now and then: always on, they would cost more than
/// the programs themselves.
pub(super) struct Slices {
    running: Option<OwnedFd>,
    next: Duration,
    refused: bool,
}

impl Slices {
    /// Distance between slices; a slice lasts for one tick.
    const EVERY: Duration = Duration::from_secs(60);

    pub(super) fn new() -> Self {
        Self { running: None, next: Duration::from_secs(0), refused: false }
    }

    /// Call once per tick; `now` is monotonic.
    pub(super) fn turn(&mut self, now: Duration) {
        if self.running.take().is_some() {
            self.next = now + Self::EVERY;
        } else if now >= self.next && !self.refused {
            match sys::enable_stats() {
                Ok(fd) => self.running = Some(fd),
                Err(error) => {
                    tracing::info!(%error, "program statistics are not to be had (CAP_SYS_ADMIN): run times stay zero");
                    self.refused = true;
                }
            }
        }
    }
}

impl Loaded {
    /// Run statistics of every attached program.
    pub fn program_runs(&self) -> Vec<ProgramRun> {
        let programs = PROBES.iter().flat_map(|probe| probe.programs);
        programs
            .filter_map(|program| {
                let own = || self.run_queue.as_ref()?.ebpf.program(program.name);
                let fd = self.ebpf.program(program.name).or_else(own)?.fd().ok()?;
                let sys::RunStats { run_ns, run_count, missed } = sys::run_stats(fd.as_fd()).ok()?;
                Some(ProgramRun { name: program.name, run_ns, run_count, missed })
            })
            .collect()
    }

    /// How the program that sees received segments is attached. `None`: it is not loaded.
    pub fn rtt_stats(&self) -> Option<RttStats> {
        self.rtt.as_ref().map(Rtt::stats)
    }

    /// How sockets that come and go are looked at. `None`: not at all.
    pub fn churn_stats(&self) -> Option<ChurnStats> {
        self.churn.as_ref().map(Churn::stats)
    }

    /// What the programs are to be told of how received segments, and sockets that come and go, are looked at.
    pub(super) fn windows(&self) -> (Windows, Windows) {
        let rtt = self.rtt.as_ref().map_or(Windows::Never, Rtt::windows);
        (rtt, self.churn.as_ref().map_or(Windows::Never, Churn::windows))
    }

    /// Attaches and detaches the program that sees received segments, as for a window, to learn what that costs. `None`: it is
    /// not loaded.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn switch_rtt(&self) -> Option<std::io::Result<()>> {
        self.rtt.as_ref().map(Rtt::check)
    }

    /// Says in the probe's verdict whether a program can be attached again and again.
    pub(super) fn judge(&mut self, name: &str, error: Option<std::io::Error>) {
        let carries = |probe: &&Probe| probe.programs.iter().any(|program| program.name == name);
        let Some(probe) = PROBES.iter().find(carries) else { return };
        let Some(verdict) = self.verdicts.iter_mut().find(|verdict| verdict.name == probe.name) else { return };
        match (error, verdict.state) {
            (Some(error), State::Ok) => {
                let why = format!("the kernel refuses to attach {name} again: {error}: no {}", probe.without);
                tracing::warn!(probe = probe.name, "{why}");
                (verdict.state, verdict.why) = (State::Broken, why);
            }
            (None, State::Broken) => (verdict.state, verdict.why) = (State::Ok, String::new()),
            _ => {}
        }
    }

    /// Keeps run statistics on for as long as the result lives. For benchmarks.
    ///
    /// # Errors
    /// What the kernel said; needs CAP_SYS_ADMIN.
    pub fn measure(&self) -> std::io::Result<OwnedFd> {
        sys::enable_stats()
    }
    /// Takes all programs off their tracepoints; they stay loaded, and their maps keep what they hold. For benchmarks:
    /// what is left then is a machine without netwhy.
    pub fn detach(&mut self) {
        self.links.clear();
        self.rtt.as_mut().map(Rtt::pause);
        self.churn.as_mut().map(Churn::pause);
        if let Some(run_queue) = &mut self.run_queue {
            // Taking it off never fails.
            let _ = run_queue.watch(false);
        }
    }

    /// Puts the programs back that [`Loaded::detach`] took off; does nothing when they are attached.
    ///
    /// # Errors
    /// The program that the kernel refused; the others before it are attached.
    pub fn attach(&mut self) -> anyhow::Result<()> {
        self.rtt.as_mut().map_or(Ok(()), Rtt::resume)?;
        self.churn.as_mut().map_or(Ok(()), Churn::resume)?;
        if !self.links.is_empty() {
            return Ok(());
        }
        for (name, program) in self.ebpf.programs_mut() {
            if [rtt::PROGRAM, churn::PROGRAM].contains(&name) || program.fd().is_err() {
                // This kernel can't run it, or it is switched off.
                continue;
            }
            self.links.extend(link(program, self.cgroup.as_ref())?);
        }
        if let Some(run_queue) = self.run_queue.as_mut().filter(|_| !self.run_queue_by_pressure) {
            run_queue.watch(true)?;
        }
        Ok(())
    }
}
