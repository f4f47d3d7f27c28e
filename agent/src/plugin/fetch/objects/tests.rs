use super::*;
use serde_json::json;

#[test]
fn selectors_have_the_syntax_of_list_requests() {
    let selector: LabelSelector = serde_json::from_value(json!({
        "matchLabels": {"app": "x"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]},
            {"key": "old", "operator": "DoesNotExist"},
            {"key": "new", "operator": "Exists"}
        ]
    }))
    .unwrap();
    assert_eq!(selector_text(&selector), "app=x,tier in (a,b),!old,new");
}

#[test]
fn a_node_is_healthy_if_ready_and_without_pressure() {
    let node = |conditions: serde_json::Value| -> Node {
        serde_json::from_value(json!({"metadata": {}, "status": {"conditions": conditions}})).unwrap()
    };
    let ready = json!({"type": "Ready", "status": "True"});
    assert_eq!(node_line(&node(json!([ready]))), (true, "Ready".to_owned()));
    let pressed = json!([ready, {"type": "DiskPressure", "status": "True"}]);
    assert_eq!(node_line(&node(pressed)), (false, "Ready, DiskPressure".to_owned()));
    let lost = json!([{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]);
    assert_eq!(node_line(&node(lost)), (false, "NotReady: Kubelet stopped posting node status.".to_owned()));
}

#[test]
fn services_are_found_by_their_endpoints() {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "addressType": "IPv4", "metadata": {"name": "s", "labels": {SERVICE_NAME: "payment"}},
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "p-1"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "p-2"}}
        ]
    }))
    .unwrap();
    let found = services_of(std::slice::from_ref(&slice), &["p-1".to_owned()]);
    assert_eq!(found, [Fact::new("Service/payment", "1 of 2 endpoints ready")]);
    assert!(services_of(&[slice], &["other".to_owned()]).is_empty());
}

#[test]
fn an_unknown_name_is_answered_with_a_likely_one() {
    let names = ["payment-7c9-x", "cart-1"].map(str::to_owned);
    assert_eq!(similar("payment", &names, "shop"), "did you mean payment-7c9-x?");
    assert!(similar("zebra", &names, "shop").contains("kubectl -n shop get pods"));
}
