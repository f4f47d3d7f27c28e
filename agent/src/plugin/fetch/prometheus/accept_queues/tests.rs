use super::*;
use crate::{metrics::METRICS, plugin::fetch::prometheus::Labels};

fn series(pod: &str, sample: f64) -> Series {
    let labels = Labels { namespace: "shop".into(), pod: pod.into(), node: "node-a".into(), ..Labels::default() };
    Series { labels, samples: vec![(1_767_225_600.0, sample)] }
}

#[test]
fn the_counter_is_a_metric_of_the_agents() {
    assert!(METRICS.into_iter().flatten().any(|metric| metric.name == METRIC));
}

#[test]
fn the_last_hour_is_no_longer_than_the_range() {
    let queries = Queries::new(Duration::from_secs(21_600));
    assert!(queries.most.starts_with("topk(20, (sum by (cluster, node, instance, namespace, pod) (increase("));
    assert!(queries.most.ends_with("_total[21600s])) >= 1))"), "{}", queries.most);
    assert!(queries.recent.contains("_total[3600s])) and topk("), "{}", queries.recent);
    let short = Queries::new(Duration::from_secs(600));
    assert!(short.recent.contains("_total[600s])) and topk("), "{}", short.recent);
}

#[test]
fn pods_are_known_by_their_labels() {
    let (known, overflowed) = (vec![series("", 40.0)], vec![series("", 2.0)]);
    let most = vec![series("web-2", 2.1), series("cart-1", 120.3), series("odd", f64::NAN)];
    let queues = queues((&known, &overflowed), most, vec![series("cart-1", 30.2)]);
    assert_eq!((queues.known, queues.overflowed), (40, 2));
    let [cart, web] = queues.pods.as_slice() else { panic!("{queues:?}") };
    assert_eq!((cart.pod.as_str(), cart.turned_away, cart.last_hour), ("cart-1", 120.3, 30.2));
    assert_eq!((web.pod.as_str(), web.node.as_str(), web.last_hour), ("web-2", "node-a", 0.0));
    assert_eq!(super::queues((&[], &[]), vec![], vec![]), AcceptQueues::default());
}
