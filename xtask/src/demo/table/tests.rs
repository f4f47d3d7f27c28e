use super::*;
use serde_json::json;

#[test]
fn absent_values_are_shown_as_absent_not_as_zero() {
    let pods = json!([{ "name": "web-a", "window": {
        "rtt_p50_seconds": 0.000_085, "rtt_p99_seconds": 0.0123, "min_rtt_seconds": null, "retransmit_ratio": 0.0,
        "seconds": 10.0, "loss_episodes": 3, "connects": { "client": 10, "server": 10 },
        "connect_failures": { "reset": 0 },
        "cpu_throttled_share": null, "limited": { "receiver": 0.92, "send_buffer": 0.001, "network": 0.079 }
    }}]);
    let text = table(&pods, &["web-a", "gone"]);
    let lines: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(lines[1], ["web-a", "85 µs", "12.3 ms", NONE, "0 %", "3", "2.0", "0", NONE, "receiver 92 %"]);
    assert_eq!(lines[2], ["gone", NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE]);
}

#[test]
fn rows_are_found_bare_and_wrapped() {
    assert_eq!(rows(&json!([1, 2]), "pods").len(), 2);
    assert_eq!(rows(&json!({ "pods": [1] }), "pods").len(), 1);
    assert!(rows(&json!({}), "pods").is_empty());
}
