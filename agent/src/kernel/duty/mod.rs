//! Duty cycles: probes on busy hooks are attached for a share of the time only, which bounds their cost.
//!
//! ```text
//! hysteresis  a switch that ignores short bursts and short pauses
//! threshold   hysteresis on an event rate
//! cycle       attaches and detaches a program; a thread runs the duty cycle
//! rtt         RTT probe: continuous, 1/8 or 1/32, by segments/s
//! handshakes  handshake probe: continuous or 1/8, by closed sockets/s
//! windowed    probes of reads and of DNS answers: continuous or 1/8, with the RTT probe
//! pace        exchanges: each counts, or fewer of busy connections, by counted exchanges/s
//! lookups     DNS lookups: all, or those of 1 socket in 16, by lookups/s
//! pressure    CPU pressure, with hysteresis
//! scheduler   scheduler probe: detached or 1/10, by CPU pressure; or continuous
//! ```
//! A detached tracepoint program costs nothing.

mod cycle;
mod handshakes;
mod hysteresis;
mod lookups;
mod pace;
mod pressure;
mod rtt;
mod scheduler;
mod threshold;
mod windowed;

pub(super) use cycle::Attach;
pub(super) use handshakes::{FAILURES_PROGRAM, HANDSHAKE_PROGRAM, HandshakeProbe};
pub(super) use lookups::{LookupShare, Observed};
pub(super) use pace::Pace;
pub(super) use rtt::{RTT_PROGRAM, RttLimits, RttProbe};
pub(super) use scheduler::SchedulerProbe;
pub(super) use windowed::{ANSWER_PROGRAM, NAME_PROGRAM, READ_PROGRAM, WINDOWED, WindowedProbe};
