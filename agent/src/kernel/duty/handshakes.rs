//! The handshake probe, which sees every TCP state change. Under high churn it runs on a duty cycle, and short sockets
//! are sampled.

use super::{
    cycle::{Attach, DutyProbe, Timing},
    threshold::{RateMeter, RateThreshold},
};
use netwhy_abi::{Duty, DutyCycle, HANDSHAKE_DUTY_CYCLE};
use serde::Serialize;
use std::{io, sync::Arc, time::Duration};

/// The program on state changes.
pub(in crate::kernel) const HANDSHAKE_PROGRAM: &str = "nw_state";
/// The program that counts failed attempts while the other runs on a duty cycle.
pub(in crate::kernel) const FAILURES_PROGRAM: &str = "nw_error";

/// A window of judgement of 10 s holds 20 periods at 1/8.
const TIMING: Timing = Timing { thread: "netwhy-connects", period: Duration::from_millis(64), is_jittered: true };

/// State of the handshake probe, and of the sampling of short sockets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HandshakeStats {
    /// TCP sockets of all cgroups that closed, per second.
    pub sockets_per_second: f64,
    /// Whether churn is high: the probe runs on a duty cycle and short sockets are sampled.
    pub is_churn_high: bool,
    /// Duty periods so far.
    pub periods: u64,
    /// Time in which the probe was attached, s.
    pub attached_seconds: f64,
    /// Times that the kernel refused to attach the probe again.
    pub failures: u64,
}

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
    pub(in crate::kernel) fn stats(&self) -> HandshakeStats {
        let totals = self.probe.stats();
        HandshakeStats {
            sockets_per_second: self.closed.rate(),
            is_churn_high: self.churn.as_ref().is_some_and(RateThreshold::is_exceeded),
            periods: totals.periods,
            attached_seconds: totals.attached.as_secs_f64(),
            failures: totals.failures,
        }
    }
}
