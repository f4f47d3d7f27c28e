use super::*;
use std::net::Ipv4Addr;

fn names() -> Names {
    let node = |n: u8, name: &str, zone: &str| (Ipv4Addr::new(10, 0, 0, n), name.to_owned(), zone.to_owned());
    let nodes = [node(1, "a", "z1"), node(2, "b", "z1"), node(3, "c", "z2")];
    Names::new(std::iter::empty(), nodes.into_iter(), "out")
}

fn says(who: Who, cause: &str, confidence: f64) -> Told {
    Told { who, cause: cause.to_owned(), confidence, alternatives: Vec::new() }
}

#[test]
fn what_callers_suffer_speaks_for_what_its_pod_says() {
    let hint = |json: serde_json::Value| serde_json::from_value::<Hint>(json).unwrap();
    let one = |pod: &str, cause: &str, kind: &str, name: &str| {
        hint(serde_json::json!({
            "id": pod, "state": "firing", "symptom": "", "cause": cause, "confidence": 0.9, "summary": "",
            "subject": {"kind": "Unit", "namespace": "lab/b", "name": pod, "workload": "", "node": "b"},
            "blame": {"kind": kind, "name": name, "alternatives": []}, "evidence": [], "ruled_out": [], "chain": [],
            "action": "", "first_seen": "", "last_seen": "", "window_seconds": 10.0
        }))
    };
    let names = Names::new(
        [(Ipv4Addr::new(10, 0, 0, 12), "api-b".to_owned(), "b".to_owned())].into_iter(),
        std::iter::empty(),
        "out",
    );
    let hints = [
        one("web-a", "peer_refusing", "peer_pod", "10.0.0.12"),
        one("web-c", "peer_refusing", "peer_pod", "10.0.0.12"),
        one("api-b", "pod_oom_killed", "pod", "api-b"),
    ];
    let all = answers(&told(&hints, &names), &[], &names);
    assert_eq!(all.len(), 1);
    assert_eq!((&all[0].who, all[0].cause.as_str(), all[0].hints), (&Who::pod("api-b"), "pod_oom_killed", 3));
    let alone = answers(&told(&hints[..2], &names), &[], &names);
    assert_eq!((&alone[0].who, alone[0].cause.as_str()), (&Who::pod("api-b"), "peer_refusing"));
}

#[test]
fn hints_about_paths_of_a_blamed_node_speak_for_it() {
    let hints = [
        says(Who::pair("a", "b"), "path_loss", 0.8),
        says(Who::pair("b", "c"), "path_loss", 0.7),
        says(Who::pod("x"), "pod_cpu_throttled", 0.9),
    ];
    let blamed = [Blamed { who: Who::node("b"), symptom: Symptom::Loss, confidence: 0.9 }];
    let all = answers(&hints, &blamed, &names());
    assert_eq!(all.len(), 2);
    assert_eq!((&all[0].who, all[0].cause.as_str(), all[0].hints), (&Who::node("b"), "path_loss", 2));
    assert!((all[0].weight - 2.4).abs() < 1e-9);
    assert_eq!(all[1].who, Who::pod("x"));
}

#[test]
fn the_fleet_takes_its_cause_from_those_who_know_more() {
    let hints = [says(Who::node("b"), "path_loss", 0.9), says(Who::pair("a", "b"), "peer_unreachable", 0.95)];
    let blamed = [Blamed { who: Who::node("b"), symptom: Symptom::Loss, confidence: 0.9 }];
    let all = answers(&hints, &blamed, &names());
    assert_eq!((&all[0].who, all[0].cause.as_str()), (&Who::node("b"), "peer_unreachable"));
    assert_eq!((&all[1].who, all[1].cause.as_str()), (&Who::node("b"), "path_loss"));
}

#[test]
fn without_a_verdict_each_hint_stands_for_itself_and_nobody_comes_last() {
    let hints = [says(Who::Nobody, "path_loss", 0.99), says(Who::pair("a", "b"), "path_loss", 0.5)];
    let all = answers(&hints, &[], &names());
    assert_eq!(all.iter().map(|a| &a.who).collect::<Vec<_>>(), [&Who::pair("a", "b"), &Who::Nobody]);
}

#[test]
fn a_zone_pair_takes_in_pairs_between_the_zones_only() {
    let blamed = Blamed { who: Who::zones("z1", "z2"), symptom: Symptom::Loss, confidence: 0.9 };
    assert!(covers(&blamed, &says(Who::pair("a", "c"), "path_loss", 0.5), &names()));
    assert!(!covers(&blamed, &says(Who::pair("a", "b"), "path_loss", 0.5), &names()));
    assert!(!covers(&blamed, &says(Who::pair("a", "c"), "peer_slow", 0.5), &names()));
}
