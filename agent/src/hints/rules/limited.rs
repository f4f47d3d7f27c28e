//! Senders that have data but must wait: for the peer's receive window, or for their own send buffer.

pub(crate) mod slow_reader;

use crate::{
    api::{Blame, BlameKind, Evidence},
    hints::{
        context::{Context, Edge, Subject},
        finding::{Finding, MEASURED, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::{over, percent},
    },
};

const MINIMUM: &str = "The edge is busy for at least 20 % of the window, and the length of a jiffy is known.";

pub(crate) const PEER_RECEIVER_LIMITED: Rule = Rule {
    id: "peer_receiver_limited",
    family: Family::Limited,
    order: 300,
    symptom: "send_stall",
    meaning: "The peer reads more slowly than this Pod sends: its receive window is closed most of the time. The RTT \
              rises with it although the path is fine.",
    signals: &["netwhy_tcp_limited_seconds_total{by=\"receiver\"}", "walks that find the window closed"],
    test: "The receiver-limited time is at least `receiver_limited_share` of the busy time. The kernel measures both: \
           no false alarm by chance. A walk that finds the window closed raises the confidence.",
    minimum: MINIMUM,
    ruled_out_by: "More than 50 MB/s are acknowledged: such a peer is no slow reader. On a fast clean path every bulk \
                   sender fills the peer's window.",
    action: "Check the peer. Its process reads too slowly (blocked, throttled, out of workers), or its receive buffer \
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
        promql: "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"receiver\"}R)) / \
                 sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    }],
};

pub(crate) const POD_SEND_BUFFER_LIMITED: Rule = Rule {
    id: "pod_send_buffer_limited",
    family: Family::Limited,
    order: 310,
    symptom: "send_stall",
    meaning: "The Pod's own socket send buffer is too small: the path and the peer would take more.",
    signals: &["netwhy_tcp_limited_seconds_total{by=\"send_buffer\"}"],
    test: "The send-buffer-limited time is at least `send_buffer_limited_share` of the busy time. The kernel measures \
           both: no false alarm by chance.",
    minimum: MINIMUM,
    ruled_out_by: "More than 50 MB/s are acknowledged: the buffer costs nothing worth a hint.",
    action: "Remove a small SO_SNDBUF in the application, or raise the upper limit of net.ipv4.tcp_wmem.",
    caused_by: &["pod_cpu_throttled", "node_packet_loss", "path_loss", "path_latency"],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "share of busy time held back by the send buffer",
        promql: "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"send_buffer\"}R)) / \
                 sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    }],
};

/// Busy time per time that a finding needs.
const MIN_BUSY: f64 = 0.2;
/// Payload per second above which a limit harms nobody, bytes.
const FAST_BYTES: f64 = 50e6;
/// Weight of closed windows, nats.
const ZERO_WINDOW_NATS: f64 = 10.0;
/// Share of the busy time from which, with closed windows, one window of judgement is enough.
const OVERWHELMING_SHARE: f64 = 0.95;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let senders = context.unclaimed(Family::Limited).flat_map(|(subject, edge)| sender(context, subject, edge));
    senders.chain(slow_reader::judge(context)).collect()
}

fn sender(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>) -> impl Iterator<Item = Finding> {
    let rate = edge.tally().bytes_acked as f64 / context.window.as_secs_f64();
    let busy = edge.busy.filter(|busy| *busy >= MIN_BUSY && rate < FAST_BYTES);
    let by_receiver = busy.and_then(|busy| by_receiver(context, subject, edge, busy));
    let by_send_buffer = busy.and_then(|busy| by_send_buffer(context, subject, edge, busy));
    by_receiver.into_iter().chain(by_send_buffer)
}

fn by_receiver(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>, busy: f64) -> Option<Finding> {
    let (tally, limit) = (edge.tally(), context.thresholds.receiver_limited_share);
    let share = tally.receiver_limited_share().filter(|share| *share >= limit)?;
    let (place, closed) = (context.place(edge), tally.zero_window);
    let mut all = numbers("netwhy_tcp_limited_seconds_total{by=\"receiver\"}", share, busy, &place);
    all.push(evidence("zero_window", closed as f64, "walks", &place, "ebpf:iter/task_file"));
    all.extend(edge.min_rtt(&place));
    let no_loss = context.rule_out_loss(edge).filter(|_| tally.loss_episodes == 0);
    Some(Finding {
        nats: over(share, limit) + if closed > 0 { ZERO_WINDOW_NATS } else { 0.0 },
        covers: MEASURED,
        overwhelming: share >= OVERWHELMING_SHARE && closed > 1,
        summary: format!(
            "{} reads too slowly for {}: its receive window held senders back {} of their busy time",
            edge.peer_name(),
            subject.name(),
            percent(share)
        ),
        evidence: all,
        ruled_out: no_loss.into_iter().chain(subject.rule_out_throttling(context.thresholds)).collect(),
        edges: vec![edge.ix],
        ..Finding::new(&PEER_RECEIVER_LIMITED, subject.ix, peer_pod(edge))
    })
}

fn by_send_buffer(context: &Context<'_>, subject: &Subject<'_>, edge: &Edge<'_>, busy: f64) -> Option<Finding> {
    let (tally, limit) = (edge.tally(), context.thresholds.send_buffer_limited_share);
    let share = tally.send_buffer_limited_share().filter(|share| *share >= limit)?;
    let no_loss = context.rule_out_loss(edge).filter(|_| tally.loss_episodes == 0);
    let throttling = subject.rule_out_throttling(context.thresholds);
    let signal = "netwhy_tcp_limited_seconds_total{by=\"send_buffer\"}";
    Some(Finding {
        nats: over(share, limit),
        covers: MEASURED,
        summary: format!(
            "{} is held back by its own send buffer {} of its busy time towards {}",
            subject.name(),
            percent(share),
            edge.peer_name()
        ),
        evidence: numbers(signal, share, busy, &context.place(edge)),
        ruled_out: no_loss.into_iter().chain(context.rule_out_limits(edge)).chain(throttling).collect(),
        edges: vec![edge.ix],
        ..Finding::new(&POD_SEND_BUFFER_LIMITED, subject.ix, blame(BlameKind::Pod, subject.name()))
    })
}

fn peer_pod(edge: &Edge<'_>) -> Blame {
    blame(edge.blame_kind(BlameKind::PeerPod), edge.peer_pod_name())
}

fn numbers(signal: &str, share: f64, busy: f64, place: &str) -> Vec<Evidence> {
    let source = "ebpf:tcp_sock.chrono_stat";
    let busy = evidence("busy_time", busy, "seconds per second", place, source);
    vec![evidence(signal, share, "ratio of busy time", place, source), busy]
}

#[cfg(test)]
mod tests;
