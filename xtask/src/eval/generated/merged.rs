//! Answers as people see them: the verdict of `kubectl netwhy why VICTIM`, and `nodes`, by the plugin's own code. Pure.
//!
//! Hints and rows come and go as JSON, so that this room need not know their newest form.

use super::{
    culprit::{Culprit, Names},
    hear::Heard,
};
use anyhow::{Context as _, Result};
use netwhy_agent::{
    api::{Hint, PeerRow},
    hints::{Family, RULES},
    plugin::model::{
        hints::HintFilter,
        nodes::nodes,
        why::{Facts, TargetPod, explain},
    },
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// A Node is named from this probability on, because it gets cordoned.
const NAMES_A_NODE: f64 = 0.9;
/// Fewest loss episodes for `nodes` to mean losses.
const EPISODES: u64 = 3;

/// One answer to "why is it slow, and who is at fault?".
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) culprit: Culprit,
    /// Empty: none.
    pub(super) cause: String,
    /// That culprit and cause are right, 0 … 1.
    pub(super) confidence: f64,
    /// That the culprit is right. `None`: the agent does not tell.
    pub(super) probability: Option<f64>,
    pub(super) alternatives: Vec<(Culprit, Option<f64>)>,
    /// Causes and symptoms, from the cause on.
    pub(super) chain: Vec<String>,
    pub(super) sentence: String,
}

impl Answer {
    pub(super) fn nothing() -> Self {
        Self {
            culprit: Culprit::Nobody,
            cause: String::new(),
            confidence: 0.0,
            probability: None,
            alternatives: Vec::new(),
            chain: Vec::new(),
            sentence: String::new(),
        }
    }

    /// Somebody is named.
    pub(super) fn names(&self) -> bool {
        self.culprit != Culprit::Nobody
    }

    /// A hint as an alert carries it.
    pub(super) fn of_hint(hint: &Value, names: &Names) -> Self {
        Self {
            cause: text(&hint["cause"]),
            confidence: hint["confidence"].as_f64().unwrap_or(0.0),
            sentence: text(&hint["summary"]),
            chain: steps(&hint["chain"]),
            ..Self::of_blame(&hint["blame"], names)
        }
    }

    fn of_blame(blame: &Value, names: &Names) -> Self {
        Self {
            culprit: names.culprit(blame),
            probability: blame["probability"].as_f64(),
            alternatives: names.alternatives(blame),
            ..Self::nothing()
        }
    }
}

/// Steps of a chain: texts, or objects with a cause.
fn steps(chain: &Value) -> Vec<String> {
    let one = |step: &Value| match step {
        Value::String(step) => step.clone(),
        step => text(if step["cause"].is_null() { &step["what"] } else { &step["cause"] }),
    };
    chain.as_array().into_iter().flatten().map(one).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The merged answer about a Pod.
pub(super) fn answer(heard: &Heard, victim: &str, names: &Names) -> Result<Answer> {
    let hints = named(heard, &heard.hints, names);
    let why = why(heard, &hints, victim, names)?;
    let Some((node, cause)) = guilty_node(heard, &hints, names)? else { return Ok(why) };
    // `nodes` compares all agents' edges: it may know which of several Nodes it is.
    let is_open = match &why.culprit {
        Culprit::Pair(a, b) | Culprit::Share(a, b) => *a == node.0 || *b == node.0,
        Culprit::Nobody => true,
        _ => false,
    };
    if !is_open {
        return Ok(why);
    }
    let (culprit, alternatives) = (Culprit::Node(node.0), vec![(why.culprit.clone(), None)]);
    // Figures of paths say nothing of another trouble, such as slow lookups.
    let why = match is_about_paths(&why.cause) {
        true => why,
        false => Answer { cause: cause.to_owned(), ..Answer::nothing() },
    };
    let confidence = node.1 * of_cause(&why);
    Ok(Answer { culprit, confidence, probability: Some(node.1), alternatives, ..why })
}

/// Probability of an answer's cause, whoever is at fault. 1 where no hint tells of it: figures show it.
fn of_cause(why: &Answer) -> f64 {
    let candidates = why.alternatives.iter().filter_map(|(_, probability)| *probability);
    let best = why.probability.into_iter().chain(candidates).fold(0.0, f64::max);
    if best > 0.0 { (why.confidence / best).min(1.0) } else { 1.0 }
}

/// Whether a cause is one of packets that are lost, late or unanswered.
fn is_about_paths(cause: &str) -> bool {
    let is_path = |family| matches!(family, Family::Host | Family::Connect | Family::Loss | Family::Latency);
    RULES.iter().any(|rule| rule.id == cause && is_path(rule.family))
}

/// `kubectl netwhy why pod/VICTIM`.
fn why(heard: &Heard, hints: &[Value], victim: &str, names: &Names) -> Result<Answer> {
    let of_victim = |row: &&Value, subject: &Value| subject["name"] == victim && row.is_object();
    let pods = named_pods(heard, names);
    let row = pods.iter().find(|row| of_victim(row, row));
    let about = hints.iter().map(|hint| &hint["subject"]).find(|subject| subject["name"] == victim);
    let Some(target) = row.or(about) else { return Ok(Answer::nothing()) };
    let (namespace, node) = (text(&target["namespace"]), text(&target["node"]));
    let all_edges = named_edges(heard, names);
    let edges: Vec<Value> = all_edges.iter().filter(|edge| edge["subject"]["name"] == victim).cloned().collect();
    let facts = Facts {
        kind: "Pod".into(),
        namespace: namespace.clone(),
        name: victim.into(),
        pods: vec![TargetPod { namespace, name: victim.into(), node, info: None, row: row.map(read).transpose()? }],
        hints: [read_all(hints)?, read_all(&named(heard, &heard.ended, names))?].concat(),
        edges: read_all(&edges)?,
        callees: read_all(&pods)?,
        peer_rows: peer_rows(heard, names)?,
        callee_edges: read_all(&all_edges)?,
        ..Facts::default()
    };
    let explanation = explain(facts, &HintFilter { namespace: None, since: None, now_ms: heard.now_ms });
    let report = serde_json::to_value(&explanation).context("write the answer of why")?;
    let verdict = &report["verdict"];
    if verdict["cause"].is_null() {
        return Ok(Answer::nothing());
    }
    Ok(Answer {
        cause: text(&verdict["cause"]),
        confidence: verdict["confidence"].as_f64().unwrap_or(0.0),
        chain: steps(&report["chain"]),
        sentence: text(&verdict["sentence"]),
        ..Answer::of_blame(&verdict["blame"], names)
    })
}

/// The Node that `kubectl netwhy nodes` shows to be at fault, with its probability, and what its figures show.
fn guilty_node(heard: &Heard, hints: &[Value], names: &Names) -> Result<Option<((String, f64), &'static str)>> {
    let report = nodes(&peer_rows(heard, names)?, &read_all::<Hint>(hints)?, &heard.answered, Vec::new());
    let report = serde_json::to_value(&report).context("write the answer of nodes")?;
    let probability = |item: &Value| item["blame"].as_f64().unwrap_or(0.0);
    let items = report["items"].as_array().into_iter().flatten();
    let worst = items.max_by(|a, b| probability(a).total_cmp(&probability(b)));
    let Some(worst) = worst.filter(|item| probability(item) >= NAMES_A_NODE) else { return Ok(None) };
    let episodes = |way: &str| worst[way]["episodes"].as_u64().unwrap_or(0);
    let lost = episodes("into") + episodes("out") >= EPISODES;
    let cause = if lost { "path_loss" } else { "path_latency" };
    Ok(Some(((text(&worst["node"]), probability(worst)), cause)))
}

/// All agents' rows by peer Node, with names of Pods beside addresses, as the plugin adds them.
pub(super) fn peer_rows(heard: &Heard, names: &Names) -> Result<Vec<PeerRow>> {
    let full = full_names(heard);
    let mut rows: Vec<PeerRow> = read_all(&heard.peers)?;
    for row in &mut rows {
        let pod = row.peer.as_deref().and_then(|address| names.pod_at(address)).and_then(|pod| full.get(pod));
        row.peer_pod = pod.cloned().or(row.peer_pod.take());
    }
    Ok(rows)
}

/// All agents' edges, with names of Pods beside addresses: in a cluster agents know their Pods.
fn named_edges(heard: &Heard, names: &Names) -> Vec<Value> {
    let full = full_names(heard);
    let one = |edge: &Value| {
        let mut edge = edge.clone();
        let pod = names.pod_at(edge["peer"].as_str().unwrap_or_default()).and_then(|pod| full.get(pod));
        if let (Some(pod), true) = (pod, edge["peer_pod"].is_null()) {
            edge["peer_pod"] = pod.clone().into();
        }
        edge
    };
    heard.edges.iter().map(one).collect()
}

/// All agents' Pods, with names beside the addresses of those that they call: in a cluster agents know their Pods, and
/// else the plugin looks them up.
fn named_pods(heard: &Heard, names: &Names) -> Vec<Value> {
    let full = full_names(heard);
    let rename = |callee: &mut Value| {
        let address = text(&callee["peer"]);
        let Some(pod) = names.pod_at(&address).and_then(|pod| full.get(pod)) else { return };
        callee["peer_pod"] = pod.clone().into();
        if callee["peer_node"].is_null() {
            callee["peer_node"] = names.node_at(&address).into();
        }
    };
    let one = |row: &Value| {
        let mut row = row.clone();
        let callees = row.pointer_mut("/window/responses/callees").and_then(Value::as_array_mut);
        let unnamed = |callee: &&mut Value| callee["peer_pod"].is_null() && callee["redirected"] != true;
        callees.into_iter().flatten().filter(unnamed).for_each(rename);
        row
    };
    heard.pods.iter().map(one).collect()
}

/// Pods with their namespace, by name.
fn full_names(heard: &Heard) -> BTreeMap<String, String> {
    let one = |row: &Value| (text(&row["name"]), format!("{}/{}", text(&row["namespace"]), text(&row["name"])));
    heard.pods.iter().map(one).collect()
}

/// The hints, with names of Pods instead of addresses: in a cluster agents know their Pods.
fn named(heard: &Heard, hints: &[(String, Value)], names: &Names) -> Vec<Value> {
    let full = full_names(heard);
    let rename = |blame: &mut Value| {
        let pod = names.pod_at(blame["name"].as_str().unwrap_or_default()).and_then(|pod| full.get(pod));
        if let (Some(pod), Some("peer_pod")) = (pod, blame["kind"].as_str()) {
            blame["name"] = pod.clone().into();
        }
    };
    let one = |hint: &Value| {
        let mut hint = hint.clone();
        rename(&mut hint["blame"]);
        if let Some(others) = hint["blame"]["alternatives"].as_array_mut() {
            others.iter_mut().filter(|other| other.is_object()).for_each(rename);
        }
        hint
    };
    hints.iter().map(|(_, hint)| one(hint)).collect()
}

fn read<T: DeserializeOwned>(row: &Value) -> Result<T> {
    serde_json::from_value(row.clone()).with_context(|| format!("read {row}"))
}

fn read_all<T: DeserializeOwned>(rows: &[Value]) -> Result<Vec<T>> {
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
