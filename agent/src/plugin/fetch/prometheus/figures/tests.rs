use super::*;
use crate::metrics::METRICS;

#[test]
fn figures_name_metrics_that_exist() {
    for (name, _) in FIGURES.iter().flat_map(|figure| [figure.used].into_iter().chain(figure.limit)) {
        assert!(METRICS.into_iter().flatten().any(|metric| metric.name == name), "{name}");
    }
}

#[test]
fn the_server_leaves_out_what_does_not_fill() {
    let queries = Queries { figure: &FIGURES[1], range: 21_600, within: 86_400 };
    let query = queries.filling(&queries.at(0));
    for part in [
        "max by (cluster, node, instance, map) (predict_linear(netwhy_node_local_ports{kind=\"used\"}[21600s], 0)) and",
        "predict_linear(netwhy_node_local_ports{kind=\"used\"}[21600s], 86400)) >= (max by",
        "(netwhy_node_local_ports{kind=\"range\"}) >= 1)",
        "(count_over_time(netwhy_node_local_ports{kind=\"used\"}[21600s])) >= 10)",
    ] {
        assert!(query.contains(part), "{part}\n{query}");
    }
}

#[test]
fn the_limit_of_a_share_is_one_for_each_pod() {
    let figure = FIGURES.iter().find(|figure| figure.is_of_pods).unwrap();
    let queries = Queries { figure, range: 21_600, within: 86_400 };
    let by = "max by (cluster, node, instance, namespace, pod)";
    let metric = "netwhy_tcp_accept_queue_fill_ratio";
    assert_eq!(queries.limit(), format!("(0 * {by} ({metric}{{}}) + 1)"));
    assert_eq!(queries.share(), format!("({by} ({metric}{{}}) / (0 * {by} ({metric}{{}}) + 1))"));
    let labels = Labels { namespace: "shop".into(), pod: "cart-1".into(), map: "x".into(), ..Labels::default() };
    assert_eq!(queries.which(&labels), "shop/cart-1");
    let of_nodes = Queries { figure: &FIGURES[3], ..queries };
    assert_eq!(of_nodes.which(&labels), "x", "the Pod is the agent's own");
}
