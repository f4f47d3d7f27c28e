//! The PrometheusRule: the files in rules/, as the operator takes them.

use crate::{
    api,
    documents::Documents,
    helm::{Helm, chart, workspace},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PrometheusRule {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: Spec,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    groups: Vec<Group>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    hold: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// Groups of all files, in the order of their names.
fn groups() -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(chart().join("rules")).expect("rules/").flatten().map(|f| f.path()).collect();
    files.sort();
    let read = |path| -> Value { serde_saphyr::from_str(&fs::read_to_string(path).expect("a file")).expect("YAML") };
    files.into_iter().flat_map(|path| read(path)["groups"].as_array().expect("groups").clone()).collect()
}

fn alerts() -> Vec<Rule> {
    let groups: Vec<Group> = serde_json::from_value(groups().into()).expect("groups of rules");
    groups.into_iter().flat_map(|group| group.rules).filter(|rule| rule.alert.is_some()).collect()
}

#[test]
fn rule_holds_the_files_and_leads_to_the_runbooks() {
    let Some(helm) = Helm::found("rule_holds_the_files_and_leads_to_the_runbooks") else { return };
    let none = helm.template(&[]).unwrap_or_else(|error| panic!("{error}"));
    assert!(Documents::read(&none).of_kind("PrometheusRule").is_empty(), "a cluster may not know the kind");
    let on = "prometheusRule={\"enabled\":true,\"labels\":{\"release\":\"p\"}}".to_owned();
    let plain = Documents::read(&helm.template(std::slice::from_ref(&on)).unwrap_or_else(|error| panic!("{error}")));
    let document = plain.of_kind("PrometheusRule")[0];
    api::check(document).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(document["spec"]["groups"], Value::from(groups()));
    assert_eq!(document["metadata"]["labels"]["release"], "p");
    let url = "docsUrl=\"https://git.example.org/netwhy/docs/\"".to_owned();
    let linked = Documents::read(&helm.template(&[on, url]).unwrap_or_else(|error| panic!("{error}")));
    let rule: PrometheusRule = linked.one("PrometheusRule");
    let rules: Vec<&Rule> = rule.spec.groups.iter().flat_map(|group| &group.rules).collect();
    for rule in rules.iter().filter(|rule| rule.alert.is_some()) {
        let alert = rule.alert.as_deref().unwrap_or_default();
        let page = format!("https://git.example.org/netwhy/docs/runbooks/{alert}.md");
        assert_eq!(rule.annotations.get("runbook_url"), Some(&page));
    }
}

#[test]
fn every_alert_waits_has_a_severity_and_says_what_and_where() {
    for rule in alerts() {
        let name = rule.alert.unwrap_or_default();
        assert!(name.starts_with("Netwhy"), "{name}");
        assert!(rule.hold.is_some_and(|hold| hold != "0s" && hold != "0m"), "{name} needs a `for`");
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{name}: {severity:?}");
        let summary = rule.annotations.get("summary").map_or("", String::as_str);
        assert!(summary.contains("{{ $labels."), "{name} names nobody: {summary:?}");
    }
}

/// The command of each alert runs as it is, about what its summary names.
#[test]
fn every_alert_has_the_command_line_that_shows_more() {
    for rule in alerts() {
        let name = rule.alert.unwrap_or_default();
        let annotation = |key: &str| rule.annotations.get(key).cloned().unwrap_or_default();
        let (command, summary) = (annotation("command"), annotation("summary"));
        let parsed = |line: &str| {
            let words: Vec<std::ffi::OsString> = line.split(' ').skip(1).map(Into::into).collect();
            netwhy_agent::plugin::cli::parse(&words).unwrap_or_else(|error| panic!("{name}: {error}")).command
        };
        // A forecast is about all Nodes.
        if command == "kubectl netwhy forecast" {
            parsed(&command);
            continue;
        }
        let mut filled = command.clone();
        for (label, value) in [("node", "a"), ("namespace", "shop"), ("pod", "cart-1"), ("workload", "Deployment/cart")]
        {
            let place = format!("{{{{ $labels.{label} }}}}");
            // The Node of a Pod says less than the Pod.
            assert_eq!(summary.contains(&place), command.contains(&place), "{name}: {label} in {command:?}");
            filled = filled.replace(&place, value);
        }
        assert!(matches!(parsed(&filled), netwhy_agent::plugin::cli::Command::Why { .. }), "{name}: {filled}");
    }
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let wanted: BTreeSet<String> = alerts().into_iter().filter_map(|rule| rule.alert).collect();
    let pages = fs::read_dir(workspace().join("docs/runbooks")).expect("runbooks").flatten().map(|page| page.path());
    let mut found = BTreeSet::new();
    for page in pages {
        let name = page.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = fs::read_to_string(&page).expect("a page");
        for heading in [&format!("# {name}"), "## Meaning", "## First look", "## Likely causes", "## Remedies"] {
            let section = text.split(&format!("{heading}\n")).nth(1).unwrap_or_default();
            assert!(section.trim_start().len() > 20 && !section.trim_start().starts_with('#'), "{name}: {heading}");
        }
        let first = text.split("```").nth(1).unwrap_or_default();
        assert!(first.contains("kubectl"), "{name}: the first look is a command");
        found.insert(name);
    }
    assert_eq!(found, wanted);
    for rule in alerts() {
        let (name, page) = (rule.alert.unwrap_or_default(), rule.annotations.get("runbook_url").cloned());
        let text = fs::read_to_string(workspace().join(page.unwrap_or_default())).unwrap_or_default();
        let severity = rule.labels.get("severity").map_or("", String::as_str);
        let line = format!("Severity {severity}, after {}.", rule.hold.unwrap_or_default());
        assert!(text.contains(&line), "docs/runbooks/{name}.md must say {line:?}");
    }
}
