use super::*;

#[test]
fn every_node_has_three_or_four_pods_and_every_stream_a_sink() {
    for (node, pods) in PODS {
        assert!(node == OUTSIDE || (3..=4).contains(&pods.len()), "{node}");
        assert!(pods.iter().all(|pod| node == OUTSIDE || pod.ends_with(&format!("-{node}"))));
    }
    let sinks = PODS.iter().flat_map(|(_, pods)| pods.iter()).filter(|pod| pod.starts_with("store-"));
    let sinks: Vec<&&str> = sinks.collect();
    for (at, (node, pods)) in PODS.iter().enumerate().take(8) {
        if pods.iter().any(|pod| pod.starts_with("bulk-")) {
            for peer in others(at, &[1, 3, 5]) {
                assert!(sinks.contains(&&format!("store-{peer}").as_str()), "{node} sends to {peer}");
            }
        }
    }
}
