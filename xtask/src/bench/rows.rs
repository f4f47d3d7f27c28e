//! Rows of the table from measurements.

use super::{
    cost::Cost,
    footprint,
    load::Kind,
    share,
    statistics::Spread,
    table::Row,
    verdict::{Goal, Verdict},
};
use serde_json::{Value, json};

/// A goal for people, and the same in the figure's unit.
pub(super) type Told = (&'static str, Goal);

/// Goal of an effect on throughput, as a relative change. `None`: nothing is promised.
pub(super) const fn goal(kind: Kind) -> Option<Told> {
    match kind {
        Kind::Keepalive => Some(("≤ 0.5 % slower", Goal::AtLeast(-0.005))),
        Kind::Bulk => Some(("≤ 1 % slower", Goal::AtLeast(-0.01))),
        Kind::Churn | Kind::Lookups => Some(("≤ 2 % slower", Goal::AtLeast(-0.02))),
        Kind::Switches => None,
    }
}

/// Time in kernel programs; `more` follows what it is of.
pub(super) fn cost_row(kind: Kind, more: &str, cost: &Cost, goal: Option<Told>) -> Row {
    let Spread { figure, low, high, n } = cost.per_unit;
    let (measuring, timed) = (cost.empty.figure, share::text(cost.timed));
    Row {
        what: format!("kernel programs per {}{more} (net of {measuring:.0} ns a run{timed})", kind.one()),
        value: format!("{figure:.1} ns"),
        spread: format!("{low:.1} … {high:.1}  n={n}"),
        target: goal.map_or("", |(target, _)| target),
        verdict: goal.map(|(_, goal)| goal.verdict(&cost.per_unit)),
    }
}

pub(super) fn effect_row(kind: Kind, rate: f64, effect: Spread) -> Row {
    let percent = effect.scaled(100.0);
    let (scale, unit) = match kind {
        Kind::Keepalive | Kind::Churn | Kind::Lookups | Kind::Switches => (1e3, "k/s"),
        Kind::Bulk => (1e9 / 8.0, "Gbit/s"),
    };
    Row {
        what: format!("effect on {} ({:.1} {unit})", kind.text(), rate / scale),
        value: format!("{:+.2} %", percent.figure),
        spread: format!("{:+.2} … {:+.2}  n={}", percent.low, percent.high, percent.n),
        target: goal(kind).map_or("", |(target, _)| target),
        verdict: goal(kind).map(|(_, goal)| goal.verdict(&effect)),
    }
}

/// `(what, values, factor for showing, unit, target, limit in the values' unit)`
pub(super) fn spread_row(
    (what, spread, factor, unit, target, limit): (&str, Spread, f64, &str, &'static str, f64),
) -> Row {
    let shown = spread.scaled(factor);
    Row {
        what: what.to_owned(),
        value: format!("{:.2} {unit}", shown.figure),
        spread: format!("{:.2} … {:.2}  n={}", shown.low, shown.high, shown.n),
        target,
        verdict: Some(Goal::AtMost(limit).verdict(&spread)),
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
    out["scrape_seconds"] = json!(steps.scrape.figure);
    out["scrape_bytes"] = json!(steps.scrape_bytes);
    out["spread"]["scrape_seconds"] = steps.scrape.json();
    let mut row = spread_row(("scrape of 250 pods", steps.scrape, 1e3, "ms", "≤ 10 ms", 0.01));
    row.what = format!("{}, {:.0} kB", row.what, steps.scrape_bytes as f64 / 1e3);
    rows.push(row);
}
