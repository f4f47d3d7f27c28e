//! The components that the edges of this Node depend on, as suspects; see [`crate::blame::posterior`].

mod priors;

pub(crate) use priors::kind_prior;

use crate::{
    api::{Blame, BlameKind, Suspect},
    blame::posterior::{Posterior, Row},
    hints::context::{Context, Edge, EdgeIx, SubjectIx},
    peers::PeerKind,
    state::{Endpoint, PeerHost, PeerId},
};
use netwhy_abi::Role;
use priors::{of_pods_behind, usually};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence that an edge shows a trouble that has no statistics of its own, nats.
pub(crate) const SHOWS: f64 = 8.0;
/// Evidence of an edge that would show it, and doesn't, nats.
pub(crate) const CLEAN: f64 = -8.0;

/// Price of one more server that waits for the same dependency as another, nats: about one in ten does.
const SHARED: f64 = 2.3;

/// Nodes that may be behind a Service's address, at most. Where more are bad, they share something else.
const MAX_BEHIND: usize = 16;

/// Kinds of trouble, by what usually makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Packets that are lost, late or too large: machines and the paths between them.
    Path,
    /// No answer to handshakes: a program, its host, or the way there.
    Silence,
    /// Open connections on which nothing is acknowledged: that takes no program, but a host and the way there.
    Stalled,
    /// Answers that come late or never while the peer's kernel acknowledges, as a client sees it: programs, and what
    /// they depend on.
    Answers,
    /// The same as a server sees it: this end takes the time.
    Serving,
    /// Lookups at DNS servers. Datagrams have no acknowledgement that would acquit the path.
    Lookups,
}

impl Trouble {
    /// Programs make it more often than machines.
    const fn is_about_programs(self) -> bool {
        matches!(self, Self::Answers | Self::Serving | Self::Lookups)
    }
}

/// Further knowledge of one edge's trouble: multiples of the priors of some components.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    /// Of all components of the path.
    pub(crate) path: f64,
    /// Of this Node as a part of the path.
    pub(crate) this_node: f64,
    /// Of the subject.
    pub(crate) own: f64,
    /// Of the path between this Node and the peer's.
    pub(crate) pair: f64,
}

impl Odds {
    pub(crate) const EVEN: Self = Self { path: 1.0, this_node: 1.0, own: 1.0, pair: 1.0 };
}

/// The components that a row says something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All.
    All,
    /// Those of the path: a round trip waits for no program.
    Path,
}

/// The components that an edge depends on. Edges stand for what they lead to: the first one that leads there.
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
    /// This Node as the machine that programs run on.
    ThisMachine,
    /// The same of the peer's Node.
    PeerMachine(EdgeIx),
    /// Servers on one port: replicas, or the same kind of server. They may share a dependency.
    Port(EdgeIx),
    /// All servers: they may share a dependency.
    Dependency,
    /// All that is outside the cluster.
    Outside,
}

impl Component {
    const fn is_path(self) -> bool {
        matches!(self, Self::ThisNode | Self::Inside | Self::PeerNode(_) | Self::Pair(_) | Self::Zones(_))
    }
}

/// One edge as evidence; see [`Row`].
pub(crate) struct Evidence {
    pub(crate) edge: EdgeIx,
    pub(crate) nats: Vec<f64>,
    pub(crate) scope: Scope,
}

impl Evidence {
    /// Evidence about all components of an edge.
    pub(crate) const fn new(edge: EdgeIx, nats: Vec<f64>) -> Self {
        Self { edge, nats, scope: Scope::All }
    }

    /// Some magnitude of a fault explains it better than normal times do.
    fn is_bad(&self) -> bool {
        self.nats.iter().any(|nats| *nats > 0.0)
    }
}

/// The suspects of all edges with evidence.
pub(crate) struct Suspects<'c, 'a> {
    context: &'c Context<'a>,
    trouble: Trouble,
    posterior: Posterior<Component>,
    rows: BTreeMap<EdgeIx, usize>,
    /// Edges that the context doesn't have, numbered after those.
    more: Vec<Edge<'a>>,
    /// Hosts with bad rows, and what each adds when they share a reason, nats.
    slow_hosts: BTreeMap<Component, f64>,
    /// Their sum.
    all_slow: f64,
}

impl<'c, 'a> Suspects<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>, trouble: Trouble, evidence: Vec<Evidence>) -> Self {
        Self::with(context, trouble, evidence, Vec::new())
    }

    /// `more`: edges beside those of the context. Their positions follow.
    pub(crate) fn with(
        context: &'c Context<'a>,
        trouble: Trouble,
        evidence: Vec<Evidence>,
        more: Vec<Edge<'a>>,
    ) -> Self {
        let mut names = Firsts::default();
        let edge = |ix: EdgeIx| edge_of(context, &more, ix);
        evidence.iter().for_each(|row| names.add_places(context, (row.edge, edge(row.edge)), row.is_bad()));
        let rows = evidence.iter().enumerate().map(|(at, row)| (row.edge, at)).collect();
        let row = |row: Evidence| {
            let (ix, is_bad) = (row.edge, row.is_bad());
            let mut components = names.components(context, (ix, edge(ix)), trouble);
            components.retain(|component| row.scope == Scope::All || component.is_path());
            // Hosts outside, and those behind a Service, may lie in any zone. The latter may be on any Node: where they
            // show trouble, on one of those with more of it.
            let anywhere = edge(ix).is_external() || is_service(edge(ix));
            let mut perhaps: Vec<Component> =
                names.zones.values().filter(|_| anywhere).map(|zone| Component::Zones(*zone)).collect();
            if is_bad && is_service(edge(ix)) && !trouble.is_about_programs() {
                let peers = names.bad_peers.iter().take(MAX_BEHIND);
                perhaps.extend(peers.flat_map(|peer| [Component::PeerNode(*peer), Component::Pair(*peer)]));
            }
            Row { nats: row.nats, components, perhaps }
        };
        let posterior = Posterior::new(evidence.into_iter().map(row).collect());
        let hosts = posterior.scores().filter(|(component, _)| matches!(component, Component::Host(_)));
        let slow_hosts: BTreeMap<Component, f64> =
            hosts.map(|(host, score)| (host, score - SHARED)).filter(|(_, nats)| *nats > 0.0).collect();
        let all_slow = slow_hosts.values().sum();
        Self { context, trouble, posterior, rows, more, slow_hosts, all_slow }
    }

    fn edge(&self, ix: EdgeIx) -> &Edge<'a> {
        edge_of(self.context, &self.more, ix)
    }

    /// All components of this edge with their probability, best first. Empty: the edge is no evidence.
    fn of(&self, edge: EdgeIx, odds: Odds) -> Vec<(Component, f64)> {
        let Some(row) = self.rows.get(&edge) else { return Vec::new() };
        let prior = |component| self.prior(component, odds);
        if self.trouble != Trouble::Answers {
            return self.posterior.of(*row, prior);
        }
        let own = self.posterior.components(*row).iter().filter_map(|host| self.slow_hosts.get(host)).sum::<f64>();
        let others = self.all_slow - own;
        let is_program = |component| matches!(component, Component::Host(_) | Component::Endpoint(_));
        self.posterior.of_among(*row, prior, |component| if is_program(component) { others } else { 0.0 })
    }

    /// The most likely component of this edge, to group edges by.
    pub(crate) fn best(&self, edge: EdgeIx) -> Option<Component> {
        self.of(edge, Odds::EVEN).first().map(|(component, _)| *component)
    }

    /// Who is at fault for the trouble of this edge.
    pub(crate) fn blame(&self, edge: EdgeIx) -> Blame {
        self.blame_with(edge, Odds::EVEN).0
    }

    /// Who is at fault for the trouble of this edge, and the probability that it is something on the path.
    pub(crate) fn blame_with(&self, of: EdgeIx, odds: Odds) -> (Blame, f64) {
        let mut candidates: Vec<Suspect> = Vec::new();
        let all = self.of(of, odds);
        for (component, probability) in &all {
            let (kind, name) = self.name(*component, of);
            let probability = probability * self.named_share(*component);
            // Where only an address is known, its host and its program have one name. The likelier kind stands first.
            match candidates.iter_mut().find(|known| known.name == name && is_host(known.kind) == is_host(kind)) {
                Some(known) => known.probability += probability,
                None => candidates.push(Suspect { kind, name, probability }),
            }
        }
        let path = all.iter().filter(|(component, _)| component.is_path()).map(|(_, probability)| probability).sum();
        (Blame::among(candidates), path)
    }

    /// How often a component makes this trouble, with what else is known of the edge.
    fn prior(&self, component: Component, odds: Odds) -> f64 {
        let is_whole = matches!(component, Component::Host(edge) if self.is_whole(edge));
        let known = match component {
            Component::ThisNode | Component::Inside => odds.path * odds.this_node,
            Component::Subject(_) => odds.own,
            Component::Pair(_) => odds.path * odds.pair,
            _ if component.is_path() => odds.path,
            _ => 1.0,
        };
        usually(self.trouble, component, is_whole) * known
    }

    /// The address stands for all that is behind it: nothing else of that end is known.
    fn is_whole(&self, edge: EdgeIx) -> bool {
        let edge = self.edge(edge);
        edge.is_external() || is_service(edge)
    }

    /// Share of a component's trouble that lies with what its name says, 0 … 1.
    fn named_share(&self, component: Component) -> f64 {
        match component {
            Component::Host(edge) if is_service(self.edge(edge)) => of_pods_behind(self.trouble),
            _ => 1.0,
        }
    }

    /// `of`: the edge with the trouble.
    fn name(&self, component: Component, of: EdgeIx) -> (BlameKind, String) {
        let context = self.context;
        match component {
            Component::ThisNode | Component::Inside | Component::ThisMachine => {
                (BlameKind::Node, context.node.to_owned())
            }
            Component::Subject(subject) => (BlameKind::Pod, context.subject(subject).name().to_owned()),
            Component::PeerNode(edge) | Component::PeerMachine(edge) => {
                (BlameKind::PeerNode, self.edge(edge).peer_node_name())
            }
            Component::Pair(edge) => (BlameKind::NodePair, context.pair(self.edge(edge))),
            Component::Zones(edge) => {
                let zone = self.edge(edge).view.peer_zone.as_deref().unwrap_or_default();
                (BlameKind::ZonePair, context.zone_pair(zone))
            }
            Component::Host(edge) | Component::Endpoint(edge) => self.host(edge),
            // Nothing is known of it but the servers that wait for it.
            Component::Port(_) | Component::Dependency | Component::Outside => match self.edge(of).subject {
                Some(own) if self.trouble == Trouble::Serving => {
                    (BlameKind::Pod, context.subject(own).name().to_owned())
                }
                _ => self.host(of),
            },
        }
    }

    fn host(&self, edge: EdgeIx) -> (BlameKind, String) {
        let edge = self.edge(edge);
        match edge.subject.filter(|_| edge.is_inside_pod()) {
            Some(own) => (BlameKind::Pod, self.context.subject(own).name().to_owned()),
            None => host(edge),
        }
    }
}

fn edge_of<'r, 'a>(context: &'r Context<'a>, more: &'r [Edge<'a>], ix: EdgeIx) -> &'r Edge<'a> {
    let known = context.edge_count();
    if ix.get() < known { context.edge(ix) } else { &more[ix.get() - known] }
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
pub(crate) fn is_service(edge: &Edge<'_>) -> bool {
    edge.view.kind == PeerKind::Service && edge.view.peer_node.is_none() && edge.view.peer_pod.is_none()
}

/// The peer is one host in the cluster, on another Node.
fn is_inside(edge: &Edge<'_>) -> bool {
    edge.is_remote() && !edge.is_external() && !is_service(edge)
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
    hosts: BTreeMap<PeerHost, EdgeIx>,
    endpoints: BTreeMap<Endpoint, EdgeIx>,
    ports: BTreeMap<u16, EdgeIx>,
    zones: BTreeMap<&'a str, EdgeIx>,
    /// Those of the peers with a bad row.
    bad_peers: BTreeSet<EdgeIx>,
}

impl<'a> Firsts<'a> {
    /// Adds the peer and the zone of a row.
    fn add_places(&mut self, context: &Context<'a>, (ix, edge): (EdgeIx, &Edge<'a>), is_bad: bool) {
        if let Some(zone) = other_zone(context, edge) {
            self.zones.entry(zone).or_insert(ix);
        }
        if is_inside(edge) {
            let first = *self.peers.entry(edge.view.peer_id()).or_insert(ix);
            self.bad_peers.extend(is_bad.then_some(first));
        }
    }

    fn components(
        &mut self,
        context: &Context<'a>,
        (ix, edge): (EdgeIx, &Edge<'a>),
        trouble: Trouble,
    ) -> Vec<Component> {
        let view = edge.view;
        let mut out: Vec<Component> = edge.subject.map(Component::Subject).into_iter().collect();
        let mut host = || Component::Host(*self.hosts.entry(view.host()).or_insert(ix));
        if trouble == Trouble::Serving {
            out.extend([Component::ThisMachine, Component::Dependency, host()]);
            return out;
        }
        let remote = edge.is_remote();
        let inside = is_inside(edge);
        // Without its Node, an address within the cluster is the host itself.
        if !inside || view.peer_node.is_some() || trouble.is_about_programs() {
            out.push(host());
        }
        out.push(if remote { Component::ThisNode } else { Component::Inside });
        if inside {
            let peer = *self.peers.entry(view.peer_id()).or_insert(ix);
            out.extend([Component::PeerNode(peer), Component::Pair(peer)]);
            out.extend(
                other_zone(context, edge).and_then(|zone| self.zones.get(zone)).map(|zone| Component::Zones(*zone)),
            );
            out.extend(trouble.is_about_programs().then_some(Component::PeerMachine(peer)));
        }
        if trouble != Trouble::Path {
            out.push(Component::Endpoint(*self.endpoints.entry(view.endpoint()).or_insert(ix)));
        }
        if trouble.is_about_programs() {
            let port = (view.port != 0).then(|| Component::Port(*self.ports.entry(view.port).or_insert(ix)));
            out.extend(port.into_iter().chain([Component::Dependency]));
            out.extend((!remote).then_some(Component::ThisMachine));
            out.extend(edge.is_external().then_some(Component::Outside));
        }
        out
    }
}
