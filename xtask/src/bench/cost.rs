//! The time in kernel programs while traffic runs.

use super::{
    effect::{SETTLE, wait},
    instrument::{Instrument, Runs},
    load::{Kind, Load},
    share,
    statistics::Spread,
    until::Until,
};
use crate::progress::Step;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};

/// Time in kernel programs.
pub(super) struct Cost {
    /// Net, ns per request or connection, both ends together.
    pub(super) per_unit: Spread,
    /// Of an empty program, ns a run: what measuring costs.
    pub(super) empty: Spread,
    /// By program: runs and net ns per unit.
    pub(super) programs: Value,
    /// Share of the requests that were timed at either end. `None`: none were, or there are none.
    pub(super) timed: Option<f64>,
}

/// Measures kernel programs with the kernel's own statistics, slice by slice, and subtracts an empty program's cost.
pub(super) fn measure(instrument: &mut Instrument, load: &Load, until: &Until) -> Result<Cost> {
    let kind = load.kind();
    let step = Step::begin(&format!("kernel programs per {}, {}", kind.one(), until.text()), None);
    let units_per_count = if kind == Kind::Keepalive { load.requests_per_count()? } else { 1.0 };
    instrument.ask("stats on")?;
    let mut sums = Sums::default();
    for window in 1..=until.most {
        sums.add(instrument, load, until.pace.window, units_per_count)?;
        step.set_units(window as u64, until.most as u64);
        if until.is_enough(&sums.per_unit) {
            break;
        }
    }
    instrument.ask("stats off")?;
    let cost = sums.cost(kind)?;
    step.end(true);
    Ok(cost)
}

/// Of all windows.
#[derive(Default)]
struct Sums {
    /// Of each window, ns.
    per_unit: Vec<f64>,
    empties: Vec<f64>,
    /// Net ns and runs.
    programs: BTreeMap<String, (f64, f64)>,
    units: f64,
    timed: f64,
}

impl Sums {
    /// Takes a slice with an empty program and one with the agent's.
    fn add(&mut self, instrument: &mut Instrument, load: &Load, length: Duration, units_per_count: f64) -> Result<()> {
        // Where a program that does nothing runs often.
        instrument.ask(match load.kind() {
            Kind::Keepalive | Kind::Churn | Kind::Bulk => "empty on",
            Kind::Lookups | Kind::Switches => "empty on switches",
        })?;
        let alone = Slice::of(instrument, load, length)?.runs;
        instrument.ask("empty off")?;
        let empty = alone.empty.0 / alone.empty.1.max(1.0);
        instrument.ask("attach")?;
        let Slice { runs, count, timed } = Slice::of(instrument, load, length)?;
        instrument.ask("detach")?;
        let units = count * units_per_count;
        let mut net = 0.0;
        for (name, (ns, n)) in runs.programs {
            let own = ns - n * empty;
            net += own;
            let sum = self.programs.entry(name).or_default();
            *sum = (sum.0 + own, sum.1 + n);
        }
        if units > 0.0 && alone.empty.1 > 0.0 {
            self.per_unit.push(net / units);
            self.empties.push(empty);
            self.units += units;
            self.timed += timed;
        }
        Ok(())
    }

    fn cost(self, kind: Kind) -> Result<Cost> {
        let units = self.units;
        let row = |(name, (ns, n)): (String, (f64, f64))| {
            let per_run = if n > 0.0 { ns / n } else { 0.0 };
            (name, json!({ "runs_per_unit": n / units, "net_ns_per_run": per_run, "net_ns_per_unit": ns / units }))
        };
        let programs: Map<String, Value> = self.programs.into_iter().filter(|(_, sum)| sum.1 > 0.0).map(row).collect();
        let none = || format!("no {} were counted: can this kernel measure its programs?", kind.unit());
        Ok(Cost {
            per_unit: Spread::of(&self.per_unit).with_context(none)?,
            empty: Spread::of(&self.empties).with_context(none)?,
            programs: Value::Object(programs),
            timed: kind.has_requests().then(|| share::of(self.timed, units)).flatten(),
        })
    }
}

/// Statistics, counts and timed requests of one slice.
struct Slice {
    runs: Runs,
    count: f64,
    timed: f64,
}

impl Slice {
    fn of(instrument: &mut Instrument, load: &Load, length: Duration) -> Result<Self> {
        wait(SETTLE)?;
        let (counted, runs, count) = (instrument.counted()?, instrument.runs()?, load.count()?);
        wait(length)?;
        let (runs_after, count_after) = (instrument.runs()?, load.count()?);
        let timed = instrument.counted()?.timed_since(&counted);
        Ok(Self { runs: runs_after.since(&runs), count: (count_after - count) as f64, timed })
    }
}
