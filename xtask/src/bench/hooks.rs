//! The cost of the programs outside TCP: per DNS query, and per context switch.

use super::{
    Context, cost, effect,
    instrument::Instrument,
    load::{Kind, Load},
    plan::Plan,
    rows::{cost_row, effect_row},
    statistics::Spread,
    table::Row,
    verdict::Verdict,
};
use crate::sh;
use anyhow::{Context as _, Result};
use netwhy_tests::lab::Lab;
use serde_json::{Value, json};
use std::{fs, time::Duration};

/// The scheduler probe is attached all the time, not only under pressure.
const CONFIG: &str = "signals: {dns: \"on\", run_queue: \"on\"}\n";

pub(super) fn run(context: &Context, lab: &Lab, plan: &Plan, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let config = context.logs.join("hooks.yaml");
    fs::write(&config, CONFIG).with_context(|| format!("write {}", config.display()))?;
    let mut instrument = Instrument::start_with(&context.bin, lab.cgroups().root(), Some(&config))?;
    for (kind, key) in [
        (Kind::Lookups, "bpf_ns_per_dns_query"),
        (Kind::Switches, "bpf_ns_per_context_switch"),
        (Kind::Keepalive, "dns_runs_per_tcp_request"),
    ] {
        sh::say(kind.text());
        let load = Load::start(lab, kind)?;
        effect::wait(Duration::from_millis(500))?;
        effect::settle(&mut instrument, kind)?;
        if kind == Kind::Keepalive {
            let cost = cost::measure(&mut instrument, &load, &plan.cost(None))?;
            let programs = cost.programs.as_object().context("no programs")?.iter();
            let dns = programs.filter(|(name, _)| name.starts_with("nw_dns")).map(|(_, row)| &row["runs_per_unit"]);
            let runs: f64 = dns.filter_map(Value::as_f64).sum();
            out[key] = json!(runs);
            rows.push(Row {
                what: "runs of DNS programs per keep-alive request".to_owned(),
                value: format!("{runs:.4}"),
                spread: String::new(),
                target: "0",
                verdict: Some(Verdict::of(runs < 1e-3)),
            });
            continue;
        }
        let ratios = effect::throughput(&mut instrument, &load, effect::What::Agent, &plan.until(kind))?;
        let rate = load.rate()?;
        let spread = Spread::of(&ratios).context("no windows")?;
        out["throughput_effect"][kind.name()] = json!(spread.figure);
        out["spread"]["throughput_effect"][kind.name()] = spread.json();
        let cost = cost::measure(&mut instrument, &load, &plan.cost(None))?;
        out[key] = json!(cost.per_unit.figure);
        out["spread"][key] = cost.per_unit.json();
        rows.push(cost_row(kind, "", &cost, None));
        rows.push(effect_row(kind, rate, spread));
        out[format!("{key}_programs")] = cost.programs;
    }
    Ok(())
}
