//! Pods that do not run properly, with the cause.

use super::{SilentAgent, differs::Differs, health::status_line};
use crate::api::{Hint, PodInfo};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Most Nodes that are compared with others.
const MAX_SUSPECTS: usize = 3;
/// A Node's share of such Pods is so many times that of the other Nodes.
const MORE_OFTEN: usize = 3;

/// The report of `diagnose`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// Worst first.
    pub items: Vec<UnhealthyPod>,
    /// Number of checked Pods.
    pub pods: usize,
    /// How Nodes with several such Pods differ from those that are well. Empty: there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Differs>,
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
    Diagnosis { items, pods: pods.len(), differs: Vec::new(), not_answered }
}

/// Nodes where such Pods of several workloads gather, so that the Node may be the reason: those with most of them first.
pub fn suspects(pods: &[(String, Arc<PodInfo>)], report: &Diagnosis) -> Vec<String> {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for (node, _) in pods.iter().filter(|(node, _)| !node.is_empty()) {
        *all.entry(node).or_default() += 1;
    }
    // A Pod may have several causes.
    let mut ill: BTreeMap<&str, BTreeSet<(&str, &str, &str)>> = BTreeMap::new();
    for item in report.items.iter().filter(|item| !item.node.is_empty()) {
        ill.entry(&item.node).or_default().insert((&item.workload, &item.namespace, &item.pod));
    }
    let (every, every_ill): (usize, usize) = (all.values().sum(), ill.values().map(BTreeSet::len).sum());
    let gathers = |node: &str, there: &BTreeSet<(&str, &str, &str)>| {
        let workloads: BTreeSet<_> = there.iter().map(|(workload, namespace, _)| (workload, namespace)).collect();
        let here = all.get(node).copied().unwrap_or(0);
        let (others, others_ill) = (every - here, every_ill - there.len());
        // As shares, without a division.
        workloads.len() > 1 && there.len() * others >= MORE_OFTEN * others_ill * here && others > 0
    };
    let mut found: Vec<(&str, usize)> =
        ill.iter().filter(|(node, there)| gathers(node, there)).map(|(node, there)| (*node, there.len())).collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    found.into_iter().take(MAX_SUSPECTS).map(|(node, _)| node.to_owned()).collect()
}

#[cfg(test)]
pub(crate) mod tests;
