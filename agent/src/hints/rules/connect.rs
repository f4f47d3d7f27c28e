//! Handshakes that a full queue turns away, that nobody answers or that are refused; and peers that fell silent.

mod again;
pub(crate) mod attempts;
pub(crate) mod cut;
pub(crate) mod filtered;
pub(crate) mod mtu;
mod overflows;
pub(crate) mod ports;
pub(crate) mod syn_queue;
mod unfinished;
pub(crate) mod unreachable;

use crate::{
    api::{Blame, BlameKind, RuledOut},
    hints::{
        context::{Context, Edge, Subject},
        culprit::suspects,
        finding::{Finding, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{over, percent},
    },
    peers::PeerKind,
    sample::Tally,
    state::RECENT,
};
use netwhy_abi::{Failure, Retransmit, Role};
use std::cell::LazyCell;

pub(crate) const POD_ACCEPT_QUEUE_FULL: Rule = Rule {
    id: "pod_accept_queue_full",
    family: Family::Connect,
    order: 100,
    symptom: "connect_latency",
    meaning: "The Pod accepts connections more slowly than they arrive. Its listen queue is full, and the kernel \
              drops handshakes. Clients wait a second or more until they resend their SYN.",
    signals: &[
        "netwhy_tcp_accept_queue_overflows_total",
        "netwhy_node_tcp_events_total{event=\"listen_overflows\"}",
        "walks that find the queue full",
    ],
    test: "The kernel turns away at least `accept_drops` connections in the window, or a walk finds the queue full. \
           Both are counted, not estimated. Where no walk is possible, the Node's own counter stands for the first: it \
           grows by `accept_drops` or more, three times its baseline, while one Pod alone loses clients that usually \
           ask.",
    minimum: "`accept_drops` connections, or one walk. A client that gives up over a broken path resets its half-open \
              connection, and the kernel counts that as a drop of the listener too.",
    ruled_out_by: "As many resent SYN-ACKs: then the answers were lost, and the kernel counted the repeated SYNs. \
                   Folded under `pod_cpu_throttled` while the Pod is throttled: then it can't accept faster.",
    action: "Find out why the Pod doesn't call accept (blocked event loop, too few workers). Add replicas, or raise \
             the listen backlog and net.core.somaxconn together.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "pod_cpu_throttled",
        "pod_not_reading",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "connections turned away per second",
        promql: "sum(rate(netwhy_tcp_accept_queue_overflows_total{S}R))",
    }],
};

pub(crate) const PEER_REFUSING: Rule = Rule {
    id: "peer_refusing",
    family: Family::Connect,
    order: 120,
    symptom: "connect_failures",
    meaning: "The peer's host answers, but nothing listens on the port: it refuses connections with a reset.",
    signals: &["netwhy_tcp_connect_failures_total{reason=\"refused\"}", "netwhy_tcp_connects_total{role=\"client\"}"],
    test: "The peer refuses at least `connect_failures` attempts in the window, and at least `connect_failure_share` \
           of the edge's attempts. It refuses before the last 3 s and accepts none in them, or refuses that \
           share before and in them. Of a Service's address, some of whose Pods may refuse, it refuses \
           `connect_failures` in the last 3 s and as many before. A refusal is an answer by the peer's kernel: no \
           false alarm by chance. Refusals that come and go: see `connections_reset`, which counts both. Where nearly \
           all moments have refusals, the hint is this one.",
    minimum: "`connect_failures` refusals, or ten times as many of a port that never accepted a connection from this \
              Node and is no Pod's or Service's. One failed health check is not enough.",
    ruled_out_by: "Most attempts on the same edge succeed. The peer accepts again within 3 s, as after a restart. Many \
                   ports of one address that never accepted anything: a scan.",
    action: "Check that the peer's process runs and listens on the expected port and address. Endpoints may still \
             list a Pod that is gone.",
    caused_by: &[],
    caused_by_at_peer: &["pod_oom_killed", "pod_restarting", "pod_not_running"],
    queries: &[QueryTemplate {
        shows: "refused connects per second",
        promql: "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"refused\"}R))",
    }],
};

/// Multiple of the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;
/// Multiple of the limit for a port that never accepted a connection: a check that asks twice a second is below it.
const NEVER_ACCEPTED: u64 = 10;
/// Weight of a walk that finds the queue full, nats …
const FULL_QUEUE_NATS: f64 = 5.0;
/// … and the number of walks that count.
const MAX_FULL_WALKS: u64 = 4;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut out = ports::judge(context);
    out.extend(mtu::judge(context));
    out.extend(handshakes(context));
    out
}

fn handshakes(context: &Context<'_>) -> Vec<Finding> {
    let queues = |s| accept_queue(context, s).or_else(|| syn_queue::judge(context, s));
    let mut out: Vec<Finding> = context.subjects().iter().filter_map(queues).collect();
    out.extend(overflows::judge(context));
    let silence = unreachable::Silence::new(context);
    let clients = LazyCell::new(|| filtered::Clients::new(context));
    let vanishing = LazyCell::new(|| filtered::moments::Ports::new(context));
    for (subject, edge) in context.unclaimed(Family::Connect) {
        let filtered = attempts::without_answer(context, edge)
            .and_then(|attempts| filtered::judge(context, subject, edge, (&attempts, &clients)));
        let for_moments = || filtered::moments::judge(context, subject, edge, &vanishing);
        let filtered = filtered.or_else(|| (edge.timeouts() > 0).then(for_moments).flatten());
        let finding = filtered.or_else(|| unreachable::judge(context, subject, edge, &silence));
        let finding = finding.or_else(|| refusing(context, subject, edge));
        let finding = finding.or_else(|| cut::judge(context, subject, edge));
        out.extend(finding.or_else(|| again::judge(context, subject, edge)));
    }
    out
}

fn accept_queue(context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
    let limit = context.thresholds.accept_drops.max(1);
    let (drops, full) = (turned_away(subject), subject.view.window_connects.accept_full);
    if drops < limit && full == 0 {
        return None;
    }
    let name = subject.name();
    Some(Finding {
        nats: over(drops as f64, limit as f64) + FULL_QUEUE_NATS * full.min(MAX_FULL_WALKS) as f64,
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
        ruled_out: subject.rule_out_throttling(context.thresholds).into_iter().collect(),
        ..Finding::new(&POD_ACCEPT_QUEUE_FULL, subject.ix, blame(BlameKind::Pod, name))
    })
}

/// Connections of the window that full listen queues turned away for certain. When a SYN-ACK is lost, the client
/// resends its SYN. The kernel answers with another SYN-ACK and counts the SYN as a drop of the listener: a loss on the
/// path, not a full queue.
fn turned_away(subject: &Subject<'_>) -> u64 {
    let counted = subject.view.window_connects.accept_drops;
    counted.saturating_sub(subject.view.window.retransmits[Retransmit::SynAck as usize])
}

fn refusing(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> Option<Finding> {
    let refused = edge.tally().failures(Failure::Refused);
    let attempts = edge.tally().failed_attempts() + edge.client_connects();
    let (limit, least_share) = (context.thresholds.connect_failures.max(1), context.thresholds.connect_failure_share);
    let most = refused as f64 >= least_share * attempts as f64 && goes_on(edge, least_share);
    if refused < limit || !(most || some_refuse(edge, limit)) || is_closed_port(context, edge, limit) {
        return None;
    }
    let (name, peer, place) = (subject.name(), edge.program_name(), context.place(edge));
    let share = refused as f64 / attempts as f64;
    let (signal, source) = ("netwhy_tcp_connect_failures_total{reason=\"refused\"}", "ebpf:inet_sock_set_state");
    Some(Finding {
        nats: over(refused as f64, limit as f64) + over(share, least_share),
        overwhelming: refused as f64 >= OVERWHELMING * limit as f64,
        summary: format!(
            "{peer} refuses {name}: {refused} of {attempts} connection attempts ({}){}",
            percent(share),
            accepted_beside(edge)
        ),
        evidence: vec![
            evidence(signal, refused as f64, "attempts", &place, source),
            evidence("connect_attempts", attempts as f64, "attempts", &place, source),
        ],
        ruled_out: vec![RuledOut {
            cause: "peer_unreachable".into(),
            because: format!("the peer answered {refused} attempts with a reset"),
        }],
        edges: vec![edge.ix],
        ..Finding::new(&PEER_REFUSING, subject.ix, refuser(subject, edge))
    })
}

/// Whose program refuses.
fn refuser(subject: &Subject<'_>, edge: &Edge<'_>) -> Blame {
    if edge.is_inside_pod() {
        return blame(BlameKind::Pod, subject.name());
    }
    let (kind, name) = suspects::host(edge);
    blame(kind, name)
}

/// The peer refused before the last seconds and accepted none since, or it refuses its share before and since: no restart
/// that is over.
fn goes_on(edge: &Edge<'_>, least_share: f64) -> bool {
    let count =
        |tally: &Tally| (tally.failures(Failure::Refused), tally.failed_attempts() + tally.connects(Role::Client));
    let (all, now) = (count(edge.tally()), count(&edge.view.recent));
    let before = (all.0.saturating_sub(now.0), all.1.saturating_sub(now.1));
    let most = |(refused, attempts): (u64, u64)| refused > 0 && refused as f64 >= least_share * attempts as f64;
    let accepts = edge.view.recent.connects(Role::Client) > 0;
    if accepts { most(now) && most(before) } else { before.0 > 0 }
}

/// Nothing was ever accepted there, and no program with work to do asks for it: a scan of many ports, or a check of a host
/// that asks now and then. Who asks a Pod or a Service needs it, also when this agent never saw it accept.
fn is_closed_port(context: &Context<'_>, edge: &Edge<'_>, limit: u64) -> bool {
    let is_rare = edge.tally().failures(Failure::Refused) < limit.saturating_mul(NEVER_ACCEPTED)
        && !matches!(edge.view.kind, PeerKind::Pod | PeerKind::Service);
    (is_rare || edge.is_of_many_ports()) && !context.was_accepted(edge)
}

/// Some of the Pods behind a Service's address refuse, and go on: no rollout whose last connections arrive late.
fn some_refuse(edge: &Edge<'_>, limit: u64) -> bool {
    let refused = |tally: &Tally| tally.failures(Failure::Refused);
    let recent = refused(&edge.view.recent);
    suspects::is_service(edge) && recent >= limit && refused(edge.tally()).saturating_sub(recent) >= limit
}

/// Several Pods may be behind a Service's address: those that accept are not the ones that refuse.
fn accepted_beside(edge: &Edge<'_>) -> String {
    let recent = &edge.view.recent;
    match (suspects::is_service(edge), recent.failures(Failure::Refused), recent.connects(Role::Client)) {
        (true, 1.., accepted @ 1..) => {
            let seconds = RECENT.as_secs();
            format!("; it accepts {accepted} in the last {seconds} s: some of the Pods behind it refuse, others work")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
