//! Cost of the programs, and fill of their maps.

use super::{load::Loaded, probes::PROBES, sys};
use crate::api::ProgramRun;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// Turns the kernel's program statistics on for one tick per minute. All the time, they would cost more than the
/// programs.
pub(super) struct Slices {
    running: Option<OwnedFd>,
    next: Duration,
    refused: bool,
}

impl Slices {
    /// Time between slices.
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
                    tracing::info!(%error, "program statistics need CAP_SYS_ADMIN: run times stay zero");
                    self.refused = true;
                }
            }
        }
    }
}

impl Loaded {
    /// Run statistics of every loaded program.
    pub fn program_runs(&self) -> Vec<ProgramRun> {
        let programs = PROBES.iter().flat_map(|probe| probe.programs);
        programs
            .filter_map(|program| {
                let scheduler = || self.run_queue.as_ref()?.ebpf.program(program.name);
                let fd = self.ebpf.program(program.name).or_else(scheduler)?.fd().ok()?;
                let sys::RunStats { run_ns, run_count, missed } = sys::run_stats(fd.as_fd()).ok()?;
                Some(ProgramRun { name: program.name.to_owned(), run_ns, run_count, missed })
            })
            .collect()
    }

    /// Keeps run statistics on until the result is dropped. For benchmarks.
    ///
    /// # Errors
    /// The kernel's refusal; it needs CAP_SYS_ADMIN.
    pub fn measure(&self) -> std::io::Result<OwnedFd> {
        sys::enable_stats()
    }
}
