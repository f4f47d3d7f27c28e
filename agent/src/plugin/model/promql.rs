//! Queries that show in Prometheus what a hint says.

use crate::hints::{QueryTemplate, RULES, queries};
use serde::Serialize;

/// One query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Query {
    /// The figure that it shows.
    pub shows: String,
    /// PromQL.
    pub query: String,
}

/// Range over which rates are taken: four scrapes at the usual 30 s.
const RANGE: &str = "[2m]";

/// For a cause without a rule: loss and RTT are always worth a look.
const GENERAL: &[QueryTemplate] = &[
    QueryTemplate { shows: "loss episodes per segment sent", promql: queries::LOSS },
    QueryTemplate { shows: "median RTT by peer class", promql: queries::RTT },
];

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
    let fill = |template: &QueryTemplate| {
        let query = template
            .promql
            .replace("{S}", &format!("{{{}}}", selector.labels))
            .replace("{L,", &format!("{{{},", selector.labels))
            .replace("{N}", &format!("{{{}}}", selector.node))
            .replace("}R", &format!("}}{RANGE}"));
        Query { shows: template.shows.to_owned(), query }
    };
    let rule = RULES.iter().find(|rule| Some(rule.id) == cause);
    rule.map_or(GENERAL, |rule| rule.queries).iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::METRICS;

    #[test]
    fn queries_name_only_metrics_and_labels_that_exist() {
        let known = |name: &str| {
            METRICS.iter().copied().flatten().find(|m| m.name == name || format!("{}_bucket", m.name) == name)
        };
        let templates = RULES.iter().flat_map(|rule| rule.queries).chain(GENERAL);
        for text in templates.map(|template| template.promql) {
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
