//! Segments that are too large for the path, and no ICMP message says so.

use crate::{
    api::RuledOut,
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        culprit::{mtu::suspects, suspects::Suspects},
        finding::{Finding, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::over,
    },
    state::{PeerHost, PeerId},
};
use netwhy_abi::Retransmit;
use std::{
    cell::LazyCell,
    collections::{BTreeMap, BTreeSet},
};

pub(crate) const PATH_MTU_BLACKHOLE: Rule = Rule {
    id: "path_mtu_blackhole",
    family: Family::Connect,
    order: 108,
    symptom: "send_stall",
    meaning: "The path takes smaller packets than its ends believe, and the ICMP message about it never arrives. \
              Handshakes and small messages pass. Every full-size segment is resent until the connection is given up.",
    signals: &[
        "full_size_timeouts",
        "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
        "netwhy_tcp_connects_total",
        "netwhy_tcp_bytes_total",
    ],
    test: "At least 3 timeouts hit full-size segments that had timed out just before, the first of them more than 3 s \
           ago. In the last 3 s a handshake with the same address completes, or small segments are acknowledged. At 1 \
           % random loss the same segment is lost three times in a row with a chance of 1e-6. Three such segments have \
           a chance of 1e-18.",
    minimum: "3 such timeouts, and one handshake or 8 RTT samples within 3 s.",
    ruled_out_by: "More than 1000 bytes of payload are acknowledged per segment: full-size ones pass. More fast \
                   retransmissions than timeouts. Timeouts mostly of small segments. Handshakes with the same address \
                   are lost too: two SYN or SYN-ACK segments resent in the window, and one per ten handshakes. An \
                   address that answers nothing (`peer_unreachable`).",
    action: "Find the hop with the smaller MTU (`tracepath`, `ping -M do -s 1472`). Let ICMP \"fragmentation needed\" \
             through, correct the MTU of the CNI or tunnel, or clamp the MSS. Meanwhile net.ipv4.tcp_mtu_probing=1 \
             helps.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "retransmitted segments per second after timeouts",
        promql: "sum(rate(netwhy_tcp_retransmitted_segments_total{L,type=\"timeout\"}R))",
    }],
};

/// Repeated timeouts of full-size segments that a finding needs.
const MIN_TIMEOUTS: u64 = 3;
/// The first timeout of a segment is not counted. At least one in this many of all timeouts must be.
const ONE_IN: u64 = 3;
/// RTT samples in the last seconds that show an address to answer without a handshake.
const ANSWERS: u64 = 8;
/// Handshake segments resent in the window, and their share of the handshakes, from which small segments are lost too.
const MIN_LOST_HANDSHAKES: u64 = 2;
const LOST_HANDSHAKES: f64 = 0.1;
/// Weight of the pattern itself, nats.
const PATTERN_NATS: f64 = 10.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let hosts = LazyCell::new(|| SmallSegments::by_host(context));
    let passes = |edge: &Edge<'_>| hosts.get(&edge.view.host()).is_some_and(|host| host.pass() && !host.are_lost());
    let unclaimed = context.unclaimed(Family::Connect);
    let stuck: Vec<_> = unclaimed.filter(|(_, edge)| is_stuck(edge) && passes(edge)).collect();
    if stuck.is_empty() {
        return Vec::new();
    }
    let peers: BTreeSet<PeerId> = stuck.iter().map(|(_, edge)| edge.view.peer_id()).collect();
    let edges: BTreeSet<EdgeIx> = stuck.iter().map(|(_, edge)| edge.ix).collect();
    let suspects = suspects(context, &edges);
    stuck.iter().map(|(subject, edge)| describe(context, subject, edge, (peers.len(), &suspects))).collect()
}

fn is_stuck(edge: &Edge<'_>) -> bool {
    let (tally, recent) = (edge.tally(), &edge.view.recent);
    tally.full_size_timeouts >= MIN_TIMEOUTS
        && tally.full_size_timeouts > recent.full_size_timeouts
        && recent.full_size_timeouts > 0
        && ONE_IN * tally.full_size_timeouts >= edge.timeouts()
        && edge.fast_retransmits() <= edge.timeouts()
        && !edge.passes_full_size()
}

/// Small segments to one host, of all edges.
#[derive(Clone, Copy, Default)]
struct SmallSegments {
    /// Edges with an answer in the last seconds.
    answered: usize,
    /// Handshakes of the window, and segments of them that were sent again.
    handshakes: u64,
    resent: u64,
}

impl SmallSegments {
    fn by_host(context: &Context<'_>) -> BTreeMap<PeerHost, Self> {
        let mut hosts: BTreeMap<PeerHost, Self> = BTreeMap::new();
        for edge in context.edges() {
            let (tally, recent) = (edge.tally(), &edge.view.recent);
            // Acknowledged bytes alone may be older: a socket's growth is counted up to seconds late. Several RTT
            // samples are not.
            let acknowledged = recent.bytes_acked > 0 && recent.rtt.count() >= ANSWERS;
            let answered = acknowledged || recent.connects.iter().sum::<u64>() > 0;
            let resent = [Retransmit::Syn, Retransmit::SynAck].map(|kind| tally.retransmits[kind as usize]);
            let host = hosts.entry(edge.view.host()).or_default();
            host.answered += usize::from(answered);
            host.handshakes += tally.connects.iter().sum::<u64>();
            host.resent += resent.iter().sum::<u64>();
        }
        hosts
    }

    /// The host answered in the last seconds, when full-size segments had long been stuck.
    const fn pass(&self) -> bool {
        self.answered > 0
    }

    /// Handshakes were lost in the same time as full-size segments: everything is, on and off. Those that complete now
    /// say nothing of the segments that were lost before.
    fn are_lost(&self) -> bool {
        self.resent >= MIN_LOST_HANDSHAKES && self.resent as f64 >= LOST_HANDSHAKES * self.handshakes as f64
    }
}

/// `peers`: peers whose path drops full-size segments.
fn describe(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &Edge<'_>,
    (peers, suspects): (usize, &Suspects<'_, '_>),
) -> Finding {
    let (tally, place) = (edge.tally(), context.place(edge));
    let (name, peer) = (subject.name(), edge.peer_name());
    let connects: u64 = tally.connects.iter().sum();
    let source = "ebpf:tcp_retransmit_skb";
    let timeouts = "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}";
    let stuck = tally.full_size_timeouts as f64;
    Finding {
        nats: over(stuck, MIN_TIMEOUTS as f64) + PATTERN_NATS,
        summary: format!(
            "large packets from {name} to {peer} are lost: full-size segments timed out {} times in a row, while \
             handshakes ({connects}) and small messages pass",
            tally.full_size_timeouts
        ),
        evidence: vec![
            evidence("full_size_timeouts", stuck, "timeouts in a row", &place, source),
            evidence(timeouts, edge.timeouts() as f64, "segments", &place, source),
            evidence("netwhy_tcp_connects_total", connects as f64, "handshakes", &place, "ebpf:inet_sock_set_state"),
            evidence("affected_peers", peers as f64, "peers", context.node, "netwhy"),
        ],
        ruled_out: vec![RuledOut {
            cause: "peer_unreachable".into(),
            because: format!("{connects} handshakes and {} bytes got through", tally.bytes_acked),
        }],
        edges: vec![edge.ix],
        ..Finding::new(&PATH_MTU_BLACKHOLE, subject.ix, suspects.blame(edge.ix))
    }
}

#[cfg(test)]
mod tests;
