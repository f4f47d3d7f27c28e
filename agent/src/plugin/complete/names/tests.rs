use super::*;
use serde_json::json;

#[test]
fn a_pod_has_all_kinds_of_containers() {
    let named = |names: &[&str]| names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
    let spec = json!({
        "containers": named(&["app", "proxy"]),
        "initContainers": named(&["setup"]),
        "ephemeralContainers": named(&["debugger"]),
    });
    assert_eq!(containers(&json!({ "spec": spec })), ["app", "proxy", "setup", "debugger"]);
}

#[test]
fn a_workload_has_those_of_its_template() {
    let object = json!({ "spec": { "replicas": 2, "template": { "spec": { "containers": [{ "name": "app" }] } } } });
    assert_eq!(containers(&object), ["app"]);
}

#[test]
fn odd_objects_have_none_and_long_lists_are_cut() {
    for odd in [json!(null), json!({ "spec": 1 }), json!({ "spec": { "containers": [1, { "name": 2 }, {}] } })] {
        assert_eq!(containers(&odd).len(), 0, "{odd}");
    }
    let many: Vec<Value> = (0..MOST + 5).map(|n| json!({ "name": format!("c{n}") })).collect();
    assert_eq!(containers(&json!({ "spec": { "containers": many } })).len(), MOST as usize);
}
