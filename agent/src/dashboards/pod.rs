//! One Pod, or the Pods of one workload.

use super::{Board, Error, Panel, Scope, Unit, query::ratio};

const POD: Scope = Scope(&["cluster", "namespace", "workload", "pod"]);

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-pod",
        title: "netwhy / Pod",
        about: "Why is this Pod, or this workload, slow",
        scope: POD,
        rows: vec![
            ("Hints", vec![hints()?]),
            ("Round-trip times", vec![rtt()?, min_rtt()?, heat_map()?, samples()?]),
            ("Loss", vec![retransmits()?, episodes()?, ratios()?, drops()?]),
            ("Connections", vec![handshakes()?, connects()?, failures()?, resets()?, overflows()?]),
            ("Names", vec![lookup_times()?, lookups()?]),
            ("What holds it back", vec![limited()?, bytes()?, windows()?]),
            ("CPU and memory", vec![throttled()?, throttled_time()?, pressure()?, run_queue()?, kills()?]),
        ],
    })
}

fn hints() -> Result<Panel, Error> {
    let hints =
        POD.of("netwhy_hint", &[])?.value("max", &["node", "namespace", "pod", "cause", "blame_kind", "blame"])?;
    let panel = Panel::table("Firing hints", Unit::Share).query(hints, "confidence").runbook("NetwhyPodHint").wide();
    Ok(panel.lead("cause", "What it means", "docs/hints.md#${__value.raw}"))
}

fn rtt() -> Result<Panel, Error> {
    let rtt = POD.of("netwhy_tcp_rtt_seconds", &[])?;
    Ok(Panel::lines("RTT", Unit::Seconds)
        .about("The path, the queues on it and, on request/response traffic, the peer's think time.")
        .query(rtt.quantile(0.5, &["peer"])?, "p50 {{peer}}")
        .query(rtt.quantile(0.99, &["peer"])?, "p99 {{peer}}")
        .limits(0.02, 0.2)
        .runbook("NetwhyWorkloadRttHigh"))
}

fn min_rtt() -> Result<Panel, Error> {
    Ok(Panel::lines("Lowest RTT: the path without think time", Unit::Seconds)
        .query(POD.of("netwhy_tcp_min_rtt_seconds", &[])?.value("min", &["peer"])?, "{{peer}}"))
}

fn heat_map() -> Result<Panel, Error> {
    Ok(Panel::heat_map("RTT samples").query(POD.of("netwhy_tcp_rtt_seconds", &[])?.buckets()?, "{{le}}"))
}

fn samples() -> Result<Panel, Error> {
    let samples = POD.of("netwhy_tcp_rtt_seconds", &[])?.samples(&["peer"])?;
    Ok(Panel::lines("RTT samples per second", Unit::PerSecond).query(samples, "{{peer}}"))
}

fn retransmits() -> Result<Panel, Error> {
    let again = POD.of("netwhy_tcp_retransmitted_segments_total", &[])?.rate(&["type"])?;
    let panel = Panel::lines("Retransmitted segments", Unit::PerSecond).query(again, "{{type}}");
    Ok(panel.about("spurious is a subset of the others.").runbook("NetwhyPodPacketLoss"))
}

fn episodes() -> Result<Panel, Error> {
    let episodes = POD.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&["peer"])?;
    let panel = Panel::lines("Loss episodes", Unit::PerSecond).query(episodes, "{{peer}}");
    Ok(panel.about("Bursts of retransmission: what loss is judged by.").runbook("NetwhyPodPacketLoss"))
}

fn ratios() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let episodes = POD.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = POD.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::lines("Loss episodes per segment", Unit::Share)
        .query(ratio(&episodes, &segments, 1.0), "{{namespace}}/{{pod}}")
        .limits(0.002, 0.005)
        .runbook("NetwhyPodPacketLoss"))
}

fn drops() -> Result<Panel, Error> {
    Ok(Panel::lines("Packets dropped on its sockets", Unit::PerSecond)
        .query(POD.of("netwhy_packet_drops_total", &[])?.rate(&["reason"])?, "{{reason}}"))
}

fn handshakes() -> Result<Panel, Error> {
    let durations = POD.of("netwhy_tcp_connect_seconds", &[])?;
    Ok(Panel::lines("Handshake duration", Unit::Seconds)
        .about("Above 1 s a SYN was sent again.")
        .query(durations.quantile(0.5, &["role"])?, "p50 {{role}}")
        .query(durations.quantile(0.99, &["role"])?, "p99 {{role}}")
        .limits(0.5, 1.0))
}

fn connects() -> Result<Panel, Error> {
    Ok(Panel::lines("Completed handshakes", Unit::PerSecond)
        .query(POD.of("netwhy_tcp_connects_total", &[])?.rate(&["role"])?, "{{role}}"))
}

fn failures() -> Result<Panel, Error> {
    let failures = POD.of("netwhy_tcp_connect_failures_total", &[])?.rate(&["reason"])?;
    Ok(Panel::lines("Failed attempts to connect", Unit::PerSecond)
        .query(failures, "{{reason}}")
        .runbook("NetwhyPodConnectFailures"))
}

fn resets() -> Result<Panel, Error> {
    Ok(Panel::lines("Resets", Unit::PerSecond)
        .query(POD.of("netwhy_tcp_resets_total", &[])?.rate(&["direction"])?, "{{direction}}"))
}

fn overflows() -> Result<Panel, Error> {
    let overflows = POD.of("netwhy_tcp_accept_queue_overflows_total", &[])?.rate(&["namespace", "pod"])?;
    let panel = Panel::lines("Connections that a full accept queue turned away", Unit::PerSecond);
    Ok(panel.query(overflows, "{{namespace}}/{{pod}}").runbook("NetwhyPodAcceptQueueFull"))
}

fn lookup_times() -> Result<Panel, Error> {
    let durations = POD.of("netwhy_dns_lookup_seconds", &[])?;
    Ok(Panel::lines("DNS lookup duration", Unit::Seconds)
        .about("From the first query to the last answer. Empty unless the agents may look at DNS (dnsLookups of the chart).")
        .query(durations.quantile(0.5, &["pod"])?, "p50 {{pod}}")
        .query(durations.quantile(0.99, &["pod"])?, "p99 {{pod}}")
        .limits(0.1, 1.0))
}

fn run_queue() -> Result<Panel, Error> {
    let waits = POD.of("netwhy_runqueue_seconds", &[])?;
    Ok(Panel::lines("Waits for a CPU", Unit::Seconds)
        .about("From runnable to running. By default only looked at under CPU pressure: gaps are times without.")
        .query(waits.quantile(0.5, &["pod"])?, "p50 {{pod}}")
        .query(waits.quantile(0.99, &["pod"])?, "p99 {{pod}}"))
}

fn lookups() -> Result<Panel, Error> {
    Ok(Panel::lines("DNS lookups", Unit::PerSecond)
        .query(POD.of("netwhy_dns_lookups_total", &[])?.rate(&["result"])?, "{{result}}"))
}

fn limited() -> Result<Panel, Error> {
    let limited = POD.of("netwhy_tcp_limited_seconds_total", &[])?;
    let share = ratio(&limited.rate(&["by"])?, &format!("ignoring (by) group_left () {}", limited.rate(&[])?), 0.0);
    // The vector matching stands between the operator and its right side.
    let share = share.replace("/ (ignoring (by) group_left () ", "/ ignoring (by) group_left () (");
    Ok(Panel::lines("What held busy sockets back, share of the busy time", Unit::Share)
        .about("receiver: the peer reads slowly. send_buffer: its own buffer is small. network: the path.")
        .query(share, "{{by}}"))
}

fn bytes() -> Result<Panel, Error> {
    Ok(Panel::lines("Payload", Unit::BytesPerSecond)
        .query(POD.of("netwhy_tcp_bytes_total", &[])?.rate(&["direction"])?, "{{direction}}"))
}

fn windows() -> Result<Panel, Error> {
    Ok(Panel::lines("Closed receive windows of peers, seen by walks", Unit::PerSecond).query(
        POD.of("netwhy_tcp_zero_window_observations_total", &[])?.rate(&["namespace", "pod"])?,
        "{{namespace}}/{{pod}}",
    ))
}

fn throttled() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let throttled = POD.of("netwhy_cpu_throttled_periods_total", &[])?.rate(&by)?;
    let periods = POD.of("netwhy_cpu_periods_total", &[])?.rate(&by)?;
    Ok(Panel::lines("CPU periods in which it was stopped", Unit::Share)
        .query(ratio(&throttled, &periods, 0.0), "{{namespace}}/{{pod}}")
        .limits(0.1, 0.25)
        .runbook("NetwhyPodCpuThrottled"))
}

fn throttled_time() -> Result<Panel, Error> {
    let time = POD.of("netwhy_cpu_throttled_seconds_total", &[])?.rate(&["namespace", "pod"])?;
    Ok(Panel::lines("Time stopped per second", Unit::Seconds).query(time, "{{namespace}}/{{pod}}"))
}

fn pressure() -> Result<Panel, Error> {
    let pressure = POD.of("netwhy_pressure_seconds_total", &[])?.rate(&["resource", "kind"])?;
    Ok(Panel::lines("Pressure: share of the time in which tasks waited", Unit::Share)
        .query(pressure, "{{resource}} {{kind}}"))
}

fn kills() -> Result<Panel, Error> {
    let kills = POD.of("netwhy_oom_kills_total", &[])?.increase(&["namespace", "pod"])?;
    Ok(Panel::lines("Processes killed for memory", Unit::Count)
        .query(kills, "{{namespace}}/{{pod}}")
        .runbook("NetwhyPodOomKilled"))
}
