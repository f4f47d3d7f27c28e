//! Facts about Nodes, to compare them: from their agents, and from their objects.

use super::{
    super::{
        Failure,
        model::{
            SilentAgent,
            differs::{Kind, Profile, Value},
            health::Fact,
        },
    },
    agent::Agent,
    fan_out::{Answers, Progress, fan_out},
    objects,
    session::{Connection, Session},
};
use crate::api::FactRow;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, ResourceExt as _, api::ListParams};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes per page of the list.
const PAGE_SIZE: u32 = 250;
/// Up to this many Nodes are asked for one by one.
const FEW: usize = 8;
/// Most requests for a Node at the same time.
const MOST_AT_ONCE: usize = 16;
/// Labels that are facts of their own, the present one before the old one.
const NAMED_LABELS: [(&str, [&str; 2]); 3] = [
    ("instance_type", ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"]),
    ("zone", ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"]),
    ("region", ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"]),
];

/// The part of `/api/v1/node` that is compared.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    facts: Vec<FactRow>,
}

/// Facts about Nodes.
#[derive(Debug, Default)]
pub struct Profiles {
    /// By name; only Nodes that an agent or an object was found of.
    pub nodes: BTreeMap<String, Profile>,
    /// Kinds of facts that could not be read of any Node.
    pub unknown: Vec<Fact>,
    /// Agents that did not answer.
    pub silent: Vec<SilentAgent>,
}

/// The cluster and the time.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Nodes that are known, at least.
    pub nodes: usize,
    /// The time of day, ms since the Unix epoch.
    pub now_ms: i64,
}

/// Facts about these Nodes.
///
/// # Errors
/// When the agents can't be found. Missing answers and objects make the result partial.
pub async fn profiles(session: &Session, wanted: &BTreeSet<String>, scope: Scope) -> Result<Profiles, Failure> {
    let Connection::Cluster(client) = &session.connection else {
        return Err(Failure::new("a single agent knows only its own Node", "omit --agent to compare Nodes"));
    };
    let found = session.agents(client, Some(wanted)).await?;
    let mut out = Profiles { silent: found.silent, ..Profiles::default() };
    let (agents, objects) = tokio::join!(ask(session, found.agents), objects_of(session, client, wanted, scope));
    for (node, answer) in agents.got {
        out.nodes.entry(node.clone()).or_insert_with(|| Profile::new(&node)).add_agent(&answer.facts);
    }
    out.silent.extend(agents.silent);
    match objects {
        Ok(all) => {
            for (node, facts) in all {
                out.nodes.entry(node.clone()).or_insert_with(|| Profile::new(&node)).add_object(facts);
            }
        }
        Err(failure) => out.unknown.push(Fact::new("labels, versions and zones of Nodes", failure.to_string())),
    }
    for silent in &out.silent {
        if let Some(profile) = out.nodes.get_mut(&silent.node) {
            profile.unread.push(Fact::new("the agent's facts", silent.why.clone()));
        }
    }
    Ok(out)
}

async fn ask(session: &Session, agents: Vec<Agent>) -> Answers<Answer> {
    let ask = |agent: Agent| async move { agent.client.get::<Answer>("/api/v1/node").await };
    fan_out(agents, session.global.concurrency, Progress::new(), ask).await
}

type Facts = Vec<(Kind, String, Value)>;

/// The facts of the Nodes' objects: one by one where they are few of many, because an object also lists up to 50
/// images; else page by page.
async fn objects_of(
    session: &Session,
    client: &kube::Client,
    wanted: &BTreeSet<String>,
    scope: Scope,
) -> Result<Vec<(String, Facts)>, Failure> {
    let api: Api<Node> = Api::all(client.clone());
    let Scope { nodes, now_ms } = scope;
    if wanted.len() <= FEW || 2 * wanted.len() < nodes {
        let get = |name: &String| {
            let (api, name) = (api.clone(), name.clone());
            async move { objects::request_optional(session, &format!("Node {name}"), api.get(&name)).await }
        };
        let found: Vec<Option<Node>> =
            stream::iter(wanted).map(get).buffer_unordered(MOST_AT_ONCE).try_collect().await?;
        return Ok(found.iter().flatten().map(|node| (node.name_any(), object_facts(node, now_ms))).collect());
    }
    let mut params = ListParams::default().limit(PAGE_SIZE);
    let mut out = Vec::new();
    loop {
        let page = objects::request(session, "list Nodes", api.list(&params)).await?;
        let known = page.items.iter().filter(|node| wanted.contains(&node.name_any()));
        out.extend(known.map(|node| (node.name_any(), object_facts(node, now_ms))));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) if out.len() < wanted.len() => params.continue_token = Some(token),
            _ => return Ok(out),
        }
    }
}

/// The facts of one object.
fn object_facts(node: &Node, now_ms: i64) -> Facts {
    let text = |text: &str| if text.is_empty() { Value::Absent } else { Value::Text(text.to_owned()) };
    let mut out: Facts = Vec::new();
    let mut push = |kind, fact: &str, value| out.push((kind, fact.to_owned(), value));
    let status = node.status.as_ref();
    if let Some(info) = status.and_then(|status| status.node_info.as_ref()) {
        push(Kind::Kubernetes, "kubelet", text(&info.kubelet_version));
        push(Kind::Kubernetes, "container_runtime", text(&info.container_runtime_version));
        push(Kind::Kubernetes, "os_image", text(&info.os_image));
        push(Kind::Kubernetes, "architecture", text(&info.architecture));
    }
    let labels = node.labels();
    for (fact, names) in NAMED_LABELS {
        let value = names.iter().find_map(|name| labels.get(*name)).map_or(Value::Absent, |value| text(value));
        push(Kind::Kubernetes, fact, value);
    }
    for (resource, quantity) in status.and_then(|status| status.capacity.as_ref()).into_iter().flatten() {
        // Memory and storage differ by some KiB between equal machines; the agent reports memory.
        if !matches!(resource.as_str(), "memory" | "ephemeral-storage") {
            push(Kind::Kubernetes, &format!("capacity {resource}"), text(&quantity.0));
        }
    }
    let created = node.metadata.creation_timestamp.as_ref().map(|time| time.0.as_millisecond());
    if let Some(created) = created {
        let seconds = (now_ms - created).max(0) / 1000;
        push(Kind::Kubernetes, "age", Value::Number(seconds as f64, "seconds".to_owned()));
    }
    let spec = node.spec.as_ref();
    let is_cordoned = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
    push(Kind::Condition, "cordoned", text(if is_cordoned { "yes" } else { "no" }));
    for condition in status.and_then(|status| status.conditions.as_ref()).into_iter().flatten() {
        push(Kind::Condition, &format!("condition {}", condition.type_), text(&condition.status));
    }
    for taint in spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten() {
        let value = taint.value.as_deref().filter(|value| !value.is_empty()).unwrap_or("set");
        push(Kind::Condition, &format!("taint {}:{}", taint.key, taint.effect), text(value));
    }
    for (name, value) in labels {
        if !NAMED_LABELS.iter().any(|(_, names)| names.contains(&name.as_str())) {
            push(Kind::Label, &format!("label {name}"), Value::Text(value.clone()));
        }
    }
    out
}

#[cfg(test)]
mod tests;
