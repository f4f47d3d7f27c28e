//! Senders that had data but were held back: by the peer's receive window, or by their own send buffer.

pub(crate) mod slow_reader;

use crate::api::{BlameKind, Evidence};
use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::{over, percent},
};

const MINIMUM: &str = "Busy for at least 20 % of the window, and the length of a jiffy known.";

pub(crate) const PEER_RECEIVER_LIMITED: Rule = Rule {
    id: "peer_receiver_limited",
    family: Family::Limited,
    order: 300,
    symptom: "send_stall",
    meaning: "The peer reads more slowly than this Pod sends: its receive window is closed most of the time. RTT rises \
              with it although the path is fine.",
    signals: &["netwhy_tcp_limited_seconds_total{by=\"receiver\"}", "walks that found the window closed"],
    test: "Receiver-limited time is at least `receiver_limited_share` of the busy time. Both are the kernel's own \
           clocks: no false alarm by chance. A closed window seen by a walk raises the confidence.",
    minimum: MINIMUM,
    ruled_out_by: "More than 50 MB/s acknowledged: a peer that drains so much is not a slow reader; on fast clean \
                   paths every bulk sender ends at the peer's window.",
    action: "Look at the peer: its process reads too slowly (blocked, throttled, out of workers) or its receive buffer \
             is too small for the path.",
    caused_by: &["path_latency"],
    caused_by_at_peer: &[
        "pod_cpu_throttled",
        "pod_cpu_starved",
        "node_cpu_contention",
        "pod_memory_pressure",
        "node_memory_pressure",
        "pod_io_pressure",
        "node_io_pressure",
        "pod_slow_reader",
    ],
    queries: &[QueryTemplate {
        shows: "share of busy time held back by the peer's window",
        promql: "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"receiver\"}R)) / sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    }],
};

pub(crate) const POD_SEND_BUFFER_LIMITED: Rule = Rule {
    id: "pod_send_buffer_limited",
    family: Family::Limited,
    order: 310,
    symptom: "send_stall",
    meaning: "The Pod's own socket send buffer is too small: the path and the peer would take more.",
    signals: &["netwhy_tcp_limited_seconds_total{by=\"send_buffer\"}"],
    test: "Send-buffer-limited time is at least `send_buffer_limited_share` of the busy time. Both are the kernel's \
           own clocks: no false alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "More than 50 MB/s acknowledged: the buffer costs nothing worth a hint.",
    action: "Remove a small SO_SNDBUF in the application, or raise the upper limit of net.ipv4.tcp_wmem.",
    caused_by: &["pod_cpu_throttled", "node_packet_loss", "path_loss", "path_latency"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of busy time held back by the send buffer",
        promql: "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"send_buffer\"}R)) / sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    }],
};

/// Busy time per time that a share needs.
const MIN_BUSY: f64 = 0.2;
/// Payload per second above which being limited harms nobody, bytes.
const FAST_BYTES: f64 = 50e6;
/// Evidence that closed windows add, nats.
const ZERO_WINDOW_NATS: f64 = 10.0;
/// Share of the busy time from which, on a busy edge, one window is enough.
const OVERWHELMING_SHARE: f64 = 0.95;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let senders = context.free(Family::Limited).flat_map(|(i, s, edge)| edge_findings(context, i, s, edge));
    senders.chain(slow_reader::judge(context)).collect()
}

fn edge_findings(context: &Context<'_>, index: usize, subject: usize, edge: &Edge<'_>) -> Vec<Finding> {
    let t = edge.tally();
    let rate = t.bytes_acked as f64 / context.window.as_secs_f64();
    let Some(busy) = edge.busy.filter(|b| *b >= MIN_BUSY && rate < FAST_BYTES) else { return Vec::new() };
    let (name, peer, place) = (context.subjects[subject].name(), edge.peer_name(), context.place(edge));
    let no_loss = context.no_loss(edge).filter(|_| t.loss_episodes == 0);
    let not_throttled = context.subjects[subject].not_throttled(context.thresholds);
    let numbers = |signal: &str, share: f64| -> Vec<Evidence> {
        let busy = evidence("busy_time", busy, "seconds per second", &place, "ebpf:tcp_sock.chrono_stat");
        vec![evidence(signal, share, "ratio of busy time", &place, "ebpf:tcp_sock.chrono_stat"), busy]
    };
    let mut out = Vec::new();
    let receiver = t.receiver_limited_share().filter(|s| *s >= context.thresholds.receiver_limited_share);
    if let Some(share) = receiver {
        let closed = t.zero_window;
        let mut all = numbers("netwhy_tcp_limited_seconds_total{by=\"receiver\"}", share);
        all.push(evidence("zero_window", closed as f64, "walks", &place, "ebpf:iter/task_file"));
        all.extend(edge.min_rtt(&place));
        out.push(Finding {
            rule: &PEER_RECEIVER_LIMITED,
            subject,
            blame: blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name()),
            nats: over(share, context.thresholds.receiver_limited_share)
                + if closed > 0 { ZERO_WINDOW_NATS } else { 0.0 },
            certainty: 1.0,
            overwhelming: share >= OVERWHELMING_SHARE && closed > 1,
            summary: format!(
                "{peer} reads too slowly for {name}: its receive window held senders back {} of their busy time",
                percent(share)
            ),
            evidence: all,
            ruled_out: no_loss.clone().into_iter().chain(not_throttled.clone()).collect(),
            effects: Vec::new(),
            edges: vec![index],
        });
    }
    if let Some(share) = t.send_buffer_limited_share().filter(|s| *s >= context.thresholds.send_buffer_limited_share) {
        out.push(Finding {
            rule: &POD_SEND_BUFFER_LIMITED,
            subject,
            blame: blame(BlameKind::Pod, name),
            nats: over(share, context.thresholds.send_buffer_limited_share),
            certainty: 1.0,
            overwhelming: false,
            summary: format!(
                "{name} is held back by its own send buffer {} of its busy time towards {peer}",
                percent(share)
            ),
            evidence: numbers("netwhy_tcp_limited_seconds_total{by=\"send_buffer\"}", share),
            ruled_out: no_loss.into_iter().chain(context.not_limited(edge)).chain(not_throttled).collect(),
            effects: Vec::new(),
            edges: vec![index],
        });
    }
    out
}

#[cfg(test)]
mod tests;
