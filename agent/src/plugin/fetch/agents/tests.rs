use super::*;

fn silent(node: &str, why: &str) -> SilentAgent {
    SilentAgent { node: node.to_owned(), agent: format!("netwhy/{node}"), why: why.to_owned() }
}

#[test]
fn without_any_answer_the_most_frequent_reason_is_shown() {
    let all = [silent("a", "no answer"), silent("b", "forbidden"), silent("c", "forbidden")];
    assert_eq!(none_answered(&all).to_string(), "none of the 3 agents answered; 2 of them: forbidden");
    assert_eq!(none_answered(&all[..1]).to_string(), "the agent on a (netwhy/a): no answer");
    assert_eq!(none_answered(&[silent("", "refused")]).to_string(), "refused");
}

#[test]
fn the_port_comes_from_the_pod() {
    let pod = |ports: serde_json::Value| -> Pod {
        serde_json::from_value(serde_json::json!({"spec": {"containers": [{"name": "agent", "ports": ports}]}}))
            .unwrap()
    };
    let other = serde_json::json!([{"name": "x", "containerPort": 1}, {"name": "metrics", "containerPort": 9999}]);
    assert_eq!((port(&pod(other)), port(&pod(serde_json::json!([])))), (9999, PORT));
}
