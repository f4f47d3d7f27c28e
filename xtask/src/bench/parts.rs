//! The parts of the benchmarks, one after the other, each in a laboratory of its own.

use super::{
    Part, accuracy, footprint, hooks,
    instrument::Instrument,
    lookup,
    plan::Plan,
    prepare::{self, Context},
    rows::{footprint_rows, spread_row},
    signals,
    statistics::Spread,
    table::Row,
    tick, traffic,
    verdict::{Goal, Verdict},
};
use crate::sh;
use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::time::Instant;

/// Nodes of the laboratory; the first is the one that is watched from.
const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// All parts, or those of `only`. `context`: `None` where no part needs a laboratory.
pub(super) fn measure(
    context: Option<&Context>,
    plan: &Plan,
    only: &[Part],
    rows: &mut Vec<Row>,
    out: &mut Value,
) -> Result<()> {
    for part in Part::value_variants().iter().copied().filter(|part| only.is_empty() || only.contains(part)) {
        let began = Instant::now();
        one(part, context, plan, rows, out)?;
        let seconds = began.elapsed().as_secs_f64();
        if let Some(name) = part.to_possible_value() {
            out["part_seconds"][name.get_name()] = json!(seconds);
            sh::say(&format!("{}: {seconds:.0} s", name.get_name()));
        }
    }
    Ok(())
}

fn one(part: Part, context: Option<&Context>, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let prepared = || context.context("nothing was built for a laboratory");
    let lab = || Lab::new(&prepared()?.bin.join("netwhy-traffic"), &NODES);
    match part {
        Part::Load => traffic::run(prepared()?, &lab()?, plan, rows, out),
        Part::Hooks => hooks::run(prepared()?, &lab()?, plan, rows, out),
        Part::Signals => signals::run(prepared()?, &lab()?, plan, rows, out),
        Part::Cpu => own_cpu(prepared()?, &lab()?, plan, rows, out),
        Part::Memory => {
            sh::say("memory and scrapes with 250 and 1000 pods");
            let steps = footprint::steps(prepared()?, &lab()?, plan.settle, plan.scrapes)?;
            footprint_rows(&steps, rows, out);
            Ok(())
        }
        Part::Start => start(prepared()?, &lab()?, plan, rows, out),
        Part::Accuracy => accurate(prepared()?, lab, plan, rows, out),
        Part::Lookup => {
            sh::say("look-ups");
            let alone = if context.is_none() { Some(prepare::build_lookup(&sh::workspace()?)?) } else { None };
            context.or(alone.as_ref()).map_or(Ok(()), |context| lookup::run(context, plan.lookups, rows, out))
        }
        Part::Blame => blame(rows, out),
        Part::Tick => {
            sh::say("ticks of a synthetic Node");
            let alone = if context.is_none() { Some(prepare::build_tick(&sh::workspace()?)?) } else { None };
            context.or(alone.as_ref()).map_or(Ok(()), |context| tick::run(context, rows, out))
        }
    }
}

fn start(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    sh::say("start-up");
    let seconds = footprint::ready(context, lab, &plan.starts)?;
    let spread = Spread::of(&seconds).context("the agent was never started")?;
    out["ready_seconds"] = json!(spread.figure);
    out["spread"]["ready_seconds"] = spread.json();
    rows.push(spread_row(("start to ready", spread, 1.0, "s", "≤ 1 s", 1.0)));
    Ok(())
}

/// Judging many Nodes' edges, on one core.
fn blame(rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let cost = crate::eval::blame_cost()?;
    let figure = |key: &str| cost[key].as_f64().with_context(|| format!("the blame benchmark gave no {key}"));
    let (seconds, bytes) = (figure("seconds")?, figure("peak_bytes")?);
    let (fastest, slowest) = (figure("fastest")?, figure("slowest")?);
    let what = |what: &str| format!("{what} of judging {} Nodes × {} peers", cost["nodes"], cost["peers"]);
    rows.push(Row {
        what: what("time"),
        value: format!("{seconds:.2} s"),
        spread: format!("{fastest:.2} … {slowest:.2}  n={}, CPU {:.2} s", cost["runs"], figure("cpu_seconds")?),
        target: "≤ 1.5 s",
        // All runs: they are too few for an interval.
        verdict: Some(Goal::AtMost(1.5).of_range(fastest, slowest)),
    });
    rows.push(Row {
        what: what("memory"),
        value: format!("{:.0} MB", bytes / 1e6),
        spread: format!("{:.0} MB of it the edges", figure("rows_bytes")? / 1e6),
        target: "≤ 400 MB",
        verdict: Some(Verdict::of(bytes <= 400e6)),
    });
    out["blame"] = cost;
    Ok(())
}

fn own_cpu(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    sh::say("the agent's own CPU time under keep-alive requests");
    let footprint::Cpu { cores, rate } = footprint::cpu(context, lab, &plan.cpu)?;
    out["agent_cpu_cores"] = json!(cores.figure);
    out["spread"]["agent_cpu_cores"] = cores.json();
    out["agent_cpu_at_requests_per_second"] = json!(rate);
    let what = format!("agent's CPU time at {:.0} k requests/s, mean", rate / 1e3);
    rows.push(spread_row((what.as_str(), cores, 100.0, "% of a core", "≤ 1 %", 0.01)));
    let mut instrument = Instrument::start(&context.bin, lab.cgroups().root())?;
    let mut seconds = Vec::new();
    while !plan.node_signals.is_enough(&seconds) {
        seconds.push(instrument.ask("node")?["seconds"].as_f64().context("the instrument tells no time")?);
    }
    let spread = Spread::of(&seconds).context("nothing was read")?;
    out["node_signals_seconds"] = json!(spread.figure);
    out["spread"]["node_signals_seconds"] = spread.json();
    let what = "CPU time to read the Node's own signals, means of 300";
    rows.push(spread_row((what, spread, 1e3, "ms", "≤ 2 ms per tick", 0.002)));
    Ok(())
}

fn accurate(
    context: &Context,
    lab: impl Fn() -> Result<Lab>,
    plan: &Plan,
    rows: &mut Vec<Row>,
    out: &mut Value,
) -> Result<()> {
    sh::say("accuracy");
    let rtt = accuracy::rtt(context, &lab()?, plan.rtt)?;
    let segments = accuracy::segments(context, &lab()?, plan.segments)?;
    for (key, what, error, target, limit) in [
        ("rtt_error", "error of p50 RTT at 1, 10 and 50 ms", rtt, "≤ 10 %", 0.1),
        ("segments_error", "error of retransmitted segments", segments, "≤ 1 %", 0.01),
    ] {
        out[key] = json!(error.largest);
        out[format!("{key}_cases")] = error.cases;
        rows.push(Row {
            what: what.to_owned(),
            value: format!("{:.2} %", error.largest * 100.0),
            spread: "largest".to_owned(),
            target,
            verdict: Some(Verdict::of(error.largest <= limit)),
        });
    }
    Ok(())
}
