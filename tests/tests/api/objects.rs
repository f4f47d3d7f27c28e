//! Objects that API servers send.

use serde_json::{Value, json};

/// A running Pod of [`super::NODE`].
pub(crate) fn pod(name: &str, version: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"), "resourceVersion": version.to_string()
        },
        "spec": {"nodeName": super::NODE, "containers": [{"name": "c", "image": "app:1"}]},
        "status": {"phase": "Running", "podIP": "10.1.0.7", "podIPs": [{"ip": "10.1.0.7"}]},
    })
}

/// A list of Pods.
pub(crate) fn pods(names: &[&str], version: u64) -> String {
    let items: Vec<Value> = names.iter().map(|name| pod(name, version)).collect();
    json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": version.to_string()}, "items": items})
        .to_string()
}

/// A line of a watch.
pub(crate) fn change(kind: &str, name: &str, version: u64) -> String {
    json!({"type": kind, "object": pod(name, version)}).to_string()
}

pub(crate) fn bookmark(version: u64) -> String {
    let metadata = json!({"resourceVersion": version.to_string()});
    json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}}).to_string()
}

/// An error within a watch.
pub(crate) fn error(code: u16, reason: &str) -> String {
    json!({"type": "ERROR", "object": {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "as the test wants it",
        "reason": reason, "code": code,
    }})
    .to_string()
}
