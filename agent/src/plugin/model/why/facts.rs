//! The facts behind `why`, and summaries of them.

use super::{
    super::{
        SilentAgent,
        causal_path::pod_of,
        health::{Fact, Health},
        promql::Selector,
        settle::{is_about_ways, symptom, zone_of},
        waterfall::{self, Known, Waterfall},
    },
    ServiceEnds,
};
use crate::{
    api::{AgentStats, BlameKind, EdgeRow, Hint, PeerRow, PodInfo, PodRow, Suspect},
    blame::Symptom,
    hints::effects_at_callers,
};
use netwhy_abi::Role;
use std::{collections::BTreeSet, sync::Arc};

/// Probability from which a hint about other Pods is about a way: more likely than all else together.
const LIKELY: f64 = 0.5;

/// The collected facts.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// `Pod`, `Deployment` …
    pub kind: String,
    /// Its namespace; empty for Nodes.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The moment in the past that they are of, RFC 3339. `None`: now.
    pub at: Option<String>,
    /// The Pods of the target.
    pub pods: Vec<TargetPod>,
    /// Hints of all agents that answered.
    pub hints: Vec<Hint>,
    /// Rows of all agents by peer Node, where they may decide who is at fault. Empty: not asked.
    pub peer_rows: Vec<PeerRow>,
    /// Edges of these Pods.
    pub edges: Vec<EdgeRow>,
    /// Measurements of Pods that are called, directly or by a callee.
    pub callees: Vec<PodRow>,
    /// Edges of these.
    pub callee_edges: Vec<EdgeRow>,
    /// Services that the target calls while their agents don't know the Pod behind.
    pub services: Vec<ServiceEnds>,
    /// Peers' Nodes whose agents were not asked: there are too many.
    pub unasked: BTreeSet<String>,
    /// Status of the agents that answered.
    pub agents: Vec<AgentStats>,
    /// Related objects, such as `Service/payment`.
    pub related: Vec<Fact>,
    /// Newest warnings, newest first.
    pub events: Vec<Fact>,
    /// Facts that could not be collected.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub not_answered: Vec<SilentAgent>,
}

/// One Pod of the target.
#[derive(Clone, Debug, Default)]
pub struct TargetPod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Its Node; empty before it has one.
    pub node: String,
    /// Status from the API server. `None`: not asked.
    pub info: Option<Arc<PodInfo>>,
    /// Measurements. `None`: its agent does not know it, or did not answer.
    pub row: Option<PodRow>,
}

impl Facts {
    /// Adds agents that did not answer, each once.
    pub fn add_silent(&mut self, silent: impl IntoIterator<Item = SilentAgent>) {
        for agent in silent {
            if !self.not_answered.contains(&agent) {
                self.not_answered.push(agent);
            }
        }
    }

    /// Whether a hint is about the target, or blames it.
    pub fn concerns(&self, hint: &Hint) -> bool {
        self.is_about(hint) || self.is_blamed(hint)
    }

    pub(super) fn is_about(&self, hint: &Hint) -> bool {
        if self.kind == "Node" {
            return hint.subject.node == self.name;
        }
        self.pods.iter().any(|pod| pod.namespace == hint.subject.namespace && pod.name == hint.subject.name)
    }

    pub(super) fn is_blamed(&self, hint: &Hint) -> bool {
        let name = &hint.blame.name;
        match hint.blame.kind {
            BlameKind::Node | BlameKind::PeerNode if self.kind == "Node" => *name == self.name,
            BlameKind::PeerPod => self.pods.iter().any(|pod| format!("{}/{}", pod.namespace, pod.name) == *name),
            // A Node at fault affects all its Pods.
            BlameKind::Node => self.pods.iter().any(|pod| pod.node == *name),
            _ => false,
        }
    }

    /// It is about a Pod that the target calls, and of a kind that slows callers.
    pub(super) fn calls(&self, hint: &Hint) -> bool {
        let pod = pod_of(hint);
        let is_callee = |edge: &EdgeRow| {
            let is_direct =
                edge.role.as_deref() == Some(Role::Client.label()) && edge.peer_pod.as_deref() == Some(&*pod);
            is_direct || self.reaches(edge, &pod)
        };
        let is_own = matches!(hint.blame.kind, BlameKind::Pod | BlameKind::Node);
        is_own
            && !(self.is_about(hint) || self.is_blamed(hint))
            && self.edges.iter().any(is_callee)
            && effects_at_callers().iter().any(|(cause, _)| *cause == hint.cause)
    }

    /// It is about other Pods, and most likely of a Node or a path that traffic of the target passes, in the direction that
    /// fails.
    pub(super) fn passes(&self, hint: &Hint) -> bool {
        let Some(suspect) = hint.blame.candidates().next().filter(|best| best.probability >= LIKELY) else {
            return false;
        };
        let name = suspect.name.as_str();
        let joins = |one: Option<&str>, other: Option<&str>| {
            let ends = name.split_once('↔').map(|(a, b)| (Some(a), Some(b)));
            ends.is_some_and(|(a, b)| (one, other) == (a, b) || (one, other) == (b, a))
        };
        let zone = |node: &str| zone_of(&self.peer_rows, node);
        let is_on_way = |(own, peer): (&str, &str)| match suspect.kind {
            BlameKind::Node | BlameKind::PeerNode => name == own || name == peer,
            BlameKind::NodePair => joins(Some(own), Some(peer)),
            BlameKind::ZonePair => joins(zone(own), zone(peer)),
            _ => false,
        };
        // Traffic within a Node never reaches its interfaces.
        let has_it = |edge: &EdgeRow| -> Option<bool> {
            let is_own = |pod: &&TargetPod| pod.namespace == edge.subject.namespace && pod.name == edge.subject.name;
            let own = self.pods.iter().find(is_own)?.node.as_str();
            let peer = edge.peer_node.as_deref().filter(|peer| *peer != own)?;
            Some(is_on_way((own, peer)) && self.flows_there((hint, &suspect), edge, (own, peer)))
        };
        self.kind != "Node"
            && is_about_ways(hint)
            && !(self.is_about(hint) || self.is_blamed(hint))
            && self.edges.iter().any(|edge| has_it(edge) == Some(true))
    }

    /// Whether data of an edge flows the way on which a hint's packets get lost, which are of those that the hint's Node
    /// sends: only senders measure losses. Other troubles of a way concern both directions.
    fn flows_there(&self, (hint, suspect): (&Hint, &Suspect), edge: &EdgeRow, (own, peer): (&str, &str)) -> bool {
        let (sends, receives) = (edge.segments_sent > 0, edge.bytes_received > 0);
        if symptom(hint) != Some(Symptom::Loss) {
            return sends || receives;
        }
        let sender = hint.subject.node.as_str();
        let zone = |node: &str| zone_of(&self.peer_rows, node);
        let is_outward = match suspect.kind {
            _ if sender == own || sender == peer => sender == own,
            BlameKind::ZonePair => zone(sender) == zone(own),
            // A third Node loses what it sends there.
            _ => suspect.name == peer,
        };
        if is_outward { sends } else { receives }
    }

    /// The Node whose agent reported it. For a Node also the number of other agents that blame it.
    pub(super) fn reported_by(&self, root: &Hint, hints: &[Hint]) -> String {
        let same =
            |hint: &&Hint| hint.state == root.state && hint.cause == root.cause && hint.blame.name == root.blame.name;
        let nodes: BTreeSet<&str> = hints.iter().filter(same).map(|hint| hint.subject.node.as_str()).collect();
        match (self.kind.as_str(), nodes.len()) {
            ("Node", 2..) => format!("{} and {} more", root.subject.node, nodes.len() - 1),
            _ => root.subject.node.clone(),
        }
    }

    pub(super) fn workload(&self) -> String {
        let [only] = self.pods.as_slice() else { return String::new() };
        if self.kind != "Pod" {
            return String::new();
        }
        let workload = only.info.as_ref().map(|info| &info.workload).or(only.row.as_ref().map(|row| &row.workload));
        workload.filter(|workload| **workload != format!("Pod/{}", self.name)).cloned().unwrap_or_default()
    }

    pub(super) fn nodes(&self) -> Vec<String> {
        let of_pods = self.pods.iter().map(|pod| pod.node.clone()).filter(|node| !node.is_empty());
        let all: BTreeSet<String> = if self.kind == "Node" { [self.name.clone()].into() } else { of_pods.collect() };
        all.into_iter().collect()
    }

    pub(super) fn health(&self) -> Health {
        let mut health = Health::default();
        if let [only] = self.pods.as_slice() {
            if let Some(row) = &only.row {
                health.of_window(row);
            } else if self.kind != "Node" {
                health.no_data.push(Fact::new("traffic", "the agent does not know the Pod yet"));
            }
            health.of_status(only.info.as_deref());
        } else {
            let measured: Vec<&PodRow> = self.pods.iter().filter_map(|pod| pod.row.as_ref()).collect();
            health.of_group(&measured);
            let missing = self.pods.len() - measured.len();
            if missing > 0 {
                health
                    .unknown
                    .push(Fact::new("traffic", format!("{missing} of {} Pods were not measured", self.pods.len())));
            }
        }
        for agent in &self.agents {
            health.of_agent(agent);
        }
        for silent in &self.not_answered {
            health.unknown.push(Fact::new(format!("view of the agent on {}", silent.node), silent.why.clone()));
        }
        health.unknown.extend(self.unknown.iter().cloned());
        health
    }

    pub(super) fn waterfall(&self) -> Waterfall {
        let rows: Vec<&PodRow> = self.pods.iter().filter_map(|pod| pod.row.as_ref()).collect();
        let edges: Vec<&EdgeRow> = self.edges.iter().chain(&self.callee_edges).collect();
        waterfall::waterfall(&rows, &self.callees, &edges)
    }

    /// Measurements of the target's Pods and of those that they call, by name.
    pub(super) fn known(&self) -> Known<'_> {
        let rows: Vec<&PodRow> = self.pods.iter().filter_map(|pod| pod.row.as_ref()).collect();
        let edges: Vec<&EdgeRow> = self.edges.iter().chain(&self.callee_edges).collect();
        Known::new(&rows, &self.callees, &edges)
    }

    pub(super) fn selector(&self, root: Option<&Hint>) -> Selector {
        let pods: Vec<&str> = self.pods.iter().map(|pod| pod.name.as_str()).collect();
        match (root, self.kind.as_str(), pods.as_slice()) {
            (Some(root), ..) if root.subject.kind != "Node" => {
                Selector::pod(&root.subject.namespace, &root.subject.name, &root.subject.node)
            }
            (_, "Node", _) => Selector::node(&self.name),
            (_, _, [only]) => Selector::pod(&self.namespace, only, &self.pods[0].node),
            (_, "Deployment" | "StatefulSet" | "DaemonSet" | "Job", _) => {
                Selector::workload(&self.namespace, &format!("{}/{}", self.kind, self.name))
            }
            _ => Selector::pods(&self.namespace, &pods),
        }
    }

    pub(super) fn shown(&self) -> String {
        if self.kind == "Pod" { self.name.clone() } else { format!("{} {}", self.kind, self.name) }
    }
}
