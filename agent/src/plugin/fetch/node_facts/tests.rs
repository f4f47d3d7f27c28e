use super::*;
use serde_json::json;

fn of(node: serde_json::Value) -> BTreeMap<String, (Kind, Value)> {
    let node: Node = serde_json::from_value(node).unwrap();
    object_facts(&node, 1_767_225_612_000).into_iter().map(|(kind, fact, value)| (fact, (kind, value))).collect()
}

#[test]
fn a_node_object_has_versions_place_conditions_taints_and_labels() {
    let facts = of(json!({
        "metadata": {
            "name": "node-a", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"topology.kubernetes.io/zone": "z1", "beta.kubernetes.io/instance-type": "m5.large", "pool": "x"}
        },
        "spec": {"unschedulable": true, "taints": [{"key": "gpu", "effect": "NoSchedule"}]},
        "status": {
            "nodeInfo": {
                "kubeletVersion": "v1.33.1", "containerRuntimeVersion": "containerd://2.1.0", "osImage": "Debian 13",
                "architecture": "amd64", "bootID": "b", "kernelVersion": "6.8", "kubeProxyVersion": "", "machineID": "m",
                "operatingSystem": "linux", "systemUUID": "s"
            },
            "capacity": {"pods": "110", "memory": "32844924Ki"},
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}]
        }
    }));
    let text = |kind, text: &str| Some((kind, Value::Text(text.to_owned())));
    for (fact, value) in [
        ("kubelet", text(Kind::Kubernetes, "v1.33.1")),
        ("container_runtime", text(Kind::Kubernetes, "containerd://2.1.0")),
        ("zone", text(Kind::Kubernetes, "z1")),
        ("instance_type", text(Kind::Kubernetes, "m5.large")),
        ("region", Some((Kind::Kubernetes, Value::Absent))),
        ("capacity pods", text(Kind::Kubernetes, "110")),
        ("capacity memory", None),
        ("age", Some((Kind::Kubernetes, Value::Number(12.0, "seconds".to_owned())))),
        ("cordoned", text(Kind::Condition, "yes")),
        ("condition Ready", text(Kind::Condition, "True")),
        ("taint gpu:NoSchedule", text(Kind::Condition, "set")),
        ("label pool", text(Kind::Label, "x")),
        ("label topology.kubernetes.io/zone", None),
    ] {
        assert_eq!(facts.get(fact).cloned(), value, "{fact}");
    }
}

#[test]
fn an_object_without_a_status_has_no_versions_and_is_not_cordoned() {
    let facts = of(json!({"metadata": {"name": "node-a"}}));
    assert!(!facts.contains_key("kubelet") && !facts.contains_key("age"), "{facts:?}");
    assert_eq!(facts["cordoned"].1, Value::Text("no".to_owned()));
    assert_eq!(facts["zone"].1, Value::Absent);
}
