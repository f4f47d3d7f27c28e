//! Handshakes that a listener has no room to begin.

use crate::{
    api::{Blame, BlameKind, RuledOut},
    hints::{
        context::{Context, Subject},
        finding::{Finding, evidence, shared_blame},
        rule::{Family, QueryTemplate, Rule},
        stats::over,
    },
};
use netwhy_abi::{ListenDrop, Retransmit, Role};

pub(crate) const SYN_QUEUE_FULL: Rule = Rule {
    id: "syn_queue_full",
    family: Family::Connect,
    order: 102,
    symptom: "connect_latency",
    meaning: "The kernel drops SYNs, as the queue of handshakes that a Pod's listener has begun is full. Its accept \
              queue has room: the process accepts in time. Usually many handshakes never finish: a SYN flood, or a path \
              that loses the answers. Else a burst of clients is larger than the queue.",
    signals: &[
        "netwhy_tcp_listen_drops_total{reason=\"syn_queue_full\"}",
        "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}",
        "netwhy_tcp_connects_total{role=\"server\"}",
    ],
    test: "The kernel drops at least `accept_drops` SYNs in the window for this reason. They are counted, not \
           estimated. With SYN cookies it drops none.",
    minimum: "`accept_drops` SYNs.",
    ruled_out_by: "A full accept queue: `pod_accept_queue_full`.",
    action: "Turn on net.ipv4.tcp_syncookies in the Pod's network namespace. Find out where the SYNs come from \
             (`ss -t state syn-recv`), and filter them. For bursts of real clients raise the listen backlog, \
             net.core.somaxconn and net.ipv4.tcp_max_syn_backlog together.",
    caused_by: &[],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "dropped SYNs per second",
        promql: "sum(rate(netwhy_tcp_listen_drops_total{L,reason=\"syn_queue_full\"}R))",
    }],
};

/// Multiple of the limit from which one window is enough.
const OVERWHELMING: f64 = 10.0;
/// SYN-ACKs sent again per completed handshake from which others don't finish. Clients answer within a round trip, and
/// ordinary loss makes a few in a hundred.
const UNFINISHED: f64 = 0.1;
/// Probability that a side is at fault when the handshakes show it.
const SHOWN: f64 = 0.85;

pub(super) fn judge(context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
    let limit = context.thresholds.accept_drops.max(1);
    let drops = subject.view.window_connects.listen_drops[ListenDrop::SynQueueFull as usize];
    if drops < limit || subject.view.window_connects.accept_full > 0 {
        return None;
    }
    let (name, tally) = (subject.name(), &subject.view.window);
    let count = |signal, n: u64, unit, source| evidence(signal, n as f64, unit, name, source);
    let (resent, completed) = (tally.retransmits[Retransmit::SynAck as usize], tally.connects(Role::Server));
    let unfinished = resent > 0 && resent as f64 >= UNFINISHED * completed as f64;
    let reason = match unfinished {
        true => "handshakes don't finish: a SYN flood, or answers that are lost on the way",
        false => "more clients connect at once than it has room for",
    };
    Some(Finding {
        nats: over(drops as f64, limit as f64),
        overwhelming: drops as f64 >= OVERWHELMING * limit as f64,
        summary: format!(
            "{name} has no room for new handshakes: its full SYN queue dropped {drops} SYNs, {completed} handshakes \
             completed and {resent} answers were sent again; {reason}; its process accepts in time"
        ),
        evidence: vec![
            count("netwhy_tcp_listen_drops_total{reason=\"syn_queue_full\"}", drops, "SYNs", "ebpf:sk_drops"),
            count(
                "netwhy_tcp_retransmitted_segments_total{type=\"synack\"}",
                resent,
                "segments",
                "ebpf:tcp_retransmit_synack",
            ),
            count("netwhy_tcp_connects_total{role=\"server\"}", completed, "handshakes", "ebpf:tcp_sock"),
        ],
        ruled_out: vec![RuledOut {
            cause: "pod_accept_queue_full".into(),
            because: "no walk found the accept queue full".into(),
        }],
        ..Finding::new(&SYN_QUEUE_FULL, subject.ix, culprit(name, unfinished))
    })
}

/// Who makes the handshakes, or the Pod, whose queue is small.
fn culprit(name: &str, unfinished: bool) -> Blame {
    let (clients, pod) = ((BlameKind::Clients, CLIENTS), (BlameKind::Pod, name));
    match unfinished {
        true => shared_blame(clients, SHOWN, &[pod]),
        false => shared_blame(pod, SHOWN, &[clients]),
    }
}

/// Their addresses may be forged.
const CLIENTS: &str = "senders of SYNs";

#[cfg(test)]
mod tests;
