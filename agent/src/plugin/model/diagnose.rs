//! Pods that do not run as they should.

use super::{Silent, health::status_line};
use crate::{api::Hint, pods::PodInfo};
use serde::Serialize;
use std::sync::Arc;

/// What `diagnose` shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The worst first.
    pub items: Vec<Sick>,
    /// Pods that were looked at.
    pub pods: usize,
    /// Agents that did not answer.
    pub not_answered: Vec<Silent>,
}

/// One Pod with a cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sick {
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
    /// What is wrong, in one sentence.
    pub summary: String,
    /// Phase, containers, restarts.
    pub status: String,
    /// What to do.
    pub action: String,
}

/// From Pods with their Nodes, and the status hints about them.
pub fn diagnose(pods: &[(String, Arc<PodInfo>)], hints: &[Hint], not_answered: Vec<Silent>) -> Diagnosis {
    let mut items: Vec<Sick> = hints
        .iter()
        .filter_map(|hint| {
            let about = |pod: &PodInfo| pod.namespace == hint.subject.namespace && pod.name == hint.subject.name;
            let (node, pod) = pods.iter().find(|(_, pod)| about(pod))?;
            Some(Sick {
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
    use crate::pods::{ContainerState, Ended, Why};

    /// A Pod that loops, one whose image is not there, one that is well.
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
    fn sick_pods_are_listed_and_well_ones_only_counted() {
        let pods = pods();
        let found = diagnose(&pods, &status::judge(&pods, NOW_MS), vec![]);
        let names: Vec<(&str, &str)> = found.items.iter().map(|s| (s.pod.as_str(), s.cause.as_str())).collect();
        assert_eq!(names, [("cart-1", "pod_restarting"), ("web-1", "pod_not_running")]);
        assert_eq!(found.pods, 3);
        assert!(found.items[0].summary.contains("its command was not found"), "{:?}", found.items[0]);
        assert_eq!(found.items[1].node, "node-b");
    }
}
