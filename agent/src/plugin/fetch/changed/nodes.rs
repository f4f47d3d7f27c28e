//! Conditions, taints and cordons of Nodes, and the Pods that started or restarted on them.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Found, Near, Seen, Window},
            health::Fact,
        },
        objects,
    },
    Asked, each,
    pods::{because, restarts},
    written::{by, last_write_of, ms},
};
use crate::pods::pod_info;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};
use std::collections::BTreeMap;

/// Taint of a cordoned Node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// Most Pods of one workload that are named.
const MAX_NAMED: usize = 3;

/// Reads what changed on the Nodes. Of those that are only on the way, agents tell enough.
pub(super) async fn read(asked: Asked<'_>, nodes: &BTreeMap<String, Near>) -> Found {
    let near = nodes.iter().filter(|(_, near)| **near != Near::Nearby);
    let nodes: Vec<(String, Near)> = near.map(|(name, near)| (name.clone(), *near)).collect();
    each(nodes, |(name, near)| async move {
        let api: Api<Node> = Api::all(asked.client.clone());
        let what = format!("Node {name}");
        let of_node = ListParams::default().fields(&format!("spec.nodeName={name}"));
        let pods: Api<Pod> = Api::all(asked.client.clone());
        let (node, (pods, unknown)) = tokio::join!(
            objects::request_optional(asked.session, &what, api.get(&name)),
            asked.list("Pods on the Nodes", &pods, of_node)
        );
        let mut found = Found { seen: landed(&name, near, &pods, asked.window), unknown, ..Found::default() };
        match node {
            Ok(Some(node)) => found.add(changes_of(&node, &name, near)),
            Ok(None) => found.unknown.push(Fact::new(format!("Node {name}"), "the cluster has no such Node now")),
            Err(failure) => found.unknown.push(Fact::new("Nodes", failure.to_string())),
        }
        found
    })
    .await
}

/// Changes that a Node's object tells, of any time.
pub(super) fn changes_of(node: &Node, name: &str, near: Near) -> Found {
    let object = format!("Node/{name}");
    let seen = |at_ms, kind, what| Seen { at_ms, near, kind, namespace: String::new(), object: object.clone(), what };
    let mut found = Found::default();
    let out = &mut found.seen;
    if let Some(at) = ms(node.metadata.creation_timestamp.as_ref()) {
        out.push(seen(at, ChangeKind::Joined, "joined the cluster".to_owned()));
    }
    for condition in node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default() {
        let Some(at) = ms(condition.last_transition_time.as_ref()) else { continue };
        let why = because(condition.reason.as_deref(), condition.message.as_deref());
        let what = format!("condition {} became {}{why}", condition.type_, condition.status);
        out.push(seen(at, ChangeKind::Condition, what));
    }
    let Some(spec) = node.spec.as_ref() else { return found };
    let taints = spec.taints.as_deref().unwrap_or_default();
    for taint in taints.iter().filter(|taint| taint.key != UNSCHEDULABLE) {
        if let Some(at) = ms(taint.time_added.as_ref()) {
            out.push(seen(at, ChangeKind::Drain, format!("got the taint {}:{}", taint.key, taint.effect)));
        }
    }
    if spec.unschedulable != Some(true) {
        return found;
    }
    let tainted =
        taints.iter().filter(|taint| taint.key == UNSCHEDULABLE).find_map(|taint| ms(taint.time_added.as_ref()));
    let (written, manager) = last_write_of(&node.metadata, "unschedulable").unzip();
    // The taint's time is the cordon's own. A controller adds it, though, which not every cluster has.
    match tainted.or(written) {
        Some(at) => {
            let what = format!("was cordoned{}", by(&manager.unwrap_or_default()));
            out.push(seen(at, ChangeKind::Drain, what));
        }
        None => {
            let why = format!("Node {name} is cordoned, and its object does not say since when");
            found.unknown.push(Fact::new("times of cordons", why));
        }
    }
    found
}

/// Pods that started on the Node within the window, by workload, and containers that restarted.
pub(super) fn landed(node: &str, near: Near, pods: &[Pod], window: Window) -> Vec<Seen> {
    let mut out = Vec::new();
    let mut started: BTreeMap<(String, String), Vec<(i64, String)>> = BTreeMap::new();
    for pod in pods {
        let Some(info) = pod_info(pod) else { continue };
        out.extend(restarts(&info, near, window));
        let start = ms(pod.status.as_ref().and_then(|status| status.start_time.as_ref()));
        if let Some(at) = start.filter(|at| window.has(*at)) {
            started.entry((info.namespace, info.workload)).or_default().push((at, info.name));
        }
    }
    out.extend(started.into_iter().map(|((namespace, object), mut pods)| {
        pods.sort_unstable();
        let at_ms = pods.iter().map(|(at, _)| *at).min().unwrap_or_default();
        let mut names: Vec<String> = pods.iter().take(MAX_NAMED).map(|(_, name)| name.clone()).collect();
        if pods.len() > MAX_NAMED {
            names.push(format!("{} more", pods.len() - MAX_NAMED));
        }
        let what = match object.strip_prefix("Pod/") {
            Some(_) => format!("started on {node}"),
            None => format!("started on {node}: {}", names.join(", ")),
        };
        Seen { at_ms, near, kind: ChangeKind::Placement, namespace, object, what }
    }));
    out
}

#[cfg(test)]
mod tests;
