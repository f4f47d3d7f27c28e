//! The objects whose changes matter: the culprit, the target, and their Nodes.

use super::{
    super::{unix_ms, why::Facts},
    Near,
};
use crate::api::{Blame, BlameKind, Hint, Subject};
use std::collections::BTreeMap;

/// Most Pods to read of the culprit, and as many of the target.
const MAX_PODS: usize = 4;
/// Most Nodes to read that are equally near.
const MAX_NODES: usize = 3;
/// Most workloads to read that are equally near.
const MAX_WORKLOADS: usize = 3;
/// Most candidates that count as culprits while nobody is named.
const MAX_CANDIDATES: usize = 3;

/// A Pod by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodName {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// A workload by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Namespace.
    pub namespace: String,
    /// Kind, such as `Deployment`.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl Workload {
    /// From `Deployment/payment`. `None`: a Pod alone, or no workload.
    pub fn parse(namespace: &str, text: &str) -> Option<Self> {
        let (kind, name) = text.split_once('/')?;
        let is_one = matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet");
        let (namespace, kind, name) = (namespace.to_owned(), kind.to_owned(), name.to_owned());
        (is_one && !name.is_empty()).then_some(Self { namespace, kind, name })
    }
}

/// The objects to read, each with how near it is to the culprit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    /// Kind of the target: `Pod`, `Deployment` …
    pub kind: String,
    /// Namespace of the target; empty for Nodes.
    pub namespace: String,
    /// Name of the target.
    pub name: String,
    /// Pods.
    pub pods: BTreeMap<PodName, Near>,
    /// Workloads.
    pub workloads: BTreeMap<Workload, Near>,
    /// Nodes.
    pub nodes: BTreeMap<String, Near>,
}

impl Focus {
    /// A target without a culprit.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        let mut focus =
            Self { kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), ..Self::default() };
        if kind == "Node" {
            focus.add_node(name, Near::Target);
        } else {
            focus.add_workload(namespace, &format!("{kind}/{name}"), Near::Target);
        }
        focus
    }

    /// Adds a Pod of the target, with its Node.
    pub fn add_target(&mut self, namespace: &str, pod: &str, node: &str) {
        // The Pods of a Node are found by their Node.
        if self.kind != "Node" {
            self.add_pod(namespace, pod, Near::Target);
        }
        self.add_node(node, Near::TargetNode);
    }

    /// Adds the culprit that a hint about `subject` blames, or the candidates.
    pub fn add_blame(&mut self, blame: &Blame, subject: &Subject) {
        for suspect in blame.candidates().take(MAX_CANDIDATES) {
            match suspect.kind {
                BlameKind::Node | BlameKind::PeerNode => self.add_node(&suspect.name, Near::CulpritNode),
                BlameKind::NodePair | BlameKind::PathShare => {
                    suspect.name.split('↔').for_each(|node| self.add_node(node.trim(), Near::CulpritNode));
                }
                BlameKind::Pod => {
                    self.add_pod(&subject.namespace, &suspect.name, Near::Culprit);
                    if suspect.name == subject.name {
                        self.add_workload(&subject.namespace, &subject.workload, Near::Culprit);
                        self.add_node(&subject.node, Near::CulpritNode);
                    }
                }
                BlameKind::PeerPod => {
                    if let Some((namespace, pod)) = suspect.name.split_once('/') {
                        self.add_pod(namespace, pod, Near::Culprit);
                    }
                }
                BlameKind::ZonePair
                | BlameKind::Service
                | BlameKind::Clients
                | BlameKind::External
                | BlameKind::Undecided
                | BlameKind::None => {}
            }
        }
    }

    /// Adds a Pod, unless there are enough.
    pub fn add_pod(&mut self, namespace: &str, pod: &str, near: Near) {
        if !is_name(namespace) || !is_name(pod) {
            return;
        }
        let key = PodName { namespace: namespace.to_owned(), name: pod.to_owned() };
        nearest(&mut self.pods, key, near, MAX_PODS);
    }

    /// Adds a workload such as `Deployment/payment`, unless there are enough.
    pub fn add_workload(&mut self, namespace: &str, workload: &str, near: Near) {
        let Some(key) = Workload::parse(namespace, workload) else { return };
        if is_name(namespace) && is_name(&key.name) {
            nearest(&mut self.workloads, key, near, MAX_WORKLOADS);
        }
    }

    /// Adds a Node, unless there are enough.
    pub fn add_node(&mut self, node: &str, near: Near) {
        if is_name(node) {
            nearest(&mut self.nodes, node.to_owned(), near, MAX_NODES);
        }
    }

    /// The namespaces of Pods and workloads, each once.
    pub fn namespaces(&self) -> Vec<String> {
        let pods = self.pods.keys().map(|pod| &pod.namespace);
        let mut all: Vec<String> = pods.chain(self.workloads.keys().map(|one| &one.namespace)).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What to ask after a verdict: which objects changed before it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// The objects.
    pub focus: Focus,
    /// The first finding of all hints on the causal path, ms since the Unix epoch.
    pub onset_ms: i64,
}

impl Inquiry {
    /// From the causal path: the target's hint first, the root cause last. `None`: there is no hint.
    pub fn of(facts: &Facts, path: &[&Hint]) -> Option<Self> {
        let (first, root) = (path.first()?, path.last()?);
        let onset_ms = path.iter().filter_map(|hint| unix_ms(&hint.first_seen)).min()?;
        let mut focus = Focus::new(&facts.kind, &facts.namespace, &facts.name);
        focus.add_blame(&root.blame, &root.subject);
        let is_first = |pod: &&super::super::why::TargetPod| {
            pod.namespace == first.subject.namespace && pod.name == first.subject.name
        };
        let (ill, others): (Vec<_>, Vec<_>) = facts.pods.iter().partition(is_first);
        for pod in ill.into_iter().chain(others) {
            focus.add_target(&pod.namespace, &pod.name, &pod.node);
            let of_row = || pod.row.as_ref().map(|row| row.workload.as_str());
            let workload = pod.info.as_ref().map(|info| info.workload.as_str()).or_else(of_row);
            if facts.kind != "Node" {
                focus.add_workload(&pod.namespace, workload.unwrap_or_default(), Near::Target);
            }
        }
        for hint in path {
            focus.add_node(&hint.subject.node, Near::Nearby);
        }
        Some(Self { focus, onset_ms })
    }
}

/// Keeps the nearer of two. New ones come only while fewer than `most` are as near.
fn nearest<K: Ord>(all: &mut BTreeMap<K, Near>, key: K, near: Near, most: usize) {
    let alike = all.values().filter(|other| **other == near).count();
    if let Some(known) = all.get_mut(&key) {
        *known = near.min(*known);
    } else if alike < most {
        all.insert(key, near);
    }
}

/// A name of an object, as it may stand in a request's path and in selectors.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    !text.is_empty() && text.len() <= 253 && text.chars().all(plain)
}
