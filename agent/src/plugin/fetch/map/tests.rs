use super::*;
use crate::plugin::model::map::tests::{facts, known_pods, known_services};

#[test]
fn only_peers_that_may_be_pods_and_are_not_known_are_looked_up() {
    let mut facts = facts();
    assert!(unnamed(&facts).is_empty());
    facts.names = Names::new(&known_pods()[..2], &known_services());
    facts.edges[2].bytes_sent = 1_000_000_000;
    let address = |text: &str| Unnamed::Address(text.parse().unwrap());
    assert_eq!(
        unnamed(&facts),
        [address("10.1.0.4"), address("10.1.0.3")],
        "most traffic first; no Service, none outside"
    );
    facts.edges.truncate(1);
    for (pod, wanted) in [("other/x-1", true), ("shop/web-1", false), ("other/../secrets", false), ("x", false)] {
        facts.edges[0].peer_pod = Some(pod.to_owned());
        let named = || Unnamed::Pod { namespace: "other".into(), name: "x-1".into() };
        assert_eq!(unnamed(&facts), wanted.then(named).into_iter().collect::<Vec<_>>(), "{pod}");
    }
}

#[test]
fn a_pod_that_ended_or_shares_its_nodes_network_has_no_address() {
    let pod = |phase: &str, host_network| PodInfo {
        phase: phase.into(),
        host_network,
        addresses: vec!["10.1.0.1".parse().unwrap()],
        ..PodInfo::default()
    };
    assert_eq!(known(&pod("Running", false)).unwrap().addresses.len(), 1);
    assert!(known(&pod("Running", true)).unwrap().addresses.is_empty());
    assert_eq!(known(&pod("Succeeded", false)), None);
}
