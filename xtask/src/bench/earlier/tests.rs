use super::*;
use crate::bench::verdict::Verdict;
use serde_json::json;

fn run(figure: f64, margin: f64) -> Value {
    let spread = Spread { figure, low: figure - margin, high: figure + margin, n: 10 };
    json!({ "spread": { "bpf_ns_per_request": spread.json() } })
}

#[test]
fn a_growth_within_the_limit_needs_an_interval_within_it() {
    let verdict = |before: Value, now: Value| rows(&before, &now)[0].verdict;
    assert_eq!(verdict(run(50.0, 1.0), run(53.0, 1.0)), Some(Verdict::Ok));
    assert_eq!(verdict(run(50.0, 3.0), run(53.0, 3.0)), Some(Verdict::Inconclusive));
    assert_eq!(verdict(run(50.0, 1.0), run(60.0, 1.0)), Some(Verdict::Short));
}

#[test]
fn margins_of_two_runs_add_up_as_errors_do() {
    let row = &rows(&run(50.0, 3.0), &run(52.0, 4.0))[0];
    assert_eq!((row.value.as_str(), row.spread.as_str()), ("+2.0 ns", "-3.0 … +7.0  n=10"));
}

#[test]
fn what_one_run_did_not_measure_has_no_row() {
    assert!(rows(&json!({}), &run(50.0, 1.0)).is_empty());
    assert!(rows(&run(50.0, 1.0), &json!({ "spread": {} })).is_empty());
}

#[test]
fn another_machine_is_told() {
    let machine = json!({ "kernel": "6.18", "cpus": 2, "cpu_model": "x", "date": "today" });
    let before = json!({ "machine": { "kernel": "6.18", "cpus": 4, "cpu_model": "x", "date": "yesterday" } });
    assert_eq!(differing(&before, &machine), ["cpus"]);
}
