//! The facts that one agent knows (`--agent`).

use super::{AgentAnswer, ask_agent, peer_nodes::peers};
use crate::{
    api::{EdgeRow, PodRow},
    plugin::{
        Failure,
        fetch::{agent_client::AgentClient, session::Session},
        model::{
            Kind, Target,
            health::Fact,
            why::{Facts, TargetPod},
        },
    },
};
use std::collections::BTreeSet;

/// Facts from this agent alone: the views of other Nodes are missing.
pub(super) async fn facts(session: &Session, client: &AgentClient, target: &Target) -> Result<Facts, Failure> {
    if target.kind == Some(Kind::Service) {
        let remedy = "omit --agent or name a Pod";
        return Err(Failure::new("a single agent does not know Services", remedy));
    }
    let answer = ask_agent(client, "").await?;
    let is_node = target.kind == Some(Kind::Node) || (target.kind.is_none() && target.name == answer.info.node);
    if is_node && target.name != answer.info.node {
        let what = format!("this agent is on Node {:?}, not {:?}", answer.info.node, target.name);
        return Err(Failure::new(what, "ask the agent on that Node or omit --agent"));
    }
    let rows: Vec<&PodRow> =
        if is_node { answer.pods.iter().collect() } else { matching_rows(session, &answer, target)? };
    let one = |row: &PodRow| TargetPod {
        namespace: row.namespace.clone(),
        name: row.name.clone(),
        node: row.node.clone(),
        info: row.status.clone(),
        row: Some(row.clone()),
    };
    let pods: Vec<TargetPod> = rows.iter().map(|row| one(row)).collect();
    let ours =
        |edge: &EdgeRow| pods.iter().any(|p| p.namespace == edge.subject.namespace && p.name == edge.subject.name);
    let kind = match (is_node, target.kind, rows.first()) {
        (true, ..) => "Node",
        (_, Some(kind), _) if kind != Kind::Pod => kind.label(),
        (_, _, Some(row)) => &row.kind,
        _ => "Pod",
    };
    let edges: Vec<EdgeRow> = answer.edges.iter().filter(|edge| ours(edge)).cloned().collect();
    Ok(Facts {
        kind: kind.to_owned(),
        namespace: if is_node { String::new() } else { pods.first().map(|p| p.namespace.clone()).unwrap_or_default() },
        name: target.name.clone(),
        related: peers(&edges),
        unknown: peers_not_asked(&edges, &answer.info.node),
        edges,
        pods,
        hints: answer.hints,
        agents: vec![answer.info],
        // All callees on this Node are among them.
        callees: answer.pods,
        callee_edges: answer.edges,
        ..Facts::default()
    })
}

/// The rows of the Pod or workload that the target names. Never empty.
fn matching_rows<'a>(session: &Session, answer: &'a AgentAnswer, target: &Target) -> Result<Vec<&'a PodRow>, Failure> {
    let in_namespace = |namespace: &str| session.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
    let workload =
        target.kind.filter(|kind| *kind != Kind::Pod).map(|kind| format!("{}/{}", kind.label(), target.name));
    let matches = |row: &&PodRow| {
        in_namespace(&row.namespace)
            && match (&workload, target.kind) {
                (Some(workload), _) => row.workload == *workload,
                (None, Some(_)) => row.name == target.name,
                (None, None) => row.name == target.name || row.workload.ends_with(&format!("/{}", target.name)),
            }
    };
    let rows: Vec<&PodRow> = answer.pods.iter().filter(matches).collect();
    if !rows.is_empty() {
        return Ok(rows);
    }
    let names = answer.pods.iter().map(|row| row.name.as_str());
    let similar: Vec<&str> = names.filter(|name| name.contains(&target.name)).take(3).collect();
    let remedy = match similar.as_slice() {
        [] => "/api/v1/pods of the agent lists its Pods".to_owned(),
        similar => format!("did you mean {}?", similar.join(", ")),
    };
    Err(Failure::new(format!("the agent on {} knows no {target}", answer.info.node), remedy))
}

/// With one agent the views of other Nodes are missing.
fn peers_not_asked(edges: &[EdgeRow], own: &str) -> Vec<Fact> {
    let others: BTreeSet<&str> =
        edges.iter().filter_map(|e| e.peer_node.as_deref()).filter(|node| *node != own).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = others.into_iter().collect();
    vec![Fact::new("view of the peers' Nodes", format!("not asked because of --agent: {}", names.join(", ")))]
}
