use super::*;

fn overflow(pod: &str, node: &str, turned_away: f64, last_hour: f64) -> Overflow {
    Overflow { namespace: "shop".into(), pod: pod.into(), node: node.into(), turned_away, last_hour }
}

/// One Pod that still overflows, and one that did.
pub(crate) fn two_of_forty() -> AcceptQueues {
    let pods = vec![overflow("web-2", "node-a", 2.1, 0.0), overflow("cart-1", "node-b", 120.3, 30.2)];
    AcceptQueues { known: 40, overflowed: 2, pods }.sorted()
}

#[test]
fn the_one_that_turned_most_connections_away_comes_first() {
    let names: Vec<String> = two_of_forty().pods.into_iter().map(|one| one.pod).collect();
    assert_eq!(names, ["cart-1", "web-2"]);
}

#[test]
fn of_too_many_the_ones_with_the_fewest_are_left_out() {
    let pods = (0..MAX_OVERFLOWS + 3).map(|n| overflow("cart", "node-a", n as f64, 0.0)).collect();
    let queues = AcceptQueues { pods, ..AcceptQueues::default() }.sorted();
    assert_eq!((queues.pods.len(), queues.pods[MAX_OVERFLOWS - 1].turned_away), (MAX_OVERFLOWS, 3.0));
}
