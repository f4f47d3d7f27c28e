//! Segments too large for the path, which nobody tells the sender.

use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::over,
};
use crate::{
    api::{Blame, BlameKind, RuledOut},
    sample::Tally,
    state::PeerId,
};
use netwhy_abi::Retransmit;
use std::collections::BTreeSet;

pub(crate) const PATH_MTU_BLACKHOLE: Rule = Rule {
    id: "path_mtu_blackhole",
    family: Family::Connect,
    order: 108,
    symptom: "send_stall",
    meaning: "The path takes smaller packets than its ends believe, and the ICMP that should say so never arrives: handshakes \
              and small messages pass, and every full-size segment is sent again and again until the connection is given up.",
    signals: &[
        "full_size_timeouts",
        "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
        "netwhy_tcp_connects_total",
        "netwhy_tcp_bytes_total",
    ],
    test: "At least 3 timeouts on full-size segments that had timed out just before, the first of them more than 3 s ago, while \
           in the last 3 s a handshake with the same address completed or small segments were acknowledged. At 1 % random loss \
           the same segment is lost three times in a row with a chance of 1e-6, and three such segments of 1e-18.",
    minimum: "3 such timeouts, and one handshake or 8 round-trip samples within 3 s.",
    ruled_out_by: "Payload acknowledged at more than 1000 bytes a segment (full ones pass); more fast retransmissions than \
                   timeouts; timeouts mostly of small segments; an address that answers nothing (`peer_unreachable`).",
    action: "Find the hop with the smaller MTU (`tracepath`, `ping -M do -s 1472`): let ICMP \"fragmentation needed\" through, set \
             the CNI's or tunnel's MTU right, or clamp the MSS. net.ipv4.tcp_mtu_probing=1 helps meanwhile.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "segments sent again after timeouts per second",
        promql: "sum(rate(netwhy_tcp_retransmitted_segments_total{L,type=\"timeout\"}R))",
    }],
};

/// Timeouts of full-size segments in a row that a verdict needs.
const MIN_TIMEOUTS: u64 = 3;
/// First timeouts on a segment are not among those counted; so many of all must be.
const ONE_IN: u64 = 3;
/// Round trips within the last seconds that show an address to answer without a handshake.
const ANSWERS: u64 = 8;
/// Peers behind which all paths are too small for a culprit on the way to be this Node.
const MIN_PEERS: usize = 3;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let stuck: Vec<(usize, usize)> = context
        .free(Family::Connect)
        .filter(|(_, _, edge)| is_stuck(edge) && small_ones_pass(context, edge))
        .map(|(i, subject, _)| (i, subject))
        .collect();
    let peers: BTreeSet<PeerId> = stuck.iter().map(|(i, _)| context.edges[*i].view.peer_id()).collect();
    stuck.iter().map(|(i, subject)| describe(context, *i, *subject, peers.len())).collect()
}

fn is_stuck(edge: &Edge<'_>) -> bool {
    let (t, recent) = (edge.tally(), &edge.view.recent);
    t.full_size_timeouts >= MIN_TIMEOUTS
        && t.full_size_timeouts > recent.full_size_timeouts
        && recent.full_size_timeouts > 0
        && ONE_IN * t.full_size_timeouts >= edge.timeouts()
        && t.retransmits[Retransmit::Fast as usize] <= edge.timeouts()
        && !edge.passes_full_size()
}

/// In the last seconds, when the large ones were long stuck, the address answered. A socket's growth may be counted
/// seconds after it happened, once for each: acknowledged bytes alone may be from before, several round trips are not.
fn small_ones_pass(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let same = context.edges.iter().filter(|other| other.view.peer == edge.view.peer).map(|other| &other.view.recent);
    let answered = |recent: &Tally| recent.bytes_acked > 0 && recent.rtt.count() >= ANSWERS;
    same.into_iter().any(|recent| recent.connects.iter().sum::<u64>() > 0 || answered(recent))
}

fn describe(context: &Context<'_>, index: usize, subject: usize, peers: usize) -> Finding {
    let edge = &context.edges[index];
    let (t, place) = (edge.tally(), context.place(edge));
    let (name, peer) = (context.subjects[subject].name(), edge.peer_name());
    let connects: u64 = t.connects.iter().sum();
    let source = "ebpf:tcp_retransmit_skb";
    let timeouts = "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}";
    let (node, pair) = (context.node.to_owned(), context.pair(edge));
    let culprit = if !edge.is_remote() {
        blame(BlameKind::Node, node)
    } else if peers >= MIN_PEERS {
        Blame { alternatives: vec![edge.peer_node_name()], ..blame(BlameKind::Node, node) }
    } else if edge.blame_kind(BlameKind::NodePair) == BlameKind::External {
        Blame { alternatives: vec![pair], ..blame(BlameKind::External, edge.peer_node_name()) }
    } else {
        Blame { alternatives: vec![edge.peer_node_name(), node], ..blame(BlameKind::NodePair, pair) }
    };
    Finding {
        rule: &PATH_MTU_BLACKHOLE,
        subject,
        nats: over(t.full_size_timeouts as f64, MIN_TIMEOUTS as f64) + 10.0,
        certainty: 1.0,
        overwhelming: false,
        summary: format!(
            "large packets from {name} to {peer} vanish: full-size segments timed out {} times in a row, while {connects} \
             handshakes and small messages pass",
            t.full_size_timeouts
        ),
        evidence: vec![
            evidence("full_size_timeouts", t.full_size_timeouts as f64, "timeouts in a row", &place, source),
            evidence(timeouts, edge.timeouts() as f64, "segments", &place, source),
            evidence("netwhy_tcp_connects_total", connects as f64, "handshakes", &place, "ebpf:inet_sock_set_state"),
            evidence("affected_peers", peers as f64, "peers", context.node, "netwhy"),
        ],
        ruled_out: vec![RuledOut {
            cause: "peer_unreachable".into(),
            because: format!("{connects} handshakes and {} bytes got through", t.bytes_acked),
        }],
        blame: culprit,
        effects: Vec::new(),
        edges: vec![index],
    }
}

#[cfg(test)]
mod tests;
