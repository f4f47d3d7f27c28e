//! A Pod that does not read the data that it receives.

use crate::{
    api::BlameKind,
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        finding::{Finding, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::over,
    },
};

pub(crate) const POD_SLOW_READER: Rule = Rule {
    id: "pod_slow_reader",
    family: Family::Limited,
    order: 320,
    symptom: "receive_stall",
    meaning: "The Pod reads too slowly: unread data fills its receive buffers, it closes its window, and its senders \
              wait. This is the other end of `peer_receiver_limited`.",
    signals: &["unread_full", "netwhy_tcp_bytes_total{direction=\"received\"}"],
    test: "At least 3 walks in the window, before and within its last 3 s, find a full receive buffer. Full means four \
           fifths or more of unread data. The walks are counted, not estimated: no false alarm by chance. A reader \
           that pauses for a moment is seen by one walk, not by walks of different seconds.",
    minimum: "3 such walks with at least 4 kB of unread data.",
    ruled_out_by: "More than 50 MB/s are received on the edge: such a reader is not slow. Folded under the cause that \
                   keeps the Pod from running (`pod_cpu_throttled`, pressure).",
    action: "Find out why the Pod's reading thread waits (a lock, a disk, a slower stage behind it, too few workers). \
             The network and the senders are fine.",
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

/// Walks with a full buffer that a finding needs.
const MIN_SIGHTINGS: u64 = 3;
/// Payload received per second above which a reader is not slow, bytes.
const FAST_BYTES: f64 = 50e6;
/// Weight of the pattern itself, nats.
const PATTERN_NATS: f64 = 10.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut full: Vec<Vec<EdgeIx>> = vec![Vec::new(); context.subjects().len()];
    for (subject, edge) in context.unclaimed(Family::Limited).filter(|(_, edge)| is_full(context, edge)) {
        full[subject.ix.get()].push(edge.ix);
    }
    let found = context.subjects().iter().zip(full).filter(|(_, edges)| !edges.is_empty());
    found.map(|(subject, edges)| describe(context, subject, edges)).collect()
}

fn is_full(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    let (tally, recent) = (edge.tally(), &edge.view.recent);
    tally.unread_full >= MIN_SIGHTINGS
        && recent.unread_full > 0
        && tally.unread_full > recent.unread_full
        && tally.bytes_received as f64 <= FAST_BYTES * context.window.as_secs_f64()
}

fn describe(context: &Context<'_>, subject: &Subject<'_>, edges: Vec<EdgeIx>) -> Finding {
    let name = subject.name();
    let sum = |of: fn(&Edge<'_>) -> u64| -> u64 { edges.iter().map(|ix| of(context.edge(*ix))).sum() };
    let sightings = sum(|edge| edge.tally().unread_full);
    let rate = sum(|edge| edge.tally().bytes_received) as f64 / context.window.as_secs_f64();
    let senders = match edges.as_slice() {
        [one] => context.edge(*one).peer_name(),
        all => format!("{} peers", all.len()),
    };
    Finding {
        nats: over(sightings as f64, MIN_SIGHTINGS as f64) + PATTERN_NATS,
        summary: format!(
            "{name} reads too slowly: its receive buffers were found full {sightings} times, and {senders} waits to \
             send"
        ),
        evidence: vec![
            evidence("unread_full", sightings as f64, "sightings", name, "ebpf:iter/task_file"),
            evidence("netwhy_tcp_bytes_total{direction=\"received\"}", rate, "bytes per second", name, "ebpf:tcp_sock"),
        ],
        ruled_out: subject.rule_out_throttling(context.thresholds).into_iter().collect(),
        edges,
        ..Finding::new(&POD_SLOW_READER, subject.ix, blame(BlameKind::Pod, name))
    }
}

#[cfg(test)]
mod tests;
