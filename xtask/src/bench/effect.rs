//! The agent's cost while traffic runs: spans with and without it take turns inside one load.

use super::{
    Stopped,
    instrument::Instrument,
    load::{Kind, Load},
    until::Until,
};
use crate::progress::Step;
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use std::{
    fs,
    time::{Duration, Instant},
};

/// After attaching and detaching, before anything is counted.
pub(super) const SETTLE: Duration = Duration::from_millis(60);
/// Distance of ticks, as in the agent.
const TICK: Duration = Duration::from_secs(1);

/// Ticks after which the agent has decided how to look at a load: 3 until the machine counts as busy, 3 until exchanges
/// are left out, and some steps.
const DECIDES: usize = 12;
/// Further ticks of DNS lookups: when the agent begins to leave sockets out, its programs search for lookups of all
/// sockets for 30 s.
const LOOKUPS_END: usize = 31;

/// Sleeps, or says that Ctrl-C came.
pub(super) fn wait(duration: Duration) -> Result<()> {
    if stop::sleep(duration) { Err(Stopped.into()) } else { Ok(()) }
}

/// Lets the agent see a load as long as it takes to decide how to look at it.
pub(super) fn settle(instrument: &mut Instrument, kind: Kind) -> Result<()> {
    instrument.ask("attach")?;
    let ticks = DECIDES + if kind == Kind::Lookups { LOOKUPS_END } else { 0 };
    for _ in 0..ticks {
        wait(TICK)?;
        instrument.ask("tick")?;
    }
    Ok(())
}

/// Turned on and off by turns, to measure its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The whole agent.
    Agent,
    /// Programs that do nothing, where connections are counted.
    Calls,
}

impl What {
    /// Commands that put it on, and take it off.
    const fn commands(self) -> (&'static str, &'static str) {
        match self {
            Self::Agent => ("attach", "detach"),
            Self::Calls => ("calls on", "calls off"),
        }
    }

    /// For people.
    const fn text(self) -> &'static str {
        match self {
            Self::Agent => "effect",
            Self::Calls => "effect of programs that do nothing",
        }
    }
}

/// Relative change of throughput, per pair of windows; −0.01 = 1 % slower.
pub(super) fn throughput(instrument: &mut Instrument, load: &Load, what: What, until: &Until) -> Result<Vec<f64>> {
    let (on, off) = what.commands();
    let pace = until.pace;
    let step = Step::begin(&format!("{} on {}, {}", what.text(), load.kind().text(), until.text()), None);
    let mut ratios = Vec::with_capacity(pace.windows);
    let mut since_tick = Duration::ZERO;
    let mut before = without(instrument, load, off, pace.window)?;
    while !until.is_enough(&ratios) {
        instrument.ask(on)?;
        wait(SETTLE)?;
        let start = Start::now(load)?;
        // One tick per second with the agent on, as in production. It comes first, because it may attach programs.
        since_tick += pace.window;
        if what == What::Agent && since_tick >= TICK {
            since_tick -= TICK;
            instrument.ask("tick")?;
        }
        wait((start.at + pace.window).saturating_duration_since(Instant::now()))?;
        let with = start.rate(load)?;
        let after = without(instrument, load, off, pace.window)?;
        ratios.push(with / ((before + after) / 2.0) - 1.0);
        step.set_units(ratios.len() as u64, until.most as u64);
        before = after;
    }
    step.end(true);
    Ok(ratios)
}

fn without(instrument: &mut Instrument, load: &Load, off: &str, window: Duration) -> Result<f64> {
    instrument.ask(off)?;
    wait(SETTLE)?;
    let start = Start::now(load)?;
    wait(window)?;
    start.rate(load)
}

/// Beginning of a window.
struct Start {
    at: Instant,
    count: u64,
    cpu: CpuTime,
}

impl Start {
    fn now(load: &Load) -> Result<Self> {
        Ok(Self { at: Instant::now(), count: load.count()?, cpu: CpuTime::now()? })
    }

    /// Units per second of CPU time that this machine had since then. The host of a virtual machine takes some away,
    /// now more and now less, independent of the agent.
    fn rate(&self, load: &Load) -> Result<f64> {
        let (count, now) = (load.count()? - self.count, CpuTime::now()?);
        let share = (now.stolen - self.cpu.stolen) as f64 / (now.all - self.cpu.all).max(1) as f64;
        Ok(count as f64 / self.at.elapsed().as_secs_f64() / (1.0 - share.min(0.9)))
    }
}

/// Time of all CPUs, in ticks of `USER_HZ`.
struct CpuTime {
    all: u64,
    /// Taken by the host for others.
    stolen: u64,
}

impl CpuTime {
    fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        Self::of(&text).context("/proc/stat has no line of all CPUs")
    }

    /// From `cpu  user nice system idle iowait irq softirq steal guest guest_nice`; the first two contain the last.
    fn of(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|n| n.parse().ok()).collect();
        Some(Self { all: ticks.iter().sum(), stolen: *ticks.get(7)? })
    }
}

#[cfg(test)]
mod tests;
