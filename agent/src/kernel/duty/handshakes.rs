//! The handshake probe, which sees every TCP state change. Under high churn it runs on a duty cycle, and short sockets
//! are sampled.

use super::{
    cycle::{Attach, DutyProbe, Timing},
    threshold::{RateMeter, RateThreshold},
};
use crate::api::HandshakeDutyCycle;
use netwhy_abi::{Duty, DutyCycle, HANDSHAKE_DUTY_CYCLE};
use std::{io, sync::Arc, time::Duration};

/// The program on state changes.
pub(in crate::kernel) const HANDSHAKE_PROGRAM: &str = "nw_state";
/// The program that counts failed attempts while the other runs on a duty cycle.
pub(in crate::kernel) const FAILURES_PROGRAM: &str = "nw_error";

/// A window of judgement of 10 s holds 20 periods at 1/8.
const TIMING: Timing = Timing { thread: "netwhy-connects", period: Duration::from_millis(64), is_jittered: true };

/// Attaches the handshake probe. Dropping it detaches the probe.
pub(in crate::kernel) struct HandshakeProbe {
    probe: DutyProbe,
    /// Closed sockets per second. `None`: the probe is attached all the time.
    churn: Option<RateThreshold>,
    closed: RateMeter,
}

impl HandshakeProbe {
    /// Attaches the probe. `churn_above`: closed sockets/s above which it runs on a duty cycle; `None`: never.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn attach(attach: Arc<Attach>, churn_above: Option<u64>) -> io::Result<Self> {
        let mut probe = DutyProbe::new(attach, TIMING);
        probe.set(Some(DutyCycle::CONTINUOUS));
        probe.start()?;
        let churn = churn_above.map(|rate| RateThreshold::new(rate as f64));
        Ok(Self { probe, churn, closed: RateMeter::default() })
    }

    /// Another rate of closed sockets/s, if it may run on a duty cycle at all.
    pub(in crate::kernel) fn configure(&mut self, churn_above: u64) {
        if let Some(churn) = &mut self.churn {
            churn.set_rate(churn_above as f64);
        }
    }

    /// Tests whether the kernel allows to attach the probe again.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn check(&self) -> io::Result<()> {
        self.probe.check()
    }

    /// Detaches the probe until [`HandshakeProbe::resume`].
    pub(in crate::kernel) fn pause(&mut self) {
        self.probe.pause();
        // Closed sockets are not counted during the pause.
        self.closed.restart();
    }

    /// Attaches the probe after a pause.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub(in crate::kernel) fn resume(&mut self) -> io::Result<()> {
        self.probe.resume()
    }

    /// Takes the number of closed sockets so far. A change of the duty cycle detaches the probe until
    /// [`HandshakeProbe::start`], so that the programs learn the new duty first: a handshake must not have weight 8
    /// while all are observed.
    pub(in crate::kernel) fn follow(&mut self, now: Duration, closed: u64) {
        let rate = self.closed.update(now, closed, 1.0);
        if let Some(churn) = &mut self.churn {
            let is_high = churn.update(now, rate);
            self.probe.set(Some(if is_high { HANDSHAKE_DUTY_CYCLE } else { DutyCycle::CONTINUOUS }));
        }
    }

    /// Attaches the probe unless it is attached.
    ///
    /// # Errors
    /// The kernel's refusal to attach the probe again; the next call tries again.
    pub(in crate::kernel) fn start(&mut self) -> io::Result<()> {
        self.probe.start()
    }

    /// Duty of the probe, for [`Control::handshake_duty`](netwhy_abi::Control::handshake_duty).
    pub(in crate::kernel) fn duty(&self) -> Duty {
        self.churn.as_ref().map_or(Duty::Continuous, RateThreshold::duty)
    }

    /// State of the probe.
    pub(in crate::kernel) fn stats(&self) -> HandshakeDutyCycle {
        let totals = self.probe.stats();
        HandshakeDutyCycle {
            sockets_per_second: self.closed.rate(),
            is_churn_high: self.churn.as_ref().is_some_and(RateThreshold::is_exceeded),
            periods: totals.periods,
            attached_seconds: totals.attached.as_secs_f64(),
            failures: totals.failures,
        }
    }
}
