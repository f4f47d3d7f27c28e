use super::*;
use serde_json::json;

fn template(container: Value) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}})
}

#[test]
fn images_and_resources_have_their_values() {
    let old = template(json!({
        "name": "app", "image": "pay:1.4", "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}
    }));
    let new = template(json!({
        "name": "app", "image": "pay:1.5", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1"}}
    }));
    assert_eq!(
        differences(&old, &new),
        "image of app: pay:1.4 → pay:1.5, cpu limit of app: 2 → 500m, cpu request of app: none → 1"
    );
    assert_eq!(differences(&old, &old), "");
}

#[test]
fn values_that_may_be_secret_are_not_shown() {
    let old = template(json!({"name": "app", "args": ["--key=a"], "env": [
        {"name": "TOKEN", "value": "hunter2"}, {"name": "SAME", "value": "s"}
    ]}));
    let mut new = template(json!({"name": "app", "args": ["--key=b"], "env": [
        {"name": "TOKEN", "value": "hunter3"}, {"name": "SAME", "value": "s"}, {"name": "MORE", "value": "m"}
    ]}));
    new["metadata"]["annotations"] = json!({"secret": "hunter4"});
    assert_eq!(differences(&old, &new), "args of app, variables of app: MORE TOKEN, annotation secret");
}

#[test]
fn hashes_of_controllers_are_no_difference_and_a_restart_is() {
    let mut old = template(json!({"name": "app"}));
    old["metadata"]["labels"]["pod-template-hash"] = json!("a");
    let mut new = template(json!({"name": "app"}));
    new["metadata"]["labels"]["pod-template-hash"] = json!("b");
    assert_eq!(differences(&old, &new), "");
    new["metadata"]["annotations"] = json!({RESTARTED: "2026-01-01T00:00:00Z"});
    assert_eq!(differences(&old, &new), "kubectl rollout restart");
}

#[test]
fn containers_come_and_go_and_many_differences_are_counted() {
    let old = template(json!({"name": "app", "image": "a"}));
    let mut new = template(json!({"name": "proxy", "image": "p"}));
    assert_eq!(differences(&old, &new), "without container app, new container proxy with image p");
    for number in 0..10 {
        new["spec"][format!("field{number}")] = json!(1);
    }
    assert!(differences(&old, &new).ends_with("field2, field3, 6 more"), "{}", differences(&old, &new));
    assert_eq!(differences(&Value::Null, &Value::Null), "");
}
