use super::*;
use crate::plugin::{
    mcp::bound,
    model::{
        changed::tests::report as changes,
        differs::{
            differs as contrast,
            tests::{odd_node, others},
        },
        matrix::matrix,
        nodes::{nodes as list, tests as node_tests},
        testing::{golden, hint},
        topology::tests::topology as service,
        why::{explain, tests as cases},
    },
};

#[test]
fn answers_are_verdicts_with_who_did_not_answer() {
    let mut case = explain(cases::loses(), &cases::filter());
    case.differs = Some(contrast(&odd_node(), &others()));
    case.changed = Some(changes());
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    golden("mcp-why.json", &pretty(&why(&case)));
    let silent = vec![SilentAgent { node: "node-z".into(), agent: "netwhy/z".into(), why: "no answer".into() }];
    let rows = node_tests::cluster();
    let mut all = list(&rows, &[hint("shop", "payment-1", "path_loss")], &node_tests::names(), silent.clone());
    all.differs = vec![contrast(&odd_node(), &others())];
    golden("mcp-nodes.json", &pretty(&nodes(&all)));
    let pairs = matrix(&rows, 4, silent);
    golden("mcp-edge.json", &pretty(&edge(&pairs, "node-a", "node-c").unwrap()));
    golden("mcp-changed.json", &pretty(&changed(&changes())));
    golden("mcp-topology.json", &pretty(&topology(&service())));
    for answer in [why(&case), nodes(&all), edge(&pairs, "node-a", "node-b").unwrap()] {
        let text = bound::text(answer);
        assert!(text.len() <= bound::MAX_BYTES && text.contains("not_answered"), "{text}");
    }
}

#[test]
fn the_history_names_what_is_not_recorded() {
    let gap = crate::api::Gap { from: "a".into(), to: "b".into(), why: "no agent ran".into() };
    let missing = vec![MissingTime { node: "node-a".into(), gap }];
    let time = ["2025-12-31T23:00:00Z", "2026-01-01T01:00:00Z"].map(|time| time.parse().unwrap());
    let answer =
        history(&Hints::of_time(vec![hint("shop", "payment-1", "path_loss")], time.into(), 2, vec![], missing));
    assert_eq!(answer["not_recorded"], json!(["node-a from a to b: no agent ran"]));
    assert_eq!((&answer["count"], &answer["hints"][0]["cause"]), (&json!(1), &json!("path_loss")));
    assert_eq!(answer["hints"][0]["until"], Value::Null, "it lasts");
}

#[test]
fn an_unknown_node_has_no_edge() {
    let pairs = matrix(&node_tests::cluster(), 4, vec![]);
    let failure = edge(&pairs, "node-a", "node-q").unwrap_err().to_string();
    assert_eq!(failure, "no agent has traffic from or to a Node \"node-q\"; `nodes` lists the Nodes");
}

#[test]
fn missing_signals_are_counted_by_reason() {
    use crate::api::ProbeStatus;
    let agent = |node: &str, state| AgentStats {
        node: node.to_owned(),
        version: "0.1.0".to_owned(),
        attached: true,
        pods_complete: Some(node != "node-b"),
        probes: vec![ProbeStatus { name: "drops".into(), state, why: "no rx_sk".into(), ..ProbeStatus::default() }],
        ..AgentStats::default()
    };
    let agents =
        [agent("node-a", ProbeState::Degraded), agent("node-b", ProbeState::Degraded), agent("node-c", ProbeState::Ok)];
    let answer = health(&agents, &[]);
    assert_eq!(answer["missing_signals"], json!(["drops degraded: no rx_sk (on 2 Nodes, such as node-a)"]));
    assert_eq!((&answer["agents"], &answer["versions"]), (&json!(3), &json!({"0.1.0": 3})));
    assert_eq!(answer["incomplete_pod_lists"], json!(["node-b"]));
}
