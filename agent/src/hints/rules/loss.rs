//! Lost packets: on one path, or at this Node.

pub(crate) mod reordering;
mod share;
mod stalled;
mod handshakes;

use crate::{
    api::{BlameKind, Evidence},
    hints::{
        context::{Context, Edge, EdgeIx, SubjectIx, excuse::can_be_judged},
        culprit::{
            loss::Tested,
            suspects::{Component, Odds},
        },
        finding::{Finding, evidence},
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, percent, poisson_tail_ln},
    },
    state::PeerId,
};
use share::Share;
use stalled::Stalled;
use std::collections::BTreeMap;

const SIGNALS: &[&str] = &[
    "netwhy_tcp_loss_episodes_total",
    "netwhy_tcp_segments_sent_total",
    "netwhy_tcp_retransmitted_segments_total",
    "netwhy_tcp_limited_seconds_total",
    "netwhy_tcp_min_rtt_seconds",
];
const MINIMUM: &str = "`min_segments` data segments on the edge. Edges with fewer are pooled per peer, then over the \
                       Node. A pool with fewer still needs 4 episodes, not all in the last 3 s, against the highest \
                       loss that its past allows. 3 episodes, or 3 timeouts where there are too few segments.";
const RULED_OUT_BY: &str = "The peer's window or the Pod's own buffer holds the sender back. At least half of the \
                            retransmissions are spurious (reordering, copies, late acknowledgements): all of the \
                            window, or without a timeout the fast ones of the last minute. Other connections to the \
                            peer resend as much for nothing, no timer had to fire, and no request is slow: connections \
                            that end show no verdict. Only timers resend, while the RTT is twice as long as usual: \
                            late, not lost. A bulk sender has a standing queue and loses less than 5 × `loss_ratio`: \
                            that is how congestion control finds the rate. The edge answers nothing at all, or stops \
                            answering (`peer_unreachable`). Lost pure acknowledgements, and losses of data that a Pod \
                            only receives, don't show here: the sender's Node sees them.";

pub(crate) const NODE_PACKET_LOSS: Rule = Rule {
    id: "node_packet_loss",
    family: Family::Loss,
    order: 200,
    symptom: "packet_loss",
    meaning: "Packets are lost at this Node (NIC, queue, cable, switch port), not at its peers: the losses to \
              several peers share it, and nothing else explains them as well.",
    signals: SIGNALS,
    test: "`path_loss` holds for an edge, and this Node is its culprit with a probability of 0.9 or more. Lossy \
           edges count for a component that they share, and clean ones against it, as much as they would have shown. \
           Each edge may have trouble of its own with odds of e⁻⁶, so that one peer never convicts a Node.",
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Check the Node's interface errors and drops, queue discipline, cable and switch port. Drain the Node if \
             it goes on.",
    caused_by: &["node_nic_drops", "node_qdisc_drops", "node_softnet_drops", "pod_bandwidth_limited"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "loss episodes per segment sent, by peer Node",
        promql: "sum by (peer_node) (rate(netwhy_edge_loss_episodes_total{N}R)) / \
 sum by (peer_node) (rate(netwhy_edge_segments_sent_total{N}R))",
    }],
};

pub(crate) const PATH_LOSS: Rule = Rule {
    id: "path_loss",
    family: Family::Loss,
    order: 210,
    symptom: "packet_loss",
    meaning: "Packets to a peer are lost. Who is at fault follows from the edges that share the path and lose \
              nothing. One agent can't tell a peer's Node from the path to it: both are candidates, and the other \
              agents decide (`kubectl netwhy why`). Where only a part of the connections loses, one of several paths \
              between the two is at fault.",
    signals: SIGNALS,
    test: "Loss episodes (bursts, not segments) exceed the edge's baseline. The test is the Poisson upper tail, with a \
           false-alarm rate of 1e-6 per window and edge. 1e-12 opens the hint at once, unless a fifth of the fast \
           retransmissions was needless: the verdict on the others may follow. The episodes per data segment reach \
           `loss_ratio`. The baseline comes from the edge's clean windows (half-life 5 min). It is shrunk towards the \
           peer class, never below 1e-4, and frozen while a hint is open. **A part of the connections** is affected if \
           those that lost a packet in the last 10 s have three or more further losses. They are two or more, with at \
           most 80 % of the segments. A part explains the further losses far better than equal chances of all segments \
           (Bayes factor; at most one loss per connection and second counts). Windows that share no moment add up while \
           the loss goes on, to 20 nats at least: if 500 edges lose alike for a hundred days, one is wrong. Half of the \
           window's ticks must have losses: a burst tells no part. **Nothing gets through on a part** if two or more \
           connections, older than the fault, lose again what they had just sent again, three times or more, while the \
           edge is answered in each second with timeouts. A part must explain that 1,000 times as well as equal \
           chances, and 9 times as well as a path that stops for moments: so long a stop would hit others, too. **A \
           part of the handshakes** to one port is lost if SYNs that are sent again stay without an answer more often \
           than first ones (binomial, 1e-6 per window), before the last 3 s and in them, and fewer of them are answered \
           at last than those of one second, which a listener that stood still would leave behind (9 times as likely).",
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Compare from another Node (`kubectl netwhy matrix`). If it also loses packets to that peer, check the \
             peer's Node, else the path between the two.",
    caused_by: &[
        "path_mtu_blackhole",
        "node_conntrack_full",
        "node_nic_drops",
        "node_qdisc_drops",
        "node_softnet_drops",
        "node_packet_loss",
        "pod_bandwidth_limited",
    ],
    caused_by_at_peer: &[
        // A full queue drops the end of a handshake, and all data that the client sends behind it.
        "pod_accept_queue_full",
        "syn_queue_full",
        "pod_bandwidth_limited",
    ],
    queries: &[QueryTemplate { shows: "loss episodes per segment sent", promql: queries::LOSS }],
};

/// Episodes that a finding needs, and timeouts where there are few segments.
const MIN_EPISODES: u64 = 3;
/// The same where there are too few segments for the configured minimum: a short outage may hit several connections.
const FEW_EPISODES: u64 = 4;
/// Share of needless fast retransmissions from which a hint waits for the verdict on the others, 0 … 1. It comes a round
/// trip later. A lost packet is sent again for nothing only if its acknowledgement gets lost or late.
const VERDICT_AWAITED: f64 = 0.2;
/// Segments that a clean edge in the Node's pool needs to count as a clean peer.
const POOL_SEGMENTS: u64 = 20;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut out = of_losses(context);
    out.extend(handshakes::judge(context));
    out.extend(reordering::judge(context));
    out
}

fn of_losses(context: &Context<'_>) -> Vec<Finding> {
    let tested = test_edges(context);
    if tested.lossy.is_empty() {
        return Vec::new();
    }
    let peers = tested.peers(context);
    let peers = LossyPeers { lossy: peers.lossy.len(), all: peers.all.len() };
    let suspects = tested.suspects(context);
    // One finding for all edges of a subject that share their most likely culprit.
    let mut groups: BTreeMap<(SubjectIx, Option<Component>), Vec<EdgeIx>> = BTreeMap::new();
    for (edge, subject) in &tested.lossy {
        groups.entry((*subject, suspects.best(*edge))).or_default().push(*edge);
    }
    let finding = |((subject, _), edges): ((SubjectIx, _), Vec<EdgeIx>)| {
        let worst = worst(context, &edges);
        let part = Part::of(context, &edges);
        let blame = match part {
            Some((_, odds)) => Share::narrow(suspects.blame_with(worst, odds).0),
            None => suspects.blame(worst),
        };
        // Traffic within the Node never reaches its interfaces.
        let leaves = edges.iter().any(|edge| context.edge(*edge).is_remote());
        let rule = if blame.kind == BlameKind::Node && leaves { &NODE_PACKET_LOSS } else { &PATH_LOSS };
        let finding = describe(context, Finding { edges, ..Finding::new(rule, subject, blame) }, peers);
        match part {
            Some((part, _)) => part.describe(finding, &context.place(context.edge(worst))),
            None => finding,
        }
    };
    groups.into_iter().map(finding).collect()
}

/// A part of the connections is affected.
#[derive(Clone, Copy)]
enum Part {
    /// It loses more than the rest.
    Lossy(Share),
    /// Nothing gets through on it.
    Stalled(Stalled),
}

impl Part {
    /// With the odds of the components. `None`: all may be affected alike.
    fn of(context: &Context<'_>, edges: &[EdgeIx]) -> Option<(Self, Odds)> {
        let lossy = Share::of(context, edges).map(|(share, odds)| (Self::Lossy(share), odds));
        lossy.or_else(|| Stalled::of(context, edges).map(|(stalled, odds)| (Self::Stalled(stalled), odds)))
    }

    fn describe(&self, finding: Finding, place: &str) -> Finding {
        match self {
            Self::Lossy(share) => share.describe(finding, place),
            Self::Stalled(stalled) => stalled.describe(finding, place),
        }
    }
}

/// The edge with the strongest evidence.
fn worst(context: &Context<'_>, edges: &[EdgeIx]) -> EdgeIx {
    let ln_p = |edge: &EdgeIx| {
        let sums = Sums::new(context, &[*edge]);
        poisson_tail_ln(sums.episodes, sums.expected)
    };
    edges.iter().copied().min_by(|a, b| ln_p(a).total_cmp(&ln_p(b))).unwrap_or(edges[0])
}

fn test_edges(context: &Context<'_>) -> Tested {
    let mut tested = Tested::default();
    let mut small: BTreeMap<PeerId, Vec<(EdgeIx, SubjectIx)>> = BTreeMap::new();
    for (subject, edge) in context.unclaimed(Family::Loss).filter(|(_, edge)| can_be_judged(context, edge)) {
        if edge.losses().segments >= context.thresholds.min_segments || has_timeouts_alone(edge) {
            let lossy = is_lossy(context, Sums::new(context, &[edge.ix]));
            let set = if lossy { &mut tested.lossy } else { &mut tested.clean };
            set.insert(edge.ix, subject.ix);
        } else {
            small.entry(edge.view.peer_id()).or_default().push((edge.ix, subject.ix));
        }
    }
    let mut rest = Vec::new();
    for pool in small.into_values() {
        if !test_pool(context, &pool, &mut tested) {
            rest.extend(pool);
        }
    }
    test_pool(context, &rest, &mut tested);
    tested
}

/// Tests a pool of small edges as one. False when it is still too small.
fn test_pool(context: &Context<'_>, pool: &[(EdgeIx, SubjectIx)], tested: &mut Tested) -> bool {
    let edges: Vec<EdgeIx> = pool.iter().map(|(edge, _)| *edge).collect();
    let sums = Sums::new(context, &edges);
    let are_few = sums.segments < context.thresholds.min_segments;
    let lossy = is_lossy(context, sums);
    if are_few && !(lossy && is_certain_of_few(context, &edges, sums)) {
        return false;
    }
    for (edge, subject) in pool {
        let losses = context.edge(*edge).losses();
        if lossy && losses.episodes > 0 {
            tested.lossy.insert(*edge, *subject);
        } else if !lossy || losses.segments >= POOL_SEGMENTS {
            tested.clean.insert(*edge, *subject);
        }
    }
    true
}

fn has_timeouts_alone(edge: &Edge<'_>) -> bool {
    // Where walks are rare, those of the window may be newer than the losses that are judged.
    let are_judged = edge.view.walked.is_none_or(|losses| losses.episodes >= MIN_EPISODES);
    edge.only_timeouts() && edge.timeouts() >= MIN_EPISODES && are_judged
}

/// Sums over some edges.
#[derive(Clone, Copy, Default)]
struct Sums {
    episodes: u64,
    segments: u64,
    timeouts: u64,
    fast_retransmits: u64,
    needless: u64,
    /// Episodes in normal times.
    expected: f64,
}

impl Sums {
    fn new(context: &Context<'_>, edges: &[EdgeIx]) -> Self {
        let mut sums = Self::default();
        for edge in edges.iter().map(|ix| context.edge(*ix)) {
            let losses = edge.losses();
            sums.episodes += losses.episodes;
            sums.segments += losses.segments;
            sums.timeouts += edge.timeouts();
            sums.fast_retransmits += edge.fast_retransmits();
            sums.needless += edge.tally().needless_fast();
            sums.expected += losses.segments as f64 * edge.loss_baseline;
        }
        sums
    }

    /// The segments that were sent again last may be as needless as some before them.
    fn awaits_verdict(&self) -> bool {
        self.needless as f64 >= VERDICT_AWAITED * self.fast_retransmits as f64
    }
}

/// Whether the losses of few segments are more than a burst, and more than the highest loss that may be normal here: of
/// `n` segments without a loss in the past, 3/n may be lost with a chance of 5 %.
fn is_certain_of_few(context: &Context<'_>, edges: &[EdgeIx], sums: Sums) -> bool {
    let edges = || edges.iter().map(|ix| context.edge(*ix));
    let (all, recent) = edges().fold((0, 0), |(all, recent), edge| {
        (all + edge.tally().loss_episodes, recent + edge.view.recent.loss_episodes)
    });
    let at_most: f64 = edges().map(|edge| edge.losses().segments as f64 * edge.loss_at_most).sum();
    let lasts = recent > 0 && all > recent;
    lasts && sums.episodes >= FEW_EPISODES && poisson_tail_ln(sums.episodes, at_most) <= LOSS_ALPHA.ln()
}

fn is_lossy(context: &Context<'_>, sums: Sums) -> bool {
    sums.episodes >= MIN_EPISODES
        && sums.episodes as f64 >= context.thresholds.loss_ratio * sums.segments as f64
        && poisson_tail_ln(sums.episodes, sums.expected) <= LOSS_ALPHA.ln()
}

/// Numbers of peers.
#[derive(Clone, Copy)]
struct LossyPeers {
    lossy: usize,
    all: usize,
}

/// Fills in the finding's numbers and texts.
fn describe(context: &Context<'_>, finding: Finding, peers: LossyPeers) -> Finding {
    let subject = context.subject(finding.subject);
    let first = context.edge(finding.edges[0]);
    let sums = Sums::new(context, &finding.edges);
    let segments = sums.segments.max(1);
    let ln_p = poisson_tail_ln(sums.episodes, sums.expected);
    let (ratio, usual) = (sums.episodes as f64 / segments as f64, sums.expected / segments as f64);
    let target = match finding.edges.len() {
        1 => first.peer_name(),
        n => format!("{n} peers"),
    };
    Finding {
        // Nats by which the observed ratio explains the window better than the baseline, beyond the decision limit.
        nats: (-ln_p + LOSS_ALPHA.ln()).max(0.0),
        // Timeouts alone may come from a peer that answers nothing, or is only late.
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln() && sums.fast_retransmits > 0 && !sums.awaits_verdict(),
        summary: format!(
            "{} loses packets to {target}: {} loss episodes in {segments} segments ({}, normally {}); {} of {} peers \
             of {} are lossy",
            subject.name(),
            sums.episodes,
            percent(ratio),
            percent(usual),
            peers.lossy,
            peers.all,
            context.node
        ),
        evidence: numbers(context, &finding, sums, peers),
        ruled_out: context.rule_out_limits(first).chain(subject.rule_out_throttling(context.thresholds)).collect(),
        ..finding
    }
}

fn numbers(context: &Context<'_>, finding: &Finding, sums: Sums, peers: LossyPeers) -> Vec<Evidence> {
    let first = context.edge(finding.edges[0]);
    let place = if finding.edges.len() == 1 { context.place(first) } else { format!("{}→*", context.node) };
    let segments = sums.segments.max(1) as f64;
    let (episodes, source) = ("netwhy_tcp_loss_episodes_total", "ebpf:tcp_retransmit_skb");
    let ratio = evidence(episodes, sums.episodes as f64 / segments, "ratio", &place, source);
    let timeouts = "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}";
    let mut numbers = vec![
        Evidence { baseline: Some(sums.expected / segments), ..ratio },
        evidence(episodes, sums.episodes as f64, "episodes", &place, source),
        evidence("netwhy_tcp_segments_sent_total", segments, "segments", &place, "ebpf:tcp_sock"),
        evidence(timeouts, sums.timeouts as f64, "segments", &place, source),
        evidence("lossy_peers", peers.lossy as f64, &format!("of {} peers", peers.all), context.node, "netwhy"),
    ];
    numbers.extend(first.min_rtt(&place));
    numbers
}

#[cfg(test)]
mod tests;
