//! The rules of `kubectl netwhy shell`.

use crate::{api, documents::Documents, helm::Helm};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde_json::{Value, json};

/// The documents of these rules.
fn rendered(helm: &Helm, rules: &str) -> Documents {
    let text = helm.template(&[format!("shell={rules}")]).unwrap_or_else(|error| panic!("{rules}: {error:?}"));
    let documents = Documents::read(&text);
    for document in &documents.0 {
        api::check(document).unwrap_or_else(|error| panic!("{rules}: {error:?}"));
    }
    documents
}

/// The rules, as the plugin must be able to read them.
fn text(documents: &Documents) -> Value {
    let maps = documents.of_kind("ConfigMap");
    let map = maps.iter().find(|map| map["metadata"]["name"] == "netwhy-shell");
    let text = map.and_then(|map| map["data"]["shell.yaml"].as_str()).unwrap_or_else(|| panic!("{maps:?}"));
    netwhy_agent::plugin::check_rules(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_plugin_reads_the_rules_of_the_chart() {
    let Some(helm) = Helm::found("the_plugin_reads_the_rules_of_the_chart") else { return };
    assert_eq!(text(&rendered(&helm, r#"{"enabled":true}"#)), json!({"record": "optional"}));
    let all = r#"{"enabled":true,"record":"required","namespaces":["shop","team-*"],
        "commands":["sh","awk '{print $1}' *: #\"x\""],"idleTimeout":"15m","maxTime":"1h"}"#;
    let expected = json!({
        "record": "required", "namespaces": ["shop", "team-*"], "commands": ["sh", "awk '{print $1}' *: #\"x\""],
        "idle_timeout": "15m", "max_time": "1h"
    });
    assert_eq!(text(&rendered(&helm, &all.replace('\n', ""))), expected);
    let none = rendered(&helm, r#"{"enabled":true,"namespaces":[]}"#);
    assert_eq!(text(&none), json!({"record": "optional", "namespaces": []}), "an empty list allows nothing");
}

#[test]
fn everybody_may_read_the_rules_and_nothing_else() {
    let Some(helm) = Helm::found("everybody_may_read_the_rules_and_nothing_else") else { return };
    let documents = rendered(&helm, r#"{"enabled":true}"#);
    let role: Role = documents.one("Role");
    let rules = serde_json::to_value(role.rules).unwrap();
    let expected = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["netwhy-shell"], "verbs": ["get"]},
        {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": ["list"]}
    ]);
    assert_eq!(rules, expected);
    let binding: RoleBinding = documents.one("RoleBinding");
    assert_eq!(
        (binding.role_ref.name, binding.subjects.unwrap()[0].name.clone()),
        ("netwhy-shell-rules".to_owned(), "system:authenticated".to_owned())
    );
    let off = Documents::read(&helm.template(&[]).unwrap());
    assert!(off.of_kind("Role").is_empty() && off.of_kind("ConfigMap").len() == 1);
    let without = Documents::read(
        &helm.template(&["shell={\"enabled\":true}", "rbac={\"create\":false}"].map(str::to_owned)).unwrap(),
    );
    assert!(without.of_kind("RoleBinding").is_empty() && without.of_kind("ConfigMap").len() == 2);
}
