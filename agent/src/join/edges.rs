//! The edges of a view: those of one subject to one endpoint are one, and the busiest are shown.

use super::{Join, view::Views};
use crate::{
    peers::Peer,
    sample::{LossTicks, Tally},
    state::{EdgeView, Endpoint, SubjectId, SubjectView, Usual},
};
use netwhy_abi::{EdgeKey, PeerClass, Role};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    net::Ipv6Addr,
    time::Duration,
};

/// A key, and its sums over the window. `None`: it has none, but requests that wait.
type KeyAndSums<'a> = (&'a EdgeKey, Option<&'a Tally>);
/// See [`Join::weight`].
type Weight = (u64, u64);

/// The keys of one subject.
#[derive(Default)]
struct SubjectEdges<'a> {
    /// The subject's own addresses.
    clients: Vec<Ipv6Addr>,
    /// In the order of their endpoints, and of one endpoint those with traffic first.
    keys: Vec<KeyAndSums<'a>>,
}

impl<'a> SubjectEdges<'a> {
    /// The keys of each edge that may be shown.
    fn shown(&self) -> impl Iterator<Item = &[KeyAndSums<'a>]> {
        let edges = self.keys.chunk_by(|(a, _), (b, _)| endpoint(a) == endpoint(b));
        // Traffic with an unknown address is no edge.
        let begin = |keys: &[KeyAndSums<'a>]| {
            let is_unknown = keys.first().is_some_and(|(key, _)| Ipv6Addr::from(key.addr).is_unspecified());
            if is_unknown { keys.partition_point(|(_, tally)| tally.is_some()) } else { 0 }
        };
        edges.map(move |keys| &keys[begin(keys)..]).filter(|keys| !keys.is_empty())
    }
}

/// An edge that is to be shown.
struct Shown<'s> {
    subject: &'s SubjectId,
    /// The subject's own addresses.
    clients: &'s [Ipv6Addr],
    /// At least one.
    keys: &'s [KeyAndSums<'s>],
}

impl Join {
    /// The busiest edges of the window. Adds the window of every edge to its subject, and its requests to the server.
    pub(super) fn edges(&self, at: Duration, views: &mut Views<'_>) -> Vec<EdgeView> {
        let subjects = self.edges_by_subject();
        // Most edges are not shown: an edge is made when it is known to be one of the busiest.
        let mut shown: Vec<(Weight, Shown<'_>)> = Vec::new();
        for (&subject, edges) in &subjects {
            if let Some(view) = views.get_mut(subject) {
                self.add_edges_to(view, edges, at);
            }
            let clients = &edges.clients;
            shown.extend(edges.shown().map(|keys| (self.weight(keys), Shown { subject, clients, keys })));
        }
        // Those that are as busy keep their order: that of subjects and endpoints.
        shown.sort_by_key(|(weight, _)| Reverse(*weight));
        shown.truncate(self.limits.edges);
        shown.iter().filter_map(|(_, edge)| self.merged(at, edge)).collect()
    }

    /// The edges of each subject that has any.
    fn edges_by_subject(&self) -> BTreeMap<&SubjectId, SubjectEdges<'_>> {
        let active = self.window.sums().edges.iter().map(|(key, tally)| (key, Some(tally)));
        let mut cgroups: HashMap<u64, Vec<KeyAndSums<'_>>> = HashMap::new();
        for edge in active.chain(self.waiting_edges().map(|key| (key, None))) {
            cgroups.entry(edge.0.cgroup).or_default().push(edge);
        }
        let mut subjects: BTreeMap<&SubjectId, SubjectEdges<'_>> = BTreeMap::new();
        for (cgroup, keys) in cgroups {
            if let Some(owner) = self.owners.get(&cgroup) {
                subjects.entry(&owner.subject).or_default().keys.extend(keys);
            }
        }
        for (subject, edges) in &mut subjects {
            edges.clients = self.addresses(subject);
            edges.keys.sort_unstable_by_key(|(key, tally)| (endpoint(key), tally.is_none(), **key));
        }
        subjects
    }

    /// Adds a subject's edges to its window, and their requests to it as a server.
    fn add_edges_to(&self, view: &mut SubjectView, edges: &SubjectEdges<'_>, at: Duration) {
        for (key, tally) in &edges.keys {
            if let Some(tally) = tally {
                let class = self.peer_behind(&edges.clients, key).class;
                view.add_window(class, tally, self.ledger.min_rtt_us(key, at));
            }
            if key.role() == Some(Role::Server) {
                self.add_to_server(key, view);
            }
        }
    }

    /// How busy an edge is: losses, failures and waits first, then traffic.
    fn weight(&self, keys: &[KeyAndSums<'_>]) -> Weight {
        let (mut trouble, mut traffic) = (0, 0);
        for (key, tally) in keys {
            trouble += self.waiting.get(key).map_or(0, |waiting| waiting.requests);
            let Some(tally) = tally else { continue };
            let failures = tally.connect_failures.iter().sum::<u64>() + tally.zero_window;
            trouble += tally.needed_loss_episodes() + tally.retransmitted() + failures;
            traffic += tally.segs_out + tally.rtt.count();
        }
        (trouble, traffic)
    }

    /// The keys of one subject and endpoint as one edge: its containers, and restarts within the window. `None`: there
    /// is no key.
    fn merged(&self, at: Duration, edge: &Shown<'_>) -> Option<EdgeView> {
        let Shown { subject, clients, keys } = edge;
        let mut edges = keys.iter().map(|key| self.edge(at, self.idle_edge(subject, clients, key.0), *key));
        let mut kept = edges.next()?;
        edges.for_each(|next| merge(&mut kept, &next));
        Some(kept)
    }

    /// One key's edge over the window. `idle`: the same without counts.
    fn edge(&self, at: Duration, idle: EdgeView, (key, tally): KeyAndSums<'_>) -> EdgeView {
        let responses = self.responses_of(key).map(Box::new);
        let Some(tally) = tally else { return EdgeView { responses, ..idle } };
        let recent = self.window.recent_edges().get(key).cloned().unwrap_or_default();
        EdgeView {
            responses,
            window: Tally { min_rtt_us: self.ledger.min_rtt_us(key, at), ..tally.clone() }.without_needless(),
            walked: self.window.losses(key),
            loss_ticks: self.window.loss_ticks(key),
            unfinished: self.window.unfinished(key),
            recent: recent.without_needless(),
            answered: self.window.answered().contains(key),
            ..idle
        }
    }

    /// An edge with its peer's identity and no counts. `clients`: the subject's own addresses.
    pub(super) fn idle_edge(&self, subject: &SubjectId, clients: &[Ipv6Addr], key: &EdgeKey) -> EdgeView {
        let behind = self.peer_behind(clients, key);
        let peer_dns_name = self.names.of(subject, key, &behind);
        let Peer { class, kind, node, pod, zone } = behind;
        let Endpoint { peer, port, role, redirected, netns } = endpoint(key);
        EdgeView {
            subject: subject.clone(),
            peer,
            port,
            role,
            redirected,
            netns,
            class,
            kind,
            peer_node: node,
            peer_pod: pod,
            peer_dns_name,
            peer_zone: zone,
            window: Tally::default(),
            walked: None,
            loss_ticks: LossTicks::default(),
            unfinished: 0,
            recent: Tally::default(),
            answered: false,
            usual: Usual::default(),
            responses: None,
        }
    }
}

/// The endpoint at the other end of an edge; see [`EdgeView::endpoint`].
fn endpoint(key: &EdgeKey) -> Endpoint {
    Endpoint {
        peer: Ipv6Addr::from(key.addr),
        port: key.port,
        role: key.role(),
        redirected: key.redirected != 0,
        netns: key.netns,
    }
}

/// Adds an edge to another one of the same subject and endpoint: its containers, and restarts within the window.
fn merge(kept: &mut EdgeView, next: &EdgeView) {
    kept.window.add(&next.window);
    if let (Some(kept), Some(next)) = (&mut kept.walked, next.walked) {
        kept.add(next);
    }
    kept.loss_ticks.add(next.loss_ticks);
    kept.unfinished |= next.unfinished;
    kept.recent.add(&next.recent);
    kept.answered |= next.answered;
    if let Some(next) = &next.responses {
        kept.responses.get_or_insert_default().add(next);
    }
}

impl SubjectView {
    /// Adds sums of the window, and the lowest RTT of their peer, µs.
    pub(super) fn add_window(&mut self, class: PeerClass, tally: &Tally, min_rtt_us: Option<u32>) {
        for lowest in [&mut self.min_rtt_us[class as usize], &mut self.window.min_rtt_us] {
            *lowest = [*lowest, min_rtt_us].into_iter().flatten().min();
        }
        self.window.add(tally);
        self.window.loss_episodes -= tally.loss_episodes - tally.needed_loss_episodes();
    }
}

#[cfg(test)]
mod tests;
