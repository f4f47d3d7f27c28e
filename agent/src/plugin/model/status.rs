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
mod tests;
