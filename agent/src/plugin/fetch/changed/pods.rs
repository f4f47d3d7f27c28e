//! Restarts, starts, conditions and evictions of Pods.

use super::{
    super::{
        super::model::{
            changed::{ChangeKind, Focus, Found, Near, PodName, Seen, Window},
            health::Fact,
        },
        objects,
    },
    Asked, MOST_AT_ONCE,
    written::ms,
};
use crate::{
    api::{ContainerInfo, ContainerState, Ended, PodInfo},
    pods::pod_info,
};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use std::collections::BTreeMap;

/// The Pods of the culprit and the target that still exist.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) pods: BTreeMap<PodName, Pod>,
    unknown: Vec<Fact>,
}

/// Reads the Pods by name. Those that are gone are left out.
pub(super) async fn read(asked: Asked<'_>, focus: &Focus) -> Read {
    let get = |name: &PodName| {
        let (api, name): (Api<Pod>, _) = (Api::namespaced(asked.client.clone(), &name.namespace), name.clone());
        async move {
            let what = format!("Pod {}/{}", name.namespace, name.name);
            let found = objects::request_optional(asked.session, &what, api.get(&name.name)).await;
            (name, found)
        }
    };
    let mut out = Read::default();
    let mut answers = stream::iter(focus.pods.keys()).map(get).buffered(MOST_AT_ONCE);
    while let Some((name, answer)) = answers.next().await {
        match answer {
            Ok(Some(pod)) => drop(out.pods.insert(name, pod)),
            Ok(None) => {}
            Err(failure) => out.unknown.push(Fact::new("Pods", failure.to_string())),
        }
    }
    out
}

impl Read {
    /// Adds the workloads and Nodes of the Pods.
    pub(super) fn complete(&self, focus: &mut Focus) {
        for (name, pod) in &self.pods {
            let near = focus.pods.get(name).copied().unwrap_or(Near::Nearby);
            let of_node = if near == Near::Culprit { Near::CulpritNode } else { Near::TargetNode };
            if let Some(node) = node_of(pod) {
                focus.add_node(node, of_node);
            }
            if let Some(info) = pod_info(pod) {
                focus.add_workload(&name.namespace, &info.workload, near);
            }
        }
    }

    /// The changes of all of them.
    pub(super) fn changes(&self, window: Window, nearness: &BTreeMap<PodName, Near>) -> Found {
        let near = |name: &PodName| nearness.get(name).copied().unwrap_or(Near::Nearby);
        let seen = self.pods.iter().flat_map(|(name, pod)| changes_of(pod, near(name), window)).collect();
        Found { seen, unknown: self.unknown.clone(), ..Found::default() }
    }
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|node| !node.is_empty())
}

/// Changes of one Pod.
pub(super) fn changes_of(pod: &Pod, near: Near, window: Window) -> Vec<Seen> {
    let Some(info) = pod_info(pod) else { return Vec::new() };
    let seen = |at_ms, kind, what| Seen {
        at_ms,
        near,
        kind,
        namespace: info.namespace.clone(),
        object: format!("Pod/{}", info.name),
        what,
    };
    let mut out = restarts(&info, near, window);
    let status = pod.status.as_ref();
    if let Some(at) = ms(status.and_then(|status| status.start_time.as_ref())) {
        let on = node_of(pod).map(|node| format!(" on {node}")).unwrap_or_default();
        out.push(seen(at, ChangeKind::Placement, format!("started{on}")));
    }
    if let Some(at) = info.deleting_ms {
        out.push(seen(at, ChangeKind::Drain, "is being deleted".to_owned()));
    }
    for condition in status.and_then(|status| status.conditions.as_deref()).unwrap_or_default() {
        let Some(at) = ms(condition.last_transition_time.as_ref()) else { continue };
        let why = because(condition.reason.as_deref(), condition.message.as_deref());
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("DisruptionTarget", "True") => out.push(seen(at, ChangeKind::Drain, format!("is being evicted{why}"))),
            // Its containers say the rest.
            ("Ready", "False") => out.push(seen(at, ChangeKind::Condition, format!("is not ready{why}"))),
            _ => {}
        }
    }
    out
}

/// Containers that started again, or ended.
pub(super) fn restarts(info: &PodInfo, near: Near, window: Window) -> Vec<Seen> {
    let one = |container: &ContainerInfo| {
        let ended = |ended: &Ended| match ended.why.reason.as_str() {
            "" => format!("exit code {}", ended.exit_code),
            reason => format!("{reason}, exit code {}", ended.exit_code),
        };
        let (times, last) = (container.restarts, container.last.as_ref());
        let (at, what) = match &container.state {
            ContainerState::Running { since_ms } if times > 0 => {
                let before = last.map(|last| format!(" after {}", ended(last))).unwrap_or_default();
                (*since_ms, format!("container {} started again{before} ({})", container.name, restarted(times)))
            }
            // As init containers and Jobs do.
            ContainerState::Ended(end) if end.exit_code == 0 => return None,
            ContainerState::Ended(end) => (end.at_ms, format!("container {} ended: {}", container.name, ended(end))),
            ContainerState::Waiting(_) => {
                let last = last?;
                let count = restarted(times);
                (last.at_ms, format!("container {} ended: {} ({count})", container.name, ended(last)))
            }
            ContainerState::Running { .. } | ContainerState::Unknown => return None,
        };
        Some(Seen {
            at_ms: at.filter(|at| window.has(*at))?,
            near,
            kind: ChangeKind::Restart,
            namespace: info.namespace.clone(),
            object: format!("Pod/{}", info.name),
            what,
        })
    };
    info.containers.iter().filter_map(one).collect()
}

fn restarted(times: u32) -> String {
    if times == 1 { "1 restart".to_owned() } else { format!("{times} restarts") }
}

/// `: reason: message`, as far as they are there.
pub(super) fn because(reason: Option<&str>, message: Option<&str>) -> String {
    let mut out = String::new();
    for text in [reason, message].into_iter().flatten().filter(|text| !text.is_empty()) {
        out.push_str(": ");
        out.push_str(&clause(text));
    }
    out
}

/// Longest text of an object in a clause, characters.
const MAX_CLAUSE: usize = 160;

/// One line of a text, cut.
pub(super) fn clause(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CLAUSE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
