//! Handshakes that are turned away, go unanswered or are refused, and peers that fell silent.

pub(crate) mod mtu;
pub(crate) mod ports;

use crate::api::{Blame, BlameKind, RuledOut};
use crate::hints::{
    context::{Context, Edge, Subject},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::{over, percent},
};
use netwhy_abi::{Failure, Retransmit};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv6Addr,
};

pub(crate) const POD_ACCEPT_QUEUE_FULL: Rule = Rule {
    id: "pod_accept_queue_full",
    family: Family::Connect,
    order: 100,
    symptom: "connect_latency",
    meaning: "The Pod accepts connections more slowly than they arrive: its listen queue is full, and the kernel drops \
              handshakes. Clients wait a second or more until their SYN is sent again.",
    signals: &["netwhy_tcp_accept_queue_overflows_total", "walks that found the queue full"],
    test: "At least `accept_drops` connections turned away in the window, or a walk that found the queue full. Both \
           are counted, not estimated.",
    minimum: "`accept_drops` connections, or one walk: a client that gives up while the path to it is broken resets its \
              half-open connection, and the kernel counts that as a drop of the listener too.",
    ruled_out_by: "As many SYN-ACKs sent again: what is counted then are SYNs that clients repeat because the answer got \
                   lost. Folded under `pod_cpu_throttled` while the Pod is throttled: then it can't accept faster.",
    action: "See why the Pod doesn't call accept (blocked event loop, too few workers), add replicas, or raise the \
             listen backlog and net.core.somaxconn together.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "pod_cpu_throttled",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "connections turned away per second",
        promql: "sum(rate(netwhy_tcp_accept_queue_overflows_total{S}R))",
    }],
};

pub(crate) const PEER_UNREACHABLE: Rule = Rule {
    id: "peer_unreachable",
    family: Family::Connect,
    order: 110,
    symptom: "connect_failures",
    meaning: "A peer does not answer: SYNs are sent again and again, or established connections only run into timeouts.",
    signals: &[
        "netwhy_tcp_retransmitted_segments_total{type=\"syn\"}",
        "netwhy_tcp_connect_failures_total{reason=\"timed_out\"|\"host_unreachable\"|\"net_unreachable\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
        "netwhy_tcp_bytes_total",
    ],
    test: "No handshake with the peer's address completed in the window, and at least `syn_retransmits` SYNs resent or \
           `connect_failures` attempts failed without an answer. Or: at least 3 timeouts, no fast retransmission, and \
           nothing acknowledged in the window (or ≥ 90 % of the usual traffic missing for 3 ticks). At 1 % random loss \
           three SYN losses without one success have a chance of 1e-6 per window; three timeouts with no \
           acknowledgement at all about as much.",
    minimum: "3 resent SYNs, 3 failures or 3 timeouts.",
    ruled_out_by: "Any completed handshake with that address from this Node. If the address still acknowledges data on \
                   older connections, its host and path are up and the listener or a filter is blamed instead. Of \
                   connections that fell silent only others that go on without a timeout acquit the Nodes, and the Pod at this \
                   end; where full-size segments vanish, those that carry such.",
    action: "Check that the peer is up and that no NetworkPolicy, firewall or route drops the packets.",
    caused_by: &[
        "path_mtu_blackhole",
        "node_conntrack_full",
        "node_nic_drops",
        "node_qdisc_drops",
        "node_softnet_drops",
        "node_packet_loss",
    ],
    caused_by_at_peer: &[
        "pod_oom_killed",
        "pod_restarting",
        "pod_not_running",
        "pod_accept_queue_full",
        "pod_cpu_throttled",
    ],
    queries: &[QueryTemplate {
        shows: "failed connects per second, by reason",
        promql: "sum by (reason) (rate(netwhy_tcp_connect_failures_total{S}R))",
    }],
};

pub(crate) const PEER_REFUSING: Rule = Rule {
    id: "peer_refusing",
    family: Family::Connect,
    order: 120,
    symptom: "connect_failures",
    meaning: "The peer's host answers, but nothing listens on the port: connections are refused with a reset.",
    signals: &["netwhy_tcp_connect_failures_total{reason=\"refused\"}", "netwhy_tcp_connects_total{role=\"client\"}"],
    test: "At least `connect_failures` refused attempts in the window, and at least `connect_failure_share` of the \
           edge's attempts. A refusal is an answer by the peer's kernel: no false alarm by chance.",
    minimum: "`connect_failures` refusals: one failed health check is none.",
    ruled_out_by: "Mostly successful attempts on the same edge.",
    action: "Check that the peer's process runs and listens on the expected port and address; Endpoints may still list \
             a Pod that is gone.",
    caused_by: &[],
    caused_by_at_peer: &["pod_oom_killed", "pod_restarting", "pod_not_running"],
    queries: &[QueryTemplate {
        shows: "refused connects per second",
        promql: "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"refused\"}R))",
    }],
};

/// Timeouts without any answer that make an established connection count as dead.
const DEAD_TIMEOUTS: u64 = 3;
/// Times the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    [ports::judge(context), mtu::judge(context), handshakes(context)].concat()
}

fn handshakes(context: &Context<'_>) -> Vec<Finding> {
    let mut out: Vec<Finding> =
        context.subjects.iter().enumerate().filter_map(|(i, s)| accept_queue(context, i, s)).collect();
    let silent = silent_peers(context);
    for (i, s, edge) in context.free(Family::Connect) {
        if silent.contains_key(&edge.view.peer)
            && let Some(why) = unanswered(context, edge)
        {
            out.push(unreachable(context, i, s, edge, why, &silent));
        } else if let Some(finding) = refusing(context, i, s, edge) {
            out.push(finding);
        }
    }
    out
}

fn accept_queue(context: &Context<'_>, index: usize, subject: &Subject<'_>) -> Option<Finding> {
    let limit = context.thresholds.accept_drops.max(1);
    let (counted, full) = (subject.view.window_connects.accept_drops, subject.view.window_connects.accept_full);
    // A client whose SYN-ACK got lost sends its SYN again. The kernel answers with another SYN-ACK and counts the SYN as a
    // drop of the listener: that is the path's loss, and no full queue.
    let drops = counted.saturating_sub(subject.view.window.retransmits[Retransmit::SynAck as usize]);
    if drops < limit && full == 0 {
        return None;
    }
    let name = subject.name();
    Some(Finding {
        rule: &POD_ACCEPT_QUEUE_FULL,
        subject: index,
        blame: blame(BlameKind::Pod, name),
        nats: over(drops as f64, limit as f64) + 5.0 * full.min(4) as f64,
        certainty: 1.0,
        overwhelming: drops as f64 >= OVERWHELMING * limit as f64,
        summary: match drops {
            0 => format!("{name} does not accept: its listen queue is full, the next connection is turned away"),
            1 => format!("{name} does not accept fast enough: its full listen queue turned a connection away"),
            n => format!("{name} does not accept fast enough: {n} connections turned away by its full listen queue"),
        },
        evidence: vec![
            evidence("netwhy_tcp_accept_queue_overflows_total", drops as f64, "connections", name, "ebpf:sk_drops"),
            evidence("accept_queue_full", full as f64, "walks", name, "ebpf:iter/task_file"),
        ],
        ruled_out: subject.not_throttled(context.thresholds).into_iter().collect(),
        effects: Vec::new(),
        edges: Vec::new(),
    })
}

/// What went unanswered on an edge.
#[derive(Clone, Copy)]
enum Unanswered {
    /// SYNs resent, attempts failed.
    Connects(u64, u64),
    /// Timeouts on established connections.
    Timeouts(u64),
}

fn unanswered(context: &Context<'_>, edge: &Edge<'_>) -> Option<Unanswered> {
    let t = edge.tally();
    let syns = t.retransmits[Retransmit::Syn as usize];
    let failed =
        t.failures(Failure::TimedOut) + t.failures(Failure::HostUnreachable) + t.failures(Failure::NetUnreachable);
    if edge.client_connects() == 0
        && (syns >= context.thresholds.syn_retransmits || failed >= context.thresholds.connect_failures)
        && syns + failed > 0
    {
        return Some(Unanswered::Connects(syns, failed));
    }
    let nothing_back = edge.silent || (t.bytes_acked == 0 && t.bytes_received == 0);
    let dead = edge.timeouts() >= DEAD_TIMEOUTS && edge.only_timeouts() && nothing_back && t.data_segs_out > 0;
    dead.then(|| Unanswered::Timeouts(edge.timeouts()))
}

/// Peers with something unanswered and no completed handshake with any subject; true: still acknowledges data.
fn silent_peers(context: &Context<'_>) -> BTreeMap<Ipv6Addr, bool> {
    let mut silent: BTreeMap<Ipv6Addr, bool> = BTreeMap::new();
    for (_, _, edge) in context.free(Family::Connect) {
        if unanswered(context, edge).is_some() {
            silent.insert(edge.view.peer, false);
        }
    }
    // A peer that fell silent may still show handshakes from before, as long as they are in the window.
    silent.retain(|peer, _| {
        context.edges.iter().filter(|e| e.view.peer == *peer).all(|e| e.client_connects() == 0 || e.silent)
    });
    for edge in context.edges.iter().filter(|e| !e.silent && e.tally().bytes_acked > 0) {
        if let Some(answers) = silent.get_mut(&edge.view.peer) {
            *answers = true;
        }
    }
    silent
}

fn unreachable(
    context: &Context<'_>,
    index: usize,
    subject: usize,
    edge: &Edge<'_>,
    why: Unanswered,
    silent: &BTreeMap<Ipv6Addr, bool>,
) -> Finding {
    let place = context.place(edge);
    let name = context.subjects[subject].name();
    let peer = edge.peer_name();
    let half_alive = silent.get(&edge.view.peer).copied().unwrap_or(false);
    let alive = context.other_peers_alive(edge.view.peer);
    let (nats, overwhelming, what, numbers) = match why {
        Unanswered::Connects(syns, failed) => {
            let (a, b) = (context.thresholds.syn_retransmits.max(1), context.thresholds.connect_failures.max(1));
            let times = (syns as f64 / a as f64).max(failed as f64 / b as f64);
            let what = format!("{syns} SYNs sent again, {failed} attempts failed, none succeeded");
            let numbers = vec![
                evidence(
                    "netwhy_tcp_retransmitted_segments_total{type=\"syn\"}",
                    syns as f64,
                    "segments",
                    &place,
                    "ebpf:tcp_retransmit_skb",
                ),
                evidence(
                    "netwhy_tcp_connect_failures_total",
                    failed as f64,
                    "attempts",
                    &place,
                    "ebpf:inet_sock_set_state",
                ),
            ];
            (over(times, 1.0), times >= OVERWHELMING, what, numbers)
        }
        Unanswered::Timeouts(n) => {
            let what = format!("{n} retransmission timeouts and no acknowledgement");
            let signal = "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}";
            let numbers = vec![evidence(signal, n as f64, "segments", &place, "ebpf:tcp_retransmit_skb")];
            (over(n as f64, DEAD_TIMEOUTS as f64), false, what, numbers)
        }
    };
    let blame = culprit(context, (subject, edge), why, half_alive, alive, silent);
    let others = match alive {
        0 => "no other peer to compare with".to_owned(),
        n => format!("{n} other peers answer"),
    };
    Finding {
        rule: &PEER_UNREACHABLE,
        subject,
        nats,
        certainty: if blame.alternatives.is_empty() { 1.0 } else { 0.8 },
        blame,
        overwhelming,
        summary: format!("{name} gets no answer from {peer}: {what}; {others}"),
        evidence: numbers
            .into_iter()
            .chain([evidence("peers_answering", alive as f64, "peers", context.node, "netwhy")])
            .collect(),
        ruled_out: vec![RuledOut { cause: "peer_refusing".into(), because: refused_text(edge) }],
        effects: Vec::new(),
        edges: vec![index],
    }
}

fn culprit(
    context: &Context<'_>,
    (subject, edge): (usize, &Edge<'_>),
    why: Unanswered,
    half_alive: bool,
    alive: usize,
    silent: &BTreeMap<Ipv6Addr, bool>,
) -> Blame {
    let peer = edge.peer_node_name();
    let remote: BTreeSet<_> = context.edges.iter().filter(|e| e.is_remote()).map(|e| e.view.peer).collect();
    let gone = silent.keys().filter(|p| remote.contains(p)).count();
    let that_pod = || blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name());
    // Within this Node there is no path in between: the Pod that has the address, or had it.
    if !edge.is_remote() {
        return that_pod();
    }
    // Connections fall silent within moments: answers from before speak for nobody, neither for this Node …
    let sudden = matches!(why, Unanswered::Timeouts(_));
    let no_news = sudden && !context.goes_on(edge, |e| e.is_remote() && e.view.peer != edge.view.peer);
    let this_node = no_news.then(|| context.node.to_owned());
    if half_alive || context.neighbours_alive(edge).next().is_some() {
        // … nor for the peer's, …
        let there = |e: &Edge<'_>| e.view.peer_node.is_some() && e.view.peer_node == edge.view.peer_node;
        let node_up = !sudden || context.goes_on(edge, |e| e.view.peer == edge.view.peer || there(e));
        // … nor for the Pod at this end, which a filter of its own may silence.
        let own_up = !sudden || context.goes_on(edge, |e| e.subject == Some(subject));
        let own = (!own_up).then(|| context.subjects[subject].name().to_owned());
        let alternatives = (!node_up).then_some(peer).into_iter().chain(own).chain(this_node).collect();
        return Blame { alternatives, ..that_pod() };
    }
    // Both must hold for this Node: three peers gone, and still a majority without any one of them.
    if gone >= 3 && alive + 1 < gone {
        return Blame { alternatives: vec![peer], ..blame(BlameKind::Node, context.node) };
    }
    if alive > 0 {
        // Who asks a Node at one address alone can't tell it from the Pod that has the address.
        let there = |other: &&Edge<'_>| other.view.peer_node.is_some() && other.view.peer_node == edge.view.peer_node;
        let asked: BTreeSet<_> = context.edges.iter().filter(there).map(|other| other.view.peer).collect();
        let pod = (asked.len() == 1).then(|| edge.peer_pod_name());
        let blame = blame(edge.blame_kind(BlameKind::PeerNode), peer);
        let pod = pod.filter(|pod| *pod != blame.name);
        return Blame { alternatives: pod.into_iter().chain(this_node).collect(), ..blame };
    }
    Blame { alternatives: vec![peer, context.node.to_owned()], ..blame(BlameKind::NodePair, context.pair(edge)) }
}

fn refused_text(edge: &Edge<'_>) -> String {
    format!("{} attempts refused", edge.tally().failures(Failure::Refused))
}

fn refusing(context: &Context<'_>, index: usize, subject: usize, edge: &Edge<'_>) -> Option<Finding> {
    let refused = edge.tally().failures(Failure::Refused);
    let attempts = edge.tally().connect_failures.iter().sum::<u64>() + edge.client_connects();
    let limit = context.thresholds.connect_failures.max(1);
    if refused < limit || (refused as f64) < context.thresholds.connect_failure_share * attempts as f64 {
        return None;
    }
    let (name, peer, place) = (context.subjects[subject].name(), edge.peer_name(), context.place(edge));
    let share = refused as f64 / attempts as f64;
    let source = "ebpf:inet_sock_set_state";
    Some(Finding {
        rule: &PEER_REFUSING,
        subject,
        blame: blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name()),
        nats: over(refused as f64, limit as f64) + over(share, context.thresholds.connect_failure_share),
        certainty: 1.0,
        overwhelming: refused as f64 >= OVERWHELMING * limit as f64,
        summary: format!("{peer} refuses {name}: {refused} of {attempts} connection attempts ({})", percent(share)),
        evidence: vec![
            evidence(
                "netwhy_tcp_connect_failures_total{reason=\"refused\"}",
                refused as f64,
                "attempts",
                &place,
                source,
            ),
            evidence("connect_attempts", attempts as f64, "attempts", &place, source),
        ],
        ruled_out: vec![RuledOut {
            cause: "peer_unreachable".into(),
            because: format!("the peer answered {refused} attempts with a reset"),
        }],
        effects: Vec::new(),
        edges: vec![index],
    })
}

#[cfg(test)]
mod tests;
