//! What judges read: the view with everything that more than one of them needs worked out once.

use crate::hints::{
    memory::dns::DnsMemory, memory::edge::EdgeMemory, memory::edges::Memory, memory::host::HostMemory,
    memory::path::Path, rule::Family, stats::percent, thresholds::Thresholds,
};
use crate::{
    api::{BlameKind, Evidence, RuledOut},
    peers::PeerKind,
    sample::Tally,
    state::{CpuUser, DnsView, EdgeView, HostView, NodeView, PeerId, SubjectId, SubjectView},
};
use netwhy_abi::{PeerClass, Retransmit, Role};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
    time::Duration,
};

pub(crate) mod excuse;

/// CPU bandwidth periods that a throttled share needs (2 s at the usual 100 ms).
pub(crate) const MIN_PERIODS: u64 = 20;

/// Payload per segment above which full-size ones get through, bytes.
const FULL_SIZE: u64 = 1000;

/// Data segments that make a subject one that others may wait for.
const CALLED_SEGMENTS: u64 = 10;

/// One tick's material.
pub(crate) struct Context<'a> {
    pub(crate) node: &'a str,
    /// Its zone. `None`: not known.
    pub(crate) zone: Option<&'a str>,
    pub(crate) thresholds: &'a Thresholds,
    pub(crate) window: Duration,
    /// Wall clock, ms since the Unix epoch, as the view has it.
    pub(crate) unix_ms: i64,
    /// Jiffies per second. `None`: not measured yet.
    pub(crate) hz: Option<u32>,
    /// The Node's own signals. `None`: not read.
    pub(crate) host: Option<&'a HostView>,
    pub(crate) host_memory: &'a HostMemory,
    /// What used the CPUs, most first.
    pub(crate) cpu_users: &'a [CpuUser],
    /// DNS lookups.
    pub(crate) dns: &'a [DnsView],
    pub(crate) dns_memory: &'a DnsMemory,
    pub(crate) subjects: Vec<Subject<'a>>,
    /// Same indices as the view's edges.
    pub(crate) edges: Vec<Edge<'a>>,
    /// Peers to whom some connection was as fast as ever in the last seconds.
    near: BTreeSet<PeerId>,
    /// Family that explained an edge, this tick or with a hint that is still open.
    claims: Vec<Option<Family>>,
}

/// One subject, and its edges.
pub(crate) struct Subject<'a> {
    pub(crate) view: &'a SubjectView,
    pub(crate) edges: Vec<usize>,
}

/// One edge with what is normal for it.
pub(crate) struct Edge<'a> {
    pub(crate) view: &'a EdgeView,
    /// Index of its subject. `None`: the view has no such subject, so nobody could be told.
    pub(crate) subject: Option<usize>,
    pub(crate) memory: Option<&'a EdgeMemory>,
    /// Loss episodes per data segment in normal times.
    pub(crate) loss_baseline: f64,
    /// Busy time of all its sockets per time, above 1 with several. `None`: the length of a jiffy is not known yet.
    pub(crate) busy: Option<f64>,
    /// All but a tenth of its traffic of the last seconds got no acknowledgement.
    pub(crate) silent: bool,
    /// The same of the last tick alone: it may be falling silent.
    pub(crate) hushed: bool,
    /// What its newest RTT samples say of the path. `None`: too few, or no baseline.
    pub(crate) path: Option<Path>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        node: &'a str,
        view: &'a NodeView,
        thresholds: &'a Thresholds,
        (memory, host_memory, dns_memory): (&'a Memory, &'a HostMemory, &'a DnsMemory),
        keys: &[u64],
        held: &BTreeMap<u64, Family>,
    ) -> Self {
        let mut subjects: Vec<Subject<'a>> =
            view.subjects.iter().map(|view| Subject { view, edges: Vec::new() }).collect();
        let places: BTreeMap<&SubjectId, usize> = view.subjects.iter().enumerate().map(|(i, s)| (&s.id, i)).collect();
        let seconds = view.window.as_secs_f64();
        let mut edges = Vec::with_capacity(view.edges.len());
        for (i, (edge, key)) in view.edges.iter().zip(keys).enumerate() {
            let subject = places.get(&edge.subject).copied();
            if let Some(s) = subject {
                subjects[s].edges.push(i);
            }
            let known = memory.edge(*key);
            edges.push(Edge {
                view: edge,
                subject,
                memory: known,
                loss_baseline: memory.loss_ratio(*key, edge.class),
                busy: view.hz.map(|hz| edge.window.busy_jiffies as f64 / f64::from(hz) / seconds),
                path: memory.path(*key, edge, thresholds),
                silent: known.is_some_and(EdgeMemory::is_silent),
                hushed: known.is_some_and(|memory_of| memory_of.is_hushed(memory.tick)),
            });
        }
        // Older samples may be of before a path became longer, and so may a few among the newest.
        let as_ever = keys.iter().zip(&edges).filter(|(_, edge)| edge.path == Some(Path::Usual));
        let as_ever = as_ever.filter(|(key, edge)| memory.is_near(**key, edge.view, thresholds));
        let near = as_ever.map(|(_, edge)| edge.view.peer_id()).collect();
        let claims = keys.iter().map(|key| held.get(key).copied()).collect();
        let unix_ms = i64::try_from(view.unix_ms).unwrap_or(i64::MAX);
        Self {
            node,
            zone: view.zone.as_deref(),
            thresholds,
            window: view.window,
            unix_ms,
            hz: view.hz,
            host: view.host.as_ref(),
            host_memory,
            cpu_users: &view.cpu_users,
            dns: &view.dns,
            dns_memory,
            subjects,
            edges,
            near,
            claims,
        }
    }

    /// Edges that `family` may judge: they have a subject, and no earlier family explains them.
    pub(crate) fn free(&self, family: Family) -> impl Iterator<Item = (usize, usize, &Edge<'a>)> {
        self.edges.iter().enumerate().filter_map(move |(i, edge)| {
            let free = self.claims[i].is_none_or(|by| by >= family);
            edge.subject.filter(|_| free).map(|s| (i, s, edge))
        })
    }

    pub(crate) fn claim(&mut self, edge: usize, family: Family) {
        let claim = &mut self.claims[edge];
        *claim = Some(claim.map_or(family, |by| by.min(family)));
    }

    pub(crate) fn is_claimed(&self, edge: usize) -> bool {
        self.claims[edge].is_some()
    }

    /// `node-a→node-b`, or with an address where no Node is known: where an edge was measured.
    pub(crate) fn place(&self, edge: &Edge<'_>) -> String {
        format!("{}→{}", self.node, edge.peer_node_name())
    }

    /// `node-a↔node-b`, or with an address: the path of an edge as a culprit.
    pub(crate) fn pair(&self, edge: &Edge<'_>) -> String {
        format!("{}↔{}", self.node, edge.peer_node_name())
    }

    /// Peers other than `peer` that acknowledged data or completed a handshake with this Node.
    pub(crate) fn other_peers_alive(&self, peer: Ipv6Addr) -> usize {
        let alive = self.edges.iter().filter(|e| e.view.peer != peer && e.is_remote() && e.answers());
        alive.map(|e| e.view.peer).collect::<BTreeSet<_>>().len()
    }

    /// Other addresses on the same Node that answer: the Node is up, and reached.
    pub(crate) fn neighbours_alive(&self, edge: &Edge<'_>) -> impl Iterator<Item = &Edge<'a>> {
        let (node, peer) = (edge.view.peer_node.clone().filter(|_| edge.is_remote()), edge.view.peer);
        let same = move |e: &&Edge<'a>| node.is_some() && e.view.peer_node == node && e.view.peer != peer;
        self.edges.iter().filter(same).filter(|e| e.answers())
    }

    /// Whether a connection that `of` is true for goes on as if nothing had happened, and would not if what befell `edge` were
    /// its trouble too.
    pub(crate) fn goes_on(&self, edge: &Edge<'_>, of: impl Fn(&Edge<'a>) -> bool) -> bool {
        self.edges.iter().any(|other| of(other) && other.is_undisturbed() && edge.would_share_with(other))
    }

    /// A connection to the same Node, or address where no Node is known, is as fast as ever: so is the path there.
    pub(crate) fn is_near(&self, edge: &Edge<'_>) -> bool {
        self.near.contains(&edge.view.peer_id())
    }

    /// A connection to another Node, of those that `of` is true for, is as fast as ever.
    pub(crate) fn others_near(&self, edge: &Edge<'_>, of: impl Fn(&Edge<'a>) -> bool) -> bool {
        let mut others =
            self.edges.iter().filter(|other| other.is_remote() && other.view.peer_id() != edge.view.peer_id());
        others.any(|other| of(other) && self.is_near(other))
    }

    /// Why loss is not it, when the data say so.
    pub(crate) fn no_loss(&self, edge: &Edge<'_>) -> Option<RuledOut> {
        let t = edge.tally();
        (t.data_segs_out > 0).then(|| RuledOut {
            cause: "path_loss".into(),
            because: format!("{} loss episodes in {} segments", t.loss_episodes, t.data_segs_out),
        })
    }

    /// Why the peer's window and the send buffer are not it, when the data say so.
    pub(crate) fn not_limited(&self, edge: &Edge<'_>) -> impl Iterator<Item = RuledOut> {
        let receiver = edge.tally().receiver_limited_share().filter(|s| *s < self.thresholds.receiver_limited_share);
        let buffer =
            edge.tally().send_buffer_limited_share().filter(|s| *s < self.thresholds.send_buffer_limited_share);
        let because = |share: f64| format!("{} of the busy time", percent(share));
        [
            receiver.map(|s| RuledOut { cause: "peer_receiver_limited".into(), because: because(s) }),
            buffer.map(|s| RuledOut { cause: "pod_send_buffer_limited".into(), because: because(s) }),
        ]
        .into_iter()
        .flatten()
    }
}

impl Subject<'_> {
    /// Throttled and all CPU bandwidth periods of the window. `None`: no controller, or too few periods to tell.
    pub(crate) fn periods(&self) -> Option<(u64, u64)> {
        self.view.window_cpu.filter(|c| c.periods >= MIN_PERIODS).map(|c| (c.throttled_periods, c.periods))
    }

    pub(crate) fn is_throttled(&self, thresholds: &Thresholds) -> bool {
        self.periods().is_some_and(|(bad, all)| bad as f64 >= thresholds.throttled_share * all as f64)
    }

    /// Why throttling is not it, when the data say so.
    pub(crate) fn not_throttled(&self, thresholds: &Thresholds) -> Option<RuledOut> {
        let (bad, all) = self.periods()?;
        (!self.is_throttled(thresholds)).then(|| RuledOut {
            cause: "pod_cpu_throttled".into(),
            because: format!("{bad} of {all} periods throttled"),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.view.id.name
    }

    /// Others may wait for it: it sent data or shook hands in the window.
    pub(crate) fn has_callers(&self) -> bool {
        let t = &self.view.window;
        t.data_segs_out >= CALLED_SEGMENTS || t.connects.iter().sum::<u64>() > 0
    }
}

impl<'a> Edge<'a> {
    /// An edge of which nothing but its ends is known: for their names.
    pub(crate) fn of(view: &'a EdgeView) -> Self {
        Self {
            view,
            subject: None,
            memory: None,
            path: None,
            loss_baseline: 0.0,
            busy: None,
            silent: false,
            hushed: false,
        }
    }
}

impl Edge<'_> {
    pub(crate) fn tally(&self) -> &Tally {
        &self.view.window
    }

    /// Who is at the other end, for people: `10.0.0.7`, `shop/db-0 on node-b`, `10.0.0.7 on node-b`.
    pub(crate) fn peer_name(&self) -> String {
        let address = || self.view.peer.to_canonical().to_string();
        match (&self.view.peer_pod, &self.view.peer_node) {
            (Some(pod), Some(node)) => format!("{pod} on {node}"),
            (Some(pod), None) => pod.to_string(),
            // The Node's own address: saying both would say it twice.
            (None, Some(node)) if self.view.kind == PeerKind::Node => node.to_string(),
            (None, Some(node)) => format!("{} on {node}", address()),
            (None, None) if self.view.kind == PeerKind::Service => format!("Service {}", address()),
            (None, None) => address(),
        }
    }

    /// Whom to blame when the other end's Node is at fault: the Node, else the address.
    pub(crate) fn peer_node_name(&self) -> String {
        match &self.view.peer_node {
            Some(node) => node.to_string(),
            None => self.view.peer.to_canonical().to_string(),
        }
    }

    /// Whom to blame when the program at the other end is at fault: the Pod, else the address.
    pub(crate) fn peer_pod_name(&self) -> String {
        match &self.view.peer_pod {
            Some(pod) => pod.to_string(),
            None => self.view.peer.to_canonical().to_string(),
        }
    }

    /// True when its packets leave the Node.
    pub(crate) fn is_remote(&self) -> bool {
        self.view.class != PeerClass::SameNode && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        self.view.peer.to_ipv4_mapped().map_or(self.view.peer.is_loopback(), |v4| v4.is_loopback())
    }

    /// `external` for peers outside, else `inside`.
    pub(crate) fn blame_kind(&self, inside: BlameKind) -> BlameKind {
        if self.view.class == PeerClass::External { BlameKind::External } else { inside }
    }

    /// The peer acknowledged or sent something in the last seconds, and is not falling silent now.
    pub(crate) fn answers(&self) -> bool {
        !self.silent && !self.hushed && self.view.recent.has_answer()
    }

    /// Answered in the last second, and in the window nothing had to be sent again because nobody answered: answers of others
    /// may be the first ones after an outage.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.view.answered && self.timeouts() == 0 && self.tally().retransmits[Retransmit::Syn as usize] == 0
    }

    /// Full-size segments were acknowledged in the last seconds.
    pub(crate) fn passes_full_size(&self) -> bool {
        let recent = &self.view.recent;
        recent.bytes_acked > FULL_SIZE * recent.data_segs_out.saturating_sub(recent.retransmitted_data())
    }

    /// What befell this edge would show on the other one too, if both had it: that small segments pass says nothing of
    /// full-size ones.
    pub(crate) fn would_share_with(&self, other: &Edge<'_>) -> bool {
        self.tally().full_size_timeouts == 0 || other.passes_full_size()
    }

    /// Held back by the peer's window or the local send buffer more than the thresholds allow.
    pub(crate) fn is_limited(&self, thresholds: &Thresholds) -> bool {
        let t = self.tally();
        t.receiver_limited_share().is_some_and(|s| s >= thresholds.receiver_limited_share)
            || t.send_buffer_limited_share().is_some_and(|s| s >= thresholds.send_buffer_limited_share)
    }

    /// Only timeouts and tail loss probes were sent again: nothing came back that could begin a fast retransmission.
    pub(crate) fn only_timeouts(&self) -> bool {
        self.timeouts() > 0 && self.tally().retransmits[Retransmit::Fast as usize] == 0
    }

    pub(crate) fn timeouts(&self) -> u64 {
        self.tally().retransmits[Retransmit::Timeout as usize]
    }

    pub(crate) fn client_connects(&self) -> u64 {
        self.tally().connects(Role::Client)
    }

    /// Minimum RTT as evidence that the path is, or isn't, what it was. `None` without a sample.
    pub(crate) fn min_rtt(&self, place: &str) -> Option<Evidence> {
        let us = self.tally().min_rtt_us?;
        Some(Evidence {
            signal: "netwhy_tcp_min_rtt_seconds".into(),
            observed: f64::from(us) / 1e6,
            baseline: self.memory.and_then(EdgeMemory::min_us).map(|b| b / 1e6),
            unit: "seconds".into(),
            place: place.into(),
            source: "ebpf:tcp_probe".into(),
        })
    }
}
