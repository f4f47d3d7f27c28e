//! The cluster: which Node, which Pod, which pair.

use super::{Board, Error, Panel, Scope, Unit, query::ratio};

const ALL: Scope = Scope(&["cluster"]);
const TO_NODE: &str = "/d/netwhy-node?var-node=${__data.fields.node}&${datasource:queryparam}&${__url_time_range}";
const TO_POD: &str = "/d/netwhy-pod?var-namespace=${__data.fields.namespace}&var-pod=${__data.fields.pod}&${datasource:queryparam}&${__url_time_range}";

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-overview",
        title: "netwhy / Overview",
        about: "Which Node, Pod or pair of Nodes is to blame",
        scope: ALL,
        rows: vec![
            ("Now", vec![agents()?, firing()?, pods()?, broken()?, hints()?]),
            ("Worst", vec![worst_nodes()?, worst_pods()?, slowest_pods()?, failing_pods()?]),
            ("Pairs of Nodes", vec![loss_of_pairs()?, rtt_of_pairs()?]),
            ("Over time", vec![causes()?, retransmits()?]),
        ],
    })
}

fn agents() -> Result<Panel, Error> {
    Ok(Panel::stat("Agents", Unit::Count).query(ALL.of("netwhy_agent_build_info", &[])?.value("count", &[])?, "agents"))
}

fn firing() -> Result<Panel, Error> {
    let hints = ALL.of("netwhy_hint", &[])?.value("count", &[])?;
    Ok(Panel::stat("Firing hints", Unit::Count).query(format!("{hints} or vector(0)"), "hints").limits(1.0, 10.0))
}

fn pods() -> Result<Panel, Error> {
    let subjects = ALL.of("netwhy_agent_subjects", &["state=\"alive\""])?;
    Ok(Panel::stat("Pods measured", Unit::Count).query(subjects.value("sum", &[])?, "Pods"))
}

fn broken() -> Result<Panel, Error> {
    let probes = ALL.of("netwhy_agent_probes_broken", &[])?;
    let panel = Panel::stat("Broken probes", Unit::Count).query(probes.value("sum", &[])?, "probes");
    Ok(panel.limits(1.0, 1.0).runbook("NetwhyAgentProbeBroken"))
}

fn hints() -> Result<Panel, Error> {
    let labels = ["node", "namespace", "pod", "cause", "symptom", "blame_kind", "blame"];
    let panel = Panel::table("Firing hints", Unit::Share)
        .query(ALL.of("netwhy_hint", &[])?.value("max", &labels)?, "confidence");
    let panel = panel.lead("pod", "Pod", TO_POD).lead("node", "Node", TO_NODE);
    Ok(panel.lead("cause", "What it means", "docs/hints.md#${__value.raw}").runbook("NetwhyPodHint").wide())
}

/// The median over a Node's peers: one bad peer doesn't move it.
fn worst_nodes() -> Result<Panel, Error> {
    let loss = edge_loss(0.5)?;
    let rtt = ALL.of("netwhy_edge_rtt_seconds", &["peer_node!=\"~other\""])?.quantile(0.5, &["node", "peer_node"])?;
    let towards = |what: &str| {
        format!(
            "max without (peer_node) (label_replace(quantile by (peer_node) (0.5, {what}), \"node\", \"$1\", \"peer_node\", \"(.+)\"))"
        )
    };
    Ok(Panel::table("Worst Nodes: median over their peers", Unit::Share)
        .about("A median that stands out is the Node's own fault: one bad peer or path doesn't move it.")
        .query(format!("topk(10, quantile by (node) (0.5, {loss}))"), "loss sent")
        .query(format!("topk(10, {})", towards(&loss)), "loss received")
        .query(format!("topk(10, quantile by (node) (0.5, {rtt}))"), "RTT sent")
        .query(format!("topk(10, {})", towards(&rtt)), "RTT received")
        .column("RTT sent", Unit::Seconds)
        .column("RTT received", Unit::Seconds)
        .limits(0.002, 0.01)
        .lead("node", "Node", TO_NODE)
        .runbook("NetwhyNodePacketLoss"))
}

/// Loss episodes per segment of each pair with more than `least` segments/s.
fn edge_loss(least: f64) -> Result<String, Error> {
    let only = ["peer_node!=\"~other\""];
    let by = ["node", "peer_node"];
    let episodes = ALL.of("netwhy_edge_loss_episodes_total", &only)?.rate(&by)?;
    Ok(ratio(&episodes, &ALL.of("netwhy_edge_segments_sent_total", &only)?.rate(&by)?, least))
}

fn worst_pods() -> Result<Panel, Error> {
    let by = ["node", "namespace", "pod"];
    let episodes = ALL.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = ALL.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::table("Worst Pods: loss episodes per segment", Unit::Share)
        .query(format!("topk(20, {})", ratio(&episodes, &segments, 1.0)), "loss")
        .limits(0.002, 0.01)
        .lead("pod", "Pod", TO_POD)
        .runbook("NetwhyPodPacketLoss"))
}

fn slowest_pods() -> Result<Panel, Error> {
    let rtt = ALL.of("netwhy_tcp_rtt_seconds", &["peer!=\"external\""])?;
    Ok(Panel::table("Slowest Pods: p99 RTT within the cluster", Unit::Seconds)
        .query(format!("topk(20, {})", rtt.quantile(0.99, &["node", "namespace", "pod"])?), "p99")
        .limits(0.02, 0.2)
        .lead("pod", "Pod", TO_POD)
        .runbook("NetwhyWorkloadRttHigh"))
}

fn failing_pods() -> Result<Panel, Error> {
    let failures = ALL.of("netwhy_tcp_connect_failures_total", &[])?.rate(&["node", "namespace", "pod", "reason"])?;
    Ok(Panel::table("Pods that fail to connect", Unit::PerSecond)
        .query(format!("topk(20, {failures} > 0)"), "failures")
        .limits(0.1, 1.0)
        .lead("pod", "Pod", TO_POD)
        .runbook("NetwhyPodConnectFailures"))
}

fn loss_of_pairs() -> Result<Panel, Error> {
    Ok(Panel::matrix("Loss episodes per segment, from (row) to (column)", Unit::Share, "node", "peer_node")
        .query(edge_loss(0.5)?, "loss")
        .limits(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn rtt_of_pairs() -> Result<Panel, Error> {
    let rtt = ALL.of("netwhy_edge_rtt_seconds", &["peer_node!=\"~other\""])?;
    Ok(Panel::matrix("Median RTT, from (row) to (column)", Unit::Seconds, "node", "peer_node")
        .query(rtt.quantile(0.5, &["node", "peer_node"])?, "RTT")
        .limits(0.002, 0.02)
        .runbook("NetwhyNodeSlow"))
}

fn causes() -> Result<Panel, Error> {
    let began = ALL.of("netwhy_hints_total", &[])?.increase(&["cause"])?;
    Ok(Panel::lines("Hints that began", Unit::Count).query(began, "{{cause}}"))
}

fn retransmits() -> Result<Panel, Error> {
    let again =
        ALL.of("netwhy_tcp_retransmitted_segments_total", &["type!~\"syn|synack|spurious\""])?.rate(&["node"])?;
    let sent = ALL.of("netwhy_tcp_segments_sent_total", &[])?.rate(&["node"])?;
    Ok(Panel::lines("Retransmitted segments per segment", Unit::Share)
        .query(ratio(&again, &sent, 0.0), "{{node}}")
        .limits(0.01, 0.05))
}
