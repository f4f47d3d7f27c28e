//! One Pod, or all Pods of one workload.

use super::{Board, Error, Panel, Row, Scope, Unit, query::ratio};
use crate::hints::queries;

const POD: Scope = Scope(&["cluster", "namespace", "workload", "pod"]);

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-pod",
        title: "netwhy / Pod",
        description: "Why is this Pod or workload slow",
        scope: POD,
        rows: vec![
            Row::open("Hints", vec![hints()?]),
            Row::open("Network path", vec![rtt()?, min_rtt()?, loss_ratio()?, retransmits()?]),
            Row::open("Connections", vec![failures()?, handshakes()?, overflows()?, lookup_times()?]),
            Row::open("Resources and limits", vec![limited()?, throttled()?, pressure()?, oom_kills()?]),
            Row::collapsed(
                "Response times",
                vec![response_times()?, unanswered()?, time_as("server")?, time_as("client")?],
            ),
            Row::collapsed("HTTP requests", vec![call_rate()?, call_times()?, failed_calls()?, readable()?]),
            Row::collapsed("Calls over gRPC", vec![grpc_times()?, failed_grpc()?, grpc_codes()?, untimed_grpc()?]),
            Row::collapsed("RTT and loss details", vec![heat_map()?, samples()?, smoothed()?, episodes()?, drops()?]),
            Row::collapsed(
                "Connection details",
                vec![connects()?, untimed()?, resets()?, cuts()?, listen_drops()?, lookups()?, queue_use()?],
            ),
            Row::collapsed("Traffic and CPU details", vec![bytes()?, zero_windows()?, throttled_time()?, run_queue()?]),
        ],
    })
}

fn hints() -> Result<Panel, Error> {
    let hints =
        POD.of("netwhy_hint", &[])?.value("max", &["node", "namespace", "pod", "cause", "blame_kind", "blame"])?;
    let panel = Panel::table("Firing hints", Unit::Share).query(hints, "confidence").runbook("NetwhyPodHint").wide();
    Ok(panel.column_link("cause", "Explanation", "docs/hints.md#${__value.raw}"))
}

fn rtt() -> Result<Panel, Error> {
    let rtt = POD.of("netwhy_tcp_rtt_seconds", &[])?;
    Ok(Panel::lines("RTT", Unit::Seconds)
        .description("Path, queues and, with request/response traffic, the peer's reply time.")
        .query(rtt.quantile(0.5, &["peer"])?, "p50 {{peer}}")
        .query(rtt.quantile(0.99, &["peer"])?, "p99 {{peer}}")
        .thresholds(0.02, 0.2)
        .runbook("NetwhyWorkloadRttHigh"))
}

fn min_rtt() -> Result<Panel, Error> {
    Ok(Panel::lines("Minimum RTT", Unit::Seconds)
        .description("The path without the peer's reply time.")
        .query(POD.of("netwhy_tcp_min_rtt_seconds", &[])?.value("min", &["peer"])?, "{{peer}}"))
}

fn heat_map() -> Result<Panel, Error> {
    Ok(Panel::heat_map("RTT samples").query(POD.of("netwhy_tcp_rtt_seconds", &[])?.buckets()?, "{{le}}"))
}

fn samples() -> Result<Panel, Error> {
    let samples = POD.of("netwhy_tcp_rtt_seconds", &[])?.samples(&["peer"])?;
    Ok(Panel::lines("RTT sample rate", Unit::PerSecond).query(samples, "{{peer}}"))
}

fn smoothed() -> Result<Panel, Error> {
    let smoothed = POD.of("netwhy_tcp_smoothed_rtt_samples_total", &[])?.rate(&["namespace", "pod"])?;
    Ok(Panel::lines("Smoothed RTT samples", Unit::PerSecond).query(smoothed, "{{namespace}}/{{pod}}"))
}

fn retransmits() -> Result<Panel, Error> {
    let again = POD.of("netwhy_tcp_retransmitted_segments_total", &[])?.rate(&["type"])?;
    let panel = Panel::lines("Retransmitted segments", Unit::PerSecond).query(again, "{{type}}");
    Ok(panel.description("`spurious` is a subset of the other types.").runbook("NetwhyPodPacketLoss"))
}

fn episodes() -> Result<Panel, Error> {
    let episodes = POD.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&["peer"])?;
    let panel = Panel::lines("Loss episodes", Unit::PerSecond).query(episodes, "{{peer}}");
    Ok(panel.description("Bursts of retransmissions, by which hints judge loss.").runbook("NetwhyPodPacketLoss"))
}

fn loss_ratio() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let episodes = POD.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = POD.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::lines("Loss episode ratio", Unit::Share)
        .description("Loss episodes per segment sent.")
        .query(ratio(&episodes, &segments, 1.0), "{{namespace}}/{{pod}}")
        .thresholds(0.002, 0.005)
        .runbook("NetwhyPodPacketLoss"))
}

fn drops() -> Result<Panel, Error> {
    Ok(Panel::lines("Socket packet drops", Unit::PerSecond)
        .query(POD.of("netwhy_packet_drops_total", &[])?.rate(&["reason"])?, "{{reason}}"))
}

fn handshakes() -> Result<Panel, Error> {
    let durations = POD.of("netwhy_tcp_connect_seconds", &[])?;
    Ok(Panel::lines("Handshake duration", Unit::Seconds)
        .description("A handshake above 1 s had a retransmitted SYN.")
        .query(durations.quantile(0.5, &["role"])?, "p50 {{role}}")
        .query(durations.quantile(0.99, &["role"])?, "p99 {{role}}")
        .thresholds(0.5, 1.0))
}

fn connects() -> Result<Panel, Error> {
    Ok(Panel::lines("Completed handshakes", Unit::PerSecond)
        .query(POD.of("netwhy_tcp_connects_total", &[])?.rate(&["role"])?, "{{role}}"))
}

fn failures() -> Result<Panel, Error> {
    let failures = POD.of("netwhy_tcp_connect_failures_total", &[])?.rate(&["reason"])?;
    Ok(Panel::lines("Failed connects", Unit::PerSecond)
        .query(failures, "{{reason}}")
        .runbook("NetwhyPodConnectFailures"))
}

fn resets() -> Result<Panel, Error> {
    Ok(Panel::lines("Resets", Unit::PerSecond)
        .query(POD.of("netwhy_tcp_resets_total", &[])?.rate(&["direction"])?, "{{direction}}"))
}

fn cuts() -> Result<Panel, Error> {
    Ok(Panel::lines("Connections reset", Unit::PerSecond)
        .query(POD.of("netwhy_tcp_connections_cut_total", &[])?.rate(&["state"])?, "{{state}}"))
}

fn listen_drops() -> Result<Panel, Error> {
    let drops = POD.of("netwhy_tcp_listen_drops_total", &[])?.rate(&["reason"])?;
    Ok(Panel::lines("Other listener drops", Unit::PerSecond).query(drops, "{{reason}}"))
}

fn untimed() -> Result<Panel, Error> {
    let untimed = POD.of("netwhy_tcp_untimed_handshakes_total", &[])?.rate(&["role"])?;
    Ok(Panel::lines("Handshakes without a duration", Unit::PerSecond).query(untimed, "{{role}}"))
}

fn overflows() -> Result<Panel, Error> {
    let overflows = POD.of("netwhy_tcp_accept_queue_overflows_total", &[])?.rate(&["namespace", "pod"])?;
    let panel = Panel::lines("Accept queue overflows", Unit::PerSecond);
    Ok(panel.query(overflows, "{{namespace}}/{{pod}}").runbook("NetwhyPodAcceptQueueFull"))
}

fn queue_use() -> Result<Panel, Error> {
    let fill = POD.of("netwhy_tcp_accept_queue_fill_ratio", &[])?.value("max", &["namespace", "pod"])?;
    Ok(Panel::lines("Accept queue use", Unit::Share)
        .description("The fullest queue of each Pod, as walks find it. A full one rejects connections.")
        .query(fill, "{{namespace}}/{{pod}}")
        .thresholds(0.5, 0.9)
        .runbook("NetwhyPodAcceptQueueFillsUp"))
}

fn response_times() -> Result<Panel, Error> {
    let times = POD.of("netwhy_tcp_response_seconds", &[])?;
    Ok(Panel::lines("Response time", Unit::Seconds)
        .description("To the answer's first byte. Empty without signals.responses.")
        .query(times.quantile(0.5, &["role"])?, "p50 {{role}}")
        .query(times.quantile(0.99, &["role"])?, "p99 {{role}}"))
}

/// Mean response time of one role, stacked by stage.
fn time_as(role: &str) -> Result<Panel, Error> {
    let role_only = format!("role=\"{role}\"");
    let waits = POD.of("netwhy_tcp_response_wait_seconds_total", &[&role_only])?.rate(&["stage"])?;
    let requests = POD.of("netwhy_tcp_response_seconds", &[&role_only])?.samples(&[])?;
    Ok(Panel::stacked(&format!("Time as {role} by stage"), Unit::Seconds)
        .description("Mean per request. Empty without signals.responses.")
        .query(format!("{waits} / ignoring (stage) group_left () ({requests} > 0)"), "{{stage}}"))
}

fn unanswered() -> Result<Panel, Error> {
    let requests = POD.of("netwhy_tcp_unanswered_requests", &[])?.value("sum", &["role"])?;
    Ok(Panel::lines("Unanswered requests", Unit::Count)
        .description("Requests older than a second. Empty without signals.responses.")
        .query(requests, "{{role}}"))
}

fn call_rate() -> Result<Panel, Error> {
    let calls = POD.of("netwhy_http_requests_estimated_total", &[])?.rate(&["role"])?;
    Ok(Panel::lines("HTTP requests", Unit::PerSecond)
        .description("Clear text only, estimated from a sample. Empty without signals.http.")
        .query(calls, "{{role}}"))
}

fn call_times() -> Result<Panel, Error> {
    let times = POD.of("netwhy_http_request_seconds", &[])?;
    Ok(Panel::lines("HTTP response time p99", Unit::Seconds)
        .query(times.quantile(0.99, &["role", "method", "route"])?, "{{role}} {{method}} {{route}}"))
}

fn failed_calls() -> Result<Panel, Error> {
    let calls = POD.of("netwhy_http_request_seconds", &[])?;
    let failed = POD.of("netwhy_http_request_seconds", &["status=~\"5..\""])?;
    Ok(Panel::lines("HTTP server errors", Unit::Share)
        .description("Share of requests with a status of 500 to 599.")
        .query(ratio(&failed.samples(&["role"])?, &calls.samples(&["role"])?, 0.0), "{{role}}"))
}

fn grpc_times() -> Result<Panel, Error> {
    let times = POD.of("netwhy_grpc_call_seconds", &[])?;
    Ok(Panel::lines("Duration of gRPC calls p99", Unit::Seconds)
        .description("Clear text only, on followed connections. Empty without signals.http.")
        .query(times.quantile(0.99, &["role", "service", "method"])?, "{{role}} {{service}}/{{method}}"))
}

fn failed_grpc() -> Result<Panel, Error> {
    let code = format!("code=~\"{}\"", queries::GRPC_FAILURES);
    let known = POD.of("netwhy_grpc_call_seconds", &["code!~\"trailers_only|undecoded\""])?;
    let failed = POD.of("netwhy_grpc_call_seconds", &[&code])?;
    Ok(Panel::lines("Server errors over gRPC", Unit::Share)
        .description("Share of calls whose code says that the server failed, of those whose code is known.")
        .query(ratio(&failed.samples(&["role"])?, &known.samples(&["role"])?, 0.0), "{{role}}"))
}

fn grpc_codes() -> Result<Panel, Error> {
    let calls = POD.of("netwhy_grpc_call_seconds", &[])?;
    Ok(Panel::lines("Calls over gRPC by code", Unit::PerSecond)
        .description("Of followed connections alone: a part of all calls.")
        .query(calls.samples(&["role", "code"])?, "{{role}} {{code}}"))
}

fn untimed_grpc() -> Result<Panel, Error> {
    let missed = POD.of("netwhy_grpc_calls_missed_total", &[])?.rate(&["role", "code"])?;
    Ok(Panel::lines("Untimed calls over gRPC", Unit::PerSecond)
        .description("Their begin or end could not be read. No other figure of gRPC has them.")
        .query(missed, "{{role}} {{code}}"))
}

fn readable() -> Result<Panel, Error> {
    let readable = POD.of("netwhy_tcp_payload_readable_ratio", &[])?.value("min", &["namespace", "pod"])?;
    Ok(Panel::lines("Readable requests", Unit::Share)
        .description("Share of sampled requests that are clear-text HTTP. No figure here knows the others.")
        .query(readable, "{{namespace}}/{{pod}}"))
}

fn lookup_times() -> Result<Panel, Error> {
    let durations = POD.of("netwhy_dns_lookup_seconds", &[])?;
    Ok(Panel::lines("DNS lookup duration", Unit::Seconds)
        .description("From the first query to the last answer. Empty without the chart's value dnsLookups.")
        .query(durations.quantile(0.5, &["pod"])?, "p50 {{pod}}")
        .query(durations.quantile(0.99, &["pod"])?, "p99 {{pod}}")
        .thresholds(0.1, 1.0))
}

fn run_queue() -> Result<Panel, Error> {
    let waits = POD.of("netwhy_runqueue_seconds", &[])?;
    Ok(Panel::lines("Run queue latency", Unit::Seconds)
        .description("Wait from runnable to running. By default measured only under CPU pressure, so gaps are normal.")
        .query(waits.quantile(0.5, &["pod"])?, "p50 {{pod}}")
        .query(waits.quantile(0.99, &["pod"])?, "p99 {{pod}}"))
}

fn lookups() -> Result<Panel, Error> {
    Ok(Panel::lines("DNS lookups", Unit::PerSecond)
        .query(POD.of("netwhy_dns_lookups_total", &[])?.rate(&["result", "code"])?, "{{result}} {{code}}")
        .query(POD.of("netwhy_dns_second_answers_missing_total", &[])?.rate(&[])?, "second answer missing"))
}

fn limited() -> Result<Panel, Error> {
    let limited = POD.of("netwhy_tcp_limited_seconds_total", &[])?;
    let share = ratio(&limited.rate(&["by"])?, &format!("ignoring (by) group_left () {}", limited.rate(&[])?), 0.0);
    // PromQL wants the vector matching between the operator and the right side.
    let share = share.replace("/ (ignoring (by) group_left () ", "/ ignoring (by) group_left () (");
    Ok(Panel::lines("Send limits", Unit::Share)
        .description("Share of busy time. receiver: slow peer. send_buffer: small buffer of the Pod. network: path.")
        .query(share, "{{by}}"))
}

fn bytes() -> Result<Panel, Error> {
    Ok(Panel::lines("Payload", Unit::BytesPerSecond)
        .query(POD.of("netwhy_tcp_bytes_total", &[])?.rate(&["direction"])?, "{{direction}}"))
}

fn zero_windows() -> Result<Panel, Error> {
    Ok(Panel::lines("Zero windows of peers", Unit::PerSecond).query(
        POD.of("netwhy_tcp_zero_window_observations_total", &[])?.rate(&["namespace", "pod"])?,
        "{{namespace}}/{{pod}}",
    ))
}

fn throttled() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let throttled = POD.of("netwhy_cpu_throttled_periods_total", &[])?.rate(&by)?;
    let periods = POD.of("netwhy_cpu_periods_total", &[])?.rate(&by)?;
    Ok(Panel::lines("Throttled CPU periods", Unit::Share)
        .query(ratio(&throttled, &periods, 0.0), "{{namespace}}/{{pod}}")
        .thresholds(0.1, 0.25)
        .runbook("NetwhyPodCpuThrottled"))
}

fn throttled_time() -> Result<Panel, Error> {
    let time = POD.of("netwhy_cpu_throttled_seconds_total", &[])?.rate(&["namespace", "pod"])?;
    Ok(Panel::lines("Throttled time", Unit::Seconds).query(time, "{{namespace}}/{{pod}}"))
}

fn pressure() -> Result<Panel, Error> {
    let pressure = POD.of("netwhy_pressure_seconds_total", &[])?.rate(&["resource", "kind"])?;
    Ok(Panel::lines("Pressure", Unit::Share)
        .description("Share of time in which some or all tasks waited for a resource (PSI).")
        .query(pressure, "{{resource}} {{kind}}"))
}

fn oom_kills() -> Result<Panel, Error> {
    let kills = POD.of("netwhy_oom_kills_total", &[])?.increase(&["namespace", "pod"])?;
    Ok(Panel::lines("OOM kills", Unit::Count).query(kills, "{{namespace}}/{{pod}}").runbook("NetwhyPodOomKilled"))
}
