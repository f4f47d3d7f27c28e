//! A Pod that does not read the data that it receives, or too slowly.

use crate::{
    api::{BlameKind, Evidence},
    hints::{
        context::{Context, Edge, EdgeIx, Subject},
        finding::{Finding, blame, evidence},
        rule::{Family, QueryTemplate, Rule},
        stats::over,
    },
    sample::Tally,
};

pub(crate) const POD_SLOW_READER: Rule = Rule {
    id: "pod_slow_reader",
    family: Family::Limited,
    order: 320,
    symptom: "receive_stall",
    meaning: "The Pod reads too slowly: unread data fills its receive buffers, it closes its window, and its senders \
              wait. This is the other end of `peer_receiver_limited`. Or the buffers hold all that comes, so that no \
              sender waits, but the Pod leaves it unread for long, and gets less done than usual.",
    signals: &["unread_full", "late_readers", "netwhy_tcp_bytes_total{direction=\"received\"}"],
    test: "At least 3 walks in the window, before and within its last 3 s, find a full receive buffer. Full means four \
           fifths or more of unread data. The walks are counted, not estimated: no false alarm by chance. A reader \
           that pauses for a moment is seen by one walk, not by walks of different seconds. **Or late**: as many walks \
           find data unread that the walk before had found too, a second or more ago, although the Pod read other data \
           since. Meanwhile the edge carries less than half of its usual payload.",
    minimum: "3 such walks with at least 4 kB of unread data. Late: a baseline of 10 clean windows.",
    ruled_out_by: "More than 50 MB/s are received on the edge: such a reader is not slow. Late also: in more than 5 % of \
                   the clean windows data waits as long, as at programs that read at their own pace. Or as many have \
                   so little payload: the traffic is not steady. Folded under the cause that keeps the Pod from running \
                   (`pod_cpu_throttled`, pressure).",
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

/// Walks with a full buffer, or with data that waits long, that a finding needs.
const MIN_SIGHTINGS: u64 = 3;
/// Payload received per second above which a reader is not slow, bytes.
const FAST_BYTES: f64 = 50e6;
/// Weight of the pattern itself, nats.
const PATTERN_NATS: f64 = 10.0;

pub(crate) fn judge(context: &Context<'_>) -> Vec<Finding> {
    let mut slow: Vec<Slow> = context.subjects().iter().map(|_| Slow::default()).collect();
    let edges = context.unclaimed(Family::Limited).filter(|(_, edge)| is_of_a_reader(context, edge));
    for (subject, edge) in edges {
        let slow = &mut slow[subject.ix.get()];
        if is_seen_again(edge, |tally| tally.unread_full) {
            slow.full.push(edge.ix);
        } else if is_seen_again(edge, |tally| tally.late_readers)
            && let Some(usual) = edge.memory.and_then(|memory| memory.fell_short_of(edge.tally(), context.window))
        {
            slow.late.push(edge.ix);
            slow.usual_per_s += usual;
        }
    }
    context.subjects().iter().zip(slow).filter_map(|(subject, slow)| slow.describe(context, subject)).collect()
}

/// Not so much is received that the reader can't be slow.
fn is_of_a_reader(context: &Context<'_>, edge: &Edge<'_>) -> bool {
    edge.tally().bytes_received as f64 <= FAST_BYTES * context.window.as_secs_f64()
}

/// Walks of different seconds, the newest among them, saw something.
fn is_seen_again(edge: &Edge<'_>, sightings: fn(&Tally) -> u64) -> bool {
    let (all, recent) = (sightings(edge.tally()), sightings(&edge.view.recent));
    all >= MIN_SIGHTINGS && recent > 0 && all > recent
}

/// The edges of one subject that it reads slowly.
#[derive(Default)]
struct Slow {
    /// Those whose receive buffers were full.
    full: Vec<EdgeIx>,
    /// Of the others those on which data waits long.
    late: Vec<EdgeIx>,
    /// Usual payload of the latter, both ways, bytes per second.
    usual_per_s: f64,
}

impl Slow {
    /// `None`: there are no such edges.
    fn describe(self, context: &Context<'_>, subject: &Subject<'_>) -> Option<Finding> {
        match (self.full.is_empty(), self.late.is_empty()) {
            (false, _) => Some(describe_full(context, subject, self.full)),
            (true, false) => Some(describe_late(context, subject, self.late, self.usual_per_s)),
            (true, true) => None,
        }
    }
}

fn sum(context: &Context<'_>, edges: &[EdgeIx], of: fn(&Tally) -> u64) -> f64 {
    edges.iter().map(|ix| of(context.edge(*ix).tally())).sum::<u64>() as f64
}

fn senders(context: &Context<'_>, edges: &[EdgeIx]) -> String {
    match edges {
        [one] => context.edge(*one).peer_name(),
        all => format!("{} peers", all.len()),
    }
}

fn describe_full(context: &Context<'_>, subject: &Subject<'_>, edges: Vec<EdgeIx>) -> Finding {
    let (name, sightings) = (subject.name(), sum(context, &edges, |tally| tally.unread_full));
    let seen = evidence("unread_full", sightings, "sightings", name, "ebpf:iter/task_file");
    let senders = senders(context, &edges);
    Finding {
        summary: format!(
            "{name} reads too slowly: its receive buffers were found full {sightings} times, and {senders} waits to \
             send"
        ),
        evidence: vec![seen, received(context, &edges, name)],
        ..finding(context, subject, edges, sightings)
    }
}

fn describe_late(context: &Context<'_>, subject: &Subject<'_>, edges: Vec<EdgeIx>, usual_per_s: f64) -> Finding {
    let (name, sightings) = (subject.name(), sum(context, &edges, |tally| tally.late_readers));
    let unread = sum(context, &edges, |tally| tally.late_bytes) / sightings;
    let payload = sum(context, &edges, |tally| tally.bytes_acked + tally.bytes_received);
    let per_s = payload / context.window.as_secs_f64();
    let seen = |signal: &str, value: f64, unit: &str| evidence(signal, value, unit, name, "ebpf:iter/task_file");
    let total = evidence("netwhy_tcp_bytes_total", per_s, "bytes per second", name, "ebpf:tcp_sock");
    Finding {
        summary: format!(
            "{name} reads too slowly: {:.0} kB from {} waited unread from one walk to the next, in {sightings} \
             sightings, while it read; they exchange {:.0} kB/s (normally {:.0})",
            unread / 1e3,
            senders(context, &edges),
            per_s / 1e3,
            usual_per_s / 1e3
        ),
        evidence: vec![
            seen("late_readers", sightings, "sightings"),
            seen("late_bytes", unread, "bytes per sighting"),
            received(context, &edges, name),
            Evidence { baseline: Some(usual_per_s), ..total },
        ],
        ..finding(context, subject, edges, sightings)
    }
}

fn received(context: &Context<'_>, edges: &[EdgeIx], name: &str) -> Evidence {
    let rate = sum(context, edges, |tally| tally.bytes_received) / context.window.as_secs_f64();
    evidence("netwhy_tcp_bytes_total{direction=\"received\"}", rate, "bytes per second", name, "ebpf:tcp_sock")
}

fn finding(context: &Context<'_>, subject: &Subject<'_>, edges: Vec<EdgeIx>, sightings: f64) -> Finding {
    Finding {
        nats: over(sightings, MIN_SIGHTINGS as f64) + PATTERN_NATS,
        ruled_out: subject.rule_out_throttling(context.thresholds).into_iter().collect(),
        edges,
        ..Finding::new(&POD_SLOW_READER, subject.ix, blame(BlameKind::Pod, subject.name()))
    }
}

#[cfg(test)]
mod tests;
