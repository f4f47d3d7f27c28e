use super::*;
use serde_json::json;
use std::net::Ipv4Addr;

fn names() -> Names {
    let ip = Ipv4Addr::new(10, 77, 1, 18);
    Names { pods: [(ip, ("api-a".into(), "a".into()))].into(), ..Names::default() }
}

#[test]
fn a_hint_is_read_as_an_alert_carries_it() {
    let hint = json!({
        "cause": "peer_slow", "confidence": 0.9, "summary": "waits", "chain": ["peer_slow", "rtt_inflation"],
        "blame": { "kind": "peer_pod", "name": "10.77.1.18", "alternatives": [] }
    });
    let said = Answer::of_hint(&hint, &names());
    assert_eq!((said.culprit, said.cause.as_str(), said.confidence), (Culprit::Pod("api-a".into()), "peer_slow", 0.9));
    assert_eq!(said.probability, None);
    assert_eq!(said.chain, ["peer_slow", "rtt_inflation"]);
}

#[test]
fn probabilities_and_steps_with_subjects_are_read() {
    let hint = json!({
        "cause": "path_loss", "confidence": 0.5, "chain": [{ "cause": "path_loss", "subject": "a" }],
        "blame": {
            "kind": "undecided", "name": "", "probability": 0.0,
            "alternatives": [{ "kind": "peer_node", "name": "b", "probability": 0.5 }]
        }
    });
    let said = Answer::of_hint(&hint, &names());
    assert!(!said.names());
    assert_eq!((said.probability, said.chain), (Some(0.0), vec!["path_loss".to_owned()]));
    assert_eq!(said.alternatives, [(Culprit::Node("b".into()), Some(0.5))]);
}

#[test]
fn pods_are_named_where_an_agent_knows_them() {
    let blame = |kind: &str| json!({ "blame": { "kind": kind, "name": "10.77.1.18", "alternatives": [] } });
    let mut heard = Heard {
        hints: vec![("b".into(), blame("peer_pod")), ("b".into(), blame("peer_node"))],
        pods: vec![json!({ "namespace": "shop", "name": "api-a" })],
        ..Heard::default()
    };
    let of = |heard: &Heard| {
        named(heard, &heard.hints, &names()).iter().map(|hint| text(&hint["blame"]["name"])).collect::<Vec<_>>()
    };
    assert_eq!(of(&heard), ["shop/api-a", "10.77.1.18"]);
    heard.pods.clear();
    assert_eq!(of(&heard), ["10.77.1.18", "10.77.1.18"], "no agent is on its Node");
}

/// Else both ends of late answers could not be compared.
#[test]
fn pods_that_others_call_are_named_too() {
    let callee =
        |address: &str, redirected: bool| json!({ "peer": address, "peer_pod": null, "redirected": redirected });
    let callees = [callee("10.77.1.18", false), callee("10.77.1.18", true), callee("10.77.1.99", false)];
    let heard = Heard {
        pods: vec![
            json!({ "namespace": "shop", "name": "api-a", "window": { "responses": null } }),
            json!({ "namespace": "shop", "name": "web-b", "window": { "responses": { "callees": callees } } }),
        ],
        ..Heard::default()
    };
    let pods = named_pods(&heard, &names());
    let called = &pods[1]["window"]["responses"]["callees"];
    assert_eq!((&called[0]["peer_pod"], &called[0]["peer_node"]), (&json!("shop/api-a"), &json!("a")));
    assert!(called[1]["peer_pod"].is_null() && called[2]["peer_pod"].is_null(), "{called}");
    assert_eq!(pods[0], heard.pods[0]);
}

#[test]
fn without_hints_and_rows_nobody_is_named() {
    let heard = Heard { answered: vec!["a".into()], ..Heard::default() };
    assert_eq!(answer(&heard, "web-a", &names()).unwrap(), Answer::nothing());
}

/// The rows decide who is at fault. How sure the cause is, the hint says.
#[test]
fn the_cause_of_an_answer_is_as_sure_as_its_hint_says() {
    let pair = |probability| (Culprit::pair("a", "b"), Some(probability));
    let open = Answer {
        confidence: 0.3,
        probability: Some(0.0),
        alternatives: vec![(Culprit::Node("b".into()), Some(0.5)), pair(0.4)],
        ..Answer::nothing()
    };
    assert!((of_cause(&open) - 0.6).abs() < 1e-9);
    let named = Answer { confidence: 0.81, probability: Some(0.9), ..Answer::nothing() };
    assert!((of_cause(&named) - 0.9).abs() < 1e-9);
    assert!((of_cause(&Answer::nothing()) - 1.0).abs() < 1e-9, "figures alone");
}

#[test]
fn a_node_that_the_rows_name_is_at_fault_for_paths_alone() {
    assert!(["path_loss", "path_latency", "peer_unreachable", "node_packet_loss"].into_iter().all(is_about_paths));
    assert!(!["dns_answer_lost", "peer_slow", ""].into_iter().any(is_about_paths));
}
