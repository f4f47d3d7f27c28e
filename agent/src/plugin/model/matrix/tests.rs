use super::super::{nodes::tests::cluster, testing::peer_row};
use super::*;

#[test]
fn pairs_are_found_and_the_worst_node_leads() {
    let matrix = matrix(&cluster(), 4, vec![]);
    assert_eq!((matrix.nodes[0].as_str(), matrix.nodes.len(), matrix.pairs.len()), ("node-c", 4, 12));
    assert_eq!(matrix.pair("node-a", "node-c").unwrap().loss, Some(0.004));
    assert_eq!(matrix.pair("node-c", "node-a").unwrap().loss, Some(0.0));
    assert_eq!(matrix.pair("node-a", "node-a"), None);
    assert_eq!(matrix.median_min_rtt(), Some(0.00021));
}

#[test]
fn rows_of_two_classes_are_one_pair() {
    let mut other = peer_row("a", "b", 150, 1, 90);
    other.class = "in_cluster".to_owned();
    let matrix = matrix(&[peer_row("a", "b", 150, 2, 100), other], 1, vec![]);
    let pair = &matrix.pairs[0];
    assert_eq!((pair.segments, pair.episodes, pair.min_rtt_seconds), (300, 3, Some(0.00009)));
}
