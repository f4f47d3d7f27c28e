//! Lost packets: on one path, or at this Node.

use crate::hints::{
    context::excuse::can_be_judged,
    context::{Context, Edge},
    culprit::loss::{Common, Judged, common_culprit, path_culprit},
    culprit::this_node::Own,
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
    stats::{LOSS_ALPHA, OVERWHELMING_ALPHA, percent, poisson_tail_ln},
};
use crate::{
    api::{Blame, BlameKind, Evidence},
    state::PeerId,
};
use netwhy_abi::Retransmit;
use std::collections::BTreeMap;

const SIGNALS: &[&str] = &[
    "netwhy_tcp_loss_episodes_total",
    "netwhy_tcp_segments_sent_total",
    "netwhy_tcp_retransmitted_segments_total",
    "netwhy_tcp_limited_seconds_total",
    "netwhy_tcp_min_rtt_seconds",
];
const MINIMUM: &str = "`min_segments` data segments on the edge; edges with fewer are pooled per peer, then over the \
                       Node. 3 episodes. Without enough segments, 3 timeouts.";
const RULED_OUT_BY: &str = "Senders held back by the peer's window or their own buffer; retransmissions of which half \
                            or more were unneeded (reordering, late acknowledgements); retransmissions by timers alone \
                            while round trips take twice as long as usual (late, not lost); bulk senders with a standing \
                            queue and less than 5 × `loss_ratio`, which is how congestion control finds the rate; an \
                            edge that answers nothing at all, or is about to (`peer_unreachable`). Loss of pure acknowledgements, and \
                            of what a Pod only receives, is invisible here: the sender's Node sees it.";

pub(crate) const NODE_PACKET_LOSS: Rule = Rule {
    id: "node_packet_loss",
    family: Family::Loss,
    order: 200,
    symptom: "packet_loss",
    meaning: "Most peers of this Node are reached with losses: packets get lost at this Node (NIC, queue, cable, switch \
              port), not at its peers.",
    signals: SIGNALS,
    test: "`path_loss` holds for an edge; and of all that could explain the losses of all edges together (this Node, each \
           path, each Pod) this Node does so best: a penalised likelihood that needs at least 3 lossy peers, a share of 30 % of \
           all (half, or stronger evidence), and stands without any one of them. Not when all are of one Pod while other Pods' \
           peers are clean, or all in one other zone.",
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Check the Node's interface errors and drops, queue discipline, cable and switch port; drain the Node if it \
             goes on.",
    caused_by: &["node_nic_drops", "node_qdisc_drops", "node_softnet_drops"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "loss episodes per segment sent, by Node at the other end",
        promql: "sum by (peer_node) (rate(netwhy_edge_loss_episodes_total{N}R)) / \
 sum by (peer_node) (rate(netwhy_edge_segments_sent_total{N}R))",
    }],
};

pub(crate) const PATH_LOSS: Rule = Rule {
    id: "path_loss",
    family: Family::Loss,
    order: 210,
    symptom: "packet_loss",
    meaning: "Packets to one peer get lost while this Node's other peers are fine. Several Pods with losses to the same \
              peer point to the peer; one alone leaves path and peer undecided. Losses to one Pod's address alone point to that \
              Pod, and those to all peers of another zone to the path between the zones. Until others are shown to be \
              clean, this Node and the path to the peer's zone stay suspects.",
    signals: SIGNALS,
    test: "Loss episodes (bursts, not segments) against the edge's baseline, Poisson upper tail, false-alarm rate 1e-6 \
           per window and edge (1e-12: begins at once), and episodes per data segment of at least `loss_ratio`. \
           Baseline: the edge's clean windows, half-life 5 min, shrunk towards its peer class, never below 1e-4, \
           frozen while a hint is open.",
    minimum: MINIMUM,
    ruled_out_by: RULED_OUT_BY,
    action: "Compare from another Node (`kubectl netwhy matrix`): if it loses to the same peer, check that peer's Node, \
             else the path between the two.",
    caused_by: &[
        "path_mtu_blackhole",
        "node_conntrack_full",
        "node_nic_drops",
        "node_qdisc_drops",
        "node_softnet_drops",
        "node_packet_loss",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "loss episodes per segment sent", promql: queries::LOSS }],
};

/// Episodes that a verdict needs, and timeouts where segments are few.
const MIN_EPISODES: u64 = 3;
/// Segments that a clean edge in the Node's pool must have sent to count as a clean peer.
const POOL_SEGMENTS: u64 = 20;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let judged = test_edges(context);
    if judged.lossy.is_empty() {
        return Vec::new();
    }
    let (bad, all) = judged.peers(context);
    let culprit = common_culprit(context, &judged);
    let (mut counts, mut score) = ((bad.len(), all.len()), None);
    if let Some(Common::Node(own)) = &culprit {
        // Peers that alone show too little of it are among them.
        (counts, score) = ((own.bad, own.peers), Some(own.score));
    }

    // One finding per subject for a common culprit, else one per edge.
    let mut groups: BTreeMap<(usize, Option<usize>), Vec<usize>> = BTreeMap::new();
    for (edge, subject) in &judged.lossy {
        let common = culprit.is_some() && context.edges[*edge].is_remote();
        groups.entry((*subject, (!common).then_some(*edge))).or_default().push(*edge);
    }
    let finding = |((subject, single), edges): ((usize, Option<usize>), Vec<usize>)| {
        let (rule, blame) = match (&culprit, single) {
            (Some(Common::Node(Own { alternatives, .. })), None) => {
                let alternatives = alternatives.clone();
                (&NODE_PACKET_LOSS, Blame { alternatives, ..blame(BlameKind::Node, context.node) })
            }
            (Some(Common::Zone(zone)), None) => {
                let name = format!("{}↔{zone}", context.zone.unwrap_or_default());
                (&PATH_LOSS, Blame { alternatives: vec![context.node.to_owned()], ..blame(BlameKind::ZonePair, name) })
            }
            (Some(Common::Subject), None) => (
                &PATH_LOSS,
                Blame {
                    alternatives: vec![context.node.to_owned()],
                    ..blame(BlameKind::Pod, context.subjects[subject].name())
                },
            ),
            _ => (&PATH_LOSS, path_culprit(context, &judged, subject, edges[0], bad.len())),
        };
        let mut finding = describe(context, rule, blame, subject, edges, counts);
        if rule.id == NODE_PACKET_LOSS.id {
            finding.evidence.extend(score.map(|nats| evidence("blame_score", nats, "nats", context.node, "netwhy")));
        }
        finding
    };
    groups.into_iter().map(finding).collect()
}

fn test_edges(context: &Context<'_>) -> Judged {
    let mut judged = Judged::default();
    let mut small: BTreeMap<PeerId, Vec<(usize, usize)>> = BTreeMap::new();
    for (i, s, edge) in context.free(Family::Loss).filter(|(_, _, e)| can_be_judged(context, e)) {
        if edge.tally().data_segs_out >= context.thresholds.min_segments || timeouts_alone(edge) {
            let set = if is_lossy(context, &[i]) { &mut judged.lossy } else { &mut judged.clean };
            set.insert(i, s);
        } else {
            small.entry(edge.view.peer_id()).or_default().push((i, s));
        }
    }
    let mut rest = Vec::new();
    for pool in small.into_values() {
        if !sort_pool(context, &pool, &mut judged) {
            rest.extend(pool);
        }
    }
    sort_pool(context, &rest, &mut judged);
    judged
}

/// Judges a pool of small edges as one. False when it is still too small.
fn sort_pool(context: &Context<'_>, pool: &[(usize, usize)], judged: &mut Judged) -> bool {
    let edges: Vec<usize> = pool.iter().map(|(i, _)| *i).collect();
    if sum(context, &edges, |e| e.tally().data_segs_out) < context.thresholds.min_segments {
        return false;
    }
    let lossy = is_lossy(context, &edges);
    for (i, s) in pool {
        let tally = context.edges[*i].tally();
        if lossy && tally.loss_episodes > 0 {
            judged.lossy.insert(*i, *s);
        } else if !lossy || tally.data_segs_out >= POOL_SEGMENTS {
            judged.clean.insert(*i, *s);
        }
    }
    true
}

fn sum(context: &Context<'_>, edges: &[usize], of: impl Fn(&Edge<'_>) -> u64) -> u64 {
    edges.iter().map(|i| of(&context.edges[*i])).sum()
}

fn expected(context: &Context<'_>, edges: &[usize]) -> f64 {
    edges.iter().map(|i| &context.edges[*i]).map(|e| e.tally().data_segs_out as f64 * e.loss_baseline).sum()
}

fn is_lossy(context: &Context<'_>, edges: &[usize]) -> bool {
    let episodes = sum(context, edges, |e| e.tally().loss_episodes);
    let segments = sum(context, edges, |e| e.tally().data_segs_out);
    episodes >= MIN_EPISODES
        && episodes as f64 >= context.thresholds.loss_ratio * segments as f64
        && poisson_tail_ln(episodes, expected(context, edges)) <= LOSS_ALPHA.ln()
}

fn timeouts_alone(edge: &Edge<'_>) -> bool {
    edge.only_timeouts() && edge.timeouts() >= MIN_EPISODES
}

fn describe(
    context: &Context<'_>,
    rule: &'static Rule,
    blame: Blame,
    subject: usize,
    edges: Vec<usize>,
    (bad, all): (usize, usize),
) -> Finding {
    let who = &context.subjects[subject];
    let first = &context.edges[edges[0]];
    let place = if edges.len() == 1 { context.place(first) } else { format!("{}→*", context.node) };
    let episodes = sum(context, &edges, |e| e.tally().loss_episodes);
    let segments = sum(context, &edges, |e| e.tally().data_segs_out).max(1);
    let lambda = expected(context, &edges);
    let ln_p = poisson_tail_ln(episodes, lambda);
    let (ratio, usual) = (episodes as f64 / segments as f64, lambda / segments as f64);
    let target = match edges.len() {
        1 => first.peer_name(),
        n => format!("{n} peers"),
    };
    let source = "ebpf:tcp_retransmit_skb";
    let number =
        |signal: &str, observed: u64, unit: &str, source: &str| evidence(signal, observed as f64, unit, &place, source);
    let mut numbers = vec![
        Evidence {
            baseline: Some(usual),
            ..evidence("netwhy_tcp_loss_episodes_total", ratio, "ratio", &place, source)
        },
        number("netwhy_tcp_loss_episodes_total", episodes, "episodes", source),
        number("netwhy_tcp_segments_sent_total", segments, "segments", "ebpf:tcp_sock"),
        number(
            "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
            sum(context, &edges, |e| e.timeouts()),
            "segments",
            source,
        ),
        evidence("lossy_peers", bad as f64, &format!("of {all} peers"), context.node, "netwhy"),
    ];
    numbers.extend(first.min_rtt(&place));
    let certainty = if blame.alternatives.len() > 1 || blame.kind == BlameKind::None { 0.8 } else { 1.0 };
    Finding {
        rule,
        subject,
        // Nats by which the observed ratio explains the window better than the baseline, beyond the decision limit.
        nats: (-ln_p + LOSS_ALPHA.ln()).max(0.0),
        certainty,
        // Timers alone may turn out to be of a peer that answers nothing, or is only late.
        overwhelming: ln_p <= OVERWHELMING_ALPHA.ln()
            && sum(context, &edges, |e| e.tally().retransmits[Retransmit::Fast as usize]) > 0,
        summary: format!(
            "{} loses packets to {target}: {episodes} loss episodes in {segments} segments ({}, normally {}); {bad} of \
             {all} peers of {} are lossy",
            who.name(),
            percent(ratio),
            percent(usual),
            context.node
        ),
        evidence: numbers,
        ruled_out: context.not_limited(first).chain(who.not_throttled(context.thresholds)).collect(),
        blame,
        effects: Vec::new(),
        edges,
    }
}

#[cfg(test)]
mod tests;
