//! An edge as judges see it.

use super::{EdgeIx, SubjectIx};
use crate::{
    api::{BlameKind, Evidence},
    hints::{
        key::edge_key,
        memory::{edge::EdgeMemory, lowest::Lowest, path::Path, requests::RequestMemory},
        thresholds::Thresholds,
    },
    peers::PeerKind,
    sample::{Losses, Tally},
    state::{EdgeView, ResponseView},
};
use netwhy_abi::{PeerClass, Retransmit, Role};

/// Payload acknowledged per segment above which full-size segments get through, bytes.
const FULL_SIZE: u64 = 1000;

/// One edge with its normal values.
pub(crate) struct Edge<'a> {
    pub(crate) ix: EdgeIx,
    /// Its name in the memory of all edges.
    pub(crate) key: u64,
    pub(crate) view: &'a EdgeView,
    /// `None`: the view has no such subject, so that no hint could be about it.
    pub(crate) subject: Option<SubjectIx>,
    pub(crate) memory: Option<&'a EdgeMemory>,
    /// Loss episodes per data segment in normal times.
    pub(crate) loss_baseline: f64,
    /// The highest ratio that the past of its class of peers allows, with a chance of 5 %.
    pub(crate) loss_at_most: f64,
    /// Busy time of all its sockets per time, above 1 with several. `None`: the length of a jiffy is not known yet.
    pub(crate) busy: Option<f64>,
    /// At least 90 % of its usual traffic was not acknowledged in the last seconds.
    pub(crate) silent: bool,
    /// The same in the last tick alone: the peer may be going silent.
    pub(crate) going_silent: bool,
    /// State of the path by its newest RTT samples. `None`: too few samples, or no baseline.
    pub(crate) path: Option<Path>,
    /// Its fastest round trips against their own noise. `None`: too few samples, no baseline, or in between.
    pub(crate) lowest: Option<Lowest>,
}

impl<'a> Edge<'a> {
    /// An edge of which only the ends are known, to name them.
    pub(crate) fn of_ends(view: &'a EdgeView) -> Self {
        Self {
            ix: EdgeIx::new(usize::MAX),
            key: edge_key(view),
            view,
            subject: None,
            memory: None,
            path: None,
            lowest: None,
            loss_baseline: 0.0,
            loss_at_most: 1.0,
            busy: None,
            silent: false,
            going_silent: false,
        }
    }
}

impl Edge<'_> {
    pub(crate) fn tally(&self) -> &Tally {
        &self.view.window
    }

    /// Loss episodes and segments of one and the same time.
    pub(crate) fn losses(&self) -> Losses {
        self.view.losses()
    }

    /// The peer for people: `10.0.0.7`, `shop/db-0 on node-b`, `10.0.0.7 on node-b`, `api.example.com (203.0.113.7)`.
    pub(crate) fn peer_name(&self) -> String {
        let address = || self.view.peer.to_canonical().to_string();
        // Each network namespace has a loopback address of its own.
        if self.is_loopback() && self.view.netns != 0 {
            return format!("{}:{} in its own network namespace", address(), self.view.port);
        }
        match (&self.view.peer_pod, &self.view.peer_node) {
            (Some(pod), Some(node)) => format!("{pod} on {node}"),
            (Some(pod), None) => pod.to_string(),
            // The Node's own address: its name alone is enough.
            (None, Some(node)) if self.view.kind == PeerKind::Node => node.to_string(),
            (None, Some(node)) => format!("{} on {node}", address()),
            (None, None) if self.view.kind == PeerKind::Service => format!("Service {}", address()),
            (None, None) => match &self.view.peer_dns_name {
                Some(name) => format!("{name} ({})", address()),
                None => address(),
            },
        }
    }

    /// The peer's program for people: a Node's address stands for a program there, not for the Node.
    pub(crate) fn program_name(&self) -> String {
        match (&self.view.peer_pod, &self.view.peer_node) {
            (None, Some(node)) if !self.is_loopback() => format!("{} on {node}", self.view.peer.to_canonical()),
            _ => self.peer_name(),
        }
    }

    /// The peer is in the Pod's own network namespace: a loopback address, or its sidecar.
    pub(crate) fn is_inside_pod(&self) -> bool {
        self.view.netns != 0
    }

    /// Name to blame when the peer's Node is at fault: the Node, else the address.
    pub(crate) fn peer_node_name(&self) -> String {
        match &self.view.peer_node {
            Some(node) => node.to_string(),
            None => self.view.peer.to_canonical().to_string(),
        }
    }

    /// Name to blame when the peer's program is at fault: the Pod, else the address.
    pub(crate) fn peer_pod_name(&self) -> String {
        match &self.view.peer_pod {
            Some(pod) => pod.to_string(),
            None => self.view.peer.to_canonical().to_string(),
        }
    }

    /// It stands for many ports of its address, or for those that nobody knows.
    pub(crate) fn is_of_many_ports(&self) -> bool {
        self.view.role == Some(Role::Client) && self.view.port == 0
    }

    /// Its packets leave the Node.
    pub(crate) fn is_remote(&self) -> bool {
        self.view.class != PeerClass::SameNode && !self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        self.view.peer.to_ipv4_mapped().map_or(self.view.peer.is_loopback(), |v4| v4.is_loopback())
    }

    /// Outside the cluster, as far as is known: no Pod, Node or Service of the cluster has the address or is behind it.
    pub(crate) fn is_external(&self) -> bool {
        let EdgeView { class, kind, peer_node, peer_pod, .. } = self.view;
        *class == PeerClass::External && *kind != PeerKind::Service && peer_node.is_none() && peer_pod.is_none()
    }

    /// `external` for peers outside the cluster, else `inside`.
    pub(crate) fn blame_kind(&self, inside: BlameKind) -> BlameKind {
        if self.is_external() { BlameKind::External } else { inside }
    }

    /// Its requests, and what is known of them. `None`: there are none, or too few were seen so far.
    pub(crate) fn requests(&self) -> Option<(&ResponseView, &RequestMemory)> {
        let known = self.memory.and_then(EdgeMemory::requests).filter(|known| known.is_known());
        self.view.responses.as_deref().zip(known)
    }

    /// The peer acknowledged or sent something in the last seconds, and is not going silent.
    pub(crate) fn answers(&self) -> bool {
        !self.silent && !self.going_silent && self.view.recent.has_answer()
    }

    /// The peer acknowledged something of late. Round trips are known at once, bytes from walk to walk.
    pub(crate) fn acknowledges(&self) -> bool {
        self.view.answered || !self.view.recent.rtt.is_empty()
    }

    /// Segments of the last seconds were acknowledged, and nothing says that the peer falls silent. Unlike
    /// [`EdgeView::answered`] it needs no walk in the newest tick: round trips are known at once, and bytes of the last
    /// seconds count, too.
    pub(crate) fn keeps_answering(&self) -> bool {
        let recent = &self.view.recent;
        !self.silent && !self.going_silent && (recent.has_answer() || !recent.rtt.is_empty())
    }

    /// The peer answered in the last second, and nothing timed out in the window. Without the second condition an
    /// answer may be the first one after an outage.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.view.answered && self.timeouts() == 0 && self.tally().retransmits[Retransmit::Syn as usize] == 0
    }

    /// Full-size segments were acknowledged in the last seconds.
    pub(crate) fn passes_full_size(&self) -> bool {
        let recent = &self.view.recent;
        recent.bytes_acked > FULL_SIZE * recent.data_segs_out.saturating_sub(recent.retransmitted_data())
    }

    /// Full-size segments timed out again and again.
    pub(crate) fn has_full_size_timeouts(&self) -> bool {
        self.tally().full_size_timeouts > 0
    }

    /// The symptom of other edges would show on this one too, if it had it. `full_size`: some of them have timeouts of
    /// full-size segments. Small segments that pass say nothing about these.
    pub(crate) fn would_show(&self, full_size: bool) -> bool {
        !full_size || self.passes_full_size()
    }

    /// The peer's window or the local send buffer holds the sender back more than the thresholds allow.
    pub(crate) fn is_limited(&self, thresholds: &Thresholds) -> bool {
        let tally = self.tally();
        tally.receiver_limited_share().is_some_and(|s| s >= thresholds.receiver_limited_share)
            || tally.send_buffer_limited_share().is_some_and(|s| s >= thresholds.send_buffer_limited_share)
    }

    /// Only timeouts and tail loss probes were sent again: no answer came that could start a fast retransmission.
    pub(crate) fn only_timeouts(&self) -> bool {
        self.timeouts() > 0 && self.fast_retransmits() == 0
    }

    pub(crate) fn timeouts(&self) -> u64 {
        self.tally().retransmits[Retransmit::Timeout as usize]
    }

    pub(crate) fn fast_retransmits(&self) -> u64 {
        self.tally().retransmits[Retransmit::Fast as usize]
    }

    pub(crate) fn client_connects(&self) -> u64 {
        self.tally().connects(Role::Client)
    }

    /// Minimum RTT as evidence about the path. `None` without a sample.
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
