//! The RTT probe, which sees every segment that an established socket receives.

use super::{
    cycle::{Attach, DutyProbe, Timing},
    threshold::{RateMeter, RateThreshold},
};
use crate::api::RttDutyCycle;
use netwhy_abi::{Duty, DutyCycle, RTT_DUTY_CYCLE};
use std::{io, sync::Arc, time::Duration};

/// Name of the program.
pub(in crate::kernel) const RTT_PROGRAM: &str = "nw_rtt";

/// Duty cycle above the second threshold. Each duty period holds thousands of segments. Sockets that are mostly idle
/// get fewer samples, apart from those of walks.
const LOW_DUTY_CYCLE: DutyCycle = DutyCycle::one_in(32);

/// A window of judgement of 10 s holds 20 periods at 1/8.
const TIMING: Timing = Timing { thread: "netwhy-rtt", period: Duration::from_millis(64), is_jittered: true };

/// Rates above which the RTT probe runs on a duty cycle, segments/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct RttLimits {
    /// Above it: 1/8.
    pub(in crate::kernel) duty_above: u64,
    /// Above it: 1/32.
    pub(in crate::kernel) low_duty_above: u64,
}

/// Attaches the RTT probe. Dropping it detaches the probe.
pub(in crate::kernel) struct RttProbe {
    probe: DutyProbe,
    /// Segments per sample: all the time, and on a duty cycle.
    every: (f64, f64),
    share: Share,
    segments: RateMeter,
    /// Attached all the time whatever the rate, because a close-up wants every segment.
    is_held: bool,
    /// Whether it was attached all the time since the last reading.
    was_continuous: bool,
}

/// Segments per sample: all the time, and on a duty cycle.
fn distances(every: u32) -> (f64, f64) {
    let every = f64::from(every.max(1));
    (every, (every * RTT_DUTY_CYCLE.ratio()).max(1.0))
}

impl RttProbe {
    /// Attaches the probe. `every`: mean number of segments per sample.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn attach(attach: Arc<Attach>, every: u32, limits: RttLimits) -> io::Result<Self> {
        let mut probe = DutyProbe::new(attach, TIMING);
        probe.set(Some(DutyCycle::CONTINUOUS));
        probe.start()?;
        Ok(Self {
            probe,
            every: distances(every),
            share: Share::new(limits),
            segments: RateMeter::default(),
            is_held: false,
            was_continuous: true,
        })
    }

    /// Samples one segment in `every` from now on, and runs on a duty cycle above these rates.
    pub(in crate::kernel) fn configure(&mut self, every: u32, limits: RttLimits) {
        if self.every != distances(every) {
            self.every = distances(every);
            self.segments.restart();
        }
        self.share.configure(limits);
    }

    /// Stays attached all the time from now on, or follows the rate again. The next [`RttProbe::follow`] does it.
    pub(in crate::kernel) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    fn cycle(&self) -> DutyCycle {
        if self.is_held { DutyCycle::CONTINUOUS } else { self.share.cycle() }
    }

    /// Whether the machine receives so many segments that the probe would run on a duty cycle.
    pub(in crate::kernel) fn is_busy(&self) -> bool {
        self.share.reduced.is_exceeded()
    }

    /// Tests whether the kernel allows to attach the probe again.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn check(&self) -> io::Result<()> {
        self.probe.check()
    }

    /// Detaches the probe until [`RttProbe::resume`].
    pub(in crate::kernel) fn pause(&mut self) {
        self.probe.pause();
        self.segments.restart();
        self.share.reduced.note_gap();
    }

    /// Whether it is detached until [`RttProbe::resume`].
    pub(in crate::kernel) fn is_paused(&self) -> bool {
        self.probe.is_paused()
    }

    /// Attaches the probe after a pause.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn resume(&mut self) -> io::Result<()> {
        self.probe.resume()
    }

    /// Takes the number of segments sampled so far, and changes the duty cycle when their rate asks for it.
    ///
    /// # Errors
    /// The kernel's refusal to attach the probe again; the next call tries again.
    pub(in crate::kernel) fn follow(&mut self, now: Duration, sampled: u64) -> io::Result<()> {
        let every = if self.was_continuous { self.every.0 } else { self.every.1 };
        let rate = self.segments.update(self.probe.stats().attached, sampled, every);
        self.share.update(now, rate);
        let cycle = self.cycle();
        if cycle.is_continuous() != self.was_continuous {
            self.segments.restart();
        }
        self.was_continuous = cycle.is_continuous();
        self.probe.set(Some(cycle));
        self.probe.start()
    }

    /// Duty of the probe, for [`Control::rtt_duty`](netwhy_abi::Control::rtt_duty).
    pub(in crate::kernel) fn duty(&self) -> Duty {
        match self.share.reduced.duty() {
            Duty::Reduced if self.is_held => Duty::Restored,
            duty => duty,
        }
    }

    /// State of the probe.
    pub(in crate::kernel) fn stats(&self) -> RttDutyCycle {
        let (totals, cycle) = (self.probe.stats(), self.cycle());
        RttDutyCycle {
            segments_per_second: self.segments.rate(),
            is_reduced: !cycle.is_continuous(),
            divisor: cycle.weight(),
            duty_cycle: Some(cycle.ratio()),
            periods: totals.periods,
            attached_seconds: totals.attached.as_secs_f64(),
            failures: totals.failures,
        }
    }
}

/// The duty cycle as a function of the segment rate.
struct Share {
    reduced: RateThreshold,
    low: RateThreshold,
}

impl Share {
    fn new(limits: RttLimits) -> Self {
        let RttLimits { duty_above, low_duty_above } = limits;
        Self { reduced: RateThreshold::new(duty_above as f64), low: RateThreshold::new(low_duty_above as f64) }
    }

    fn configure(&mut self, limits: RttLimits) {
        self.reduced.set_rate(limits.duty_above as f64);
        self.low.set_rate(limits.low_duty_above as f64);
    }

    fn cycle(&self) -> DutyCycle {
        match (self.reduced.is_exceeded(), self.low.is_exceeded()) {
            (false, _) => DutyCycle::CONTINUOUS,
            (true, false) => RTT_DUTY_CYCLE,
            (true, true) => LOW_DUTY_CYCLE,
        }
    }

    /// Takes the newest rate and returns the duty cycle from now on.
    fn update(&mut self, now: Duration, rate: f64) -> DutyCycle {
        self.reduced.update(now, rate);
        self.low.update(now, rate);
        self.cycle()
    }
}

#[cfg(test)]
mod tests;
