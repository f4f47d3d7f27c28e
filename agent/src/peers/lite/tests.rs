use super::*;

#[test]
fn only_the_fields_that_matter_are_read() {
    let node: LiteNode = serde_json::from_value(serde_json::json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "node-a", "labels": {"topology.kubernetes.io/zone": "z1"}},
        "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "fd00:1::/64"], "taints": []},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "192.168.0.1"}, {"type": "Hostname", "address": "node-a"},
                {"type": "InternalIP", "address": "fd00::1"}
            ],
            "images": [{"names": ["x"], "sizeBytes": 1}]
        }
    }))
    .unwrap();
    let (name, facts) = facts(&node).unwrap();
    assert_eq!((&*name, facts.zone.as_deref()), ("node-a", Some("z1")));
    assert_eq!(facts.pod_ranges, [range("10.1.0.0/24").unwrap(), range("fd00:1::/64").unwrap()]);
    assert_eq!(facts.addresses, [mapped("192.168.0.1".parse().unwrap()), "fd00::1".parse().unwrap()]);
}

#[test]
fn a_new_node_without_range_and_status_is_read_too() {
    let node: LiteNode = serde_json::from_value(
        serde_json::json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {}}),
    )
    .unwrap();
    assert_eq!(facts(&node).unwrap().1, NodeFacts::default());
}
