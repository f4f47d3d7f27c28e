//! The components that the edges of this Node depend on, as suspects; see [`crate::blame::posterior`].

use crate::{
    api::{Blame, BlameKind, Suspect},
    blame::posterior::{Posterior, Row},
    hints::context::{Context, Edge, EdgeIx, SubjectIx},
    peers::PeerKind,
    state::{Endpoint, PeerId},
};
use netwhy_abi::Role;
use std::{collections::BTreeMap, net::Ipv6Addr};

/// Evidence that an edge shows a trouble that has no statistics of its own, nats.
pub(crate) const SHOWS: f64 = 8.0;
/// Evidence of an edge that would show it, and doesn't, nats.
pub(crate) const CLEAN: f64 = -8.0;

/// Kinds of trouble, by what usually makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Packets that are lost, late or too large: machines and the paths between them.
    Path,
    /// No answer: a program, its host, or the way there.
    Silence,
}

/// What an edge depends on. Edges stand for what they lead to: the first one that leads there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Component {
    /// This Node, for traffic that leaves it.
    ThisNode,
    /// This Node, for traffic within it.
    Inside,
    /// The Pod at this end.
    Subject(SubjectIx),
    PeerNode(EdgeIx),
    Pair(EdgeIx),
    Zones(EdgeIx),
    /// An address, in one place.
    Host(EdgeIx),
    /// One port of it.
    Endpoint(EdgeIx),
}

/// One edge as evidence; see [`Row`].
pub(crate) struct Evidence {
    pub(crate) edge: EdgeIx,
    pub(crate) nats: Vec<f64>,
}

/// The suspects of all edges with evidence.
pub(crate) struct Suspects<'c, 'a> {
    context: &'c Context<'a>,
    trouble: Trouble,
    posterior: Posterior<Component>,
    rows: BTreeMap<EdgeIx, usize>,
}

impl<'c, 'a> Suspects<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, trouble: Trouble, evidence: Vec<Evidence>) -> Self {
        let mut names = Firsts::default();
        evidence.iter().for_each(|row| names.add_zone(context, row.edge));
        let rows = evidence.iter().enumerate().map(|(at, row)| (row.edge, at)).collect();
        let row = |Evidence { edge, nats }| {
            let components = names.components(context, edge, trouble);
            // Something outside may lie behind the path to any zone.
            let outside = context.edge(edge).is_external();
            let perhaps = names.zones.values().filter(|_| outside).map(|zone| Component::Zones(*zone)).collect();
            Row { nats, components, perhaps }
        };
        let posterior = Posterior::new(evidence.into_iter().map(row).collect());
        Self { context, trouble, posterior, rows }
    }

    /// All components of this edge with their probability, best first. Empty: the edge is no evidence.
    fn of(&self, edge: EdgeIx) -> Vec<(Component, f64)> {
        let row = self.rows.get(&edge);
        row.map(|row| self.posterior.of(*row, |component| self.prior(component))).unwrap_or_default()
    }

    /// The most likely component of this edge, to group edges by.
    pub(crate) fn best(&self, edge: EdgeIx) -> Option<Component> {
        self.of(edge).first().map(|(component, _)| *component)
    }

    /// Who is at fault for the trouble of this edge.
    pub(crate) fn blame(&self, edge: EdgeIx) -> Blame {
        let mut candidates: Vec<Suspect> = Vec::new();
        for (component, probability) in self.of(edge) {
            let (kind, name) = self.name(component);
            // Where only an address is known, its host and its program have one name. The likelier kind stands first.
            match candidates.iter_mut().find(|known| known.name == name && is_host(known.kind) == is_host(kind)) {
                Some(known) => known.probability += probability,
                None => candidates.push(Suspect { kind, name, probability }),
            }
        }
        Blame::among(candidates)
    }

    /// How often a component makes this trouble, relative to a Node and a path. The only table of priors.
    fn prior(&self, component: Component) -> f64 {
        match (self.trouble, component) {
            (Trouble::Path, Component::ThisNode | Component::Inside | Component::PeerNode(_) | Component::Pair(_)) => {
                1.0
            }
            (Trouble::Path, Component::Zones(_)) => 0.5,
            (Trouble::Path, Component::Host(edge)) if self.is_whole(edge) => 1.0,
            (Trouble::Path, Component::Subject(_) | Component::Host(_) | Component::Endpoint(_)) => 0.2,
            (Trouble::Silence, Component::Endpoint(_)) => 3.0,
            (Trouble::Silence, Component::Host(_) | Component::PeerNode(_)) => 1.0,
            (Trouble::Silence, Component::ThisNode | Component::Inside) => 0.5,
            (Trouble::Silence, Component::Pair(_) | Component::Subject(_)) => 0.3,
            (Trouble::Silence, Component::Zones(_)) => 0.2,
        }
    }

    /// The address stands for all that is behind it: nothing else of that end is known.
    fn is_whole(&self, edge: EdgeIx) -> bool {
        let edge = self.context.edge(edge);
        edge.is_external() || is_service(edge)
    }

    fn name(&self, component: Component) -> (BlameKind, String) {
        let context = self.context;
        match component {
            Component::ThisNode | Component::Inside => (BlameKind::Node, context.node.to_owned()),
            Component::Subject(subject) => (BlameKind::Pod, context.subject(subject).name().to_owned()),
            Component::PeerNode(edge) => (BlameKind::PeerNode, context.edge(edge).peer_node_name()),
            Component::Pair(edge) => (BlameKind::NodePair, context.pair(context.edge(edge))),
            Component::Zones(edge) => {
                let zone = context.edge(edge).view.peer_zone.as_deref().unwrap_or_default();
                (BlameKind::ZonePair, context.zone_pair(zone))
            }
            Component::Host(edge) | Component::Endpoint(edge) => {
                let edge = context.edge(edge);
                match edge.subject.filter(|_| edge.is_inside_pod()) {
                    Some(own) => (BlameKind::Pod, context.subject(own).name().to_owned()),
                    None => host(edge),
                }
            }
        }
    }
}

/// A peer's host or program, for blame.
pub(crate) fn host(edge: &Edge<'_>) -> (BlameKind, String) {
    let address = || edge.view.peer.to_canonical().to_string();
    if edge.is_external() {
        (BlameKind::External, edge.peer_node_name())
    } else if is_service(edge) {
        (BlameKind::Service, address())
    } else if edge.view.kind == PeerKind::Node && edge.view.role == Some(Role::Server) {
        // Translation at that Node may hide many clients behind its address.
        (BlameKind::Clients, edge.peer_node_name())
    } else {
        (BlameKind::PeerPod, edge.peer_pod_name())
    }
}

/// A Service's address of which no single Pod is known: several may be behind it.
fn is_service(edge: &Edge<'_>) -> bool {
    edge.view.kind == PeerKind::Service && edge.view.peer_node.is_none() && edge.view.peer_pod.is_none()
}

const fn is_host(kind: BlameKind) -> bool {
    matches!(kind, BlameKind::PeerNode | BlameKind::PeerPod)
}

/// The zone of the edge's peer, unless it is this Node's or not known.
fn other_zone<'a>(context: &Context<'a>, edge: &Edge<'a>) -> Option<&'a str> {
    edge.view.peer_zone.as_deref().filter(|zone| context.zone.is_some_and(|own| own != *zone))
}

/// The first edge to each peer, host, port and zone.
#[derive(Default)]
struct Firsts<'a> {
    peers: BTreeMap<PeerId, EdgeIx>,
    hosts: BTreeMap<(Ipv6Addr, bool, u32), EdgeIx>,
    endpoints: BTreeMap<Endpoint, EdgeIx>,
    zones: BTreeMap<&'a str, EdgeIx>,
}

impl<'a> Firsts<'a> {
    fn add_zone(&mut self, context: &Context<'a>, ix: EdgeIx) {
        if let Some(zone) = other_zone(context, context.edge(ix)) {
            self.zones.entry(zone).or_insert(ix);
        }
    }

    fn components(&mut self, context: &Context<'a>, ix: EdgeIx, trouble: Trouble) -> Vec<Component> {
        let edge = context.edge(ix);
        let view = edge.view;
        let mut out: Vec<Component> = edge.subject.map(Component::Subject).into_iter().collect();
        let remote = edge.is_remote();
        out.push(if remote { Component::ThisNode } else { Component::Inside });
        let inside = remote && !edge.is_external() && !is_service(edge);
        if inside {
            let peer = *self.peers.entry(view.peer_id()).or_insert(ix);
            out.extend([Component::PeerNode(peer), Component::Pair(peer)]);
            out.extend(
                other_zone(context, edge).and_then(|zone| self.zones.get(zone)).map(|zone| Component::Zones(*zone)),
            );
        }
        // Without its Node, an address within the cluster is the host itself.
        if !inside || view.peer_node.is_some() {
            let host = (view.peer, view.redirected, view.netns);
            out.push(Component::Host(*self.hosts.entry(host).or_insert(ix)));
        }
        if trouble == Trouble::Silence {
            out.push(Component::Endpoint(*self.endpoints.entry(view.endpoint()).or_insert(ix)));
        }
        out
    }
}
