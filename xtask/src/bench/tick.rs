//! CPU time of a tick of a synthetic Node, from the snapshot to the judged view; see `agent/examples/tick.rs`.

use super::{Context, rows::spread_row, statistics::Spread, table::Row};
use crate::sh;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::process::Command;

/// Longest that a tick may take, s of CPU time.
const LIMIT: f64 = 0.02;

/// Measures ticks of a Node where all is well, and of one where a tenth of the edges have a trouble.
pub(super) fn run(context: &Context, rows: &mut Vec<Row>, out: &mut Value) -> Result<()> {
    let text = sh::output(&mut Command::new(context.bin.join("examples/tick")))?;
    let result: Value = serde_json::from_str(&text).context("the synthetic Node prints no JSON")?;
    let cases = result["cases"].as_array().context("the synthetic Node has no cases")?;
    let mut figures = Vec::new();
    for case in cases {
        let seconds = case["seconds"].as_array().into_iter().flatten().filter_map(Value::as_f64);
        let spread = Spread::of(&seconds.collect::<Vec<_>>()).context("no tick was measured")?;
        rows.push(spread_row((what(&result, case).as_str(), spread, 1e3, "ms", "≤ 20 ms", LIMIT)));
        let (judged, trouble, hints) = (&case["judged"], &case["trouble"], &case["hints"]);
        figures.push(json!({ "judged": judged, "trouble": trouble, "hints": hints, "seconds": spread.json() }));
    }
    out["tick"] = json!(figures);
    Ok(())
}

/// `CPU time of a tick, 250 Pods, 4000 edges, 4000 of them judged, a tenth of which lose packets`.
fn what(result: &Value, case: &Value) -> String {
    let trouble = match case["trouble"].as_str().unwrap_or_default() {
        "" => String::new(),
        trouble => format!(", a tenth of which {trouble}"),
    };
    let (pods, edges, judged) = (&result["pods"], &result["edges"], &case["judged"]);
    format!("CPU time of a tick, {pods} Pods, {edges} edges, {judged} of them judged{trouble}")
}
