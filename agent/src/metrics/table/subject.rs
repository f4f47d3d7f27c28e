//! Metrics of a subject: a Pod, or a unit where there is no Kubernetes.

use super::{LabelDef, MetricDef, Rows::Subject, label};
use crate::metrics::{emit, out::Out};

const PEER: LabelDef = label("peer", "same_node, same_zone, cross_zone, in_cluster, external");
const ROLE: LabelDef = label("role", "client, server");
const DIRECTION: LabelDef = label("direction", "sent, received");

pub(super) static METRICS: [MetricDef; 22] = [
    MetricDef::histogram(
        "netwhy_tcp_rtt_seconds",
        "Round-trip times measured by the kernel's TCP.",
        Subject(emit::rtt),
    )
    .seconds()
    .labels(&[PEER]),
    MetricDef::gauge(
        "netwhy_tcp_min_rtt_seconds",
        "Lowest round-trip time of the last window: the path without the peer's think time.",
        Subject(emit::min_rtt),
    )
    .seconds()
    .labels(&[PEER]),
    MetricDef::counter(
        "netwhy_tcp_segments_sent_total",
        "Data segments sent, retransmissions included.",
        Subject(|row, _, out| if row.tcp { out.counter(&[], row.sums.data_segs_out) } else { Ok(()) }),
    ),
    MetricDef::counter(
        "netwhy_tcp_retransmitted_segments_total",
        "Retransmitted segments (segments, not calls). Type spurious is a subset of the others: do not add it to them.",
        Subject(emit::retransmits),
    )
    .labels(&[label("type", "fast, timeout, tail_loss_probe, syn, synack, spurious, unclassified")]),
    MetricDef::counter(
        "netwhy_tcp_loss_episodes_total",
        "Bursts of retransmission, at most one per smoothed round-trip time and socket; needless ones (type spurious) are among them.",
        Subject(emit::loss_episodes),
    )
    .labels(&[PEER]),
    MetricDef::histogram("netwhy_tcp_connect_seconds", "Handshake durations.", Subject(emit::connect_durations))
        .seconds()
        .labels(&[ROLE]),
    MetricDef::counter("netwhy_tcp_connects_total", "Completed handshakes.", Subject(emit::connects)).labels(&[ROLE]),
    MetricDef::counter(
        "netwhy_tcp_connect_failures_total",
        "Connection attempts that failed.",
        Subject(emit::connect_failures),
    )
    .labels(&[label("reason", "refused, reset, timed_out, host_unreachable, net_unreachable, other, no_local_port")]),
    MetricDef::counter("netwhy_tcp_resets_total", "Resets on the subject's sockets.", Subject(emit::resets))
        .labels(&[DIRECTION]),
    MetricDef::counter(
        "netwhy_tcp_accept_queue_overflows_total",
        "Connections that a listener's full accept queue turned away.",
        Subject(emit::accept_queue_overflows),
    ),
    MetricDef::counter(
        "netwhy_tcp_limited_seconds_total",
        "Time that sockets with data to send were held back, by what. The sum is the busy time.",
        Subject(emit::limited),
    )
    .seconds()
    .labels(&[label("by", "receiver, send_buffer, network")]),
    MetricDef::counter(
        "netwhy_tcp_bytes_total",
        "Payload bytes: sent and acknowledged by the peer, or received.",
        Subject(emit::bytes),
    )
    .bytes()
    .labels(&[DIRECTION]),
    MetricDef::counter(
        "netwhy_tcp_zero_window_observations_total",
        "Walks over the live sockets that found a peer's receive window closed with data waiting, per socket. Absent until one did.",
        Subject(|row, _, out| if row.sums.zero_window > 0 { out.counter(&[], row.sums.zero_window) } else { Ok(()) }),
    ),
    MetricDef::histogram(
        "netwhy_dns_lookup_seconds",
        "Answered DNS lookups over UDP, from the first query to the last reply. Absent until one ended.",
        Subject(emit::lookup_durations),
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_dns_lookups_total",
        "DNS lookups over UDP that ended, with or without every answer that was waited for. Absent until one did.",
        Subject(emit::lookups),
    )
    .labels(&[label("result", "answered, unanswered")]),
    MetricDef::histogram(
        "netwhy_runqueue_seconds",
        "Waits of tasks from runnable to running, one each time that a task ran, while the scheduler was looked at: by default one second in ten under CPU pressure (signals.run_queue). Absent until then.",
        Subject(emit::run_queue),
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_cpu_throttled_seconds_total",
        "Time throttled by CFS bandwidth control. Absent without a CPU limit.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| micros(out, &[], c.throttled_us))),
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_cpu_throttled_periods_total",
        "Enforcement periods in which the subject was throttled. Absent without a CPU limit.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| out.counter(&[], c.throttled_periods))),
    ),
    MetricDef::counter(
        "netwhy_cpu_periods_total",
        "Enforcement periods of CFS bandwidth control. Absent without a CPU limit.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| out.counter(&[], c.periods))),
    ),
    MetricDef::counter(
        "netwhy_pressure_seconds_total",
        "Time that some or all tasks waited for a resource (PSI).",
        Subject(emit::pressure),
    )
    .seconds()
    .labels(&[label("resource", "cpu, memory, io"), label("kind", "some, full")]),
    MetricDef::counter(
        "netwhy_oom_kills_total",
        "Processes killed for memory. Absent without a memory controller.",
        Subject(|row, _, out| row.view.oom_kills.map_or(Ok(()), |n| out.counter(&[], n))),
    ),
    MetricDef::counter(
        "netwhy_packet_drops_total",
        "Packets dropped on the subject's sockets.",
        Subject(emit::packet_drops),
    )
    .labels(&[label("reason", "the running kernel's drop reasons, about 120; only those seen")]),
];

fn micros(out: &mut Out<'_, '_>, labels: &[(&'static str, &str)], us: u64) -> std::fmt::Result {
    out.counter_f64(labels, us as f64 / 1e6)
}
