//! Edges over the window: who talks to whom, and with which losses, times and waits.

use super::SubjectId;
use crate::{
    baseline::NormalResponses,
    calls::CallCounts,
    peers::PeerKind,
    sample::{Lookups, LossTicks, Losses, Responses, Tally},
};
use netwhy_abi::{PeerClass, Role};
use std::{net::Ipv6Addr, sync::Arc, time::Duration};

/// One edge over the window.
#[derive(Clone, Debug)]
pub struct EdgeView {
    /// The subject at this end.
    pub subject: SubjectId,
    /// The remote address (IPv4 as IPv4-mapped).
    pub peer: Ipv6Addr,
    /// Port of the server's end. 0: not known, or the rest of an address with many.
    pub port: u16,
    /// The end that the subject is. `None`: not known.
    pub role: Option<Role>,
    /// Its packets don't leave the Node, although the address is elsewhere: a redirect leads them to a sidecar.
    pub redirected: bool,
    /// Network namespace that the peer is inside of: that of a loopback address, or of a sidecar. 0: none, or not
    /// known.
    pub netns: u32,
    /// How far away it is.
    pub class: PeerClass,
    /// Kind of the address.
    pub kind: PeerKind,
    /// The Node that it is on. `None`: not known, or outside.
    pub peer_node: Option<Arc<str>>,
    /// `namespace/name` of the Pod that has it. `None`: not known, or no Pod's.
    pub peer_pod: Option<Arc<str>>,
    /// DNS name that the subject looked up for the address, in lower case. `None`: not known, or the cluster knows the
    /// peer.
    pub peer_dns_name: Option<Arc<str>>,
    /// Zone of that Node. `None`: not known, or outside.
    pub peer_zone: Option<Arc<str>>,
    /// Sums over the window.
    pub window: Tally,
    /// Losses from walk to walk, where walks are rarer than the window allows. `None`: the window's.
    pub walked: Option<Losses>,
    /// Ticks of the window with losses.
    pub loss_ticks: LossTicks,
    /// Seconds of the last 16 in which SYN-ACKs were sent again, since the last handshake that completed: one bit each,
    /// the newest second has the lowest. 0 where none were, or where this end is a client.
    pub unfinished: u16,
    /// Sums over its last seconds, without a minimum; see [`RECENT`](super::RECENT). Recent changes show here
    /// first.
    pub recent: Tally,
    /// The peer acknowledged or sent data, or shook hands, within the last tick.
    pub answered: bool,
    /// Its normal values.
    pub usual: Usual,
    /// Its requests and answers. `None`: no request ended in the window, and none waits for an answer.
    pub responses: Option<Box<ResponseView>>,
}

/// Requests and answers of one edge or server. Without a role there are none.
#[derive(Clone, Debug, Default)]
pub struct ResponseView {
    /// Response times over the window.
    pub window: Responses,
    /// The same over its last seconds; see [`RECENT`](super::RECENT).
    pub recent: Responses,
    /// The same over the last tick.
    pub newest: Responses,
    /// Sampled calls over the window.
    pub calls: CallCounts,
    /// Share of errors among sampled calls in normal times, 0 … 1. `None`: not known yet.
    pub normal_errors: Option<f64>,
    /// Requests that wait for an answer. `None`: the newest walk found none.
    pub waiting: Option<Waiting>,
    /// Response times in normal times. `None`: not known yet.
    pub normal: Option<NormalResponses>,
}

/// Requests without an answer for a second or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Requests that the newest walk found.
    pub requests: u64,
    /// Beginning of the first of the walks that all found some, monotonic.
    pub since: Duration,
}

impl ResponseView {
    /// Adds requests of another edge. Keeps the normal times.
    pub fn add(&mut self, other: &Self) {
        self.window.add(&other.window);
        self.recent.add(&other.recent);
        self.newest.add(&other.newest);
        self.calls.add(other.calls);
        if let Some(more) = other.waiting {
            self.add_waiting(more);
        }
    }

    /// Adds requests of another edge that wait.
    pub(crate) fn add_waiting(&mut self, more: Waiting) {
        let sum = self.waiting.get_or_insert(Waiting { requests: 0, ..more });
        sum.requests += more.requests;
        sum.since = sum.since.min(more.since);
    }
}

/// An edge's normal times, as the hints' engine learnt them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usual {
    /// Loss episodes per data segment, 0 … 1. `None`: too few segments were seen so far.
    pub loss_ratio: Option<f64>,
    /// The path's RTT. `None`: not known, or all samples are slow and nothing tells a longer path from a peer that
    /// thinks.
    pub path: Option<PathRtt>,
    /// The RTT that rose, where nothing tells a longer path from a peer that thinks. `None`: it did not rise, or `path`
    /// has it.
    pub rise: Option<PathRtt>,
    /// Segments resent now say nothing of the path: they were not needed (packets overtook each other), or the
    /// sender's own packets fill a queue until it overflows.
    pub is_excused: bool,
}

/// RTT of a path, without the peer's think time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PathRtt {
    /// The window's lowest; of a path that became longer, the lowest tenth of the newest samples, µs.
    pub now_us: f64,
    /// Lowest in normal times, µs.
    pub usual_us: f64,
}

/// DNS lookups of one subject at one server over the window. A loopback address is another server in each network
/// namespace.
#[derive(Clone, Debug)]
pub struct DnsView {
    /// Who asked whom. Its `window` is empty: it counts TCP.
    pub server: EdgeView,
    /// Lookups.
    pub window: Lookups,
}

/// The peer that losses on an edge count against: the Node where it is known, else the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerId {
    /// The network namespace at this end: a loopback address, or a sidecar. Each Pod's is its own.
    Inside(u32),
    /// A Node of the cluster.
    Node(Arc<str>),
    /// An address that no Node is known for.
    Address(Ipv6Addr),
}

impl EdgeView {
    /// Loss episodes and segments of one and the same time, for ratios.
    pub fn losses(&self) -> Losses {
        let Tally { loss_episodes, data_segs_out, .. } = self.window;
        self.walked.unwrap_or(Losses { episodes: loss_episodes, segments: data_segs_out })
    }

    /// The peer that its losses count against.
    pub fn peer_id(&self) -> PeerId {
        match &self.peer_node {
            _ if self.netns != 0 => PeerId::Inside(self.netns),
            Some(node) => PeerId::Node(node.clone()),
            None => PeerId::Address(self.peer),
        }
    }

    /// The endpoint at its other end.
    pub fn endpoint(&self) -> Endpoint {
        let Self { peer, port, role, redirected, netns, .. } = *self;
        Endpoint { peer, port, role, redirected, netns }
    }

    /// The host at its other end.
    pub fn host(&self) -> PeerHost {
        let Self { peer, redirected, netns, .. } = *self;
        PeerHost { peer, redirected, netns }
    }
}

/// One host, as an edge names it: an address, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerHost {
    /// See [`EdgeView::peer`].
    pub peer: Ipv6Addr,
    /// See [`EdgeView::redirected`].
    pub redirected: bool,
    /// See [`EdgeView::netns`].
    pub netns: u32,
}

/// One port of one host, as a client sees it; or the clients at one host, as a server's port sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// See [`EdgeView::peer`].
    pub peer: Ipv6Addr,
    /// See [`EdgeView::port`].
    pub port: u16,
    /// See [`EdgeView::role`].
    pub role: Option<Role>,
    /// See [`EdgeView::redirected`].
    pub redirected: bool,
    /// See [`EdgeView::netns`].
    pub netns: u32,
}
