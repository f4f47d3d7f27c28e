use super::{
    super::written::tests::{LONG_BEFORE, ONSET_MS, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use serde_json::{Value, json};

fn event(times: Value) -> v1::Event {
    let mut event = json!({
        "metadata": {"name": "e"}, "involvedObject": {"kind": "Node", "name": "node-a"}, "reason": "Rebooted",
        "message": "Node node-a has been rebooted,\n boot id: 7"
    });
    event.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    object(event)
}

#[test]
fn the_last_occurrence_within_the_window_counts_else_the_first() {
    let at = |times| within(&event(times), WINDOW).map(|event| event.at_ms);
    assert_eq!(at(json!({"firstTimestamp": LONG_BEFORE, "lastTimestamp": TEN_BEFORE})), Some(TEN_BEFORE_MS));
    assert_eq!(at(json!({"firstTimestamp": TEN_BEFORE, "lastTimestamp": "2026-01-01T03:00:00Z"})), Some(TEN_BEFORE_MS));
    assert_eq!(at(json!({"eventTime": "2025-12-31T23:50:00.000000Z"})), Some(TEN_BEFORE_MS));
    assert_eq!(at(json!({"firstTimestamp": LONG_BEFORE, "lastTimestamp": LONG_BEFORE})), None);
    assert_eq!(at(json!({})), None);
    // What Kubernetes notes late.
    assert_eq!(at(json!({"lastTimestamp": "2026-01-01T00:00:40Z"})), Some(ONSET_MS + 40_000));
}

#[test]
fn events_of_nodes_are_sorted_into_kinds() {
    let rebooted = within(&event(json!({"lastTimestamp": TEN_BEFORE})), WINDOW).unwrap();
    let seen = of_node(&rebooted, "node-a", Near::CulpritNode).unwrap();
    assert_eq!(
        (seen.kind, seen.what.as_str(), seen.object.as_str()),
        (ChangeKind::Reboot, "rebooted: Node node-a has been rebooted, boot id: 7", "Node/node-a")
    );
    let kind = |reason: &str| {
        let event = Event { reason: reason.into(), ..rebooted.clone() };
        of_node(&event, "node-a", Near::CulpritNode).map(|seen| seen.kind)
    };
    assert_eq!(kind("NodeNotSchedulable"), Some(ChangeKind::Drain));
    assert_eq!(kind("SystemOOM"), Some(ChangeKind::Condition));
    assert_eq!(kind("NodeHasSufficientMemory"), None);
}
