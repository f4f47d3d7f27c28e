//! Pods that do not run properly, with the cause.

use super::{SilentAgent, health::status_line};
use crate::api::{Hint, PodInfo};
use serde::Serialize;
use std::sync::Arc;

/// The report of `diagnose`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Worst first.
    pub items: Vec<UnhealthyPod>,
    /// Number of checked Pods.
    pub pods: usize,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// One Pod with a cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnhealthyPod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub pod: String,
    /// Owner, such as `Deployment/payment`.
    pub workload: String,
    /// Its Node; empty before it has one.
    pub node: String,
    /// Cause, as in docs/hints.md.
    pub cause: String,
    /// The problem in one sentence.
    pub summary: String,
    /// Phase, containers, restarts.
    pub status: String,
    /// The remedy.
    pub action: String,
}

/// From Pods with their Nodes, and the status hints about them.
pub fn diagnose(pods: &[(String, Arc<PodInfo>)], hints: &[Hint], not_answered: Vec<SilentAgent>) -> Diagnosis {
    let mut items: Vec<UnhealthyPod> = hints
        .iter()
        .filter_map(|hint| {
            let about = |pod: &PodInfo| pod.namespace == hint.subject.namespace && pod.name == hint.subject.name;
            let (node, pod) = pods.iter().find(|(_, pod)| about(pod))?;
            Some(UnhealthyPod {
                namespace: pod.namespace.clone(),
                pod: pod.name.clone(),
                workload: pod.workload.clone(),
                node: node.clone(),
                cause: hint.cause.clone(),
                summary: hint.summary.clone(),
                status: status_line(pod),
                action: hint.action.clone(),
            })
        })
        .collect();
    let order = |cause: &str| crate::hints::RULES.iter().position(|rule| rule.id == cause);
    items.sort_by(|a, b| (order(&a.cause), &a.namespace, &a.pod).cmp(&(order(&b.cause), &b.namespace, &b.pod)));
    Diagnosis { items, pods: pods.len(), not_answered }
}

#[cfg(test)]
pub(crate) mod tests;
