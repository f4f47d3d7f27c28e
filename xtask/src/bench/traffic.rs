//! What the agent costs under each kind of traffic.

use super::{
    Context, Plan, effect,
    instrument::Instrument,
    load::{Kind, Load},
    rows::effect_row,
    statistics::Spread,
    table::Row,
};
use crate::sh;
use anyhow::{Context as _, Result};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::time::Duration;

/// What is measured inside one running load each: throughput, and time in kernel programs.
pub(super) fn run(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let mut instrument = Instrument::start_with(&context.bin, lab.cgroups().root(), plan.config.as_deref())?;
    // The first ticks read more than later ones.
    instrument.ask("tick")?;
    instrument.ask("tick")?;
    out["kernel"] = instrument.ask("facts")?;
    let mut effects = Vec::new();
    for kind in plan.loads.iter().copied() {
        sh::say(&format!("{}: {} windows with the agent and without", kind.text(), plan.throughput.windows));
        let load = Load::start(lab, kind)?;
        effect::wait(Duration::from_millis(500))?;
        effect::settle(&mut instrument)?;
        let ratios = effect::throughput(&mut instrument, &load, plan.throughput)?;
        let rate = load.rate()?;
        let rtt = instrument.ask("rtt")?;
        out["loads"][kind.name()] = json!({ "unit": kind.unit(), "per_second": rate, "rtt": rtt });
        let spread = Spread::of(&ratios).context("no windows")?;
        out["throughput_effect"][kind.name()] = json!(spread.median);
        out["spread"]["throughput_effect"][kind.name()] = spread.json();
        effects.push(effect_row(kind, rate, spread));
        let (key, what, target, limit) = match kind {
            Kind::Keepalive => ("bpf_ns_per_request", "kernel programs per keep-alive request", "≤ 60 ns", Some(60.0)),
            Kind::Churn => ("bpf_ns_per_connection", "kernel programs per connection", "", None),
            Kind::Bulk | Kind::Lookups | Kind::Switches => continue,
        };
        let cost = effect::kernel_time(&mut instrument, &load, kind, plan.kernel_time)?;
        out[key] = json!(cost.per_unit.median);
        out["spread"][key] = cost.per_unit.json();
        out[format!("{key}_programs")] = cost.programs;
        out["spread"][format!("{key}_empty_program")] = cost.empty.json();
        rows.push(Row {
            what: format!("{what} (both ends, net of {:.0} ns a run)", cost.empty.median),
            value: format!("{:.1} ns", cost.per_unit.median),
            spread: format!("{:.1} … {:.1}  n={}", cost.per_unit.low, cost.per_unit.high, cost.per_unit.n),
            target,
            ok: limit.map(|limit| cost.per_unit.median <= limit),
        });
    }
    rows.extend(effects);
    Ok(())
}
