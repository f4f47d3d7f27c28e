//! Probes that run for every socket and are windowed while the machine is busy: that of reads, which tells unread
//! requests from slow applications, and those of DNS answers, which see every arrival of data.

use super::cycle::{Attach, DutyProbe, Timing};
use netwhy_abi::{DutyCycle, READ_DUTY_CYCLE};
use std::{io, sync::Arc, time::Duration};

/// The program of reads.
pub(in crate::kernel) const READ_PROGRAM: &str = "nw_response_read";

/// The program that sees DNS answers arrive. The probe `dns` works without it.
pub(in crate::kernel) const ANSWER_PROGRAM: &str = "nw_dns_answer";

/// The program that copies DNS answers for their names.
pub(in crate::kernel) const NAME_PROGRAM: &str = "nw_dns_name";

/// Names of all.
pub(in crate::kernel) const WINDOWED: [&str; 3] = [READ_PROGRAM, ANSWER_PROGRAM, NAME_PROGRAM];

/// As of the RTT probe. Jittered, so that whether a socket's event is seen has nothing to do with when it happens.
const fn timing(thread: &'static str) -> Timing {
    Timing { thread, period: Duration::from_millis(64), is_jittered: true }
}

/// Attaches one of them. Dropping it detaches the probe.
pub(in crate::kernel) struct WindowedProbe {
    probe: DutyProbe,
    cycle: DutyCycle,
}

impl WindowedProbe {
    /// Attaches the probe. `thread`: name of the thread that windows it.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn attach(attach: Arc<Attach>, thread: &'static str) -> io::Result<Self> {
        let mut probe = DutyProbe::new(attach, timing(thread));
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

    /// Detaches the probe until [`WindowedProbe::resume`].
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

    /// Runs the probe on a duty cycle while the machine is busy. A change detaches it until [`WindowedProbe::start`], so
    /// that the programs learn the new weight of an event first.
    pub(in crate::kernel) fn follow(&mut self, is_busy: bool) {
        self.cycle = if is_busy { READ_DUTY_CYCLE } else { DutyCycle::CONTINUOUS };
        self.probe.set(Some(self.cycle));
    }

    /// Events that one observed event stands for.
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
