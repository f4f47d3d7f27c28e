//! One invented case, as it was drawn: plain data.

mod event;

pub(super) use event::{Control, Event, Fault, Mechanism, Pattern, Place, Way};

use serde::Serialize;

/// Name of the host outside the cluster.
pub(super) const OUTSIDE: &str = "out";
/// Its only Pod.
pub(super) const EXTERNAL: &str = "ext";

/// Everything that was drawn for one case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// Number of the case within its seed, from 0.
    pub(super) number: u64,
    pub(super) topology: Topology,
    pub(super) traffic: Traffic,
    pub(super) event: Event,
}

/// Nodes, and how Pods are connected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Topology {
    pub(super) nodes: Vec<NodePlan>,
    pub(super) pods: Vec<PodPlan>,
    /// Node that translates the addresses of its Pods to its own.
    pub(super) masquerade: Option<String>,
    /// Servers behind a Service address. Empty: there is none.
    pub(super) replicas: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct NodePlan {
    pub(super) name: String,
    /// From 0.
    pub(super) zone: usize,
    /// An agent runs on it.
    pub(super) covered: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct PodPlan {
    pub(super) name: String,
    pub(super) node: String,
    /// Has a network namespace of its own behind a veth pair; otherwise it uses the Node's.
    pub(super) veth: bool,
    pub(super) role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    Client,
    Server,
    /// Takes in streams.
    Sink,
    Resolver,
}

/// Programs' settings and their connections.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Traffic {
    /// Kind of mix, for the report.
    pub(super) mix: Mix,
    /// Port of all servers.
    pub(super) port: u16,
    /// Think time of servers, µs.
    pub(super) think_us: u64,
    /// Clients give up after it, ms.
    pub(super) patience_ms: u64,
    pub(super) congestion_control: &'static str,
    pub(super) flows: Vec<Flow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mix {
    Kept,
    Fresh,
    Mixed,
    Sparse,
    Bulk,
    Polls,
}

/// One client program and whom it asks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Flow {
    /// Pod.
    pub(super) from: String,
    pub(super) to: Target,
    pub(super) style: Style,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Pod(String),
    /// The Service address.
    Service,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Style {
    /// Requests per second over kept connections.
    Kept { rate: f64, connections: u32, bytes: u32 },
    /// A connection per request.
    Fresh { rate: f64, bytes: u32 },
    /// A stream.
    Bulk { mbit: f64 },
    /// Answers that come after seconds, as agreed.
    Poll { connections: u32, think_ms: u64 },
    /// Name lookups.
    Lookup { rate: f64 },
}

impl Style {
    /// Payload in the direction that carries more, Mbit/s.
    pub(super) fn mbit(&self) -> f64 {
        match self {
            Self::Kept { rate, bytes, .. } | Self::Fresh { rate, bytes } => rate * f64::from(*bytes) * 8e-6,
            Self::Bulk { mbit } => *mbit,
            Self::Poll { .. } | Self::Lookup { .. } => 0.001,
        }
    }
}

impl Plan {
    pub(super) fn pod(&self, name: &str) -> Option<&PodPlan> {
        self.topology.pods.iter().find(|pod| pod.name == name)
    }

    /// Node of a Pod.
    pub(super) fn node_of(&self, pod: &str) -> &str {
        self.pod(pod).map_or("", |pod| pod.node.as_str())
    }

    pub(super) fn zone_of(&self, node: &str) -> Option<usize> {
        self.topology.nodes.iter().find(|other| other.name == node).map(|node| node.zone)
    }

    pub(super) fn is_covered(&self, node: &str) -> bool {
        self.topology.nodes.iter().any(|other| other.name == node && other.covered)
    }

    /// Pods that may answer a flow.
    pub(super) fn servers_of<'a>(&'a self, flow: &'a Flow) -> Vec<&'a str> {
        match &flow.to {
            Target::Pod(pod) => vec![pod.as_str()],
            Target::Service => self.topology.replicas.iter().map(String::as_str).collect(),
        }
    }

    /// Whether an agent is at one of a flow's ends.
    pub(super) fn is_in_sight(&self, flow: &Flow) -> bool {
        let covered = |pod: &str| self.is_covered(self.node_of(pod));
        covered(&flow.from) || self.servers_of(flow).into_iter().any(covered)
    }

    /// Whether a flow passes a place.
    pub(super) fn touches(&self, flow: &Flow, place: &Place) -> bool {
        let from = self.node_of(&flow.from);
        self.servers_of(flow).iter().any(|server| {
            let to = self.node_of(server);
            match place {
                Place::Pod(pod) => flow.from == *pod || server == pod,
                Place::Node(node) => from != to && (from == node || to == node),
                Place::Pair(a, b) => (from == a && to == b) || (from == b && to == a),
                Place::Zones => {
                    let zones = (self.zone_of(from), self.zone_of(to));
                    matches!(zones, (Some(one), Some(other)) if one != other)
                }
                Place::Outside => *server == EXTERNAL,
            }
        })
    }

    /// Kinds of topology that it has, for tables.
    pub(super) fn topologies(&self) -> Vec<&'static str> {
        let Topology { nodes, pods, masquerade, replicas } = &self.topology;
        let inside = || pods.iter().filter(|pod| pod.node != OUTSIDE);
        let connection = match (inside().any(|pod| pod.veth), inside().all(|pod| pod.veth)) {
            (true, true) => "veth",
            (true, false) => "mixed-pods",
            _ => "host-network",
        };
        let more = [
            (!replicas.is_empty(), "service"),
            (masquerade.is_some(), "masquerade"),
            (nodes.iter().any(|node| !node.covered), "uncovered-node"),
        ];
        std::iter::once(connection).chain(more.into_iter().filter_map(|(has, name)| has.then_some(name))).collect()
    }

    /// The event, for people.
    pub(super) fn title(&self) -> String {
        self.event.to_string()
    }

    /// Name of the mechanism or of the control.
    pub(super) const fn name(&self) -> &'static str {
        match &self.event {
            Event::Fault(fault) => fault.mechanism.name(),
            Event::Control(control) => control.name(),
        }
    }
}
