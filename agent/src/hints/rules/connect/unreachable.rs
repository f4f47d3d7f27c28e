//! Peers that do not answer.

use super::{
    attempts::{self, Attempts},
    unfinished::{MIN_SECONDS, Unfinished},
};
use crate::{
    api::{Blame, Evidence, RuledOut},
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        culprit::{
            suspects::{Suspects, Trouble},
            unreachable::{SilentPeers, suspects},
        },
        finding::{Finding, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::over,
    },
};
use netwhy_abi::Failure;
use std::{cell::OnceCell, collections::BTreeSet};

pub(crate) const PEER_UNREACHABLE: Rule = Rule {
    id: "peer_unreachable",
    family: Family::Connect,
    order: 110,
    symptom: "connect_failures",
    meaning: "A peer does not answer: SYNs are resent again and again, or established connections only run into \
              timeouts. As a server sees it: a client goes on sending SYNs, and none of the answers is acknowledged.",
    signals: &[
        "netwhy_tcp_retransmitted_segments_total{type=\"syn\"}",
        "netwhy_tcp_connect_failures_total{reason=\"timed_out\"|\"given_up\"|\"host_unreachable\"|\"net_unreachable\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"timeout\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}",
        "netwhy_tcp_bytes_total",
    ],
    test: "No handshake with the peer's address and port completes in the window. At least `syn_retransmits` SYNs are \
           resent, or `connect_failures` attempts fail without an answer. So do attempts that the client gives up \
           before the first SYN is resent, after 50 ms and three usual RTTs. Or no handshake completes in the last 3 s, \
           and the share of answers before, in the window or in its past, makes so many unanswered attempts with a chance below 1e-6. Or there are at least 3 timeouts, no fast \
           retransmission, and nothing acknowledged in the window. ≥ 90 % of the usual traffic missing for 3 ticks \
           counts as nothing. At 1 % random loss, three SYN losses without a success have a chance of 1e-6 per window. \
           Three timeouts without any acknowledgement have about the same. **Or a client that completed handshakes \
           before completes none, nothing of it is acknowledged, and SYN-ACKs to it are sent again in 5 of the last \
           6 s.** Those to a client that died come in 4 of them at most, as timers double. At 10 % random loss, so many \
           lost answers in a row have a chance of 1e-5.",
    minimum: "3 resent SYNs, 3 failures, 3 timeouts, or 5 s with resent SYN-ACKs.",
    ruled_out_by: "Any completed handshake with that address and port from this Node, and any refused one. Many ports of one \
                   address that never answered anything: a scan. Attempts that lose a race between addresses: more than \
                   by chance end within 20 ms after another handshake of the Pod. If the address still acknowledges data \
                   on older connections, its host and path are up, and the listener or a filter is blamed instead. When \
                   established connections fall silent, only other connections without a timeout acquit the Nodes and \
                   the local Pod. Where full-size segments are lost, only connections that carry such count. Of \
                   answers to SYNs: clients that never completed a handshake (forged addresses, checks that leave \
                   handshakes half open) or are outside the cluster, and a full accept queue.",
    action: "Check that the peer is up, and that no NetworkPolicy, firewall or route drops the packets.",
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
        "syn_queue_full",
        "pod_not_reading",
        "pod_cpu_throttled",
    ],
    queries: &[QueryTemplate {
        shows: "failed connects per second, by reason",
        promql: "sum by (reason) (rate(netwhy_tcp_connect_failures_total{S}R))",
    }],
};

/// Timeouts without an answer from which an established connection counts as dead.
const DEAD_TIMEOUTS: u64 = 3;
/// Multiple of the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;

/// The traffic on an edge that went unanswered.
#[derive(Clone, Copy)]
enum Kind {
    Handshakes(Attempts),
    /// Answers to a client's SYNs.
    Answers(Unfinished),
    /// Timeouts on established connections.
    Timeouts(u64),
}

/// Evidence of one kind, and its strength.
struct Strength {
    nats: f64,
    overwhelming: bool,
    /// For people.
    text: String,
    evidence: Vec<Evidence>,
}

/// Peers with something unanswered and without a completed handshake with any subject.
fn silent_peers(context: &Context<'_>) -> SilentPeers {
    let unclaimed = context.unclaimed(Family::Connect).filter(|(_, edge)| unanswered(context, edge).is_some());
    let mut silent: SilentPeers = unclaimed.map(|(_, edge)| edge.view.endpoint()).collect();
    // The window of a peer that fell silent may still hold older handshakes.
    let is_answered = |e: &Edge<'_>| match attempts::without_answer(context, e) {
        Some(_) => false,
        None => e.client_connects() + e.tally().failures(Failure::Refused) > 0 && !e.silent,
    };
    for edge in context.edges() {
        let endpoint = edge.view.endpoint();
        if silent.contains(&endpoint) && is_answered(edge) {
            silent.remove(&endpoint);
        }
    }
    silent
}

/// Edges that go unanswered, and their suspects.
pub(crate) struct Silence<'c, 'a> {
    context: &'c Context<'a>,
    edges: BTreeSet<EdgeIx>,
    /// Of handshakes without an answer, of clients that get none, and of connections that fell silent. Found when they
    /// are first asked for.
    handshakes: OnceCell<Suspects<'c, 'a>>,
    answers: OnceCell<Suspects<'c, 'a>>,
    established: OnceCell<Suspects<'c, 'a>>,
}

impl<'c, 'a> Silence<'c, 'a> {
    pub(crate) fn new(context: &'c Context<'a>) -> Self {
        let silent = silent_peers(context);
        let unclaimed = context.unclaimed(Family::Connect).filter(|(_, edge)| silent.contains(&edge.view.endpoint()));
        let edges = unclaimed.filter(|(_, edge)| unanswered(context, edge).is_some()).map(|(_, edge)| edge.ix);
        let edges = edges.collect();
        let (handshakes, answers, established) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { context, edges, handshakes, answers, established }
    }

    fn blame(&self, edge: EdgeIx, kind: Kind) -> Blame {
        let (known, trouble) = match kind {
            Kind::Handshakes(_) => (&self.handshakes, Trouble::Silence),
            // No program has a part in it, and the client's host is up: it sends SYNs.
            Kind::Answers(_) => (&self.answers, Trouble::Path),
            Kind::Timeouts(_) => (&self.established, Trouble::Stalled),
        };
        known.get_or_init(|| suspects(self.context, &self.edges, trouble)).blame(edge)
    }
}

pub(crate) fn judge(
    context: &Context<'_>,
    subject: &Subject<'_>,
    edge: &Edge<'_>,
    silence: &Silence<'_, '_>,
) -> Option<Finding> {
    let kind = unanswered(context, edge).filter(|_| silence.edges.contains(&edge.ix))?;
    let (name, peer) = (subject.name(), edge.peer_name());
    let answering = context.other_peers_answering(edge.view.peer);
    let Strength { nats, overwhelming, text, evidence: mut numbers } = kind.strength(context, &context.place(edge));
    let blame = silence.blame(edge.ix, kind);
    let others = Context::others_text(answering);
    numbers.push(evidence("peers_answering", answering as f64, "peers", context.node, "netwhy"));
    let refused = edge.tally().failures(Failure::Refused);
    Some(Finding {
        nats,
        overwhelming,
        summary: format!("{name} gets no answer from {peer}: {text}; {others}"),
        evidence: numbers,
        ruled_out: vec![RuledOut { cause: "peer_refusing".into(), because: format!("{refused} attempts refused") }],
        edges: vec![edge.ix],
        ..Finding::new(&PEER_UNREACHABLE, subject.ix, blame)
    })
}

fn unanswered(context: &Context<'_>, edge: &Edge<'_>) -> Option<Kind> {
    let tally = edge.tally();
    if let Some(attempts) = attempts::without_answer(context, edge) {
        return Some(Kind::Handshakes(attempts));
    }
    if let Some(unfinished) = Unfinished::of(context, edge) {
        return Some(Kind::Answers(unfinished));
    }
    let no_answer = edge.silent || (tally.bytes_acked == 0 && tally.bytes_received == 0);
    let dead = edge.timeouts() >= DEAD_TIMEOUTS && edge.only_timeouts() && no_answer && tally.data_segs_out > 0;
    dead.then(|| Kind::Timeouts(edge.timeouts()))
}

impl Kind {
    fn strength(self, context: &Context<'_>, place: &str) -> Strength {
        let resent = |kind: &str, n: u64| {
            let signal = format!("netwhy_tcp_retransmitted_segments_total{{type=\"{kind}\"}}");
            evidence(&signal, n as f64, "segments", place, "ebpf:tcp_retransmit_skb")
        };
        match self {
            Self::Handshakes(attempts) => {
                let Attempts { resent_syns, failed, given_up, .. } = attempts;
                let limits = context.thresholds;
                let (syns, failures) = (limits.syn_retransmits.max(1), limits.connect_failures.max(1));
                let times = (resent_syns as f64 / syns as f64).max(failed as f64 / failures as f64);
                let (signal, source) = ("netwhy_tcp_connect_failures_total", "ebpf:inet_sock_set_state");
                let failures = evidence(signal, failed as f64, "attempts", place, source);
                let signal = "netwhy_tcp_connect_failures_total{reason=\"given_up\"}";
                let given_up = (given_up > 0).then(|| evidence(signal, given_up as f64, "attempts", place, source));
                Strength {
                    nats: over(times, 1.0),
                    overwhelming: times >= OVERWHELMING,
                    text: format!("{}, none succeeded", attempts.text()),
                    evidence: [resent("syn", resent_syns), failures].into_iter().chain(given_up).collect(),
                }
            }
            Self::Answers(Unfinished { resent: n, seconds }) => {
                let signal = "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}";
                let source = "ebpf:tcp_retransmit_synack";
                Strength {
                    nats: over(n as f64, MIN_SECONDS.into()),
                    overwhelming: false,
                    text: format!("its SYNs arrive, and {n} answers to them were sent again, none acknowledged"),
                    evidence: vec![
                        evidence(signal, n as f64, "segments", place, source),
                        evidence("seconds_without_acknowledgement", seconds.into(), "seconds", place, source),
                    ],
                }
            }
            Self::Timeouts(n) => Strength {
                nats: over(n as f64, DEAD_TIMEOUTS as f64),
                overwhelming: false,
                text: format!("{n} retransmission timeouts and no acknowledgement"),
                evidence: vec![resent("timeout", n)],
            },
        }
    }
}
