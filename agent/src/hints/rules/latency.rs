//! Paths that became longer: to one peer, to a zone, or from this Node to everybody.

use crate::hints::{
    context::{Context, Edge},
    culprit::this_node::{self as own, Own, Row},
    finding::{Finding, blame, evidence},
    memory::edge::EdgeMemory,
    memory::path::{self, Path, RISE_ALPHA, Rise, Witness},
    rule::{Family, QueryTemplate, Rule},
    rules::queries,
    stats::ms,
};
use crate::{
    api::{Blame, BlameKind, Evidence, RuledOut},
    blame::{MinRtt, Symptom},
    sample::Gauge,
    state::PeerId,
};
use netwhy_abi::PeerClass;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const PATH_LATENCY: Rule = Rule {
    id: "path_latency",
    family: Family::Latency,
    order: 250,
    symptom: "rtt_inflation",
    meaning: "The path became longer: even the fastest round trips of the last seconds take longer than the path ever did. \
              To one peer: that peer's Node, or the path to it. To all peers: this Node. To all Nodes of one zone: the path \
              between the zones. When the spread grew with it, packets wait in a queue; else something delays each alike.",
    signals: &[
        "netwhy_tcp_rtt_seconds",
        "netwhy_tcp_min_rtt_seconds",
        "netwhy_tcp_connects_total",
        "netwhy_tcp_bytes_total",
        "netwhy_node_qdisc_backlog_bytes",
    ],
    test: "All RTT samples of the last 3 s (of 20 or more all but one; of the window where 3 s have fewer than 8) are above \
           1.5 × the edge's usual minimum and 2 × `rtt_floor_ms` above it. With the share of samples that is above in normal \
           times (learnt, at least one in ten of the first 50), that has a chance below 1e-6 per window and edge, as far as \
           samples are independent. What proves that it is the path and not a peer that thinks: handshakes, which no program \
           answers, are all as slow (2 or more), or the sender is bulk (full segments are acknowledged at once), or two edges with \
           different programs at both ends rose, one of which sends full segments. This Node is \
           named when it is so for at least 3 peers, two of them proven, and no peer is as near as ever.",
    minimum: "8 RTT samples, a baseline of 10 clean windows, 2 handshakes or 2 MB acknowledged on an edge to the peer, or 100 kB \
              beside a second edge.",
    ruled_out_by: "Any edge to the same peer with two samples as fast as ever; senders held back by window or buffer; the Pod's \
                   own throttling; bulk traffic of this Node that grew by half and by 1 MB/s (it makes its own queue); keep-alive \
                   requests alone, whose acknowledgements ride on replies (undecidable: path or constant think time).",
    action: "Compare from another Node (`kubectl netwhy matrix`): if it is far from the same peer too, look at that peer's \
             Node, else at the path between the two. A queue on this Node: `tc -s qdisc`, and who fills it.",
    caused_by: &["node_qdisc_drops", "node_cpu_contention"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate { shows: "median RTT by distance", promql: queries::RTT }],
};

/// Peers that must all be further away before this Node, or a zone, is blamed.
const MIN_PEERS: usize = 3;
/// … of which so many are proven.
const MIN_PROVEN: usize = 2;
/// Share of busy time held back by window or buffer in the last seconds from which RTTs mean nothing.
const HELD_BACK: f64 = 0.2;
/// A bulk edge moves more than usual from so many times its usual rate on; small requests fill no queue.
const GROWTH: f64 = 1.5;
/// … and from so much of it, summed over the Node, the Node makes its own queue, bytes per second.
const OWN_QUEUE: f64 = 1e6;
/// Payload per segment of a bulk sender, and how much more a bulk receiver receives than it sends.
const BULK: (u64, u64) = (1_200, 10);
/// A queue: the spread above the lowest tenth is at least this share of the rise …
const QUEUE_SHARE: f64 = 0.25;
/// … and so many times the usual spread.
const QUEUE_GROWTH: f64 = 3.0;

/// One edge whose path rose.
#[derive(Clone, Copy)]
struct Risen {
    edge: usize,
    subject: usize,
    rise: Rise,
}

/// What is known of the peers.
#[derive(Default)]
struct Peers {
    /// Peers with no edge that is as fast as ever.
    far: BTreeMap<PeerId, Vec<Risen>>,
    /// Peers as near as ever.
    usual: BTreeSet<PeerId>,
}

/// What tells a longer path from peers that think, on any edge that shares it.
#[derive(Clone, Copy, Default)]
struct Proof {
    handshakes: u64,
    bulk: bool,
}

impl Proof {
    fn of(rises: impl Iterator<Item = Rise>) -> Self {
        rises.fold(Self::default(), |sum, rise| Self {
            handshakes: sum.handshakes + rise.handshakes,
            bulk: sum.bulk || rise.bulk,
        })
    }

    fn text(self) -> String {
        match (self.handshakes, self.bulk) {
            (0, false) => {
                "answers of several full segments, which are acknowledged at once, take as long, between programs \
                           that have nothing to do with each other"
                    .to_owned()
            }
            (0, true) => "full segments, which are acknowledged at once, take as long".to_owned(),
            (n, false) => format!("{n} handshakes, which no program answers, take as long"),
            (n, true) => format!("{n} handshakes, which no program answers, and full segments take as long"),
        }
    }
}

/// Whom all slow paths share.
enum Common {
    /// This Node.
    Node(Own),
    /// The path to this zone.
    Zone(String),
}

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let peers = peers(context);
    let is_proven = |risen: &[Risen]| {
        let witness = |one: &Risen| {
            let (subject, peer) = (&context.subjects[one.subject].view.id, context.edges[one.edge].view.peer);
            Witness { subject, peer, rise: one.rise }
        };
        path::is_proven(&risen.iter().map(witness).collect::<Vec<_>>())
    };
    let proven = peers.far.values().filter(|risen| is_proven(risen)).count();
    if proven == 0 || makes_its_own_queue(context) {
        return Vec::new();
    }
    let common = (proven >= MIN_PROVEN).then(|| common(context, &peers)).flatten();
    let counts = (peers.far.len(), peers.far.len() + peers.usual.len());
    let mut out = Vec::new();
    if let Some(common) = common {
        let mut subjects: BTreeMap<usize, Vec<Risen>> = BTreeMap::new();
        peers.far.values().flatten().for_each(|risen| subjects.entry(risen.subject).or_default().push(*risen));
        let alone = subjects.len() == 1;
        for (subject, risen) in subjects {
            let mut alternatives = match &common {
                Common::Node(own) => own.alternatives.clone(),
                Common::Zone(_) => Vec::new(),
            };
            let name = context.subjects[subject].name();
            if alone && !alternatives.iter().any(|other| other == name) {
                alternatives.push(name.to_owned());
            }
            let culprit = match &common {
                Common::Node(_) => blame(BlameKind::Node, context.node),
                Common::Zone(zone) => {
                    blame(BlameKind::ZonePair, format!("{}↔{zone}", context.zone.unwrap_or_default()))
                }
            };
            let all = peers.far.values().flatten().map(|risen| risen.rise);
            let blame = Blame { alternatives, ..culprit };
            let mut finding = describe(context, blame, subject, &risen, (Proof::of(all), counts));
            if let Common::Node(own) = &common {
                finding.evidence.push(evidence("blame_score", own.score, "nats", context.node, "netwhy"));
            }
            out.push(finding);
        }
        return out;
    }
    for risen in peers.far.values().filter(|risen| is_proven(risen)) {
        let sick: BTreeSet<usize> = risen.iter().map(|risen| risen.subject).collect();
        for subject in &sick {
            let own: Vec<Risen> = risen.iter().filter(|risen| risen.subject == *subject).copied().collect();
            let edge = &context.edges[own[0].edge];
            let (peer, pair) = (edge.peer_node_name(), context.pair(edge));
            let several = sick.len() > 1 && !peers.usual.is_empty();
            let (mut alternatives, kind, name) = match several {
                true => (vec![pair], BlameKind::PeerNode, peer),
                false => (vec![peer], BlameKind::NodePair, pair),
            };
            // Several peers at once, or no other that was as near as ever in the last seconds: it may be this Node, with
            // the others still to come, or the path to all of the peer's zone.
            if peers.far.len() > 1 || !context.others_near(edge, |_| true) {
                alternatives.push(context.node.to_owned());
            }
            let there = edge.view.peer_zone.as_deref();
            if let Some((own, far)) = context.zone.zip(there).filter(|(own, far)| own != far)
                && !context.others_near(edge, |other| other.view.peer_zone.as_deref() == Some(far))
            {
                alternatives.push(format!("{own}↔{far}"));
            }
            let culprit = Blame { alternatives, ..blame(kind, name) };
            let proof = Proof::of(risen.iter().map(|risen| risen.rise));
            out.push(describe(context, culprit, *subject, &own, (proof, counts)));
        }
    }
    out
}

/// Peers of this Node by what their edges' newest samples say. External ones are judged by their own rule.
fn peers(context: &Context<'_>) -> Peers {
    let mut peers = Peers::default();
    let remote = |edge: &Edge<'_>| edge.is_remote() && edge.view.class != PeerClass::External;
    let usual = context.edges.iter().filter(|edge| remote(edge) && edge.path == Some(Path::Usual));
    peers.usual.extend(usual.map(|edge| edge.view.peer_id()));
    for (i, subject, edge) in context.free(Family::Latency).filter(|(_, _, edge)| remote(edge)) {
        let Some(rise) = rise(context, subject, edge) else { continue };
        let peer = edge.view.peer_id();
        if !peers.usual.contains(&peer) {
            peers.far.entry(peer).or_default().push(Risen { edge: i, subject, rise });
        }
    }
    peers
}

/// By how much an edge's path rose, if its sender was free to send.
pub(crate) fn rise(context: &Context<'_>, subject: usize, edge: &Edge<'_>) -> Option<Rise> {
    let Some(Path::Rose(rise)) = edge.path else { return None };
    let recent = &edge.view.recent;
    let shares = [recent.receiver_limited_share(), recent.send_buffer_limited_share()];
    let held_back = edge.is_limited(context.thresholds) || shares.into_iter().flatten().any(|s| s >= HELD_BACK);
    let throttled = context.subjects[subject].is_throttled(context.thresholds);
    (!held_back && !edge.silent && !throttled).then_some(rise)
}

/// The Node's bulk traffic grew so much that queues are of its own making.
pub(crate) fn makes_its_own_queue(context: &Context<'_>) -> bool {
    let seconds = context.window.as_secs_f64();
    let more = context.edges.iter().filter(|edge| edge.is_remote()).map(|edge| {
        let t = edge.tally();
        let sends = t.bytes_acked >= BULK.0 * t.data_segs_out;
        if !sends && t.bytes_received < BULK.1 * t.bytes_acked {
            return 0.0;
        }
        let usual = edge.memory.and_then(EdgeMemory::bytes_per_s).unwrap_or(0.0);
        ((t.bytes_acked + t.bytes_received) as f64 / seconds - GROWTH * usual).max(0.0)
    });
    more.sum::<f64>() >= OWN_QUEUE
}

fn common(context: &Context<'_>, peers: &Peers) -> Option<Common> {
    if peers.far.len() < MIN_PEERS {
        return None;
    }
    if peers.usual.is_empty() {
        let zones: BTreeSet<_> = peers.far.values().filter_map(|risen| zone(context, risen)).collect();
        // Nothing but one far zone is talked to: the path there, or this Node.
        let only = zones.first().filter(|zone| zones.len() == 1 && context.zone.is_some_and(|own| own != **zone));
        if only.is_some() {
            return None;
        }
        let row = |risen: &Risen| Row { edge: risen.edge, min_rtt: Some(shift(&risen.rise)) };
        let rows = peers.far.values().flatten().map(row);
        return own::is_to_blame(context, Symptom::Latency, rows).map(Common::Node);
    }
    let zones: BTreeSet<Option<&str>> = peers.far.values().map(|risen| zone(context, risen)).collect();
    let zone = zones.first().copied().flatten().filter(|_| zones.len() == 1)?;
    let usual_there = context
        .edges
        .iter()
        .any(|edge| edge.view.peer_zone.as_deref() == Some(zone) && peers.usual.contains(&edge.view.peer_id()));
    (context.zone.is_some_and(|own| own != zone) && !usual_there).then(|| Common::Zone(zone.to_owned()))
}

fn shift(rise: &Rise) -> MinRtt {
    MinRtt { now_us: rise.now_us as u32, usual_us: rise.usual_us as u32 }
}

fn zone<'a>(context: &Context<'a>, risen: &[Risen]) -> Option<&'a str> {
    context.edges[risen.first()?.edge].view.peer_zone.as_deref()
}

fn describe(
    context: &Context<'_>,
    blame: Blame,
    subject: usize,
    risen: &[Risen],
    (proof, (far, judged)): (Proof, (usize, usize)),
) -> Finding {
    let who = &context.subjects[subject];
    // What speaks for all: proven, and by the most.
    let worst = risen.iter().max_by(|a, b| {
        a.rise
            .is_proven()
            .cmp(&b.rise.is_proven())
            .then(a.rise.by_us().total_cmp(&b.rise.by_us()))
            .then(b.edge.cmp(&a.edge))
    });
    let Risen { edge: index, rise, .. } = *worst.unwrap_or(&risen[0]);
    let edge = &context.edges[index];
    let place = context.place(edge);
    let queue = is_queue(edge, &rise);
    let mut numbers = numbers(edge, &rise, &place);
    numbers.push(evidence(
        "slow_handshakes",
        proof.handshakes as f64,
        "handshakes",
        &place,
        "ebpf:inet_sock_set_state",
    ));
    numbers.push(evidence("far_peers", far as f64, &format!("of {judged} peers"), context.node, "netwhy"));
    numbers.extend(backlog(context));
    let target = match risen.iter().map(|risen| context.edges[risen.edge].view.peer_id()).collect::<BTreeSet<_>>().len()
    {
        1 => edge.peer_name(),
        n => format!("{n} peers"),
    };
    let certainty = if blame.alternatives.len() > 1 { 0.8 } else { 1.0 };
    Finding {
        rule: &PATH_LATENCY,
        subject,
        nats: (RISE_ALPHA.ln() - rise.ln_p).max(0.0),
        certainty,
        overwhelming: false,
        summary: format!(
            "{} is {} further from {target}: round trips take at least {} (normally {}){}; {far} of {judged} peers of {} are \
             further away",
            who.name(),
            ms(rise.by_us()),
            ms(rise.now_us),
            ms(rise.usual_us),
            if queue { ", and packets wait in a queue" } else { ", all packets alike" },
            context.node
        ),
        evidence: numbers,
        ruled_out: [RuledOut { cause: "peer_slow".into(), because: proof.text() }]
            .into_iter()
            .chain(context.no_loss(edge))
            .chain(context.not_limited(edge))
            .chain(who.not_throttled(context.thresholds))
            .collect(),
        blame,
        effects: Vec::new(),
        edges: risen.iter().map(|risen| risen.edge).collect(),
    }
}

/// The spread of round trips grew with their minimum.
fn is_queue(edge: &Edge<'_>, rise: &Rise) -> bool {
    let spread = rise.median_us - rise.now_us;
    let usual = edge.memory.and_then(|m| Some(m.p50_us()? - m.min_us()?)).unwrap_or(0.0).max(0.0);
    spread >= QUEUE_SHARE * rise.by_us() && spread >= QUEUE_GROWTH * usual
}

/// Lowest tenth, median and spread of the newest round trips against what is usual.
pub(crate) fn numbers(edge: &Edge<'_>, rise: &Rise, place: &str) -> Vec<Evidence> {
    let usual_median = edge.memory.and_then(EdgeMemory::p50_us);
    let rtt = |quantile: &str, now_us: f64, usual_us: Option<f64>| Evidence {
        baseline: usual_us.map(|us| us / 1e6),
        ..evidence(
            &format!("netwhy_tcp_rtt_seconds{{quantile=\"{quantile}\"}}"),
            now_us / 1e6,
            "seconds",
            place,
            "ebpf:tcp_probe",
        )
    };
    let samples = evidence("rtt_samples", rise.samples as f64, "samples", place, "ebpf:tcp_probe");
    vec![rtt("0.1", rise.now_us, Some(rise.usual_us)), rtt("0.5", rise.median_us, usual_median), samples]
}

/// What waits in this Node's own queues.
fn backlog(context: &Context<'_>) -> Vec<Evidence> {
    let Some(host) = context.host else { return Vec::new() };
    let waiting = host.devices.iter().filter_map(|device| {
        let bytes = host.gauges.get(&(Gauge::QdiscBacklogBytes, Some(device.name.clone())))?;
        let source = Gauge::QdiscBacklogBytes.source();
        (*bytes > 0).then(|| evidence("netwhy_node_qdisc_backlog_bytes", *bytes as f64, "bytes", &device.name, source))
    });
    waiting.collect()
}

#[cfg(test)]
mod tests;
