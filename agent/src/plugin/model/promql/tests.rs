use super::*;
use crate::metrics::METRICS;

#[test]
fn queries_name_only_metrics_and_labels_that_exist() {
    let known = |name: &str| {
        let base = ["_bucket", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        METRICS.iter().copied().flatten().find(|metric| metric.name == base)
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
