use super::{
    super::written::tests::{LONG_BEFORE, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use serde_json::json;

#[test]
fn conditions_taints_and_cordons_have_times() {
    let node: Node = object(json!({
        "metadata": {"name": "a", "creationTimestamp": LONG_BEFORE, "managedFields": [
            {"manager": "kubectl-cordon", "time": TEN_BEFORE, "fieldsV1": {"f:spec": {"f:unschedulable": {}}}}
        ]},
        "spec": {"unschedulable": true, "taints": [
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": TEN_BEFORE},
            {"key": "pool", "effect": "NoSchedule"}
        ]},
        "status": {"conditions": [
            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting",
                "lastTransitionTime": TEN_BEFORE},
            {"type": "DiskPressure", "status": "False", "lastTransitionTime": LONG_BEFORE}
        ]}
    }));
    let all = changes_of(&node, "a", Near::CulpritNode);
    assert!(all.unknown.is_empty(), "{:?}", all.unknown);
    let shown: Vec<(ChangeKind, &str)> =
        all.seen.iter().filter(|seen| WINDOW.has(seen.at_ms)).map(|seen| (seen.kind, seen.what.as_str())).collect();
    assert_eq!(
        shown,
        [
            (ChangeKind::Condition, "condition Ready became Unknown: NodeStatusUnknown: Kubelet stopped posting"),
            (ChangeKind::Drain, "got the taint node.kubernetes.io/unreachable:NoExecute"),
            (ChangeKind::Drain, "was cordoned by kubectl-cordon")
        ]
    );
}

/// A Node as API servers since 1.18 have it, after `kubectl label` and `kubectl cordon` by one manager.
fn cordoned(cordoned_at: &str) -> serde_json::Value {
    json!({
        "metadata": {
            "name": "b", "uid": "5f2", "resourceVersion": "412", "creationTimestamp": LONG_BEFORE,
            "labels": {"kubernetes.io/hostname": "b", "pool": "general"},
            "managedFields": [
                {
                    "manager": "kubectl-create", "operation": "Update", "apiVersion": "v1", "time": LONG_BEFORE,
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}
                },
                {
                    "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2025-12-31T23:59:00Z",
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:status": {"f:conditions": {
                        "k:{\"type\":\"Ready\"}": {"f:lastHeartbeatTime": {}}
                    }}}
                },
                {
                    "manager": "kubectl", "operation": "Update", "apiVersion": "v1", "time": cordoned_at,
                    "fieldsType": "FieldsV1", "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:kubernetes.io/hostname": {}, "f:pool": {}}},
                        "f:spec": {"f:unschedulable": {}}
                    }
                }
            ]
        },
        "spec": {
            "unschedulable": true,
            "taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
        },
        "status": {}
    })
}

/// Drains of the Node in the window.
fn drains(node: serde_json::Value) -> Vec<(i64, String)> {
    let all = changes_of(&object(node), "b", Near::CulpritNode);
    assert!(all.unknown.is_empty(), "{:?}", all.unknown);
    let drains = all.seen.into_iter().filter(|seen| seen.kind == ChangeKind::Drain && WINDOW.has(seen.at_ms));
    drains.map(|seen| (seen.at_ms, seen.what)).collect()
}

#[test]
fn a_cordon_has_its_managers_time_and_better_that_of_its_taint() {
    let expected = [(TEN_BEFORE_MS, "was cordoned by kubectl".to_owned())];
    assert_eq!(drains(cordoned(TEN_BEFORE)), expected);
    assert!(drains(cordoned(LONG_BEFORE)).is_empty());
    // The same manager wrote a label later.
    let mut labelled = cordoned("2025-12-31T23:58:00Z");
    let taint = |at| json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": at});
    labelled["spec"]["taints"] = json!([taint(TEN_BEFORE)]);
    assert_eq!(drains(labelled.clone()), expected);
    labelled["spec"]["taints"] = json!([taint(LONG_BEFORE)]);
    assert!(drains(labelled).is_empty());
}

#[test]
fn a_cordon_without_a_time_is_reported_as_unknown() {
    let mut node = cordoned(TEN_BEFORE);
    node["metadata"]["managedFields"] = json!([]);
    let all = changes_of(&object(node.clone()), "b", Near::CulpritNode);
    assert_eq!(all.unknown.len(), 1, "{:?}", all.unknown);
    assert!(all.unknown[0].what == "times of cordons" && all.seen.iter().all(|seen| seen.kind != ChangeKind::Drain));
    node["spec"]["unschedulable"] = json!(false);
    assert!(changes_of(&object(node), "b", Near::CulpritNode).unknown.is_empty());
}

#[test]
fn pods_that_landed_are_grouped_by_workload() {
    let pod = |name: &str, started: &str| -> Pod {
        object(json!({
            "metadata": {"uid": name, "name": name, "namespace": "jobs", "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "batch", "uid": "d", "controller": true}
            ]},
            "spec": {"nodeName": "a", "containers": []}, "status": {"startTime": started}
        }))
    };
    let mut pods: Vec<Pod> = (0..5).map(|number| pod(&format!("batch-{number}"), TEN_BEFORE)).collect();
    pods.push(pod("batch-old", LONG_BEFORE));
    let all = landed("a", Near::CulpritNode, &pods, WINDOW);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((all[0].at_ms, all[0].object.as_str()), (TEN_BEFORE_MS, "DaemonSet/batch"));
    assert_eq!(all[0].what, "started on a: batch-0, batch-1, batch-2, 2 more");
}
