//! Costs against those of an earlier run.

use super::{statistics::Spread, table::Row, verdict::Goal};
use serde_json::Value;

/// Place in the JSON, and the same for people.
const FIGURES: [(&str, &str); 4] = [
    ("/spread/bpf_ns_per_request", "kernel programs per keep-alive request"),
    ("/signals/no_responses/keepalive/bpf_ns", "the same without response times"),
    ("/signals/responses/keepalive/bpf_ns", "the same with response times"),
    ("/signals/http/keepalive/bpf_ns", "the same with response times and HTTP"),
];
/// Most that a request may cost more, ns.
const MORE: f64 = 5.0;
/// Facts of a machine that figures depend on.
const MACHINE: [&str; 3] = ["kernel", "cpus", "cpu_model"];

/// Rows of what both runs measured.
pub(super) fn rows(before: &Value, now: &Value) -> Vec<Row> {
    let of = |result: &Value, place: &str| result.pointer(place).and_then(Spread::of_json);
    let rows = FIGURES.into_iter().filter_map(|(place, what)| {
        let more = difference(&of(now, place)?, &of(before, place)?);
        Some(Row {
            what: format!("{what}, more than before"),
            value: format!("{:+.1} ns", more.figure),
            spread: format!("{:+.1} … {:+.1}  n={}", more.low, more.high, more.n),
            target: "≤ 5 ns",
            verdict: Some(Goal::AtMost(MORE).verdict(&more)),
        })
    });
    rows.collect()
}

/// Facts in which the machines differ.
pub(super) fn differing(before: &Value, now: &Value) -> Vec<&'static str> {
    MACHINE.into_iter().filter(|fact| before["machine"][fact] != now[fact]).collect()
}

/// Of two independent figures. The distances to an end of their intervals add up as errors do.
fn difference(now: &Spread, before: &Spread) -> Spread {
    let figure = now.figure - before.figure;
    Spread {
        figure,
        low: figure - (now.figure - now.low).hypot(before.high - before.figure),
        high: figure + (now.high - now.figure).hypot(before.figure - before.low),
        n: now.n.min(before.n),
    }
}

#[cfg(test)]
mod tests;
