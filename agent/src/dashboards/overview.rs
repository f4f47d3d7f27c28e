//! The cluster: which Node, Pod or pair of Nodes is to blame.

use super::{Board, Error, Panel, Row, Scope, Unit, query::ratio};

const ALL: Scope = Scope(&["cluster"]);
const TO_NODE: &str = "/d/netwhy-node?var-node=${__data.fields.node}&${datasource:queryparam}&${__url_time_range}";
const TO_POD: &str = concat!(
    "/d/netwhy-pod?var-namespace=${__data.fields.namespace}&var-pod=${__data.fields.pod}",
    "&${datasource:queryparam}&${__url_time_range}",
);

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-overview",
        title: "netwhy / Overview",
        description: "Which Node, Pod or pair of Nodes is to blame",
        scope: ALL,
        rows: vec![
            Row::open("Now", vec![agents()?, firing()?, pods()?, broken()?, hints()?]),
            Row::open("Worst Nodes and Pods", vec![worst_nodes()?, lossiest_pods()?, slowest_pods()?, failing_pods()?]),
            Row::open("Pairs of Nodes", vec![loss_matrix()?, rtt_matrix()?]),
            Row::open("History", vec![new_hints()?, retransmits()?, past_hints()?]),
        ],
    })
}

fn agents() -> Result<Panel, Error> {
    Ok(Panel::stat("Agents", Unit::Count).query(ALL.of("netwhy_agent_build_info", &[])?.value("count", &[])?, "agents"))
}

fn firing() -> Result<Panel, Error> {
    let hints = ALL.of("netwhy_hint", &[])?.value("count", &[])?;
    Ok(Panel::stat("Hint count", Unit::Count).query(format!("{hints} or vector(0)"), "hints").thresholds(1.0, 10.0))
}

fn pods() -> Result<Panel, Error> {
    let subjects = ALL.of("netwhy_agent_subjects", &["state=\"alive\""])?;
    Ok(Panel::stat("Measured Pods", Unit::Count).query(subjects.value("sum", &[])?, "Pods"))
}

fn broken() -> Result<Panel, Error> {
    let probes = ALL.of("netwhy_agent_probes_broken", &[])?;
    let panel = Panel::stat("Broken probes", Unit::Count).query(probes.value("sum", &[])?, "probes");
    Ok(panel.thresholds(1.0, 1.0).runbook("NetwhyAgentProbeBroken"))
}

fn hints() -> Result<Panel, Error> {
    let labels = ["node", "namespace", "pod", "cause", "symptom", "blame_kind", "blame"];
    let panel = Panel::table("Firing hints", Unit::Share)
        .query(ALL.of("netwhy_hint", &[])?.value("max", &labels)?, "confidence");
    let panel = panel.column_link("pod", "Pod", TO_POD).column_link("node", "Node", TO_NODE);
    Ok(panel.column_link("cause", "Explanation", "docs/hints.md#${__value.raw}").runbook("NetwhyPodHint").wide())
}

fn worst_nodes() -> Result<Panel, Error> {
    let loss = edge_loss(0.5)?;
    let rtt = ALL.of("netwhy_edge_rtt_seconds", &["peer_node!=\"~other\""])?.quantile(0.5, &["node", "peer_node"])?;
    let towards = |expression: &str| {
        let median = format!("quantile by (peer_node) (0.5, {expression})");
        let renamed = format!("label_replace({median}, \"node\", \"$1\", \"peer_node\", \"(.+)\")");
        format!("max without (peer_node) ({renamed})")
    };
    Ok(Panel::table("Worst Nodes", Unit::Share)
        .description("Medians over the Node's peers. A high median blames the Node: one bad peer doesn't move it.")
        .query(format!("topk(10, quantile by (node) (0.5, {loss}))"), "loss sent")
        .query(format!("topk(10, {})", towards(&loss)), "loss received")
        .query(format!("topk(10, quantile by (node) (0.5, {rtt}))"), "RTT sent")
        .query(format!("topk(10, {})", towards(&rtt)), "RTT received")
        .column_unit("RTT sent", Unit::Seconds)
        .column_unit("RTT received", Unit::Seconds)
        .thresholds(0.002, 0.01)
        .column_link("node", "Node", TO_NODE)
        .runbook("NetwhyNodePacketLoss"))
}

/// Loss episodes per segment of each pair with more than `least` segments/s.
fn edge_loss(least: f64) -> Result<String, Error> {
    let only = ["peer_node!=\"~other\""];
    let by = ["node", "peer_node"];
    let episodes = ALL.of("netwhy_edge_loss_episodes_total", &only)?.rate(&by)?;
    Ok(ratio(&episodes, &ALL.of("netwhy_edge_segments_sent_total", &only)?.rate(&by)?, least))
}

fn lossiest_pods() -> Result<Panel, Error> {
    let by = ["node", "namespace", "pod"];
    let episodes = ALL.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = ALL.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::table("Lossiest Pods", Unit::Share)
        .description("Loss episodes per segment.")
        .query(format!("topk(20, {})", ratio(&episodes, &segments, 1.0)), "loss")
        .thresholds(0.002, 0.01)
        .column_link("pod", "Pod", TO_POD)
        .runbook("NetwhyPodPacketLoss"))
}

fn slowest_pods() -> Result<Panel, Error> {
    let rtt = ALL.of("netwhy_tcp_rtt_seconds", &["peer!=\"external\""])?;
    Ok(Panel::table("Slowest Pods", Unit::Seconds)
        .description("p99 RTT to peers inside the cluster.")
        .query(format!("topk(20, {})", rtt.quantile(0.99, &["node", "namespace", "pod"])?), "p99")
        .thresholds(0.02, 0.2)
        .column_link("pod", "Pod", TO_POD)
        .runbook("NetwhyWorkloadRttHigh"))
}

fn failing_pods() -> Result<Panel, Error> {
    let failures = ALL.of("netwhy_tcp_connect_failures_total", &[])?.rate(&["node", "namespace", "pod", "reason"])?;
    Ok(Panel::table("Pods with failed connects", Unit::PerSecond)
        .query(format!("topk(20, {failures} > 0)"), "failures")
        .thresholds(0.1, 1.0)
        .column_link("pod", "Pod", TO_POD)
        .runbook("NetwhyPodConnectFailures"))
}

fn loss_matrix() -> Result<Panel, Error> {
    Ok(Panel::matrix("Loss between Nodes", Unit::Share, "node", "peer_node")
        .description("Loss episodes per segment from the Node of the row to the Node of the column.")
        .query(edge_loss(0.5)?, "loss")
        .thresholds(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn rtt_matrix() -> Result<Panel, Error> {
    let rtt = ALL.of("netwhy_edge_rtt_seconds", &["peer_node!=\"~other\""])?;
    Ok(Panel::matrix("Median RTT between Nodes", Unit::Seconds, "node", "peer_node")
        .description("Measured by the Node of the row.")
        .query(rtt.quantile(0.5, &["node", "peer_node"])?, "RTT")
        .thresholds(0.002, 0.02)
        .runbook("NetwhyNodeSlow"))
}

fn new_hints() -> Result<Panel, Error> {
    let started = ALL.of("netwhy_hints_total", &[])?.increase(&["cause"])?;
    Ok(Panel::lines("New hints", Unit::Count).query(started, "{{cause}}"))
}

fn past_hints() -> Result<Panel, Error> {
    let labels = ["node", "namespace", "pod", "cause", "blame_kind", "blame"];
    let fired = ALL.of("netwhy_hint_seconds_total", &[])?.peak(&labels)?;
    Ok(Panel::table("Hints that fired", Unit::Seconds)
        .description("How long, also of short incidents between two scrapes.")
        .query(format!("topk(50, {fired} > 0)"), "fired")
        .column_link("pod", "Pod", TO_POD)
        .column_link("node", "Node", TO_NODE)
        .column_link("cause", "Explanation", "docs/hints.md#${__value.raw}")
        .wide())
}

fn retransmits() -> Result<Panel, Error> {
    let again =
        ALL.of("netwhy_tcp_retransmitted_segments_total", &["type!~\"syn|synack|spurious\""])?.rate(&["node"])?;
    let sent = ALL.of("netwhy_tcp_segments_sent_total", &[])?.rate(&["node"])?;
    Ok(Panel::lines("Retransmission ratio", Unit::Share)
        .description("Retransmitted segments per segment sent.")
        .query(ratio(&again, &sent, 0.0), "{{node}}")
        .thresholds(0.01, 0.05))
}
