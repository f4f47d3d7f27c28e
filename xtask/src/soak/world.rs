//! The cluster's objects as a function of time, so that a list and a watch always agree.
//!
//! Each kind has one step per period: step `n` adds object `n` and then deletes object `n - alive`. The resource version
//! of a step is its number.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use std::time::Duration;

/// The agent's Node; it is always there.
pub(super) const NODE: &str = "node-a";

/// Objects of one kind that come and go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Such as `Pod`.
    pub(super) name: &'static str,
    /// Time between two steps.
    period: Duration,
    /// Objects at any time.
    alive: u64,
    /// The object with this number, at this resource version.
    object: fn(u64, u64) -> Value,
}

/// Five Pods a second, each for 8 s.
pub(super) const PODS: Kind = Kind { name: "Pod", period: Duration::from_millis(200), alive: 40, object: pod };
/// One Node a second, each for 40 s, with addresses that no other has.
pub(super) const NODES: Kind = Kind { name: "Node", period: Duration::from_secs(1), alive: 40, object: node };

impl Kind {
    /// The newest step at a time since the start. The first objects are there from the start.
    pub(super) fn step_at(&self, elapsed: Duration) -> u64 {
        self.alive + (elapsed.as_nanos() / self.period.as_nanos()) as u64
    }

    /// When a step happens.
    pub(super) fn time_of(&self, step: u64) -> Duration {
        self.period * u32::try_from(step.saturating_sub(self.alive)).unwrap_or(u32::MAX)
    }

    /// Numbers of the objects that exist after a step.
    pub(super) fn alive_at(&self, step: u64) -> std::ops::RangeInclusive<u64> {
        step + 1 - self.alive..=step
    }

    /// A list as the API server sends it.
    pub(super) fn list(&self, step: u64) -> String {
        let mut items: Vec<Value> = self.alive_at(step).map(|number| (self.object)(number, step)).collect();
        if self.name == NODES.name {
            items.push(own_node(step));
        }
        json!({
            "kind": format!("{}List", self.name), "apiVersion": "v1",
            "metadata": {"resourceVersion": step.to_string()}, "items": items,
        })
        .to_string()
    }

    /// The lines of a watch for one step.
    pub(super) fn changes(&self, step: u64) -> String {
        let line = |kind: &str, number| format!("{}\n", json!({"type": kind, "object": (self.object)(number, step)}));
        line("ADDED", step) + &line("DELETED", step - self.alive)
    }

    /// The object with a name, if it exists after a step.
    pub(super) fn named(&self, name: &str, step: u64) -> Option<Value> {
        if self.name == NODES.name && name == NODE {
            return Some(own_node(step));
        }
        let object = |number| (self.object)(number, step);
        self.alive_at(step).map(object).find(|object| object["metadata"]["name"] == name)
    }
}

/// `metadata.uid` of a Pod.
pub(super) fn uid(number: u64) -> String {
    format!("50a1c0de-0000-4000-8000-{number:012x}")
}

/// Path of a Pod's container below the cgroup root, as the kubelet's cgroupfs driver makes it.
pub(super) fn cgroup(number: u64) -> [String; 2] {
    let pod = format!("kubepods/burstable/pod{}", uid(number));
    [format!("{pod}/{number:064x}"), pod]
}

fn pod(number: u64, version: u64) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("churn-{number}"), "namespace": "soak", "uid": uid(number),
            "resourceVersion": version.to_string(), "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": "churn"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "churn-5d9f", "uid": "1", "controller": true
            }],
        },
        "spec": {"nodeName": NODE, "containers": [{"name": "app", "image": "app:1"}]},
        "status": {
            "phase": "Running",
            "containerStatuses": [{
                "name": "app", "ready": true, "restartCount": 0, "image": "app:1", "imageID": "",
                "containerID": format!("containerd://{number:064x}"),
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        },
    })
}

fn node(number: u64, version: u64) -> Value {
    let (high, low) = (number >> 8 & 0xff, number & 0xff);
    node_object(&format!("churn-{number}"), version, &format!("10.{high}.{low}.0/24"), &format!("172.16.{high}.{low}"))
}

fn own_node(version: u64) -> Value {
    node_object(NODE, version, "10.254.0.0/24", "172.31.0.1")
}

fn node_object(name: &str, version: u64, range: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "uid": name, "resourceVersion": version.to_string(),
            "labels": {"topology.kubernetes.io/zone": "zone-1"},
        },
        "spec": {"podCIDR": range, "podCIDRs": [range]},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    })
}
