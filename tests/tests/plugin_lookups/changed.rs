//! What changed before a trouble, from the objects of a real API server: their times are the server's own.

use crate::control_plane::{ADMIN, ControlPlane, NARROW, ONCALL, READER, running};
use serde_json::{Value, json};

/// The fact about a cordon at an unknown time.
const NO_TIME: &str = "times of cordons";

/// Now, as Kubernetes writes it.
fn now(plane: &ControlPlane) -> String {
    let made = plane.kubectl(ADMIN, &["create", "namespace", "clock", "-o", "json"], "").unwrap();
    plane.kubectl(ADMIN, &["delete", "namespace", "clock", "--wait=false"], "").unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    made["metadata"]["creationTimestamp"].as_str().unwrap().to_owned()
}

/// An Event of an object of the namespace `shop`, or of a Node.
fn event(plane: &ControlPlane, of: (&str, &str), reason: &str, message: &str, at: &str) {
    let (kind, name) = of;
    let (namespace, of_object) = if kind == "Node" { ("default", "") } else { ("shop", "shop") };
    let own = format!("{}-{}", name, reason.to_lowercase());
    plane.create(&json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": own, "namespace": namespace},
        "involvedObject": {
            "kind": kind, "name": name, "namespace": of_object
        },
        "reason": reason, "message": message, "type": "Normal", "firstTimestamp": at, "lastTimestamp": at, "count": 1
    }));
}

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
}

/// The Deployment `pay` with two revisions and a Pod on the Node b, as its controllers make them.
fn deployed(plane: &ControlPlane, at: &str) {
    let labels = json!({"app": "pay"});
    let template = |image: &str, hash: &str| {
        json!({
            "metadata": {"labels": {"app": "pay", "pod-template-hash": hash}},
            "spec": {"containers": [{
                "name": "app", "image": image, "env": [{"name": "TOKEN", "value": format!("secret of {image}")}],
                "envFrom": [{"configMapRef": {"name": "pay-settings"}}]
            }]}
        })
    };
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "labels": labels});
    plane.create(
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("pay-settings"), "data": {"a": "b"}}),
    );
    let uid = plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("pay"),
        "spec": {"selector": {"matchLabels": labels}, "template": template("pay:2", "b")}
    }));
    for (name, revision, image, hash) in [("pay-a", "1", "pay:1", "a"), ("pay-b", "2", "pay:2", "b")] {
        let mut metadata = meta(name);
        metadata["labels"]["pod-template-hash"] = json!(hash);
        metadata["annotations"] = json!({"deployment.kubernetes.io/revision": revision});
        metadata["ownerReferences"] = owner("Deployment", "pay", &uid);
        let uid = plane.create(&json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata,
            "spec": {
                "selector": {"matchLabels": {"app": "pay", "pod-template-hash": hash}}, "template": template(image, hash)
            }
        }));
        if hash == "b" {
            let mut metadata = meta("pay-b-1");
            metadata["labels"] = json!({"app": "pay", "pod-template-hash": hash});
            metadata["ownerReferences"] = owner("ReplicaSet", name, &uid);
            let mut spec = template(image, hash)["spec"].take();
            spec["nodeName"] = json!("b");
            plane.create(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
        }
    }
    let mut status = running("10.77.255.249");
    status["startTime"] = json!(at);
    status["containerStatuses"][0]["restartCount"] = json!(2);
    status["containerStatuses"][0]["state"] = json!({"running": {"startedAt": at}});
    status["containerStatuses"][0]["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    plane.status("shop", "pay-b-1", &status);
    event(plane, ("Deployment", "pay"), "ScalingReplicaSet", "Scaled up replica set pay-z from 1 to 3", at);
    plane.create(&json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": meta("pay-scaler"),
        "spec": {"maxReplicas": 9, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pay"}}
    }));
    let scaler = ("HorizontalPodAutoscaler", "pay-scaler");
    event(plane, scaler, "SuccessfulRescale", "New size: 3; reason: cpu resource utilization above target", at);
}

/// The StatefulSet `ledger` with two revisions.
fn stateful(plane: &ControlPlane) {
    let labels = json!({"app": "ledger"});
    let template =
        |image: &str| json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "db", "image": image}]}});
    let uid = plane.create(&json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ledger", "namespace": "shop"},
        "spec": {"serviceName": "ledger", "selector": {"matchLabels": labels}, "template": template("pg:16")}
    }));
    for (revision, image) in [(1, "pg:15"), (2, "pg:16")] {
        plane.create(&json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": revision,
            "metadata": {
                "name": format!("ledger-{revision}"), "namespace": "shop", "labels": labels,
                "ownerReferences": owner("StatefulSet", "ledger", &uid)
            },
            "data": {"spec": {"template": template(image)}}
        }));
    }
}

/// Makes changes on the Node b, where db runs. Nothing is wrong yet.
pub(crate) fn prepare(plane: &ControlPlane, db: &str) {
    let at = now(plane);
    let mut status = running(db);
    status["startTime"] = json!(at);
    plane.status("shop", "db", &status);
    plane.kubectl(ADMIN, &["cordon", "b"], "").unwrap();
    event(plane, ("Node", "b"), "Rebooted", "Node b has been rebooted, boot id: 7", &at);
    deployed(plane, &at);
    stateful(plane);
    targets(plane);
}

/// The changes of a report, by words that its object and its clause contain.
#[track_caller]
fn found<'v>(report: &'v Value, object: &str, what: &str) -> &'v Value {
    let items = report["items"].as_array().unwrap_or_else(|| panic!("{report}"));
    let is_it =
        |item: &&Value| item["object"] == object && item["what"].as_str().is_some_and(|text| text.contains(what));
    items.iter().find(is_it).unwrap_or_else(|| panic!("{object} {what}: {report:#}"))
}

/// What could not be read, each once.
fn unknown(report: &Value) -> Vec<&str> {
    report["unknown"].as_array().unwrap().iter().map(|fact| fact["what"].as_str().unwrap()).collect()
}

/// A cordon without the control plane's controllers has no time but that of its managed field. An API server that keeps
/// none is the only reason to miss it, and then the report says so.
fn cordon(plane: &ControlPlane, report: &Value, near: &str) {
    let node = plane.kubectl(ADMIN, &["get", "--raw", "/api/v1/nodes/b"], "").unwrap();
    let node: Value = serde_json::from_str(&node).unwrap();
    assert_eq!(node["spec"]["unschedulable"], true, "{node}");
    let is_tracked = node["metadata"]["managedFields"].to_string().contains("\"f:unschedulable\"");
    assert_eq!(unknown(report).contains(&NO_TIME), !is_tracked, "{report}");
    if is_tracked {
        let change = found(report, "Node/b", "was cordoned by kubectl");
        assert_eq!((&change["near"], &change["kind"]), (&json!(near), &json!("drain")), "{change}");
    } else {
        println!("this API server keeps no managed field of a cordon: {}", node["metadata"]);
    }
}

/// `changed` with a target of each kind, without any trouble.
fn targets(plane: &ControlPlane) {
    let report = plane.ask(ONCALL, &["changed", "deploy/pay", "-o", "json"]).well().json();
    let rollout = found(&report, "Deployment/pay", "revision 2: ");
    let what = rollout["what"].as_str().unwrap();
    assert!(what.contains("image of app: pay:1 → pay:2") && what.contains("variables of app: TOKEN"), "{what}");
    assert_eq!((&rollout["near"], &rollout["kind"]), (&json!("target"), &json!("rollout")), "{rollout}");
    found(&report, "Pod/pay-b-1", "container app started again after OOMKilled, exit code 137 (2 restarts)");
    found(&report, "Pod/pay-b-1", "started on b");
    found(&report, "Deployment/pay", "Scaled up replica set pay-z from 1 to 3");
    let scaler = found(&report, "HorizontalPodAutoscaler/pay-scaler", "scaled pay: New size: 3");
    assert_eq!(scaler["near"], "target", "{scaler}");
    found(&report, "ConfigMap/pay-settings", "Pods see it from their next start on");
    assert_eq!(found(&report, "Node/b", "rebooted: Node b has been rebooted")["near"], "target_node");
    found(&report, "Node/b", "netwhy's agent started");
    assert!(!report.to_string().contains("secret of"), "no value of a variable: {report}");
    cordon(plane, &report, "target_node");
    assert!(unknown(&report).iter().all(|what| *what == NO_TIME), "{report}");

    let screen = plane.ask(ONCALL, &["changed", "deploy/pay"]).well();
    println!("{}{}", screen.out, screen.err);
    assert!(screen.out.starts_with("Deployment shop/pay: changes in 15m until 2"), "{}", screen.out);
    let stateful = plane.ask(ONCALL, &["changed", "sts/ledger", "-o", "json"]).well().json();
    found(&stateful, "StatefulSet/ledger", "revision 2: image of db: pg:15 → pg:16");
    let node = plane.ask(ONCALL, &["changed", "node/b", "-o", "json"]).well().json();
    assert_eq!(found(&node, "Node/b", "rebooted: ")["near"], "target", "{node}");
    cordon(plane, &node, "target");
    found(&node, "Deployment/pay", "started on b: pay-b-1");
    // A moment before there was a cluster.
    let past = plane.ask(ONCALL, &["changed", "deploy/pay", "--at", "3h", "-o", "json"]).well().json();
    assert_eq!(past["items"], json!([]), "{past}");
    plane.ask(ONCALL, &["changed", "deploy/none"]).failed(&["no Deployment in namespace shop is named \"none\""]);

    // What may not be read is said once, and the rest is shown.
    let narrow = plane.ask(NARROW, &["changed", "pod/pay-b-1", "-o", "json"]).well().json();
    found(&narrow, "Pod/pay-b-1", "container app started again");
    found(&narrow, "Node/b", "netwhy's agent started");
    let mut missing = unknown(&narrow);
    missing.sort_unstable();
    assert_eq!(missing, ["ConfigMaps", "Deployments", "Events", "Nodes"], "{narrow}");
    let silent = plane.ask(READER, &["changed", "pod/pay-b-1", "-o", "json"]).well().json();
    assert!(silent["not_answered"].to_string().contains("pods/proxy"), "{silent}");
}

/// cart waits for db, which is gone: `why` shows what changed at db and its Node first.
pub(crate) fn before(plane: &ControlPlane) {
    let case = plane.ask(ONCALL, &["why", "pod/cart", "-o", "json"]).well().json();
    assert_eq!(case["verdict"]["blame"]["name"], "shop/db", "{}", case["verdict"]);
    let changed = &case["changed"];
    assert_eq!(found(changed, "Pod/db", "started on b")["near"], "culprit", "{changed}");
    assert_eq!(found(changed, "Node/b", "rebooted: ")["near"], "culprit_node", "{changed}");
    assert_eq!(found(changed, "Node/b", "rebooted: ")["kind"], "reboot", "{changed}");
    cordon(plane, changed, "culprit_node");
    assert_eq!(found(changed, "Deployment/pay", "started on b: pay-b-1")["near"], "culprit_node", "{changed}");
    let near: Vec<&str> =
        changed["items"].as_array().unwrap().iter().map(|item| item["near"].as_str().unwrap()).collect();
    assert_eq!(near[0], "culprit", "{changed}");
    let screen = plane.ask(ONCALL, &["why", "pod/cart"]).well().out;
    println!("{screen}");
    assert!(
        screen.contains("CHANGED BEFORE: 15m until 2") && screen.contains("Pod/shop/db (culprit) started on b"),
        "{screen}"
    );
    // With few rights, `why` is as good as before.
    let narrow = plane.ask(NARROW, &["why", "pod/cart", "-o", "json"]).well().json();
    assert_eq!(narrow["verdict"]["cause"], case["verdict"]["cause"], "{narrow}");
    assert!(unknown(&narrow["changed"]).contains(&"Nodes"), "{narrow}");

    plane.kubectl(ADMIN, &["uncordon", "b"], "").unwrap();
    plane.kubectl(ADMIN, &["-n", "shop", "delete", "--force", "--grace-period=0", "pod", "pay-b-1"], "").unwrap();
}
