//! This Node's view of each Node at the other end.

use crate::{
    metrics::{
        bounds,
        definition::{LabelDef, MetricDef, Rows::Node, label},
        rows::OTHER,
        scrape::Scrape,
    },
    sample::Tally,
};
use std::fmt;

const PEER_NODE: LabelDef = label("peer_node", "limits.peer_nodes Nodes of the cluster; ~other for the rest");

fn each(s: &Scrape<'_>, mut write: impl FnMut(&str, &Tally) -> fmt::Result) -> fmt::Result {
    s.view.peer_nodes.iter().try_for_each(|p| write(p.node.as_deref().unwrap_or(OTHER), &p.totals))
}

pub(super) static METRICS: &[MetricDef] = &[
    MetricDef::histogram(
        "netwhy_edge_rtt_seconds",
        "RTT samples from this Node's Pods to another Node.",
        Node(|s, out| each(s, |node, t| out.histogram(&[("peer_node", node)], &t.rtt, &bounds::EDGE))),
    )
    .seconds()
    .labels(&[PEER_NODE]),
    MetricDef::counter(
        "netwhy_edge_segments_sent_total",
        "Data segments sent to another Node, including retransmissions.",
        Node(|s, out| each(s, |node, t| out.counter(&[("peer_node", node)], t.data_segs_out))),
    )
    .labels(&[PEER_NODE]),
    MetricDef::counter(
        "netwhy_edge_retransmitted_segments_total",
        "Segments retransmitted to another Node.",
        Node(|s, out| each(s, |node, t| out.counter(&[("peer_node", node)], t.retransmitted()))),
    )
    .labels(&[PEER_NODE]),
    MetricDef::counter(
        "netwhy_edge_loss_episodes_total",
        "Bursts of retransmissions to another Node.",
        Node(|s, out| each(s, |node, t| out.counter(&[("peer_node", node)], t.loss_episodes))),
    )
    .details("At most one per smoothed RTT and socket.")
    .labels(&[PEER_NODE]),
    MetricDef::counter(
        "netwhy_edge_connects_total",
        "Completed handshakes with another Node, as client and as server.",
        Node(|s, out| each(s, |node, t| out.counter(&[("peer_node", node)], t.connects.iter().sum()))),
    )
    .labels(&[PEER_NODE]),
    MetricDef::counter(
        "netwhy_edge_connect_failures_total",
        "Failed connection attempts to another Node.",
        Node(|s, out| each(s, |node, t| out.counter(&[("peer_node", node)], t.failed_attempts()))),
    )
    .labels(&[PEER_NODE]),
];
