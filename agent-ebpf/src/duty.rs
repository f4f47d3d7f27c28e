//! Duty cycles: probes that are attached for a share of the time only.

use core::num::NonZeroU32;

/// Duty cycle of the RTT probe above `sampling.rtt_windows_above`. While it runs, segments are sampled as many times
/// more often as the probe is attached less.
pub const RTT_DUTY_CYCLE: DutyCycle = DutyCycle::one_in(8);

/// Duty cycle of the handshake probe above `sampling.churn_above`. While it runs, each handshake has the cycle's
/// weight.
pub const HANDSHAKE_DUTY_CYCLE: DutyCycle = DutyCycle::one_in(8);

/// Duty cycle of the probe of reads on a busy machine. Whether a read falls into a duty period has nothing to do with
/// how long the data waited for it, so that those seen stand for the others.
pub const READ_DUTY_CYCLE: DutyCycle = DutyCycle::one_in(8);

/// Share of the time that a probe is attached, as the ratio 1/n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutyCycle(NonZeroU32);

impl DutyCycle {
    /// Attached all the time: 1/1.
    pub const CONTINUOUS: Self = Self(NonZeroU32::MIN);

    /// Attached 1/n of the time; 0 is taken as 1.
    pub const fn one_in(n: u32) -> Self {
        match NonZeroU32::new(n) {
            Some(n) => Self(n),
            None => Self::CONTINUOUS,
        }
    }

    /// n: the number of events that one observed event stands for.
    #[inline(always)]
    pub const fn weight(self) -> u32 {
        self.0.get()
    }

    /// Whether the probe is attached all the time.
    pub const fn is_continuous(self) -> bool {
        self.0.get() == 1
    }

    /// The share as a number, 0 … 1.
    #[cfg(not(target_arch = "bpf"))]
    pub fn ratio(self) -> f64 {
        1.0 / f64::from(self.0.get())
    }
}

impl Default for DutyCycle {
    fn default() -> Self {
        Self::CONTINUOUS
    }
}

#[cfg(not(target_arch = "bpf"))]
impl core::fmt::Display for DutyCycle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "1/{}", self.0)
    }
}

/// Whether a probe runs on a duty cycle; values of [`Control::rtt_duty`](crate::Control::rtt_duty) and
/// [`Control::handshake_duty`](crate::Control::handshake_duty).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Duty {
    /// Attached all the time since the start.
    #[default]
    Continuous = 0,
    /// On a duty cycle now.
    Reduced = 1,
    /// Attached all the time again. A socket that lived during the duty cycle may have carried traffic, or reconnected,
    /// unseen.
    Restored = 2,
}

#[cfg(test)]
mod tests;
