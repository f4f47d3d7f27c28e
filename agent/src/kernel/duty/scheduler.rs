//! The scheduler probe, which sees every context switch. It runs on a duty cycle while tasks wait for a CPU.

use super::{
    cycle::{Attach, DutyProbe, Timing},
    pressure::CpuPressure,
};
use crate::sample::{CgroupFacts, HostSample};
use netwhy_abi::DutyCycle;
use std::{io, sync::Arc, time::Duration};

/// Under CPU pressure the probe observes waits for one second in ten, at a tenth of the cost. A window of judgement of
/// 10 s holds one such second; a shorter one may hold none.
const DUTY_CYCLE: DutyCycle = DutyCycle::one_in(10);

const TIMING: Timing = Timing { thread: "netwhy-sched", period: Duration::from_secs(1), is_jittered: false };

/// Attaches the scheduler probe. Dropping it detaches the probe.
pub(in crate::kernel) struct SchedulerProbe {
    probe: DutyProbe,
    /// `None`: the probe is attached all the time.
    pressure: Option<CpuPressure>,
}

impl SchedulerProbe {
    /// Attaches the probe all the time, or only under CPU pressure.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn attach(attach: Arc<Attach>, is_continuous: bool) -> io::Result<Self> {
        let mut probe = DutyProbe::new(attach, TIMING);
        probe.set(is_continuous.then_some(DutyCycle::CONTINUOUS));
        probe.start()?;
        Ok(Self { probe, pressure: (!is_continuous).then(CpuPressure::default) })
    }

    /// Tests whether the kernel allows to attach the probe again.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn check(&self) -> io::Result<()> {
        self.probe.check()
    }

    /// Detaches the probe until [`SchedulerProbe::resume`].
    pub(in crate::kernel) fn pause(&mut self) {
        self.probe.pause();
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn resume(&mut self) -> io::Result<()> {
        self.probe.resume()
    }

    /// Runs all the time, or only under CPU pressure. The next [`SchedulerProbe::follow`] attaches it.
    pub(in crate::kernel) fn set_continuous(&mut self, is_continuous: bool) {
        if is_continuous == self.pressure.is_none() {
            return;
        }
        self.probe.set(is_continuous.then_some(DutyCycle::CONTINUOUS));
        self.pressure = (!is_continuous).then(CpuPressure::default);
    }

    /// Takes the newest CPU pressure, and runs the duty cycle while it is high.
    ///
    /// # Errors
    /// The kernel's refusal to attach the probe again; the next duty period tries again.
    pub(in crate::kernel) fn follow(
        &mut self,
        now: Duration,
        groups: &[CgroupFacts],
        host: Option<&HostSample>,
    ) -> io::Result<()> {
        if let Some(pressure) = &mut self.pressure {
            self.probe.set(pressure.update(now, groups, host).then_some(DUTY_CYCLE));
        }
        self.probe.start()
    }
}
