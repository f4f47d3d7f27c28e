//! The agent's cost while traffic runs: spans with and without it take turns inside one load.

use super::{
    Stopped,
    instrument::{Instrument, Runs},
    load::{Kind, Load},
    statistics::Spread,
    verdict::Verdict,
};
use anyhow::{Context as _, Result};
use netwhy_tests::stop;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// After attaching and detaching, before anything is counted.
const SETTLE: Duration = Duration::from_millis(60);
/// Distance of ticks, as in the agent.
const TICK: Duration = Duration::from_secs(1);

/// Ticks after which the agent has decided how to look at a load.
const DECIDES: usize = 5;

/// Pace of a measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Windows with the agent.
    pub(super) windows: usize,
    /// Length of a window.
    pub(super) window: Duration,
}

/// Sleeps, or says that Ctrl-C came.
pub(super) fn wait(duration: Duration) -> Result<()> {
    if stop::sleep(duration) { Err(Stopped.into()) } else { Ok(()) }
}

/// Lets the agent see a load as long as it takes to decide how to look at it.
pub(super) fn settle(instrument: &mut Instrument) -> Result<()> {
    instrument.ask("attach")?;
    for _ in 0..DECIDES {
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
}

/// How long an effect is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Until {
    /// Least pairs, and their length.
    pub(super) pace: Pace,
    /// Most pairs.
    pub(super) most: usize,
    /// Least relative change that is good enough. `None`: nothing is to be decided.
    pub(super) least: Option<f64>,
}

/// Pairs after which an undecided effect is looked at again.
const AGAIN: usize = 5;

impl Until {
    /// Whether these pairs are enough. Looking again and again makes wrong verdicts likelier than the interval's 5 %.
    pub(super) fn is_enough(&self, ratios: &[f64]) -> bool {
        let n = ratios.len();
        if n < self.pace.windows || n >= self.most {
            return n >= self.most;
        }
        let Some(least) = self.least else { return true };
        (n - self.pace.windows).is_multiple_of(AGAIN)
            && Spread::of(ratios).is_some_and(|effect| Verdict::at_least(least, &effect) != Verdict::Inconclusive)
    }
}

/// Relative change of throughput, per pair of windows; −0.01 = 1 % slower.
pub(super) fn throughput(instrument: &mut Instrument, load: &Load, what: What, until: &Until) -> Result<Vec<f64>> {
    let (on, off) = what.commands();
    let pace = until.pace;
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
        before = after;
    }
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

/// Time in kernel programs.
pub(super) struct Cost {
    /// Net, ns per request or connection, both ends together.
    pub(super) per_unit: Spread,
    /// Of an empty program, ns a run: what measuring costs.
    pub(super) empty: Spread,
    /// By program: runs and net ns per unit.
    pub(super) programs: Value,
}

/// Measures kernel programs with the kernel's own statistics, slice by slice, and subtracts an empty program's cost.
pub(super) fn kernel_time(instrument: &mut Instrument, load: &Load, kind: Kind, pace: Pace) -> Result<Cost> {
    instrument.ask("stats on")?;
    let (mut per_unit, mut empties) = (Vec::new(), Vec::new());
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    let mut all_units = 0.0;
    let requests_per_count = if kind == Kind::Keepalive { load.requests_per_count()? } else { 1.0 };
    for _ in 0..pace.windows {
        // Where a program that does nothing runs often.
        instrument.ask(match kind {
            Kind::Keepalive | Kind::Churn | Kind::Bulk => "empty on",
            Kind::Lookups | Kind::Switches => "empty on switches",
        })?;
        let (alone, _) = slice(instrument, load, pace.window)?;
        instrument.ask("empty off")?;
        let empty = alone.empty.0 / alone.empty.1.max(1.0);
        instrument.ask("attach")?;
        let (runs, count) = slice(instrument, load, pace.window)?;
        instrument.ask("detach")?;
        let units = count * requests_per_count;
        let mut net = 0.0;
        for (name, (ns, n)) in runs.programs {
            let own = ns - n * empty;
            net += own;
            let sum = sums.entry(name).or_default();
            *sum = (sum.0 + own, sum.1 + n);
        }
        if units > 0.0 && alone.empty.1 > 0.0 {
            per_unit.push(net / units);
            empties.push(empty);
            all_units += units;
        }
    }
    instrument.ask("stats off")?;
    let row = |(name, (ns, n)): (String, (f64, f64))| {
        let per_run = if n > 0.0 { ns / n } else { 0.0 };
        (name, json!({ "runs_per_unit": n / all_units, "net_ns_per_run": per_run, "net_ns_per_unit": ns / all_units }))
    };
    let programs: serde_json::Map<String, Value> = sums.into_iter().filter(|(_, sum)| sum.1 > 0.0).map(row).collect();
    let none = || format!("no {} were counted: can this kernel measure its programs?", kind.unit());
    Ok(Cost {
        per_unit: Spread::of(&per_unit).with_context(none)?,
        empty: Spread::of(&empties).with_context(none)?,
        programs: Value::Object(programs),
    })
}

/// Statistics and units of one slice.
fn slice(instrument: &mut Instrument, load: &Load, length: Duration) -> Result<(Runs, f64)> {
    wait(SETTLE)?;
    let (runs, count) = (instrument.runs()?, load.count()?);
    wait(length)?;
    let (after, count_after) = (instrument.runs()?, load.count()?);
    Ok((after.since(&runs), (count_after - count) as f64))
}

#[cfg(test)]
mod tests;
