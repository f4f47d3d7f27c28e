//! One Node: its edges to other Nodes, its Pods, its host signals.

use super::{Board, Error, Panel, Row, Scope, Unit, query::ratio, standard::legend};

const NODE: Scope = Scope(&["cluster", "node"]);
/// All Nodes: for the other Nodes' view of this one.
const OTHERS: Scope = Scope(&["cluster"]);
const TOWARDS: &str = "peer_node=~\"$node\"";
const TO_POD: &str = concat!(
    "/d/netwhy-pod?var-namespace=${__data.fields.namespace}&var-pod=${__data.fields.pod}",
    "&${datasource:queryparam}&${__url_time_range}",
);
const EDGE: [&str; 2] = ["node", "peer_node"];
const EDGE_LEGEND: &str = "{{node}} → {{peer_node}}";

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-node",
        title: "netwhy / Node",
        description: "Is this Node at fault",
        scope: NODE,
        rows: vec![
            Row::open("Hints", vec![hints()?]),
            Row::open("Edges to other Nodes", vec![loss()?, loss_towards()?, rtt()?, rtt_towards()?]),
            Row::open("Worst Pods", vec![lossiest_pods()?, slowest_pods()?]),
            Row::open("Host signals", host_signals()?),
            Row::collapsed("Edge details", edge_details()?),
            Row::collapsed("CPU and receive backlog", cpu()?),
            Row::collapsed("Interface details", interfaces()?),
            Row::collapsed("Connection tracking and TCP", transport()?),
        ],
    })
}

fn host_signals() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Pressure", "netwhy_node_pressure_seconds_total")?
            .description("Share of time in which some or all tasks waited for a resource (PSI)."),
        NODE.panel("Drops without a socket", "netwhy_node_packet_drops_total")?,
        NODE.panel("Interface drops", "netwhy_node_nic_drops_total")?.runbook("NetwhyNodePacketLoss"),
        NODE.panel("Queueing discipline drops", "netwhy_node_qdisc_drops_total")?,
        NODE.panel("Receive backlog drops", "netwhy_node_softnet_drops_total")?,
        NODE.panel("Connection tracking failures", "netwhy_node_conntrack_failures_total")?,
        NODE.panel("TCP memory", "netwhy_node_tcp_memory_bytes")?,
        NODE.panel("Local ports", "netwhy_node_local_ports")?,
        NODE.info_table("Signal status", "netwhy_node_signal_state", "present")?
            .description("/api/v1/node gives the reason of each status other than ok."),
    ])
}

fn edge_details() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        rtt_heat_map()?,
        NODE.panel("Retransmitted segments", "netwhy_edge_retransmitted_segments_total")?,
        NODE.panel("Completed handshakes", "netwhy_edge_connects_total")?,
        NODE.panel("Failed connects", "netwhy_edge_connect_failures_total")?,
    ])
}

fn cpu() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.panel("Idle CPUs", "netwhy_node_cpu_idle_seconds_total")?
            .description("Idle time per second, summed over all CPUs; 100 % is one idle CPU."),
        NODE.panel("Online CPUs", "netwhy_node_cpus")?,
        NODE.panel("Received packets", "netwhy_node_softnet_packets_total")?,
        NODE.panel("Receive budget exhaustions", "netwhy_node_softnet_squeezes_total")?,
    ])
}

fn interfaces() -> Result<Vec<Panel>, Error> {
    Ok(vec![
        NODE.info_table("Drivers", "netwhy_node_nic_info", "present")?.wide(),
        NODE.panel("Interface packets", "netwhy_node_nic_packets_total")?,
        NODE.panel("Interface errors", "netwhy_node_nic_errors_total")?,
        NODE.panel("Link changes", "netwhy_node_nic_carrier_changes_total")?,
        NODE.panel("Exceeded cloud allowances", "netwhy_node_nic_allowance_exceeded_total")?,
        NODE.panel("Queueing discipline backlog", "netwhy_node_qdisc_backlog_bytes")?,
        NODE.panel("Queueing discipline overlimits", "netwhy_node_qdisc_overlimits_total")?,
    ])
}

fn transport() -> Result<Vec<Panel>, Error> {
    let limit = NODE.of("netwhy_node_conntrack_limit", &[])?.value("max", &["node"])?;
    Ok(vec![
        NODE.panel("Tracked connections", "netwhy_node_conntrack_entries")?.query(limit, "limit {{node}}"),
        NODE.panel("TCP events", "netwhy_node_tcp_events_total")?
            .description("Counters of the Node's network namespace. Pods with their own network are not included."),
    ])
}

fn hints() -> Result<Panel, Error> {
    let hints =
        NODE.of("netwhy_hint", &[])?.value("max", &["node", "namespace", "pod", "cause", "blame_kind", "blame"])?;
    let panel =
        Panel::table("Firing hints", Unit::Share).query(hints, "confidence").runbook("NetwhyNodeAtFault").wide();
    let panel = panel.column_link("cause", "Explanation", "docs/hints.md#${__value.raw}");
    Ok(panel.column_link("pod", "Pod", TO_POD))
}

/// Loss episodes per segment of each edge with traffic.
fn edge_loss(scope: Scope, matchers: &[&str]) -> Result<String, Error> {
    let episodes = scope.of("netwhy_edge_loss_episodes_total", matchers)?.rate(&EDGE)?;
    Ok(ratio(&episodes, &scope.of("netwhy_edge_segments_sent_total", matchers)?.rate(&EDGE)?, 0.5))
}

fn loss() -> Result<Panel, Error> {
    Ok(Panel::lines("Loss from this Node", Unit::Share)
        .description("Loss episodes per segment. Similar to all peers: this Node. To one peer: that peer or the path.")
        .query(edge_loss(NODE, &[])?, EDGE_LEGEND)
        .thresholds(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn loss_towards() -> Result<Panel, Error> {
    Ok(Panel::lines("Loss towards this Node", Unit::Share)
        .description("Loss episodes per segment, measured by the other Nodes.")
        .query(edge_loss(OTHERS, &[TOWARDS])?, EDGE_LEGEND)
        .thresholds(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn rtt() -> Result<Panel, Error> {
    let rtt = NODE.of("netwhy_edge_rtt_seconds", &[])?;
    Ok(Panel::lines("RTT from this Node", Unit::Seconds)
        .query(rtt.quantile(0.5, &EDGE)?, &format!("p50 {EDGE_LEGEND}"))
        .query(rtt.quantile(0.99, &EDGE)?, &format!("p99 {EDGE_LEGEND}"))
        .runbook("NetwhyNodeSlow"))
}

fn rtt_towards() -> Result<Panel, Error> {
    let rtt = OTHERS.of("netwhy_edge_rtt_seconds", &[TOWARDS])?.quantile(0.5, &EDGE)?;
    Ok(Panel::lines("RTT towards this Node", Unit::Seconds)
        .description("Median, measured by the other Nodes.")
        .query(rtt, EDGE_LEGEND)
        .runbook("NetwhyNodeSlow"))
}

fn rtt_heat_map() -> Result<Panel, Error> {
    let rtt = NODE.of("netwhy_tcp_rtt_seconds", &[])?.buckets()?;
    Ok(Panel::heat_map("RTT of its Pods").query(rtt, &legend(&["le"])))
}

fn lossiest_pods() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let episodes = NODE.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = NODE.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::table("Lossiest Pods", Unit::Share)
        .description("Loss episodes per segment.")
        .query(format!("topk(20, {})", ratio(&episodes, &segments, 1.0)), "loss")
        .thresholds(0.002, 0.01)
        .column_link("pod", "Pod", TO_POD)
        .runbook("NetwhyPodPacketLoss"))
}

fn slowest_pods() -> Result<Panel, Error> {
    let rtt = NODE.of("netwhy_tcp_rtt_seconds", &["peer!=\"external\""])?.quantile(0.99, &["namespace", "pod"])?;
    Ok(Panel::table("Slowest Pods", Unit::Seconds)
        .description("p99 RTT to peers inside the cluster.")
        .query(format!("topk(20, {rtt})"), "p99")
        .thresholds(0.02, 0.2)
        .column_link("pod", "Pod", TO_POD))
}
