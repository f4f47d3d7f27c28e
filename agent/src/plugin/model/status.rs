//! Status hints by the agents' rules, for Pods without an agent: not scheduled yet, or read from the API server only.

use crate::{
    api::{Hint, PodInfo},
    hints::{Engine, Thresholds},
    state::{NodeView, SubjectId, SubjectKind, SubjectView},
};
use std::{sync::Arc, time::Duration};

/// A window for the engine. Status rules use only the wall clock.
const WINDOW: Duration = Duration::from_secs(10);

/// Hints about the status of these Pods at `now_ms`.
pub fn judge(pods: &[(String, Arc<PodInfo>)], now_ms: i64) -> Vec<Hint> {
    let mut hints = Vec::new();
    let mut nodes: Vec<&str> = pods.iter().map(|(node, _)| node.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    for node in nodes {
        let subjects = pods.iter().filter(|(on, _)| on == node).map(|(_, pod)| SubjectView {
            id: SubjectId {
                kind: SubjectKind::Pod,
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                workload: pod.workload.clone(),
            },
            pod: Some(Arc::clone(pod)),
            ..SubjectView::default()
        });
        let view = NodeView {
            node: node.to_owned(),
            at: WINDOW,
            unix_ms: u64::try_from(now_ms).unwrap_or(0),
            window: WINDOW,
            window_complete: true,
            subjects: subjects.collect(),
            ..NodeView::default()
        };
        hints.extend(Engine::new(node).tick(&view, &Thresholds::default()));
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::super::testing::{NOW_MS, container, pod_info, shared};
    use super::*;
    use crate::api::{Condition, ContainerState, Why};

    #[test]
    fn a_pod_without_a_node_is_judged_as_an_agent_would() {
        let mut stuck = pod_info("shop", "stuck");
        stuck.phase = "Pending".to_owned();
        stuck.containers = vec![container("app", ContainerState::Waiting(Why::default()))];
        let why = Why { reason: "Unschedulable".to_owned(), message: "0/3 nodes have enough memory".to_owned() };
        stuck.unmet = vec![Condition { kind: "PodScheduled".to_owned(), why, since_ms: Some(NOW_MS - 100_000) }];
        let pods = [(String::new(), shared(stuck)), ("node-a".to_owned(), shared(pod_info("shop", "fine")))];
        let hints = judge(&pods, NOW_MS);
        let causes: Vec<(&str, &str)> = hints.iter().map(|h| (h.subject.name.as_str(), h.cause.as_str())).collect();
        assert_eq!(causes, [("stuck", "pod_not_running")], "{hints:?}");
    }
}
