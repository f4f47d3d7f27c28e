//! Rows of the table from measurements.

use super::{footprint, load::Kind, statistics::Spread, table::Row, verdict::Verdict};
use serde_json::{Value, json};

/// Goal of an effect on throughput: for people, and the least relative change. `None`: nothing is promised.
pub(super) const fn goal(kind: Kind) -> Option<(&'static str, f64)> {
    match kind {
        Kind::Keepalive => Some(("≤ 0.5 % slower", -0.005)),
        Kind::Bulk => Some(("≤ 1 % slower", -0.01)),
        Kind::Churn | Kind::Lookups => Some(("≤ 2 % slower", -0.02)),
        Kind::Switches => None,
    }
}

/// Whether an effect on throughput reaches its goal.
pub(super) fn verdict(kind: Kind, effect: &Spread) -> Option<Verdict> {
    goal(kind).map(|(_, least)| Verdict::at_least(least, effect))
}

pub(super) fn effect_row(kind: Kind, rate: f64, effect: Spread) -> Row {
    let percent = effect.scaled(100.0);
    let (scale, unit) = match kind {
        Kind::Keepalive | Kind::Churn | Kind::Lookups | Kind::Switches => (1e3, "k/s"),
        Kind::Bulk => (1e9 / 8.0, "Gbit/s"),
    };
    Row {
        what: format!("effect on {} ({:.1} {unit})", kind.text(), rate / scale),
        value: format!("{:+.2} %", percent.median),
        spread: format!("{:+.2} … {:+.2}  n={}", percent.low, percent.high, percent.n),
        target: goal(kind).map_or("", |(target, _)| target),
        verdict: verdict(kind, &effect),
    }
}

/// `(what, values, factor for showing, unit, target, limit in the values' unit)`
pub(super) fn spread_row(
    (what, spread, factor, unit, target, limit): (&str, Spread, f64, &str, &'static str, f64),
) -> Row {
    let shown = spread.scaled(factor);
    Row {
        what: what.to_owned(),
        value: format!("{:.2} {unit}", shown.median),
        spread: format!("{:.2} … {:.2}  n={}", shown.low, shown.high, shown.n),
        target,
        verdict: Some(Verdict::at_most(limit, &spread)),
    }
}

pub(super) fn footprint_rows(steps: &footprint::Steps, rows: &mut Vec<Row>, out: &mut Value) {
    for (key, target, limit) in [("250", "≤ 30 MB", Some(30e6)), ("1000", "", None)] {
        let bytes = steps.rss[key].as_f64().unwrap_or(0.0);
        rows.push(Row {
            what: format!("memory (RSS) with {key} cgroups, {} sockets", steps.sockets[key]),
            value: format!("{:.1} MB", bytes / 1e6),
            spread: String::new(),
            target,
            verdict: limit.map(|limit| Verdict::of(bytes <= limit)),
        });
    }
    out["rss_bytes"] = steps.rss.clone();
    out["sockets"] = steps.sockets.clone();
    out["scrapes"] = steps.scrapes.clone();
    out["scrape_seconds"] = json!(steps.scrape.median);
    out["scrape_bytes"] = json!(steps.scrape_bytes);
    out["spread"]["scrape_seconds"] = steps.scrape.json();
    let mut row = spread_row(("scrape of 250 pods", steps.scrape, 1e3, "ms", "≤ 10 ms", 0.01));
    row.what = format!("{}, {:.0} kB", row.what, steps.scrape_bytes as f64 / 1e3);
    rows.push(row);
}
