use super::*;
use serde_json::json;

fn names() -> Names {
    let ip = |last| Ipv4Addr::new(10, 77, 1, last);
    Names {
        pods: [(ip(18), ("api-a".into(), "a".into())), (ip(34), ("ext".into(), OUTSIDE.into()))].into(),
        nodes: [(ip(17), "a".into()), (ip(33), "out".into())].into(),
        service: Some(Ipv4Addr::new(10, 96, 0, 80)),
    }
}

#[test]
fn addresses_become_names() {
    let of = |kind: &str, name: &str| names().culprit(&json!({ "kind": kind, "name": name }));
    assert_eq!(of("peer_pod", "10.77.1.18"), Culprit::Pod("api-a".into()));
    assert_eq!(of("pod", "shop/api-a"), Culprit::Pod("api-a".into()));
    assert_eq!(of("peer_node", "10.77.1.18"), Culprit::Node("a".into()), "a Pod's address stands for its Node");
    assert_eq!(of("peer_pod", "10.77.1.17"), Culprit::Node("a".into()), "no Pod's address");
    assert_eq!(of("peer_pod", "10.77.1.34"), Culprit::External);
    assert_eq!(of("peer_pod", "10.96.0.80"), Culprit::Service);
    assert_eq!(of("node_pair", "b↔a"), Culprit::Pair("a".into(), "b".into()));
    assert_eq!(of("path_share", "b↔a"), Culprit::Share("a".into(), "b".into()));
    for nobody in ["none", "undecided"] {
        assert_eq!(of(nobody, ""), Culprit::Nobody);
    }
}

#[test]
fn alternatives_are_read_in_both_forms() {
    let old = names().alternatives(&json!({ "alternatives": ["a", "a↔b", "10.77.1.18"] }));
    let expected = [Culprit::Node("a".into()), Culprit::pair("a", "b"), Culprit::Pod("api-a".into())];
    assert_eq!(old, expected.map(|culprit| (culprit, None)));
    let new = json!({ "alternatives": [{ "kind": "node_pair", "name": "a↔b", "probability": 0.4 }] });
    assert_eq!(names().alternatives(&new), [(Culprit::pair("a", "b"), Some(0.4))]);
}

#[test]
fn a_culprit_is_read_as_it_is_written() {
    let all = [
        Culprit::Node("a".into()),
        Culprit::pair("b", "a"),
        Culprit::share("a", "b"),
        Culprit::Zones,
        Culprit::Pod("api-a".into()),
        Culprit::Service,
        Culprit::Clients("a".into()),
        Culprit::External,
        Culprit::Nobody,
    ];
    for culprit in all {
        let (kind, name) = culprit.kind_and_name();
        assert_eq!(Names::default().culprit(&json!({ "kind": kind, "name": name })), culprit);
    }
}
