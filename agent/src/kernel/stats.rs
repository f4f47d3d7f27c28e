//! Cost of the programs, and fill of their maps.

use super::{loaded::Loaded, probes::PROBES, sys};
use crate::api::ProgramRun;
use netwhy_abi::Family;
use std::{
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

/// The kernel's program statistics, on for the first ten seconds. All the time, they would cost more than the programs.
/// Later they can't be switched on again: that needs the capability SYS_ADMIN, which the agent drops. The sysctl
/// `kernel.bpf_stats_enabled` switches them on for all programs of the machine.
pub struct StartStatistics {
    running: Option<OwnedFd>,
    end: Duration,
}

impl StartStatistics {
    const LENGTH: Duration = Duration::from_secs(10);

    /// Switches them on, where the process still may; `now` is monotonic.
    pub fn begin(now: Duration) -> Self {
        let running = sys::enable_stats().inspect_err(|error| {
            tracing::info!(
                %error,
                "program statistics need the capability SYS_ADMIN at the start, or the sysctl \
                 kernel.bpf_stats_enabled=1: run times stay zero"
            );
        });
        Self { running: running.ok(), end: now + Self::LENGTH }
    }

    /// Switches them off after ten seconds.
    pub(super) fn follow(&mut self, now: Duration) {
        if now >= self.end {
            self.running = None;
        }
    }
}

impl Loaded {
    /// Run statistics of every loaded program, and the first refusal.
    pub(super) fn program_runs(&self) -> (Vec<ProgramRun>, Option<std::io::Error>) {
        let (mut runs, mut refused) = (Vec::new(), None);
        for program in PROBES.iter().flat_map(|probe| probe.programs) {
            let scheduler = || self.run_queue.as_ref()?.ebpf.program(program.name);
            // A program without a descriptor is not loaded.
            let Some(loaded) = self.ebpf.program(program.name).or_else(scheduler) else { continue };
            let Ok(fd) = loaded.fd() else { continue };
            match sys::run_stats(fd.as_fd()) {
                Ok(sys::RunStats { run_ns, run_count, missed }) => {
                    runs.push(ProgramRun { name: program.name.to_owned(), run_ns, run_count, missed });
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        (runs, refused)
    }

    /// The rows of one family, without the changes that a tick makes. For benchmarks.
    ///
    /// # Errors
    /// The kernel's refusal to read the map.
    pub fn rows<F: Family>(&self) -> std::io::Result<Vec<(F::Key, F::Row)>> {
        let mut rows = Vec::new();
        if let Some(map) = self.fd::<F>()? {
            sys::read_all(map, &mut rows)?;
        }
        Ok(rows)
    }

    /// Keeps run statistics on until the result is dropped. For benchmarks.
    ///
    /// # Errors
    /// The kernel's refusal; it needs CAP_SYS_ADMIN.
    pub fn measure(&self) -> std::io::Result<OwnedFd> {
        sys::enable_stats()
    }
}
