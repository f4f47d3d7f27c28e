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
pub(crate) mod tests {
    use super::super::{
        status,
        testing::{NOW_MS, container, pod_info, shared},
    };
    use super::*;
    use crate::api::{ContainerState, Ended, Why};

    /// A Pod that crashes, a Pod without an image, a healthy Pod.
    pub(crate) fn pods() -> Vec<(String, Arc<PodInfo>)> {
        let why = |reason: &str, message: &str| Why { reason: reason.to_owned(), message: message.to_owned() };
        let mut looping = pod_info("shop", "cart-1");
        looping.containers = vec![container("app", ContainerState::Waiting(why("CrashLoopBackOff", "back-off 40s")))];
        looping.containers[0].restarts = 7;
        looping.containers[0].last =
            Some(Ended { why: why("Error", ""), exit_code: 127, signal: None, at_ms: Some(NOW_MS - 30_000) });
        let mut image = pod_info("shop", "web-1");
        image.phase = "Pending".to_owned();
        image.containers = vec![container("app", ContainerState::Waiting(why("ImagePullBackOff", "no such tag")))];
        let node = |name: &str| name.to_owned();
        vec![
            (node("node-b"), shared(image)),
            (node("node-a"), shared(looping)),
            (node("node-a"), shared(pod_info("shop", "payment-1"))),
        ]
    }

    #[test]
    fn unhealthy_pods_are_listed_and_healthy_ones_counted() {
        let pods = pods();
        let found = diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]);
        let names: Vec<(&str, &str)> = found.items.iter().map(|s| (s.pod.as_str(), s.cause.as_str())).collect();
        assert_eq!(names, [("cart-1", "pod_restarting"), ("web-1", "pod_not_running")]);
        assert_eq!(found.pods, 3);
        assert!(found.items[0].summary.contains("its command was not found"), "{:?}", found.items[0]);
        assert_eq!(found.items[1].node, "node-b");
    }
}
