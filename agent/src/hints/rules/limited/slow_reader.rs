//! A Pod that does not read what it is sent.

use crate::api::BlameKind;
use crate::hints::{
    context::{Context, Edge},
    finding::{Finding, blame, evidence},
    rule::{Family, QueryTemplate, Rule},
    stats::over,
};

pub(crate) const POD_SLOW_READER: Rule = Rule {
    id: "pod_slow_reader",
    family: Family::Limited,
    order: 320,
    symptom: "receive_stall",
    meaning: "The Pod itself reads too slowly: what it was sent fills its receive buffers, it closes its window, and whoever \
              sends to it waits. The other end of `peer_receiver_limited`.",
    signals: &["unread_full", "netwhy_tcp_bytes_total{direction=\"received\"}"],
    test: "Walks over the living sockets found, at least 3 times in the window, before and within its last 3 s, a receive \
           buffer of which four fifths or more are data that nobody has read. It is counted, not estimated: no false alarm by \
           chance; readers that only pause for a moment are seen full by one walk, not by those of different seconds.",
    minimum: "3 such sightings of at least 4 kB of unread data.",
    ruled_out_by: "More than 50 MB/s received on the edge: a reader that takes so much is not slow. Folded under what keeps the \
                   Pod from running (`pod_cpu_throttled`, pressure).",
    action: "See what the Pod's reading thread waits for (a lock, a disk, a slower stage behind it, too few workers); the network \
             and the senders are fine.",
    caused_by: &[
        "node_cpu_contention",
        "pod_cpu_starved",
        "node_memory_pressure",
        "pod_memory_pressure",
        "node_io_pressure",
        "pod_io_pressure",
        "pod_cpu_throttled",
    ],
    caused_by_at_peer: &[],
    queries: &[QueryTemplate {
        shows: "payload received per second",
        promql: "sum(rate(netwhy_tcp_bytes_total{L,direction=\"received\"}R))",
    }],
};

/// Sightings of a full buffer that a verdict needs.
const MIN_SIGHTINGS: u64 = 3;
/// Payload received per second above which a reader is not slow, bytes.
const FAST_BYTES: f64 = 50e6;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut full: Vec<Vec<usize>> = vec![Vec::new(); context.subjects.len()];
    for (i, subject, _) in context.free(Family::Limited).filter(|(_, _, edge)| is_full(context, edge)) {
        full[subject].push(i);
    }
    let found = full.into_iter().enumerate().filter(|(_, edges)| !edges.is_empty());
    found.map(|(subject, edges)| describe(context, subject, edges)).collect()
}

fn is_full(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let (t, recent) = (edge.tally(), &edge.view.recent);
    t.unread_full >= MIN_SIGHTINGS
        && recent.unread_full > 0
        && t.unread_full > recent.unread_full
        && t.bytes_received as f64 <= FAST_BYTES * context.window.as_secs_f64()
}

fn describe(context: &Context<'_>, subject: usize, edges: Vec<usize>) -> Finding {
    let who = &context.subjects[subject];
    let name = who.name();
    let sum = |of: fn(&Edge<'_>) -> u64| -> u64 { edges.iter().map(|i| of(&context.edges[*i])).sum() };
    let sightings = sum(|edge| edge.tally().unread_full);
    let rate = sum(|edge| edge.tally().bytes_received) as f64 / context.window.as_secs_f64();
    let senders = match edges.as_slice() {
        [one] => context.edges[*one].peer_name(),
        all => format!("{} peers", all.len()),
    };
    Finding {
        rule: &POD_SLOW_READER,
        subject,
        blame: blame(BlameKind::Pod, name),
        nats: over(sightings as f64, MIN_SIGHTINGS as f64) + 10.0,
        certainty: 1.0,
        overwhelming: false,
        summary: format!(
            "{name} reads too slowly: its receive buffers were found full {sightings} times, and {senders} waits to send"
        ),
        evidence: vec![
            evidence("unread_full", sightings as f64, "sightings", name, "ebpf:iter/task_file"),
            evidence("netwhy_tcp_bytes_total{direction=\"received\"}", rate, "bytes per second", name, "ebpf:tcp_sock"),
        ],
        ruled_out: who.not_throttled(context.thresholds).into_iter().collect(),
        effects: Vec::new(),
        edges,
    }
}

#[cfg(test)]
mod tests;
