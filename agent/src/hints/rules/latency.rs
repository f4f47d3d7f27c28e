//! Paths that became longer: to one peer, to a zone, or from this Node to all peers.

pub(crate) mod interface;
mod slight;
mod sometimes;

use crate::{
    api::{Blame, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject, SubjectIx, inside},
        culprit::{
            latency::{Peers, Risen, is_proven, rose_both_ways, shift_together},
            suspects::{Component, Suspects},
        },
        finding::{Finding, evidence},
        memory::{
            edge::EdgeMemory,
            path::{Path, RISE_ALPHA, Rise},
        },
        rule::{Family, QueryTemplate, Rule},
        rules::queries,
        stats::ms,
    },
    sample::Gauge,
};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const PATH_LATENCY: Rule = Rule {
    id: "path_latency",
    family: Family::Latency,
    order: 250,
    symptom: "rtt_inflation",
    meaning: "The path became longer: even the fastest RTT samples of the last seconds are longer than the path ever \
              was. To one peer: that peer's Node, or the path to it. To all peers: this Node. To all Nodes of one \
              zone: the path between the zones. To or from one Pod alone, while other Pods of its Node are as fast as \
              ever: that Pod's interface, or what stands before it. When the spread grows too, packets wait in a \
              queue, else all are delayed alike. Or it is longer now and then: new connections show that by their \
              handshakes.",
    signals: &[
        "netwhy_tcp_rtt_seconds",
        "netwhy_tcp_min_rtt_seconds",
        "netwhy_tcp_connects_total",
        "netwhy_tcp_bytes_total",
        "netwhy_tcp_response_seconds{role=\"client\"}",
        "netwhy_tcp_response_wait_seconds_total{role=\"client\"}",
        "netwhy_node_qdisc_backlog_bytes",
    ],
    test: "All RTT samples of the last 3 s are above 1.5 × the edge's usual minimum and 2 × `rtt_floor_ms` above it. \
           Of 20 or more samples, one may be an exception. Where 3 s have fewer than 8 samples, the window counts. The \
           share of such samples in normal times is learned (at least one in ten of the first 50). It gives this a \
           chance below 1e-6 per window and edge if samples are independent. Samples without a handshake are compared \
           with windows without one, as handshakes wait for no program. **Proof.** One of six things proves that the \
           path is longer, and not the peer's think time. At least 2 handshakes, which no program answers, are as \
           slow. Or the sender is bulk, whose full segments are acknowledged at once. (Not if all samples may be of the \
            ends of a server's answers: two of each at most, and the median within 45 ms. A client that leaves data \
            unread delays those.) Or two edges with different \
           programs at both ends rose, and one of them sends full segments. Or a client's and a server's edge, with \
           different programs at both ends, rose within 3 s, by 5 ms or more and by about as much. The server's stay \
           below 35 ms: only delayed acknowledgements, which take longer, would make these wait for a program. Or a \
           server's edge rose so much that neither its own response times nor a delayed acknowledgement (40 ms, or the \
           client's RTT) explain it. Or three edges with different programs at their ends, and three quarters of all \
           that rose, did so within 3 s, by at least 5 ms and by about as much (1.5 ×). **Smaller rises**, below 5 ms, \
           need three such edges too, to servers on two ports or of both roles. Of each, the lowest tenth of the \
           samples rose by half, by `rtt_floor_ms`, and by 3 × its largest deviation in normal times. It stays so for \
           3 s or more. That these windows are the slowest of all by chance has a probability below 1e-6, over the \
           edges that share neither end, if edges and windows are independent. So fewer edges need more windows. \
           **Who** is at fault follows from the peers that are as fast as usual. A delay that grows for long stays one \
           hint: its baseline learns nothing from it. **Now and then**: more of a client's requests are slow than \
           usual (the test of `peer_slow` for response times). Most are the first ones of new connections, whose \
           lowest round trips grew by at least half as much as the slow requests take. Requests on other edges of this \
           Node are in time: where its machine stands still for moments, so few are late in 1 of 100 windows. Other \
           slow requests to the same Node, late about as often (2 ×) and by about as much (1.5 ×), are of the same \
           path. **At one Pod alone**: the places of `pod_bandwidth_limited`, for 3 s, or for a window where the \
           spread grew too. The edges there prove it (handshakes, full segments without a queue, or delays of no \
           kernel), and that rule finds no limit.",
    minimum: "8 RTT samples, and a baseline of 10 clean windows. 2 handshakes or 2 MB acknowledged on an edge to the \
              peer, or 100 kB beside a second edge. Now and then: 8 requests, 4 of them slow, and a baseline as for \
              `peer_slow`.",
    ruled_out_by: "Any edge to the same peer, or for one Pod's own delay to its address, has two samples as fast as \
                   usual. At one Pod alone also: its payload grew by half, or the way never leaves this Node, whose \
                   CPUs are used up. The peer's window or the local buffer holds the sender back. The Pod is \
                   throttled. This Node's bulk traffic grew by half and by 1 MB/s: it makes its own queue. Handshakes \
                   or full segments within this Node take longer too, for most of its Pods and two at least: its \
                   machine is slow. Of smaller rises also: the payload of the edge grew by half, a client's \
                   fastest requests are as fast as usual, round trips within this Node rose too, or its CPUs are used \
                   up. Keep-alive requests of one program alone prove nothing, as their acknowledgements wait for \
                   replies (path or constant think time: undecidable). Now and then: half as much load again as \
                   usual, and handshakes sent again for half of the slow requests.",
    action: "Compare from another Node (`kubectl netwhy matrix`). If its RTT to that peer rose too, check the peer's \
             Node, else the path between the two. For a queue on this Node check `tc -s qdisc`, and the Pod that \
             fills it.",
    caused_by: &["node_qdisc_drops", "pod_bandwidth_limited"],
    caused_by_at_peer: &["pod_bandwidth_limited", "pod_slow_reader"],
    queries: &[QueryTemplate { shows: "median RTT by peer class", promql: queries::RTT }],
};

/// Share of the busy time held back by window or buffer in the last seconds from which RTTs mean nothing.
const HELD_BACK: f64 = 0.2;
/// Multiple of its usual rate from which a bulk edge moves more than usual. Small requests fill no queue.
const GROWTH: f64 = 1.5;
/// Growth of bulk traffic, summed over the Node, from which the Node makes its own queue, bytes per second.
const OWN_QUEUE: f64 = 1e6;
/// Payload per segment of a bulk sender, bytes.
const BULK_PAYLOAD: u64 = 1_200;
/// Multiple of its sent bytes that a bulk receiver receives.
const BULK_RECEIVED: u64 = 10;
/// A queue: the spread above the lowest tenth is at least this share of the rise …
const QUEUE_SHARE: f64 = 0.25;
/// … and this multiple of the usual spread.
const QUEUE_GROWTH: f64 = 3.0;

/// Certainty of a longer path when only the correlation of edges proves it.
const TOGETHER_CERTAINTY: f64 = 0.9;

/// The measurements that prove a longer path, on all edges that share it.
#[derive(Clone, Copy, Default)]
struct Proof {
    handshakes: u64,
    bulk: bool,
    /// Edges that became longer together, where nothing else proves it.
    together: usize,
    /// A client's edge and a server's rose alike.
    both_ways: bool,
    /// A server's edge rose by more than any delay of an acknowledgement.
    exceeds_delays: bool,
}

impl Proof {
    fn new(risen: &[Risen]) -> Self {
        risen.iter().fold(Self::default(), |sum, Risen { rise, .. }| Self {
            handshakes: sum.handshakes + rise.handshakes,
            bulk: sum.bulk || rise.bulk,
            exceeds_delays: sum.exceeds_delays || rise.exceeds_delays(),
            ..sum
        })
    }

    const fn is_only_both_ways(self) -> bool {
        self.both_ways && self.handshakes == 0 && !self.bulk && !self.exceeds_delays
    }

    /// Peers with other kernels may delay acknowledgements for longer.
    const fn is_only_by_delays(self) -> bool {
        self.exceeds_delays && self.handshakes == 0 && !self.bulk
    }

    /// Certainty that the path is longer, rather than several programs slower.
    const fn certainty(self) -> f64 {
        let is_indirect = self.together > 0 || self.is_only_both_ways() || self.is_only_by_delays();
        if is_indirect { TOGETHER_CERTAINTY } else { 1.0 }
    }

    fn text(self) -> String {
        match (self.handshakes, self.bulk) {
            _ if self.together > 0 => {
                format!(
                    "{} connections of independent programs became longer together, by about as much",
                    self.together
                )
            }
            _ if self.is_only_both_ways() => {
                "a client's and a server's connections of different programs became longer at once, by about as much"
                    .to_owned()
            }
            _ if self.is_only_by_delays() => {
                "acknowledgements of its own quick answers take longer than Linux delays them".to_owned()
            }
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

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut found = interface::judge(context);
    found.extend(of_paths(context));
    let slight = slight::judge(context, &found);
    found.extend(slight);
    let sometimes = sometimes::judge(context, &found);
    found.extend(sometimes);
    found
}

fn of_paths(context: &Context<'_>) -> Vec<Finding> {
    let peers = peers(context);
    if peers.longer.is_empty() || makes_its_own_queue(context) || inside::are_longer(context) {
        return Vec::new();
    }
    let suspects = peers.suspects(context);
    // One proof is enough for all edges that share the most likely culprit.
    let proven: BTreeSet<EdgeIx> =
        peers.longer.values().filter(|risen| is_proven(context, risen)).flatten().map(|one| one.edge).collect();
    let mut out = Vec::new();
    for risen in by_culprit(&peers, &suspects).values() {
        let proof = match risen.iter().any(|one| proven.contains(&one.edge)) {
            true => Proof { both_ways: rose_both_ways(context, risen), ..Proof::new(risen) },
            false if shift_together(context, risen) => Proof { together: risen.len(), ..Proof::default() },
            false => continue,
        };
        out.extend(by_subject(context, &suspects, risen, (proof, &peers)));
    }
    out
}

/// The longer edges by their most likely culprit.
fn by_culprit(peers: &Peers, suspects: &Suspects<'_, '_>) -> BTreeMap<Option<Component>, Vec<Risen>> {
    let mut groups: BTreeMap<Option<Component>, Vec<Risen>> = BTreeMap::new();
    for one in peers.longer.values().flatten() {
        groups.entry(suspects.best(one.edge)).or_default().push(*one);
    }
    groups
}

/// One finding for each subject of these edges.
fn by_subject(
    context: &Context<'_>,
    suspects: &Suspects<'_, '_>,
    risen: &[Risen],
    (proof, peers): (Proof, &Peers),
) -> Vec<Finding> {
    let mut own: BTreeMap<SubjectIx, Vec<Risen>> = BTreeMap::new();
    risen.iter().for_each(|one| own.entry(one.subject).or_default().push(*one));
    own.values().map(|own| describe(context, suspects.blame(worst(own).edge), own, (proof, peers))).collect()
}

/// This Node's peers by the state of their paths. External ones have a rule of their own.
fn peers(context: &Context<'_>) -> Peers {
    let mut peers = Peers::default();
    let inside = |edge: &Edge<'_>| edge.is_remote() && !edge.is_external();
    let risen = |(subject, edge): (&Subject<'_>, &Edge<'_>)| {
        Some(Risen { edge: edge.ix, subject: subject.ix, rise: rise(context, subject, edge)? })
    };
    let unclaimed = context.unclaimed(Family::Latency).filter(|(_, edge)| inside(edge));
    let risen: Vec<Risen> = unclaimed.filter_map(risen).collect();
    if risen.is_empty() {
        return peers;
    }
    let usual = context.edges().iter().filter(|edge| inside(edge) && edge.path == Some(Path::Usual));
    peers.usual.extend(usual.map(|edge| edge.view.peer_id()));
    for one in risen {
        let peer = context.edge(one.edge).view.peer_id();
        if !peers.usual.contains(&peer) {
            peers.longer.entry(peer).or_default().push(one);
        } else if one.rise.is_proven() && !one.rise.bulk {
            peers.beside.push(one);
        }
    }
    peers
}

/// The rise of an edge's RTT, if its sender was free to send.
pub(crate) fn rise(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Rise> {
    let Some(Path::Longer(rise)) = edge.path else { return None };
    is_free(context, subject, edge).then_some(rise)
}

/// Neither the peer, nor a buffer, nor a CPU limit holds the sender back, and the peer answers.
fn is_free(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> bool {
    let recent = &edge.view.recent;
    let shares = [recent.receiver_limited_share(), recent.send_buffer_limited_share()];
    let held_back = edge.is_limited(context.thresholds) || shares.into_iter().flatten().any(|s| s >= HELD_BACK);
    !held_back && !edge.silent && !subject.is_throttled(context.thresholds)
}

/// The Node's bulk traffic grew so much that it makes its own queues.
pub(crate) fn makes_its_own_queue(context: &Context<'_>) -> bool {
    let edges = context.edges().iter().filter(|edge| edge.is_remote());
    edges.map(|edge| bulk_growth(context, edge)).sum::<f64>() >= OWN_QUEUE
}

/// Bytes per second by which a bulk edge carries more than half as much again as usual. Others carry none.
fn bulk_growth(context: &Context<'_>, edge: &Edge<'_>) -> f64 {
    let tally = edge.tally();
    let sends = tally.bytes_acked >= BULK_PAYLOAD * tally.data_segs_out;
    if !sends && tally.bytes_received < BULK_RECEIVED * tally.bytes_acked {
        return 0.0;
    }
    let usual = edge.memory.and_then(EdgeMemory::bytes_per_s).unwrap_or(0.0);
    let now = (tally.bytes_acked + tally.bytes_received) as f64 / context.window.as_secs_f64();
    (now - GROWTH * usual).max(0.0)
}

/// The edge that speaks for all: with proof, then with the largest rise, then the first.
fn worst(risen: &[Risen]) -> &Risen {
    let worst = risen.iter().max_by(|a, b| {
        let proven = a.rise.is_proven().cmp(&b.rise.is_proven());
        proven.then(a.rise.increase_us().total_cmp(&b.rise.increase_us())).then(b.edge.cmp(&a.edge))
    });
    worst.unwrap_or(&risen[0])
}

/// `risen`: edges of one subject.
fn describe(context: &Context<'_>, blame: Blame, risen: &[Risen], (proof, peers): (Proof, &Peers)) -> Finding {
    let Risen { edge, subject, rise } = *worst(risen);
    let (subject, edge) = (context.subject(subject), context.edge(edge));
    let place = context.place(edge);
    let (longer, judged) = (peers.longer.len(), peers.longer.len() + peers.usual.len());
    let mut numbers = numbers(edge, &rise, &place);
    let (handshakes, source) = (proof.handshakes as f64, "ebpf:inet_sock_set_state");
    numbers.push(evidence("slow_handshakes", handshakes, "handshakes", &place, source));
    numbers.push(evidence("far_peers", longer as f64, &format!("of {judged} peers"), context.node, "netwhy"));
    numbers.extend(backlog(context));
    let target = match risen.iter().map(|one| context.edge(one.edge).view.peer_id()).collect::<BTreeSet<_>>().len() {
        1 => edge.peer_name(),
        n => format!("{n} peers"),
    };
    let path = RuledOut { cause: "peer_slow".into(), because: proof.text() };
    Finding {
        nats: (RISE_ALPHA.ln() - rise.ln_p).max(0.0),
        certainty: proof.certainty(),
        summary: format!(
            "the path from {} to {target} is {} longer: its RTT is at least {} (normally {}){}; {longer} of {judged} \
             peers of {} have longer paths",
            subject.name(),
            ms(rise.increase_us()),
            ms(rise.now_us),
            ms(rise.usual_us),
            if is_queue(edge, &rise) { ", and packets wait in a queue" } else { ", all packets alike" },
            context.node
        ),
        evidence: numbers,
        ruled_out: [path].into_iter().chain(context.rule_out_sender(subject, edge)).collect(),
        edges: risen.iter().map(|one| one.edge).collect(),
        ..Finding::new(&PATH_LATENCY, subject.ix, blame)
    }
}

/// The spread of the RTT grew with its minimum.
fn is_queue(edge: &Edge<'_>, rise: &Rise) -> bool {
    let spread = rise.median_us - rise.now_us;
    let usual = edge.memory.and_then(|m| Some(m.p50_us()? - m.min_us()?)).unwrap_or(0.0).max(0.0);
    spread >= QUEUE_SHARE * rise.increase_us() && spread >= QUEUE_GROWTH * usual
}

/// Lowest tenth and median of the newest RTT samples against the usual ones.
pub(crate) fn numbers(edge: &Edge<'_>, rise: &Rise, place: &str) -> Vec<Evidence> {
    let rtt = |quantile: &str, now_us: f64, usual_us: Option<f64>| {
        let signal = format!("netwhy_tcp_rtt_seconds{{quantile=\"{quantile}\"}}");
        let number = evidence(&signal, now_us / 1e6, "seconds", place, "ebpf:tcp_probe");
        Evidence { baseline: usual_us.map(|us| us / 1e6), ..number }
    };
    let usual_median = edge.memory.and_then(EdgeMemory::p50_us);
    let samples = evidence("rtt_samples", rise.samples as f64, "samples", place, "ebpf:tcp_probe");
    vec![rtt("0.1", rise.now_us, Some(rise.usual_us)), rtt("0.5", rise.median_us, usual_median), samples]
}

/// Bytes that wait in this Node's own queues.
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
