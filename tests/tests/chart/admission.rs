//! The admission policy that binds the agents' writes to their own Nodes.

use crate::{
    cel::{Decision, Write, decide},
    documents::Documents,
    helm::Helm,
    switches::{Combination, PUBLISH, expand},
};
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicySpec,
};
use serde_json::{Value, json};

const POLICY: &str = "ValidatingAdmissionPolicy";
const BINDING: &str = "ValidatingAdmissionPolicyBinding";

/// The policy is there exactly with the writes, and is about the agents alone.
pub(crate) fn check(documents: &Documents, combination: &Combination) {
    let expected = usize::from(combination.has(PUBLISH));
    assert_eq!((documents.of_kind(POLICY).len(), documents.of_kind(BINDING).len()), (expected, expected));
    if expected == 0 {
        return;
    }
    let policy: ValidatingAdmissionPolicy = documents.one(POLICY);
    let spec = policy.spec.expect("a specification");
    assert_eq!(spec.failure_policy.as_deref(), Some("Fail"));
    let [condition] = &spec.match_conditions.expect("a condition")[..] else { panic!("one condition") };
    let account = &documents.of_kind("DaemonSet")[0]["spec"]["template"]["spec"]["serviceAccountName"];
    let account = format!("'system:serviceaccount:watch:{}'", account.as_str().expect("an account"));
    let words: Vec<&str> = condition.expression.split_whitespace().collect();
    assert_eq!(words, ["request.userInfo.username", "==", account.as_str()]);
    let binding: ValidatingAdmissionPolicyBinding = documents.one(BINDING);
    let spec = binding.spec.expect("a specification");
    assert_eq!(spec.policy_name, policy.metadata.name);
    assert_eq!(spec.validation_actions.as_deref(), Some(&["Deny".to_owned()][..]));
    assert!(spec.match_resources.is_none(), "no namespace is left out");
}

#[test]
fn old_clusters_and_those_that_decline_get_no_policy() {
    let Some(helm) = Helm::found("old_clusters_and_those_that_decline_get_no_policy") else { return };
    let declined = "kube={\"publishEvents\":true,\"restrictWrites\":false}".to_owned();
    let none = |text: String| assert!(!text.contains(POLICY), "{text}");
    none(helm.template_for_old_cluster(&[PUBLISH.to_owned()]).unwrap());
    none(helm.template(&[declined]).unwrap());
    for one in ["publishEvents", "publishConditions"] {
        let text = helm.template(&[format!("kube={{\"{one}\":true}}")]).unwrap();
        assert!(text.contains(POLICY), "{one}");
    }
}

/// A write of the agent on node-1.
fn write(resource: &'static str, sub_resource: &'static str, name: &str, after: Value, before: Value) -> Write {
    let operation = if before.is_null() { "CREATE" } else { "UPDATE" };
    let user = json!({
        "username": "system:serviceaccount:watch:netwhy",
        "groups": ["system:serviceaccounts"],
        "extra": {
            "authentication.kubernetes.io/node-name": ["node-1"],
            "authentication.kubernetes.io/pod-name": ["netwhy-x"],
        },
    });
    Write { group: "", resource, sub_resource, operation, name: name.to_owned(), user, after, before }
}

/// A Node as the kubelet reports it, with the agent's condition.
fn node(status: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-1", "uid": "1", "labels": {"zone": "a"}, "annotations": {"cni": "x"}},
        "spec": {"podCIDR": "10.1.0.0/24"},
        "status": {
            "capacity": {"cpu": "4"},
            "nodeInfo": {"kernelVersion": "6.1"},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady"},
                {"type": "NetwhyNetworkTrouble", "status": status, "reason": "NodePacketLoss"},
            ],
        },
    })
}

/// An Event as the agent of this Node writes it.
fn event(node: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "payment.1", "namespace": "shop"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "payment", "uid": "2"},
        "type": "Warning",
        "reason": "NodePacketLoss",
        "message": "payment waits on node-2",
        "count": 1,
        "source": {"component": "netwhy-agent", "host": node},
        "reportingComponent": "netwhy-agent",
        "reportingInstance": node,
    })
}

/// The object with another value at a JSON pointer; `null` takes the field away.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = object.pointer_mut(parent).expect("a parent");
    match (parent, value) {
        (Value::Object(map), Value::Null) => drop(map.remove(key)),
        (Value::Object(map), value) => drop(map.insert(key.to_owned(), value)),
        (Value::Array(list), value) => list[key.parse::<usize>().expect("an index")] = value,
        (other, _) => panic!("{other} has no fields"),
    }
    object
}

fn policy(helm: &Helm) -> ValidatingAdmissionPolicySpec {
    let documents = Documents::read(&helm.template(&expand(PUBLISH)).expect("the chart renders"));
    documents.one::<ValidatingAdmissionPolicy>(POLICY).spec.expect("a specification")
}

#[test]
fn an_agent_writes_its_own_condition_of_its_own_node_alone() {
    let Some(helm) = Helm::found("an_agent_writes_its_own_condition_of_its_own_node_alone") else { return };
    let policy = policy(&helm);
    let status = |after: Value, before: Value| write("nodes", "status", "node-1", after, before);
    let ready = node("True")["status"]["conditions"][0].clone();
    let befores = [
        node("False"),
        // The agent's first condition.
        with(node("True"), "/status/conditions", json!([ready])),
    ];
    for before in befores {
        assert_eq!(decide(&policy, &status(node("True"), before.clone())), Decision::Allowed, "{before}");
    }
    let bare = with(node("True"), "/status/conditions", Value::Null);
    let alone = with(node("True"), "/status/conditions", json!([{"type": "NetwhyNetworkTrouble", "status": "True"}]));
    assert_eq!(decide(&policy, &status(alone, bare)), Decision::Allowed);
    let own_only = "the agent may change its own condition NetwhyNetworkTrouble only";
    let changes = [
        ("/status/conditions/0", json!({"type": "Ready", "status": "False", "reason": "KubeletReady"})),
        ("/status/conditions", json!([])),
        ("/status/conditions", Value::Null),
        ("/status/capacity", json!({"cpu": "400"})),
        ("/status/capacity", Value::Null),
        ("/status/volumesInUse", json!(["a"])),
        ("/metadata/labels", json!({"zone": "b"})),
        ("/metadata/labels", Value::Null),
        ("/metadata/annotations", json!({"cni": "y"})),
        ("/metadata/finalizers", json!(["a"])),
        ("/metadata/ownerReferences", json!([{"kind": "Pod"}])),
    ];
    for (pointer, value) in changes {
        let write = status(with(node("True"), pointer, value.clone()), node("False"));
        assert_eq!(decide(&policy, &write), Decision::Denied(own_only.to_owned()), "{pointer}: {value}");
    }
    let own_node = "this agent may write the status of Node node-1 only";
    let other = write("nodes", "status", "node-2", node("True"), node("False"));
    let whole = write("nodes", "", "node-1", node("True"), node("False"));
    for write in [other, whole] {
        assert_eq!(decide(&policy, &write), Decision::Denied(own_node.to_owned()));
    }
}

#[test]
fn an_agent_writes_events_of_its_own_node_alone() {
    let Some(helm) = Helm::found("an_agent_writes_events_of_its_own_node_alone") else { return };
    let policy = policy(&helm);
    let events = |after: Value, before: Value| write("events", "", "payment.1", after, before);
    let again = with(event("node-1"), "/count", json!(2));
    for write in [events(event("node-1"), Value::Null), events(again.clone(), event("node-1"))] {
        assert_eq!(decide(&policy, &write), Decision::Allowed);
    }
    let from_here = "this agent may write Events of Pods from Node node-1 only";
    let changes = [
        ("/reportingInstance", json!("node-2")),
        ("/reportingInstance", Value::Null),
        ("/reportingComponent", json!("kubelet")),
        ("/source", json!({"component": "netwhy-agent", "host": "node-2"})),
        ("/source", Value::Null),
        ("/involvedObject/kind", json!("Node")),
        ("/involvedObject", Value::Null),
    ];
    for (pointer, value) in changes {
        let write = events(with(event("node-1"), pointer, value.clone()), Value::Null);
        assert_eq!(decide(&policy, &write), Decision::Denied(from_here.to_owned()), "{pointer}: {value}");
    }
    // The newer API has other fields, which the agent does not write.
    let newer = json!({"kind": "Event", "reportingController": "netwhy-agent", "reportingInstance": "node-1"});
    let newer = Write { group: "events.k8s.io", ..events(newer, Value::Null) };
    assert_eq!(decide(&policy, &newer), Decision::Denied(from_here.to_owned()));
    let own = "this agent may change its own Events from Node node-1 only";
    for before in [event("node-2"), with(event("node-1"), "/reportingComponent", json!("kubelet"))] {
        assert_eq!(decide(&policy, &events(again.clone(), before)), Decision::Denied(own.to_owned()));
    }
}

#[test]
fn a_token_that_names_no_node_writes_nothing_and_others_are_left_alone() {
    let Some(helm) = Helm::found("a_token_that_names_no_node_writes_nothing_and_others_are_left_alone") else { return };
    let policy = policy(&helm);
    let event = write("events", "", "payment.1", event("node-1"), Value::Null);
    let status = write("nodes", "status", "node-1", node("True"), node("False"));
    let no_node = Decision::Denied("the agent's token names no Node".to_owned());
    for write in [event, status] {
        for extra in [Value::Null, json!({}), json!({"authentication.kubernetes.io/pod-name": ["netwhy-x"]})] {
            let user = with(write.user.clone(), "/extra", extra);
            assert_eq!(decide(&policy, &Write { user, ..write.clone() }), no_node);
        }
        let kubelet = json!({"username": "system:node:node-2", "groups": ["system:nodes"]});
        assert_eq!(decide(&policy, &Write { user: kubelet, ..write.clone() }), Decision::Other);
        let elsewhere = json!({"username": "system:serviceaccount:other:netwhy", "groups": []});
        assert_eq!(decide(&policy, &Write { user: elsewhere, ..write }), Decision::Other);
    }
}
