//! The probe of reads, which tells unread requests from slow applications. It sees every read of every TCP socket.

use super::cycle::{Attach, DutyProbe, Timing};
use netwhy_abi::{DutyCycle, READ_DUTY_CYCLE};
use std::{io, sync::Arc, time::Duration};

/// Name of the program.
pub(in crate::kernel) const READ_PROGRAM: &str = "nw_response_read";

/// As of the RTT probe. Jittered, so that whether a read is seen has nothing to do with when it happens.
const TIMING: Timing = Timing { thread: "netwhy-reads", period: Duration::from_millis(64), is_jittered: true };

/// Attaches the probe of reads. Dropping it detaches the probe.
pub(in crate::kernel) struct ReadProbe {
    probe: DutyProbe,
    cycle: DutyCycle,
}

impl ReadProbe {
    /// Attaches the probe.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn attach(attach: Arc<Attach>) -> io::Result<Self> {
        let mut probe = DutyProbe::new(attach, TIMING);
        probe.set(Some(DutyCycle::CONTINUOUS));
        probe.start()?;
        Ok(Self { probe, cycle: DutyCycle::CONTINUOUS })
    }

    /// Tests whether the kernel allows to attach the probe again.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn check(&self) -> io::Result<()> {
        self.probe.check()
    }

    /// Detaches the probe until [`ReadProbe::resume`].
    pub(in crate::kernel) fn pause(&mut self) {
        self.probe.pause();
    }

    /// Attaches the probe after a pause.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn resume(&mut self) -> io::Result<()> {
        self.probe.resume()
    }

    /// Runs the probe on a duty cycle while the machine is busy. A change detaches it until [`ReadProbe::start`], so
    /// that the programs learn the new weight of a read first.
    pub(in crate::kernel) fn follow(&mut self, is_busy: bool) {
        self.cycle = if is_busy { READ_DUTY_CYCLE } else { DutyCycle::CONTINUOUS };
        self.probe.set(Some(self.cycle));
    }

    /// Reads that one observed read stands for.
    pub(in crate::kernel) fn weight(&self) -> u32 {
        self.cycle.weight()
    }

    /// Attaches the probe unless it is attached.
    ///
    /// # Errors
    /// The kernel's refusal to attach the probe again; the next call tries again.
    pub(in crate::kernel) fn start(&mut self) -> io::Result<()> {
        self.probe.start()
    }
}
