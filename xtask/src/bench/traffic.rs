//! The agent's cost under each kind of traffic.

use super::{
    Context, cost, effect,
    instrument::Instrument,
    load::{Kind, Load},
    plan::Plan,
    rows::{Told, cost_row, effect_row},
    statistics::Spread,
    table::Row,
    verdict::Goal,
};
use crate::sh;
use anyhow::{Context as _, Result};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::time::Duration;

/// Measurements inside one running load each: throughput, and time in kernel programs.
pub(super) fn run(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    // The whole machine, as in a DaemonSet: in a subtree the programs would also look up each cgroup's ancestors.
    let all = lab.cgroups().root().parent().context("the laboratory's cgroup has no parent")?;
    let mut instrument = Instrument::start_with(&context.bin, all, plan.config.as_deref())?;
    // The first ticks read more than later ones.
    instrument.ask("tick")?;
    instrument.ask("tick")?;
    out["kernel"] = instrument.ask("facts")?;
    let mut effects = Vec::new();
    for kind in plan.loads.iter().copied() {
        sh::say(kind.text());
        let load = Load::start(lab, kind)?;
        effect::wait(Duration::from_millis(500))?;
        effect::settle(&mut instrument, kind)?;
        let ratios = effect::throughput(&mut instrument, &load, effect::What::Agent, &plan.until(kind))?;
        let rate = load.rate()?;
        let (rtt, sockets) = (instrument.ask("rtt")?, instrument.ask("sockets")?);
        let watched = json!({ "unit": kind.unit(), "per_second": rate, "rtt": rtt, "sockets": sockets });
        out["loads"][kind.name()] = watched;
        let spread = Spread::of(&ratios).context("no windows")?;
        out["throughput_effect"][kind.name()] = json!(spread.figure);
        out["spread"]["throughput_effect"][kind.name()] = spread.json();
        effects.push(effect_row(kind, rate, spread));
        if kind == Kind::Churn {
            effects.push(calls(&mut instrument, &load, plan, out)?);
        }
        if kind == Kind::Keepalive {
            rows.extend(switching(&mut instrument, out)?);
        }
        let (key, goal): (&str, Option<Told>) = match kind {
            Kind::Keepalive => ("bpf_ns_per_request", Some(("≤ 60 ns", Goal::AtMost(60.0)))),
            Kind::Churn => ("bpf_ns_per_connection", None),
            Kind::Bulk | Kind::Lookups | Kind::Switches => continue,
        };
        let cost = cost::measure(&mut instrument, &load, &plan.cost(goal))?;
        rows.push(cost_row(kind, ", both ends", &cost, goal));
        out[key] = json!(cost.per_unit.figure);
        out[format!("{key}_timed_share")] = json!(cost.timed);
        out["spread"][key] = cost.per_unit.json();
        out[format!("{key}_programs")] = cost.programs;
        out["spread"][format!("{key}_empty_program")] = cost.empty.json();
    }
    rows.extend(effects);
    Ok(())
}

/// The kernel's share of the effect on churn: it calls empty programs at the hooks that count connections.
fn calls(instrument: &mut Instrument, load: &Load, plan: &Plan, out: &mut Value) -> Result<Row> {
    instrument.ask("detach")?;
    let ratios = effect::throughput(instrument, load, effect::What::Calls, &plan.until(Kind::Switches))?;
    let spread = Spread::of(&ratios).context("no windows")?;
    out["throughput_effect"]["churn_empty_programs"] = json!(spread.figure);
    out["spread"]["throughput_effect"]["churn_empty_programs"] = spread.json();
    let percent = spread.scaled(100.0);
    Ok(Row {
        what: "the same of programs that do nothing, on the two tracepoints that counting takes".to_owned(),
        value: format!("{:+.2} %", percent.figure),
        spread: format!("{:+.2} … {:+.2}  n={}", percent.low, percent.high, percent.n),
        target: "",
        verdict: None,
    })
}

/// Cost of a duty period beside the program's runs: the kernel patches its code twice. `None`: the RTT probe is off.
fn switching(instrument: &mut Instrument, out: &mut Value) -> Result<Option<Row>> {
    if instrument.ask("rtt")?.is_null() {
        return Ok(None);
    }
    instrument.ask("detach")?;
    let seconds = instrument.ask("switch")?["seconds"].as_f64().context("the instrument tells no time")?;
    out["rtt_switch_seconds"] = json!(seconds);
    Ok(Some(Row {
        what: "CPU time to attach and detach the program on received segments".to_owned(),
        value: format!("{:.0} µs", seconds * 1e6),
        spread: "mean of 100".to_owned(),
        target: "",
        verdict: None,
    }))
}
