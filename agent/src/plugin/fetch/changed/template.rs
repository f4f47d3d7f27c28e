//! In which fields two revisions of a Pod template differ. Values are shown of images and resources alone: others may be
//! secret.

use super::pods::clause;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Most differences that are named.
const MAX_NAMED: usize = 6;
/// Labels that controllers add to each revision.
const HASHES: [&str; 3] = ["pod-template-hash", "controller-revision-hash", "pod-template-generation"];
/// Annotation that `kubectl rollout restart` writes.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// The differences as one clause. Empty: none is known.
pub(super) fn differences(old: &Value, new: &Value) -> String {
    let mut all = Vec::new();
    for list in ["initContainers", "containers"] {
        containers(&old["spec"][list], &new["spec"][list], &mut all);
    }
    let rest = changed_keys(&old["spec"], &new["spec"]);
    all.extend(rest.into_iter().filter(|key| !matches!(key.as_str(), "initContainers" | "containers")));
    for key in changed_keys(&old["metadata"]["annotations"], &new["metadata"]["annotations"]) {
        all.push(if key == RESTARTED { "kubectl rollout restart".to_owned() } else { format!("annotation {key}") });
    }
    let labels = changed_keys(&old["metadata"]["labels"], &new["metadata"]["labels"]);
    all.extend(labels.into_iter().filter(|key| !HASHES.contains(&key.as_str())).map(|key| format!("label {key}")));
    let more = all.len().saturating_sub(MAX_NAMED);
    all.truncate(MAX_NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

fn containers(old: &Value, new: &Value, out: &mut Vec<String>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (old, new) = (list(old), list(new));
    let name = |container: &Value| container["name"].as_str().unwrap_or_default().to_owned();
    for before in &old {
        let name = name(before);
        match new.iter().find(|after| after["name"] == before["name"]) {
            Some(after) => container(&name, before, after, out),
            None => out.push(format!("without container {name}")),
        }
    }
    let is_new = |after: &&Value| !old.iter().any(|before| before["name"] == after["name"]);
    out.extend(
        new.iter()
            .filter(is_new)
            .map(|after| format!("new container {} with image {}", name(after), shown(&after["image"]))),
    );
}

fn container(name: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    for key in changed_keys(old, new) {
        match key.as_str() {
            "image" => out.push(format!("image of {name}: {} → {}", shown(&old["image"]), shown(&new["image"]))),
            "resources" => resources(name, &old["resources"], &new["resources"], out),
            "env" => {
                let names = variables(&old["env"], &new["env"]);
                out.push(format!("variables of {name}: {}", names.join(" ")));
            }
            other => out.push(format!("{other} of {name}")),
        }
    }
}

fn resources(name: &str, old: &Value, new: &Value, out: &mut Vec<String>) {
    for (list, word) in [("limits", "limit"), ("requests", "request")] {
        for key in changed_keys(&old[list], &new[list]) {
            let (before, after) = (shown(&old[list][&key]), shown(&new[list][&key]));
            out.push(format!("{key} {word} of {name}: {before} → {after}"));
        }
    }
    if changed_keys(old, new).iter().any(|key| !matches!(key.as_str(), "limits" | "requests")) {
        out.push(format!("resources of {name}"));
    }
}

/// Names of the variables that differ.
fn variables(old: &Value, new: &Value) -> Vec<String> {
    let by_name = |list: &Value| -> Map<String, Value> {
        let all = list.as_array().into_iter().flatten();
        all.filter_map(|one| Some((one["name"].as_str()?.to_owned(), one.clone()))).collect()
    };
    let mut names = changed_keys(&Value::Object(by_name(old)), &Value::Object(by_name(new)));
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    if names.is_empty() { vec!["their order".to_owned()] } else { names }
}

/// Keys with different values in two objects.
fn changed_keys(old: &Value, new: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect::<Vec<_>>();
    let all: BTreeSet<String> = keys(old).into_iter().chain(keys(new)).collect();
    all.into_iter().filter(|key| old[key] != new[key]).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => clause(text),
        other => clause(&other.to_string()),
    }
}

#[cfg(test)]
mod tests;
