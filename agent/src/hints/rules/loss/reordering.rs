//! Packets that arrive in another order than they were sent: the sender takes late ones for lost.

use crate::{
    api::RuledOut,
    hints::{
        context::{Context, Edge, EdgeIx, Subject, SubjectIx},
        culprit::{reordering::suspects, suspects::Component},
        finding::{Finding, evidence},
        memory::{edge::EdgeMemory, path::Path},
        rule::{Family, QueryTemplate, Rule},
        stats::{over, percent},
    },
    sample::Tally,
};
use netwhy_abi::Retransmit;
use std::collections::BTreeMap;

pub(crate) const PATH_REORDERING: Rule = Rule {
    id: "path_reordering",
    family: Family::Loss,
    order: 220,
    symptom: "send_stall",
    meaning: "Packets overtake each other on the way to a peer. The sender takes late ones for lost, sends them again \
              for nothing, and slows down.",
    signals: &["reorderings", "netwhy_tcp_retransmitted_segments_total", "netwhy_tcp_segments_sent_total"],
    test: "Three quarters or more of the fast retransmissions are needless: the peer reports that it has the data \
           already (DSACK), beyond what needless timeouts, probes and handshakes explain. They reach 5 × `loss_ratio` \
           of the data segments sent, and go on in the last 3 s. **They cost something**: they are 5 % of the data \
           segments, the network holds the sender back for half of the time, the edge carries 60 % of its usual \
           payload or less, or its requests are slow (the test of `peer_slow`). **Loss.** Where the network copies \
           packets, the copies can hide as many losses. It is ruled out only if the kernel also finds 3 segments out \
           of order on each edge that it had not resent (`tcp_sock.reord_seen`). Else the confidence stays below 0.8.",
    minimum: "20 needless fast retransmissions. 10 where the kernel also finds segments out of order.",
    ruled_out_by: "Senders that are as fast as ever: nobody feels it. More duplicates than segments sent again: the \
                   network makes copies. All RTT samples rose: the path became longer (`path_latency`). Traffic within \
                   the Node. Edges that send no full segments show no reordering, and acquit nobody.",
    action: "Find what spreads the packets of one connection over several ways: per-packet load balancing, bonding in \
             round-robin mode, parallel tunnels, or interrupt balancing that moves a queue between CPUs.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "retransmitted segments per second, by type",
        promql: "sum by (type) (rate(netwhy_tcp_retransmitted_segments_total{L,type=~\"fast|spurious\"}R))",
    }],
};

/// Needless fast retransmissions that a finding needs …
const MIN_NEEDLESS: u64 = 20;
/// … and with segments that the kernel itself found out of order.
const MIN_CONFIRMED: u64 = 10;
/// Segments out of order that confirm.
const CONFIRMING: u64 = 3;
/// Share of the fast retransmissions that must be needless, 0 … 1.
const MOST: f64 = 0.75;
/// Multiple of `loss_ratio` from which needless retransmissions matter: each costs less than a lost packet.
const RATIO_FACTOR: f64 = 5.0;
/// Share of the data segments from which they are a burden whoever sends, 0 … 1.
const HEAVY: f64 = 0.05;
/// Part of the time in which only the network keeps data from being sent, from which they slow a sender down. It is the
/// sum of all sockets.
const HELD_BACK: f64 = 0.5;
/// Part of the usual payload up to which an edge carries less than usual. Sums of a window are uneven where walks bring
/// them.
const LESS: f64 = 0.6;
/// Certainty of the cause when the kernel found nothing out of order: it may all be later than its patience, or lost
/// beside as many copies that the network made.
const UNCONFIRMED: f64 = 0.7;

pub(super) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let shown: Vec<(SubjectIx, EdgeIx)> = context
        .unclaimed(Family::Loss)
        .filter(|(_, edge)| is_reordered(context, edge))
        .map(|(subject, edge)| (subject.ix, edge.ix))
        .collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let edges: Vec<EdgeIx> = shown.iter().map(|(_, edge)| *edge).collect();
    let suspects = suspects(context, &edges);
    // One finding for all edges of a subject that share their most likely culprit.
    let mut groups: BTreeMap<(SubjectIx, Option<Component>), Vec<EdgeIx>> = BTreeMap::new();
    for (subject, edge) in shown {
        groups.entry((subject, suspects.best(edge))).or_default().push(edge);
    }
    let finding = |((subject, _), edges): ((SubjectIx, _), Vec<EdgeIx>)| {
        let blame = suspects.blame(edges[0]);
        let finding = Finding { edges, ..Finding::new(&PATH_REORDERING, subject, blame) };
        describe(context, context.subject(subject), finding)
    };
    groups.into_iter().map(finding).collect()
}

fn is_reordered(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let (tally, recent) = (edge.tally(), &edge.view.recent);
    let needless = tally.needless_fast();
    let enough = if is_confirmed(tally) { MIN_CONFIRMED } else { MIN_NEEDLESS };
    let lasts = recent.needless_fast() > 0 && needless > recent.needless_fast();
    edge.is_remote()
        && needless >= enough
        && needless as f64 >= MOST * edge.fast_retransmits() as f64
        && needless as f64 >= RATIO_FACTOR * context.thresholds.loss_ratio * tally.data_segs_out as f64
        && lasts
        && !has_copies(tally)
        && !matches!(edge.path, Some(Path::Longer(_)))
        && is_felt(context, edge)
}

/// They cost more than the packets: a sender slows down, or whoever waits for it notices.
fn is_felt(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let tally = edge.tally();
    let is_heavy = tally.needless_fast() as f64 >= HEAVY * tally.data_segs_out as f64;
    let held_back = edge.busy.zip(tally.network_limited_share()).is_some_and(|(busy, by)| busy * by >= HELD_BACK);
    let now = (tally.bytes_acked + tally.bytes_received) as f64 / context.window.as_secs_f64();
    let usual = edge.memory.and_then(EdgeMemory::bytes_per_s);
    let is_less = usual.is_some_and(|usual| now <= LESS * usual);
    let is_waited_for = edge.requests().is_some_and(|(now, known)| known.slow(now, context.thresholds).is_some());
    is_heavy || held_back || is_less || is_waited_for
}

const fn is_confirmed(tally: &Tally) -> bool {
    tally.reorderings >= CONFIRMING
}

/// The peer got more duplicates than were sent.
fn has_copies(tally: &Tally) -> bool {
    tally.retransmits[Retransmit::Spurious as usize] > tally.retransmitted()
}

/// Fills in the finding's numbers and texts.
fn describe(context: &Context<'_>, subject: &Subject<'_>, finding: Finding) -> Finding {
    let first = context.edge(finding.edges[0]);
    let sum = |of: fn(&Tally) -> u64| -> u64 { finding.edges.iter().map(|ix| of(context.edge(*ix).tally())).sum() };
    let (needless, segments) = (sum(Tally::needless_fast), sum(|tally| tally.data_segs_out).max(1));
    let fast = sum(|tally| tally.retransmits[Retransmit::Fast as usize]);
    let found = sum(|tally| tally.reorderings);
    let all_confirmed = finding.edges.iter().all(|ix| is_confirmed(context.edge(*ix).tally()));
    let (verb, reason, ruled_out) = if all_confirmed {
        let because = format!("the peer got the data of {needless} of {fast} fast retransmissions twice");
        let no_loss = RuledOut { cause: "path_loss".into(), because };
        ("overtake", "because the data had arrived late", vec![no_loss])
    } else {
        ("seem to overtake", "unless the network copies packets and loses others", Vec::new())
    };
    let (target, place) = match finding.edges.len() {
        1 => (first.peer_name(), context.place(first)),
        n => (format!("{n} peers"), format!("{}→*", context.node)),
    };
    let ratio = needless as f64 / segments as f64;
    let kind = |name: &str| format!("netwhy_tcp_retransmitted_segments_total{{type=\"{name}\"}}");
    let source = "ebpf:tcp_retransmit_skb";
    Finding {
        nats: over(needless as f64, MIN_CONFIRMED as f64),
        certainty: if all_confirmed { 1.0 } else { UNCONFIRMED },
        summary: format!(
            "packets from {} to {target} {verb} each other: {needless} of {fast} fast retransmissions in {segments} \
             segments ({}) were needless, {reason}",
            subject.name(),
            percent(ratio),
        ),
        evidence: vec![
            evidence("needless_fast_retransmissions", ratio, "ratio", &place, source),
            evidence(&kind("fast"), fast as f64, "segments", &place, source),
            evidence(&kind("spurious"), needless as f64, "segments", &place, "ebpf:tcp_sock"),
            evidence("reorderings", found as f64, "segments", &place, "ebpf:tcp_sock"),
        ],
        ruled_out,
        ..finding
    }
}

#[cfg(test)]
mod tests;
