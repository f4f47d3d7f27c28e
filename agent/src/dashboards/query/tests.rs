use super::*;

const POD: Scope = Scope(&["cluster", "namespace", "pod"]);

#[test]
fn unknown_names_and_unfit_functions_are_refused() {
    for (name, matcher) in [("netwhy_tcp_rtt", ""), ("netwhy_oom_kills_total", "reason=\"x\"")] {
        let matchers: &[&str] = if matcher.is_empty() { &[] } else { &[matcher] };
        assert!(POD.of(name, matchers).is_err(), "{name}");
    }
    let rtt = POD.of("netwhy_tcp_rtt_seconds", &[]).unwrap();
    assert!(rtt.rate(&[]).is_err() && rtt.value("max", &[]).is_err(), "a histogram is neither counter nor gauge");
    assert!(rtt.quantile(0.5, &["role"]).is_err(), "a label of another metric");
    assert!(POD.of("netwhy_agent_series", &[]).unwrap().rate(&[]).is_err());
}

#[test]
fn queries_are_narrowed_by_the_labels_of_their_metric() {
    let rtt = POD.of("netwhy_tcp_rtt_seconds", &["peer!=\"external\""]).unwrap();
    assert_eq!(
        rtt.quantile(0.99, &["peer"]).unwrap(),
        "histogram_quantile(0.99, sum by (peer, le) (rate(netwhy_tcp_rtt_seconds_bucket{cluster=~\"$cluster\", \
             namespace=~\"$namespace\", pod=~\"$pod\", peer!=\"external\"}[$__rate_interval])))"
    );
    let edges = POD.of("netwhy_edge_segments_sent_total", &[]).unwrap();
    assert_eq!(
        edges.rate(&["node", "peer_node"]).unwrap(),
        "sum by (node, peer_node) (rate(netwhy_edge_segments_sent_total{cluster=~\"$cluster\"}[$__rate_interval]))"
    );
}
