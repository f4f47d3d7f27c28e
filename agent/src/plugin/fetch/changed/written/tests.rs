use super::*;
use serde_json::{Value, json};

/// `2026-01-01T00:00:00Z`
pub(in super::super) const ONSET_MS: i64 = 1_767_225_600_000;
/// A quarter of an hour before it.
pub(in super::super) const WINDOW: Window = Window::before(ONSET_MS, 15 * 60 * 1000);
/// Ten minutes before the onset, as objects have it.
pub(in super::super) const TEN_BEFORE: &str = "2025-12-31T23:50:00Z";
/// The same, ms.
pub(in super::super) const TEN_BEFORE_MS: i64 = ONSET_MS - 600_000;
/// Out of the window.
pub(in super::super) const LONG_BEFORE: &str = "2025-12-30T00:00:00Z";

/// An object of the API.
pub(in super::super) fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn meta(entries: Value) -> ObjectMeta {
    object(json!({"managedFields": entries}))
}

fn entry(manager: &str, time: &str, fields: Value) -> Value {
    json!({"manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields})
}

#[test]
fn the_newest_write_of_somebody_counts_and_controllers_do_not() {
    let spec = || json!({"f:spec": {"f:replicas": {}}});
    let mut status = entry("helm", "2025-12-31T23:58:00Z", json!({"f:status": {}}));
    status["subresource"] = json!("status");
    let written = meta(json!([
        entry("helm", TEN_BEFORE, spec()),
        entry("kubectl-edit", "2025-12-31T23:49:00Z", spec()),
        entry("kube-controller-manager", "2025-12-31T23:59:00Z", spec()),
        entry("argocd", LONG_BEFORE, spec()),
        status,
    ]));
    assert_eq!(last_write(&written, WINDOW), Some((TEN_BEFORE_MS, "helm".to_owned())));
    assert_eq!(last_write(&ObjectMeta::default(), WINDOW), None);
}

#[test]
fn a_write_of_one_field_is_told_from_others() {
    let written = meta(json!([
        entry("kubectl-cordon", TEN_BEFORE, json!({"f:spec": {"f:unschedulable": {}}})),
        entry("kubectl-label", "2025-12-31T23:58:00Z", json!({"f:metadata": {"f:labels": {}}})),
    ]));
    let cordon = last_write_of(&written, "unschedulable");
    assert_eq!(cordon, Some((TEN_BEFORE_MS, "kubectl-cordon".to_owned())));
    assert_eq!(last_write_of(&written, "taints"), None);
    assert_eq!((by("helm").as_str(), by("")), (" by helm", String::new()));
}
