//! Metrics of a subject: a Pod, or a systemd unit or container without Kubernetes.

use crate::metrics::{
    definition::{LabelDef, MetricDef, Rows::Subject, label},
    emit,
    out::Out,
};

const PEER: LabelDef = label("peer", "same_node, same_zone, cross_zone, in_cluster, external");
const ROLE: LabelDef = label("role", "client, server");
const DIRECTION: LabelDef = label("direction", "sent, received");

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::histogram(
        "netwhy_tcp_rtt_seconds",
        "Round-trip times measured by the kernel's TCP.",
        Subject(emit::rtt),
    )
    .seconds()
    .labels(&[PEER]),
    MetricDef::counter(
        "netwhy_tcp_smoothed_rtt_samples_total",
        "RTT samples that are smoothed, because the peer does not use SACK.",
        Subject(emit::smoothed_rtts),
    )
    .details("They are part of `netwhy_tcp_rtt_seconds`, and never of the minimum."),
    MetricDef::gauge("netwhy_tcp_min_rtt_seconds", "Lowest RTT of the last window.", Subject(emit::min_rtt))
        .details("It describes the path, without the peer's reply time.")
        .seconds()
        .labels(&[PEER]),
    MetricDef::counter(
        "netwhy_tcp_segments_sent_total",
        "Data segments sent, including retransmissions.",
        Subject(|row, _, out| if row.tcp { out.counter(&[], row.total.data_segs_out) } else { Ok(()) }),
    ),
    MetricDef::counter(
        "netwhy_tcp_retransmitted_segments_total",
        "Retransmitted segments, by type.",
        Subject(emit::retransmits),
    )
    .details("Type `spurious` is a subset of the other types: do not add it to them.")
    .labels(&[label("type", "fast, timeout, tail_loss_probe, syn, synack, spurious, unclassified")]),
    MetricDef::counter(
        "netwhy_tcp_loss_episodes_total",
        "Bursts of retransmissions: at most one per smoothed RTT and socket.",
        Subject(emit::loss_episodes),
    )
    .details("Spurious retransmissions are included.")
    .labels(&[PEER]),
    MetricDef::histogram("netwhy_tcp_connect_seconds", "Handshake durations.", Subject(emit::connect_durations))
        .seconds()
        .labels(&[ROLE]),
    MetricDef::counter(
        "netwhy_tcp_untimed_handshakes_total",
        "Completed handshakes whose duration the kernel does not know.",
        Subject(emit::untimed_handshakes),
    )
    .details("SYN cookies, listeners with TCP_DEFER_ACCEPT, and some retransmitted handshakes.")
    .labels(&[ROLE]),
    MetricDef::counter("netwhy_tcp_connects_total", "Completed handshakes.", Subject(emit::connects)).labels(&[ROLE]),
    MetricDef::counter(
        "netwhy_tcp_connect_failures_total",
        "Failed connection attempts.",
        Subject(emit::connect_failures),
    )
    .details(
        "`host_unreachable`: answered by an ICMP error, as some filters do. `given_up`: closed by its owner after 50 ms \
         or more without an answer, before the first SYN was resent. `raced`: the same, because an attempt to another \
         address won; harmless.",
    )
    .labels(&[label(
        "reason",
        "refused, reset, timed_out, host_unreachable, net_unreachable, other, no_local_port, given_up, raced",
    )]),
    MetricDef::counter("netwhy_tcp_resets_total", "Resets on the subject's sockets.", Subject(emit::resets))
        .labels(&[DIRECTION]),
    MetricDef::counter(
        "netwhy_tcp_connections_cut_total",
        "Established connections that the other end reset.",
        Subject(emit::cuts),
    )
    .details(
        "`busy`: data was not acknowledged yet, or the last data sent had no answer. `idle`: neither, or the other end had \
         closed before. Absent until the first reset.",
    )
    .labels(&[label("state", "idle, busy")]),
    MetricDef::counter(
        "netwhy_tcp_accept_queue_overflows_total",
        "Connections rejected because a listener's accept queue was full.",
        Subject(emit::accept_queue_overflows),
    ),
    MetricDef::gauge(
        "netwhy_tcp_accept_queue_fill_ratio",
        "Use of the fullest accept queue, 0 to 1.",
        Subject(emit::accept_queue_fill),
    )
    .details("As the newest walk found it. At 1 the kernel rejects the next connection. Absent for what never accepted one."),
    MetricDef::counter(
        "netwhy_tcp_listen_drops_total",
        "Packets that listeners dropped, except for a full accept queue.",
        Subject(emit::listen_drops),
    )
    .details("`deferred` drops are harmless: the ACK without data that TCP_DEFER_ACCEPT ignores.")
    .labels(&[label("reason", "syn_queue_full, deferred, aborted")]),
    MetricDef::counter(
        "netwhy_tcp_limited_seconds_total",
        "Time that sockets with data to send were limited, by limiting factor.",
        Subject(emit::limited),
    )
    .details("The sum over `by` is the busy time.")
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
        "Sockets that a walk found blocked by a closed receive window of the peer.",
        Subject(|row, _, out| if row.total.zero_window > 0 { out.counter(&[], row.total.zero_window) } else { Ok(()) }),
    )
    .details("Each walk counts such a socket once, if data waits to be sent. Absent until the first observation."),
    MetricDef::histogram(
        "netwhy_tcp_response_seconds",
        "Response times of requests, to the answer's first byte.",
        Subject(emit::responses),
    )
    .details(
        "A client's time begins when the request's first byte is sent, a server's when it is received. A request that \
         ends after a second or more without an answer counts above the last bound, and with its age in the sum. \
         Requests that overlap on one connection count as one. Absent without `signals.responses`.",
    )
    .seconds()
    .labels(&[ROLE, PEER]),
    MetricDef::counter(
        "netwhy_tcp_response_wait_seconds_total",
        "Response times of requests, by stage.",
        Subject(emit::response_waits),
    )
    .details(
        "The stages of a role add up to the sum of `netwhy_tcp_response_seconds`, apart from `handshake`, which comes \
         before. `network`: the path's minimum RTT. `retransmission`: the client sent its request again. `peer`: the \
         rest of a client's time. `unread`: the server's application had not begun to read; a connection that waits \
         to be accepted is unread. `application`: the rest of a server's time. On busy Nodes these two are estimates. \
         Absent without `signals.responses`.",
    )
    .seconds()
    .labels(&[ROLE, label("stage", "handshake, network, retransmission, unread, application, peer")]),
    MetricDef::gauge(
        "netwhy_tcp_unanswered_requests",
        "Requests that wait for an answer for a second or more.",
        Subject(emit::unanswered),
    )
    .details(
        "As the newest walk found them. Counted on edges where requests were answered before. Absent without \
         `signals.responses`.",
    )
    .labels(&[ROLE]),
    MetricDef::histogram(
        "netwhy_http_request_seconds",
        "Response times of clear-text HTTP requests, estimated from a sample.",
        Subject(emit::calls),
    )
    .details(
        "Measured as `netwhy_tcp_response_seconds`. Each sampled request of HTTP/1 stands for the requests of its \
         connections that were not sampled; of HTTP/2 only requests on followed connections count, each once, without \
         those of gRPC. In a route, identifiers are `:id`; a path that the server does not know is no route. Absent \
         without `signals.http`.",
    )
    .seconds()
    .labels(&[
        ROLE,
        label("method", "CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE, unknown, ~other"),
        label("route", "16 per subject and role, ~other; unknown if it could not be decoded"),
        label("status", "48 combinations of method, route and status per subject; of the others 1xx, …, 9xx; unknown"),
    ]),
    MetricDef::histogram(
        "netwhy_grpc_call_seconds",
        "Durations of clear-text gRPC calls on followed connections.",
        Subject(emit::grpc_calls),
    )
    .details(
        "From the request's first byte to the end of the answer, or to the reset of the call. Calls of connections that \
         are not followed (`sampling.grpc`) are not counted, so shares and durations are right, and rates are not. \
         `netwhy_grpc_calls_missed_total` has those of which a part was missed. \
         `unknown`: the name could not be decoded, because the connection was joined late or a segment was missed. \
         `undecoded`: the same of the code. `trailers_only`: the same, and the answer has no data, as those of most \
         failed calls. A call that its client gives up is `CANCELLED`. Absent without `signals.http`.",
    )
    .seconds()
    .labels(&[
        ROLE,
        label("service", "with `method`, 16 pairs per subject and role, ~other; :id, unknown"),
        label("method", "as `service`"),
        label("code", "gRPC's 17 codes, trailers_only, undecoded; of the 48 combinations of `netwhy_http_request_seconds`"),
    ]),
    MetricDef::counter(
        "netwhy_grpc_calls_missed_total",
        "gRPC calls on followed connections whose begin or end could not be read.",
        Subject(emit::missed_grpc_calls),
    )
    .details(
        "They have no duration, so they are not in `netwhy_grpc_call_seconds`. Both together are all calls of followed \
         connections. A client sees all answers, so it knows the codes. A server sees all requests: it counts a call \
         whose end it missed 10 s later, as `undecoded`. Absent until the first one.",
    )
    .labels(&[ROLE, label("code", "as `netwhy_grpc_call_seconds`")]),
    MetricDef::counter(
        "netwhy_http_requests_estimated_total",
        "Clear-text HTTP requests, estimated from a sample.",
        Subject(emit::estimated_calls),
    )
    .details("Pipelined requests count as one. Of HTTP/2, requests on followed connections alone count. Absent without \
         `signals.http`.")
    .labels(&[ROLE]),
    MetricDef::gauge(
        "netwhy_tcp_payload_readable_ratio",
        "Share of sampled requests that are clear-text HTTP, since the agent's start.",
        Subject(emit::readable_ratio),
    )
    .details("The rest is encrypted or of another protocol, and no `netwhy_http_*` or `netwhy_grpc_*` metric knows it. Absent without `signals.http`."),
    MetricDef::histogram(
        "netwhy_dns_lookup_seconds",
        "Answered DNS lookups over UDP, from first query to last reply.",
        Subject(emit::lookup_durations),
    )
    .details("Absent until the first answered lookup.")
    .seconds(),
    MetricDef::counter("netwhy_dns_lookups_total", "Finished DNS lookups over UDP.", Subject(emit::lookups))
        .details(
            "`answered`: every awaited reply arrived. `code` is that of the worst answer, and empty where it was not \
             seen. Absent until the first finished lookup.",
        )
        .labels(&[
            label("result", "answered, unanswered"),
            label("code", "noerror, nxdomain, refused, servfail, other, empty"),
        ]),
    MetricDef::counter(
        "netwhy_dns_second_answers_missing_total",
        "DNS lookups whose second answer came a second or more later, or never.",
        Subject(emit::second_answers),
    )
    .details("Such as the AAAA answer after the A answer. Absent until the first such lookup."),
    MetricDef::histogram(
        "netwhy_runqueue_seconds",
        "Wait of tasks from runnable to running.",
        Subject(emit::run_queue),
    )
    .details(
        "Measured while the run queue probe is attached: by default one second in ten under CPU pressure \
         (`signals.run_queue`). Absent until then.",
    )
    .seconds(),
    MetricDef::counter(
        "netwhy_cpu_throttled_seconds_total",
        "Time throttled by CFS bandwidth control.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| micros(out, &[], c.throttled_us))),
    )
    .details("Absent without a CPU limit.")
    .seconds(),
    MetricDef::counter(
        "netwhy_cpu_throttled_periods_total",
        "Enforcement periods in which the subject was throttled.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| out.counter(&[], c.throttled_periods))),
    )
    .details("Absent without a CPU limit."),
    MetricDef::counter(
        "netwhy_cpu_periods_total",
        "Enforcement periods of CFS bandwidth control.",
        Subject(|row, _, out| row.cpu().map_or(Ok(()), |c| out.counter(&[], c.periods))),
    )
    .details("Absent without a CPU limit."),
    MetricDef::counter(
        "netwhy_pressure_seconds_total",
        "Time that some or all tasks waited for a resource (PSI).",
        Subject(emit::pressure),
    )
    .seconds()
    .labels(&[label("resource", "cpu, memory, io"), label("kind", "some, full")]),
    MetricDef::counter(
        "netwhy_oom_kills_total",
        "Processes killed for lack of memory.",
        Subject(|row, _, out| row.view.oom_kills.map_or(Ok(()), |n| out.counter(&[], n))),
    )
    .details("Absent without a memory controller."),
    MetricDef::counter(
        "netwhy_packet_drops_total",
        "Packets dropped on the subject's sockets.",
        Subject(emit::packet_drops),
    )
    .labels(&[label("reason", "the running kernel's drop reasons, about 120; only reasons that occurred")]),
];

fn micros(out: &mut Out<'_, '_>, labels: &[(&'static str, &str)], us: u64) -> std::fmt::Result {
    out.counter_f64(labels, us as f64 / 1e6)
}
