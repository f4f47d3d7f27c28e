//! Queries that show in Prometheus what a hint says.

use serde::Serialize;

/// One query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Query {
    /// What it shows.
    pub shows: String,
    /// PromQL.
    pub query: String,
}

/// Range over which rates are taken: four scrapes at the usual 30 s.
const RANGE: &str = "[2m]";

/// (cause, what it shows, query). `S` stands for the subject's labels in braces, `L` for the same with room for more, and
/// `R` for the range.
const QUERIES: &[(&str, &str, &str)] = &[
    ("pod_oom_killed", "kills for memory", "increase(netwhy_oom_kills_total{S}[10m])"),
    ("pod_restarting", "hints about it", "max by (cause, blame) (netwhy_hint{S})"),
    ("pod_not_running", "hints about it", "max by (cause, blame) (netwhy_hint{S})"),
    (
        "pod_accept_queue_full",
        "connections turned away per second",
        "sum(rate(netwhy_tcp_accept_queue_overflows_total{S}R))",
    ),
    (
        "peer_unreachable",
        "failed connects per second, by reason",
        "sum by (reason) (rate(netwhy_tcp_connect_failures_total{S}R))",
    ),
    (
        "peer_refusing",
        "refused connects per second",
        "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"refused\"}R))",
    ),
    ("node_packet_loss", "loss episodes per segment sent, by Node at the other end", LOSS_BY_PEER),
    ("path_latency", "median RTT by distance", RTT),
    (
        "path_mtu_blackhole",
        "segments sent again after timeouts per second",
        "sum(rate(netwhy_tcp_retransmitted_segments_total{L,type=\"timeout\"}R))",
    ),
    ("pod_slow_reader", "payload received per second", "sum(rate(netwhy_tcp_bytes_total{L,direction=\"received\"}R))"),
    ("external_slow", "RTT beside the path's own", RTT),
    ("path_loss", "loss episodes per segment sent", LOSS),
    (
        "peer_receiver_limited",
        "share of busy time held back by the peer's window",
        "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"receiver\"}R)) / sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    ),
    (
        "pod_send_buffer_limited",
        "share of busy time held back by the send buffer",
        "sum(rate(netwhy_tcp_limited_seconds_total{L,by=\"send_buffer\"}R)) / sum(rate(netwhy_tcp_limited_seconds_total{S}R))",
    ),
    (
        "pod_cpu_throttled",
        "share of periods throttled",
        "sum(rate(netwhy_cpu_throttled_periods_total{S}R)) / sum(rate(netwhy_cpu_periods_total{S}R))",
    ),
    ("pod_application_slow", "share of time that tasks waited, by resource", PRESSURE),
    (
        "dns_slow",
        "99 % of DNS lookups are faster than",
        "histogram_quantile(0.99, sum by (le) (rate(netwhy_dns_lookup_seconds_bucket{S}R)))",
    ),
    ("dns_slow", "DNS lookups per second, by result", "sum by (result) (rate(netwhy_dns_lookups_total{S}R))"),
    ("peer_slow", "RTT beside the path's own", RTT),
    (
        "node_conntrack_full",
        "connections that could not be tracked per second",
        "sum by (node, event) (rate(netwhy_node_conntrack_failures_total{N}R))",
    ),
    (
        "node_nic_drops",
        "packets dropped by interfaces per second",
        "sum by (node, device, direction) (rate(netwhy_node_nic_drops_total{N}R))",
    ),
    (
        "node_qdisc_drops",
        "packets dropped by queue disciplines per second",
        "sum by (node, device) (rate(netwhy_node_qdisc_drops_total{N}R))",
    ),
    (
        "node_softnet_drops",
        "packets dropped by full receive backlogs per second",
        "sum by (node) (rate(netwhy_node_softnet_drops_total{N}R))",
    ),
    (
        "port_exhaustion",
        "connects that found no free local port per second",
        "sum(rate(netwhy_tcp_connect_failures_total{L,reason=\"no_local_port\"}R))",
    ),
    ("node_cpu_contention", "share of time that the Node's tasks waited, by resource", NODE_PRESSURE),
    ("pod_cpu_starved", "share of time that tasks waited, by resource", PRESSURE),
    ("node_memory_pressure", "share of time that the Node's tasks waited, by resource", NODE_PRESSURE),
    ("pod_memory_pressure", "share of time that tasks waited, by resource", PRESSURE),
    ("node_io_pressure", "share of time that the Node's tasks waited, by resource", NODE_PRESSURE),
    ("pod_io_pressure", "share of time that tasks waited, by resource", PRESSURE),
];
const NODE_PRESSURE: &str = "sum by (node, resource, kind) (rate(netwhy_node_pressure_seconds_total{N}R))";
const LOSS: &str = "sum(rate(netwhy_tcp_loss_episodes_total{S}R)) / sum(rate(netwhy_tcp_segments_sent_total{S}R))";
const LOSS_BY_PEER: &str = "sum by (peer_node) (rate(netwhy_edge_loss_episodes_total{N}R)) / \
                            sum by (peer_node) (rate(netwhy_edge_segments_sent_total{N}R))";
const PRESSURE: &str = "sum by (resource) (rate(netwhy_pressure_seconds_total{L,kind=\"some\"}R))";
const RTT: &str = "histogram_quantile(0.5, sum by (le, peer) (rate(netwhy_tcp_rtt_seconds_bucket{S}R)))";
/// For everything else: what is always worth a look.
const GENERAL: [(&str, &str); 2] = [("loss episodes per segment sent", LOSS), ("median RTT by distance", RTT)];

/// Whom the queries are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Labels, such as `namespace="shop",pod="payment-7c9"`.
    pub labels: String,
    /// The Node's; empty where none is known.
    pub node: String,
}

impl Selector {
    /// One Pod.
    pub fn pod(namespace: &str, pod: &str, node: &str) -> Self {
        Self { labels: format!("namespace={namespace:?},pod={pod:?}"), node: of_node(node) }
    }

    /// All Pods of a workload.
    pub fn workload(namespace: &str, workload: &str) -> Self {
        Self { labels: format!("namespace={namespace:?},workload={workload:?}"), node: String::new() }
    }

    /// Several Pods by name.
    pub fn pods(namespace: &str, pods: &[&str]) -> Self {
        Self { labels: format!("namespace={namespace:?},pod=~{:?}", pods.join("|")), node: String::new() }
    }

    /// A Node.
    pub fn node(node: &str) -> Self {
        Self { labels: of_node(node), node: of_node(node) }
    }
}

fn of_node(node: &str) -> String {
    if node.is_empty() { String::new() } else { format!("node={node:?}") }
}

/// Queries for a cause; for no cause the general ones.
pub fn queries(cause: Option<&str>, selector: &Selector) -> Vec<Query> {
    let fill = |shows: &str, text: &str| {
        let query = text
            .replace("{S}", &format!("{{{}}}", selector.labels))
            .replace("{L,", &format!("{{{},", selector.labels))
            .replace("{N}", &format!("{{{}}}", selector.node))
            .replace("}R", &format!("}}{RANGE}"));
        Query { shows: shows.to_owned(), query }
    };
    let of_cause: Vec<Query> =
        QUERIES.iter().filter(|(id, ..)| Some(*id) == cause).map(|(_, shows, text)| fill(shows, text)).collect();
    if of_cause.is_empty() { GENERAL.iter().map(|(shows, text)| fill(shows, text)).collect() } else { of_cause }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hints::RULES, metrics::METRICS};

    #[test]
    fn every_cause_has_its_query() {
        for rule in RULES {
            assert!(QUERIES.iter().any(|(id, ..)| *id == rule.id), "{} has no query", rule.id);
        }
        for (id, ..) in QUERIES {
            assert!(RULES.iter().any(|rule| rule.id == *id), "{id} is no cause");
        }
    }

    #[test]
    fn queries_name_only_metrics_and_labels_that_exist() {
        let known = |name: &str| {
            METRICS.iter().copied().flatten().find(|m| m.name == name || format!("{}_bucket", m.name) == name)
        };
        let texts = QUERIES.iter().map(|(.., text)| *text).chain(GENERAL.iter().map(|(_, text)| *text));
        for text in texts {
            for (at, _) in text.match_indices("netwhy_") {
                let rest = &text[at..];
                let name = &rest[..rest.find('{').unwrap()];
                let metric = known(name).unwrap_or_else(|| panic!("{name} is no metric"));
                let braces = &rest[name.len() + 1..rest.find('}').unwrap()];
                for label in braces.split(',').filter_map(|part| part.split_once('=')).map(|(label, _)| label) {
                    assert!(metric.labels.iter().any(|l| l.name == label), "{name} has no label {label}");
                }
            }
        }
    }

    #[test]
    fn a_query_is_about_its_subject() {
        let of_pod = queries(Some("pod_cpu_throttled"), &Selector::pod("shop", "cart-1", "node-a"));
        assert_eq!(
            of_pod[0].query,
            "sum(rate(netwhy_cpu_throttled_periods_total{namespace=\"shop\",pod=\"cart-1\"}[2m])) / \
             sum(rate(netwhy_cpu_periods_total{namespace=\"shop\",pod=\"cart-1\"}[2m]))"
        );
        let of_node = queries(Some("node_packet_loss"), &Selector::pod("shop", "cart-1", "node-a"));
        assert!(of_node[0].query.contains("netwhy_edge_loss_episodes_total{node=\"node-a\"}[2m]"), "{of_node:?}");
        assert_eq!(queries(None, &Selector::workload("shop", "Deployment/cart")).len(), 2);
    }
}
