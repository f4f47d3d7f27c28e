//! The CPUs of this Node.

use super::Context;
use crate::sample::{Gauge, Signal};

/// Share of the window that tasks of the Node wait.
const STALL: f64 = 0.5;
/// Share of the Node's CPUs that is used.
const BUSY: f64 = 0.9;

/// CPUs of the Node, and the share of them that is used. `None`: not known.
pub(crate) fn used(context: &Context<'_>) -> Option<(f64, f64)> {
    let host = context.host?;
    let cpus = host.gauge(Gauge::Cpus).filter(|n| *n > 0)? as f64;
    let idle = host.share(Signal::CpuIdle, context.window)?;
    Some((cpus, (1.0 - idle / cpus).clamp(0.0, 1.0)))
}

/// The CPUs are used up, and tasks wait for them. `false`: not, or not known.
pub(crate) fn are_contended(context: &Context<'_>) -> bool {
    are_used_up(context) && stall(context).is_some_and(|share| share >= STALL)
}

/// The CPUs are used up, and nothing says that tasks don't wait for them: not every kernel measures pressure.
pub(crate) fn may_be_contended(context: &Context<'_>) -> bool {
    are_used_up(context) && stall(context).is_none_or(|share| share >= STALL)
}

fn are_used_up(context: &Context<'_>) -> bool {
    used(context).is_some_and(|(_, busy)| busy >= BUSY)
}

/// Share of the window that tasks wait for CPUs. `None`: not known.
fn stall(context: &Context<'_>) -> Option<f64> {
    context.host?.share(Signal::PressureCpuSome, context.window)
}
