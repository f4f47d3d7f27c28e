//! Asks for the Pods that a target calls, and for those that they call: level by level, within bounds.

use super::{
    super::model::{
        health::Fact,
        waterfall::MAX_DEPTH,
        why::{Facts, is_about_answers},
    },
    agent::Agent,
    agent_client::AgentClient,
    fan_out::{Progress, fan_out},
    objects,
    session::Session,
};
use crate::{
    api::{Callee, EdgeRow, Hint, PodRow, Subject},
    plugin::Failure,
};
use futures::future::join_all;
use kube::Client;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Most Pods to ask for.
const MAX_PODS: usize = 16;
/// Most addresses of callees to look up per level.
const MAX_LOOKUPS: usize = 8;
/// Longest name of a Pod, namespace or Node.
const MAX_NAME: usize = 253;

/// A Pod to ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    node: String,
    namespace: String,
    name: String,
}

/// Adds what the callees' agents know of them. Returns the Nodes whose agents did not answer; they are named and need
/// not be asked again.
pub(super) async fn ask(session: &Session, client: &Client, facts: &mut Facts) -> BTreeSet<String> {
    let mut silent = BTreeSet::new();
    let mut seen: BTreeSet<String> = facts.pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    let mut level: Vec<Wanted> = wanted(facts.pods.iter().filter_map(|pod| pod.row.as_ref()), &mut seen);
    let mut left = MAX_PODS;
    for depth in 1..=MAX_DEPTH {
        level.retain(|pod| !silent.contains(&pod.node));
        level.truncate(left);
        left -= level.len();
        if level.is_empty() {
            break;
        }
        let (mut rows, without) = ask_level(session, client, facts, &level).await;
        silent.extend(without);
        // The last level's callees are not shown.
        if depth < MAX_DEPTH {
            name_callees(session, client, facts, &mut rows).await;
        }
        level = wanted(rows.iter(), &mut seen);
        facts.callees.extend(rows);
    }
    silent
}

/// Adds what their agents know of the Pods that blame the target for late answers: both ends of these are compared.
pub(super) async fn ask_callers(session: &Session, client: &Client, facts: &mut Facts) {
    let level = callers(facts);
    if !level.is_empty() {
        let (rows, _) = ask_level(session, client, facts, &level).await;
        facts.callees.extend(rows);
    }
}

/// The Pods that blame the target for late answers, of which nothing is known yet. Agents that were silent are not asked
/// again.
fn callers(facts: &Facts) -> Vec<Wanted> {
    let targets = facts.pods.iter().map(|pod| (&pod.namespace, &pod.name));
    let known: BTreeSet<(&String, &String)> =
        targets.chain(facts.callees.iter().map(|row| (&row.namespace, &row.name))).collect();
    let is_new = |hint: &&Hint| {
        let subject = &hint.subject;
        let names = [&subject.node, &subject.namespace, &subject.name];
        names.into_iter().all(|name| is_name(name))
            && !known.contains(&(&subject.namespace, &subject.name))
            && !facts.not_answered.iter().any(|silent| silent.node == subject.node)
    };
    let blaming = facts.hints.iter().filter(|hint| is_about_answers(hint) && facts.concerns(hint)).filter(is_new);
    let wanted = |Subject { node, namespace, name, .. }: &Subject| Wanted {
        node: node.clone(),
        namespace: namespace.clone(),
        name: name.clone(),
    };
    let all: BTreeSet<Wanted> = blaming.map(|hint| wanted(&hint.subject)).collect();
    all.into_iter().take(MAX_PODS).collect()
}

/// The Pods that these call and that nobody was asked for yet; those waited for longest first.
fn wanted<'a>(rows: impl Iterator<Item = &'a PodRow>, seen: &mut BTreeSet<String>) -> Vec<Wanted> {
    let of_row = |row: &'a PodRow| row.window.responses.iter().flat_map(|responses| &responses.callees);
    let mut callees: Vec<&Callee> = rows.flat_map(of_row).collect();
    let weight = |callee: &Callee| (callee.times.unanswered.unwrap_or(0), callee.times.total_seconds());
    callees.sort_by(|a, b| {
        let ((waiting_a, total_a), (waiting_b, total_b)) = (weight(a), weight(b));
        waiting_b.cmp(&waiting_a).then(total_b.total_cmp(&total_a))
    });
    let one = |callee: &&Callee| {
        let (pod, node) = (callee.peer_pod.as_ref()?, callee.peer_node.as_ref()?);
        let (namespace, name) = pod.split_once('/')?;
        // They go into queries, and come from an agent.
        let all_names = [node.as_str(), namespace, name].into_iter().all(is_name);
        let new = all_names && seen.insert(pod.clone());
        new.then(|| Wanted { node: node.clone(), namespace: namespace.to_owned(), name: name.to_owned() })
    };
    callees.iter().filter_map(one).collect()
}

/// Whether a text may be the name of a Pod, namespace or Node.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(allowed)
}

/// The rows of these Pods, and the Nodes whose agents did not answer. Adds the Pods' edges.
async fn ask_level(
    session: &Session,
    client: &Client,
    facts: &mut Facts,
    level: &[Wanted],
) -> (Vec<PodRow>, Vec<String>) {
    let mut by_node: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
    for pod in level {
        by_node.entry(pod.node.clone()).or_default().push(pod.clone());
    }
    let nodes: BTreeSet<String> = by_node.keys().cloned().collect();
    let found = match session.agents(client, Some(&nodes)).await {
        Ok(found) => found,
        Err(failure) => {
            facts.unknown.push(Fact::new("response times of callees", failure.to_string()));
            return (Vec::new(), Vec::new());
        }
    };
    let ask = |agent: Agent| {
        let pods = by_node.get(&agent.node).cloned().unwrap_or_default();
        async move { ask_pods(&agent.client, &pods).await }
    };
    let answers = fan_out(found.agents, session.global.concurrency, Progress::new(), ask).await;
    let without = answers.silent.iter().map(|silent| silent.node.clone()).collect();
    facts.add_silent(answers.silent.into_iter().chain(found.silent));
    let mut rows = Vec::new();
    for (_, (pods, edges)) in answers.got {
        rows.extend(pods);
        facts.callee_edges.extend(edges);
    }
    (rows, without)
}

/// The answer of one agent about these Pods. Rows of others are ignored.
async fn ask_pods(client: &AgentClient, pods: &[Wanted]) -> Result<(Vec<PodRow>, Vec<EdgeRow>), Failure> {
    let (mut rows, mut edges) = (Vec::new(), Vec::new());
    for Wanted { namespace, name, .. } in pods {
        let filter = format!("?namespace={namespace}&pod={name}");
        let mut row: Vec<PodRow> = client.get(&format!("/api/v1/pods{filter}")).await?;
        row.retain(|row| row.namespace == *namespace && row.name == *name);
        rows.extend(row.into_iter().take(1));
        let mut of_pod: Vec<EdgeRow> = client.get(&format!("/api/v1/edges{filter}")).await?;
        of_pod.retain(|edge| edge.subject.namespace == *namespace && edge.subject.name == *name);
        edges.extend(of_pod);
    }
    Ok((rows, edges))
}

/// Asks the API server for the Pods of callees that the agents know only by address.
async fn name_callees(session: &Session, client: &Client, facts: &mut Facts, rows: &mut [PodRow]) {
    let callees = rows.iter().flat_map(|row| &row.window.responses).flat_map(|responses| &responses.callees);
    let unnamed = callees.filter(|callee| callee.peer_pod.is_none() && !callee.redirected);
    // They go into queries too.
    let addresses = unnamed.filter(|callee| callee.peer.parse::<IpAddr>().is_ok());
    let addresses: BTreeSet<String> = addresses.map(|callee| callee.peer.clone()).collect();
    let addresses: Vec<String> = addresses.into_iter().take(MAX_LOOKUPS).collect();
    let found = join_all(addresses.iter().map(|address| objects::pod_by_address(session, client, address))).await;
    for (address, found) in addresses.iter().zip(found) {
        match found {
            Ok(Some((pod, node))) => rows.iter_mut().for_each(|row| name(row, address, &pod, &node)),
            Ok(None) => {}
            Err(failure) => return facts.unknown.push(Fact::new("names of callees", failure.to_string())),
        }
    }
}

/// Names the callees at an address.
pub(super) fn name(row: &mut PodRow, address: &str, pod: &str, node: &str) {
    let callees = row.window.responses.iter_mut().flat_map(|responses| &mut responses.callees);
    for callee in callees.filter(|callee| callee.peer == address && !callee.redirected) {
        callee.peer_pod = Some(pod.to_owned());
        if !node.is_empty() {
            callee.peer_node.get_or_insert_with(|| node.to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
