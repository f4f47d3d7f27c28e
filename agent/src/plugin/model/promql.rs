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
mod tests;
