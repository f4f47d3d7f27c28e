//! One Node: its edges to all others, its Pods, its own signals.

use super::{Board, Error, Panel, Scope, Unit, query::ratio};
use crate::metrics::{BaseUnit, Kind, METRICS, MetricDef};

const NODE: Scope = Scope(&["cluster", "node"]);
/// The others' view of this Node.
const OTHERS: Scope = Scope(&["cluster"]);
const TOWARDS: &str = "peer_node=~\"$node\"";
const TO_POD: &str = "/d/netwhy-pod?var-namespace=${__data.fields.namespace}&var-pod=${__data.fields.pod}&${datasource:queryparam}&${__url_time_range}";
/// Metrics of the Node itself begin so.
const OWN: &str = "netwhy_node_";

pub(super) fn board() -> Result<Board, Error> {
    Ok(Board {
        uid: "netwhy-node",
        title: "netwhy / Node",
        about: "Is it this Node",
        scope: NODE,
        rows: vec![
            ("Hints", vec![hints()?]),
            (
                "Edges to other Nodes",
                vec![loss()?, loss_received()?, rtt()?, rtt_received()?, heat_map()?, retransmits()?],
            ),
            ("Connections to other Nodes", vec![connects()?, failures()?]),
            ("Its Pods", vec![pods_loss()?, pods_rtt()?]),
            ("The Node's own signals", own()?),
        ],
    })
}

fn hints() -> Result<Panel, Error> {
    let hints =
        NODE.of("netwhy_hint", &[])?.value("max", &["node", "namespace", "pod", "cause", "blame_kind", "blame"])?;
    let panel =
        Panel::table("Firing hints", Unit::Share).query(hints, "confidence").runbook("NetwhyNodeAtFault").wide();
    Ok(panel.lead("cause", "What it means", "docs/hints.md#${__value.raw}").lead("pod", "Pod", TO_POD))
}

fn edge_loss(scope: Scope, only: &[&str], by: &[&str]) -> Result<String, Error> {
    let episodes = scope.of("netwhy_edge_loss_episodes_total", only)?.rate(by)?;
    Ok(ratio(&episodes, &scope.of("netwhy_edge_segments_sent_total", only)?.rate(by)?, 0.5))
}

fn loss() -> Result<Panel, Error> {
    Ok(Panel::lines("Loss episodes per segment, from this Node", Unit::Share)
        .about("All peers alike: this Node. One peer: that peer or the path.")
        .query(edge_loss(NODE, &[], &["node", "peer_node"])?, "{{node}} → {{peer_node}}")
        .limits(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn loss_received() -> Result<Panel, Error> {
    Ok(Panel::lines("Loss episodes per segment, towards this Node", Unit::Share)
        .query(edge_loss(OTHERS, &[TOWARDS], &["node", "peer_node"])?, "{{node}} → {{peer_node}}")
        .limits(0.002, 0.01)
        .runbook("NetwhyNodePacketLoss"))
}

fn rtt() -> Result<Panel, Error> {
    let rtt = NODE.of("netwhy_edge_rtt_seconds", &[])?;
    Ok(Panel::lines("RTT from this Node", Unit::Seconds)
        .query(rtt.quantile(0.5, &["node", "peer_node"])?, "p50 {{node}} → {{peer_node}}")
        .query(rtt.quantile(0.99, &["node", "peer_node"])?, "p99 {{node}} → {{peer_node}}")
        .runbook("NetwhyNodeSlow"))
}

fn rtt_received() -> Result<Panel, Error> {
    let rtt = OTHERS.of("netwhy_edge_rtt_seconds", &[TOWARDS])?.quantile(0.5, &["node", "peer_node"])?;
    Ok(Panel::lines("Median RTT towards this Node", Unit::Seconds)
        .query(rtt, "{{node}} → {{peer_node}}")
        .runbook("NetwhyNodeSlow"))
}

fn heat_map() -> Result<Panel, Error> {
    Ok(Panel::heat_map("RTT samples of its Pods").query(NODE.of("netwhy_tcp_rtt_seconds", &[])?.buckets()?, "{{le}}"))
}

fn retransmits() -> Result<Panel, Error> {
    let again = NODE.of("netwhy_edge_retransmitted_segments_total", &[])?.rate(&["node", "peer_node"])?;
    Ok(Panel::lines("Segments sent again", Unit::PerSecond).query(again, "{{node}} → {{peer_node}}"))
}

fn connects() -> Result<Panel, Error> {
    Ok(Panel::lines("Completed handshakes", Unit::PerSecond)
        .query(NODE.of("netwhy_edge_connects_total", &[])?.rate(&["node", "peer_node"])?, "{{node}} → {{peer_node}}"))
}

fn failures() -> Result<Panel, Error> {
    let failures = NODE.of("netwhy_edge_connect_failures_total", &[])?.rate(&["node", "peer_node"])?;
    Ok(Panel::lines("Failed attempts to connect", Unit::PerSecond).query(failures, "{{node}} → {{peer_node}}"))
}

fn pods_loss() -> Result<Panel, Error> {
    let by = ["namespace", "pod"];
    let episodes = NODE.of("netwhy_tcp_loss_episodes_total", &[])?.rate(&by)?;
    let segments = NODE.of("netwhy_tcp_segments_sent_total", &[])?.rate(&by)?;
    Ok(Panel::table("Worst Pods: loss episodes per segment", Unit::Share)
        .query(format!("topk(20, {})", ratio(&episodes, &segments, 1.0)), "loss")
        .limits(0.002, 0.01)
        .lead("pod", "Pod", TO_POD)
        .runbook("NetwhyPodPacketLoss"))
}

fn pods_rtt() -> Result<Panel, Error> {
    let rtt = NODE.of("netwhy_tcp_rtt_seconds", &["peer!=\"external\""])?.quantile(0.99, &["namespace", "pod"])?;
    Ok(Panel::table("Slowest Pods: p99 RTT within the cluster", Unit::Seconds)
        .query(format!("topk(20, {rtt})"), "p99")
        .limits(0.02, 0.2)
        .lead("pod", "Pod", TO_POD))
}

/// A panel for each metric of the Node that the table has.
fn own() -> Result<Vec<Panel>, Error> {
    METRICS.into_iter().flatten().filter(|metric| metric.name.starts_with(OWN)).map(panel_of).collect()
}

fn panel_of(metric: &MetricDef) -> Result<Panel, Error> {
    let labels: Vec<&str> = metric.labels.iter().map(|label| label.name).collect();
    let by: Vec<&str> = ["node"].into_iter().chain(labels.iter().copied()).collect();
    let legend = by.iter().map(|label| format!("{{{{{label}}}}}")).collect::<Vec<_>>().join(" ");
    let series = NODE.of(metric.name, &[])?;
    let title = metric.help.trim_end_matches('.');
    Ok(match metric.kind {
        Kind::Counter => {
            let unit = match metric.unit {
                None => Unit::PerSecond,
                Some(BaseUnit::Seconds) => Unit::Share,
                Some(BaseUnit::Bytes) => Unit::BytesPerSecond,
            };
            Panel::lines(title, unit).query(series.rate(&by)?, &legend)
        }
        Kind::Gauge => {
            let unit = match metric.unit {
                None => Unit::Count,
                Some(BaseUnit::Seconds) => Unit::Seconds,
                Some(BaseUnit::Bytes) => Unit::Bytes,
            };
            Panel::lines(title, unit).query(series.value("max", &by)?, &legend)
        }
        Kind::Histogram => {
            Panel::lines(title, Unit::Seconds).query(series.quantile(0.99, &by)?, &format!("p99 {legend}"))
        }
    })
}
