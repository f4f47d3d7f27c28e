use super::{
    super::written::tests::{LONG_BEFORE, ONSET_MS, TEN_BEFORE, TEN_BEFORE_MS, WINDOW, object},
    *,
};
use crate::plugin::model::changed::changes;
use serde_json::{Value, json};

fn pod(status: Value) -> Pod {
    object(json!({
        "metadata": {"uid": "u", "name": "web-a-1", "namespace": "shop", "labels": {"pod-template-hash": "a"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-a", "uid": "r", "controller": true}
            ]},
        "spec": {"nodeName": "node-a", "containers": [{"name": "app", "image": "app"}]},
        "status": status
    }))
}

fn shown(status: Value) -> Vec<(ChangeKind, String)> {
    let all = changes_of(&pod(status), Near::Culprit, WINDOW);
    all.into_iter().filter(|seen| WINDOW.has(seen.at_ms)).map(|seen| (seen.kind, seen.what)).collect()
}

#[test]
fn a_restart_has_its_reason() {
    let status = |started: &str| {
        json!({"startTime": LONG_BEFORE, "containerStatuses": [{
            "name": "app", "ready": true, "restartCount": 3, "image": "app", "imageID": "app",
            "state": {"running": {"startedAt": started}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
        }]})
    };
    let what = "container app started again after OOMKilled, exit code 137 (3 restarts)".to_owned();
    assert_eq!(shown(status(TEN_BEFORE)), [(ChangeKind::Restart, what)]);
    assert!(shown(status(LONG_BEFORE)).is_empty());
}

#[test]
fn a_first_start_is_a_placement_and_no_restart() {
    let status = json!({"startTime": TEN_BEFORE, "containerStatuses": [{
        "name": "app", "ready": true, "restartCount": 0, "image": "app", "imageID": "app",
        "state": {"running": {"startedAt": TEN_BEFORE}}
    }]});
    assert_eq!(shown(status), [(ChangeKind::Placement, "started on node-a".to_owned())]);
}

#[test]
fn a_container_that_waits_shows_its_end() {
    let status = json!({"containerStatuses": [{
        "name": "app", "ready": false, "restartCount": 1, "image": "app", "imageID": "app",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1, "finishedAt": TEN_BEFORE}}
    }]});
    assert_eq!(shown(status), [(ChangeKind::Restart, "container app ended: exit code 1 (1 restart)".to_owned())]);
}

#[test]
fn evictions_and_conditions_have_their_reasons() {
    let status = json!({"conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting",
            "lastTransitionTime": TEN_BEFORE},
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": TEN_BEFORE},
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": TEN_BEFORE}
    ]});
    assert_eq!(
        shown(status),
        [
            (ChangeKind::Drain, "is being evicted: EvictionByEvictionAPI: Eviction API: evicting".to_owned()),
            (ChangeKind::Condition, "is not ready: ContainersNotReady".to_owned())
        ]
    );
}

#[test]
fn pods_lead_to_their_workloads_and_nodes() {
    let mut focus = Focus::new("Pod", "shop", "cart");
    focus.add_pod("shop", "web-a-1", Near::Culprit);
    let name = PodName { namespace: "shop".into(), name: "web-a-1".into() };
    let read = Read { pods: [(name, pod(json!({"startTime": TEN_BEFORE})))].into(), ..Read::default() };
    read.complete(&mut focus);
    assert_eq!(focus.nodes.get("node-a"), Some(&Near::CulpritNode));
    let web = focus.workloads.iter().next().unwrap();
    assert_eq!((web.0.kind.as_str(), web.0.name.as_str(), *web.1), ("Deployment", "web", Near::Culprit));
    let report = changes(&focus, WINDOW, read.changes(WINDOW, &focus.pods));
    assert_eq!((report.items[0].seconds_before, report.items[0].near), (600, Near::Culprit));
    assert_eq!(TEN_BEFORE_MS, ONSET_MS - 600_000);
}

#[test]
fn long_texts_are_cut_to_one_line() {
    assert_eq!(clause("a\n  b"), "a b");
    let cut = clause(&"é".repeat(1000));
    assert_eq!((cut.chars().count(), cut.ends_with('…')), (161, true));
}
