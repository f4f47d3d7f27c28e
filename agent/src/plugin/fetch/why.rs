//! Collects the facts for `why`.

mod one_agent;
mod peer_nodes;
mod services;

pub(super) use peer_nodes::{ask_peer_agents, ask_voices, ask_witnesses, peers};

use super::{
    super::{
        Failure,
        model::{
            Kind, SilentAgent, Target,
            health::Fact,
            why::{Facts, TargetPod},
        },
    },
    agent::Agent,
    agent_client::{AgentClient, INFO},
    agents::none_answered,
    callees,
    fan_out::{Progress, fan_out},
    objects, past, past_series,
    session::{Connection, Session},
};
use crate::api::{AgentStats, EdgeRow, Hint, PodRow};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};

/// Collects everything that is known about the target.
///
/// # Errors
/// When the target is unknown, or no agent on its Nodes answers.
pub async fn why(session: &Session, target: &Target, now_ms: i64) -> Result<Facts, Failure> {
    let facts = match &session.connection {
        Connection::Direct(client) => one_agent::facts(session, &client.again().at(session.at), target).await,
        Connection::Cluster(client) if session.at.is_some() && target.kind != Some(Kind::Node) => {
            past::from_agents(session, client, target).await
        }
        Connection::Cluster(client) => from_cluster(session, client, target, now_ms).await,
    };
    let facts = match facts {
        Err(failure) if session.at.is_some() => past_series::instead(session, target, failure).await,
        other => other,
    };
    Ok(Facts { at: session.at.map(|at| at.to_string()), ..facts? })
}

/// The answer of one agent.
struct AgentAnswer {
    info: AgentStats,
    hints: Vec<Hint>,
    pods: Vec<PodRow>,
    edges: Vec<EdgeRow>,
}

async fn ask_agent(client: &AgentClient, filter: &str) -> Result<AgentAnswer, Failure> {
    // First, because it detects an incompatible version.
    let info: AgentStats = client.get(INFO).await?;
    let (pods, edges) = (format!("/api/v1/pods{filter}"), format!("/api/v1/edges{filter}"));
    let (hints, pods, edges) = tokio::join!(client.get("/api/v1/hints"), client.get(&pods), client.get(&edges));
    Ok(AgentAnswer { info, hints: hints?, pods: pods?, edges: edges? })
}

async fn from_cluster(session: &Session, client: &Client, target: &Target, now_ms: i64) -> Result<Facts, Failure> {
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let resolved = objects::resolve(session, client, &namespace, target).await?;
    if resolved.kind == Kind::Node {
        return node_facts(session, client, &resolved.name).await;
    }
    let known: Vec<_> = resolved.pods.iter().filter_map(objects::pod_with_node).collect();
    let mut facts = Facts {
        kind: resolved.kind.label().to_owned(),
        namespace: namespace.clone(),
        name: resolved.name,
        ..Facts::default()
    };
    for (node, info) in &known {
        let (namespace, name) = (info.namespace.clone(), info.name.clone());
        facts.pods.push(TargetPod { namespace, name, node: node.clone(), info: Some(info.clone()), row: None });
    }
    let nodes: BTreeSet<String> = known.iter().map(|(node, _)| node.clone()).filter(|node| !node.is_empty()).collect();
    let mut filter = format!("?namespace={namespace}");
    if let [only] = facts.pods.as_slice() {
        filter.push_str(&format!("&pod={}", only.name));
    }
    ask_own_agents(session, client, &mut facts, &nodes, &filter).await?;
    // Status hints for Pods without an agent's answer: not scheduled yet, or unknown to the agent.
    let unseen: Vec<_> =
        known.iter().filter(|(node, _)| !facts.agents.iter().any(|a| a.node == *node)).cloned().collect();
    facts.hints.extend(super::super::model::status::judge(&unseen, now_ms));
    peer_nodes::name_peers(session, client, &mut facts).await;
    services::add(session, client, &mut facts).await;
    let mut asked = callees::ask(session, client, &mut facts).await;
    asked.extend(nodes.iter().cloned());
    ask_peer_agents(session, client, &mut facts, &asked).await;
    callees::ask_callers(session, client, &mut facts).await;
    ask_voices(session, &mut facts).await;
    ask_witnesses(session, &mut facts).await;
    add_related_objects(session, client, &mut facts, &nodes, now_ms).await;
    Ok(facts)
}

/// Asks the agents on the Nodes of the target's Pods. At least one must answer.
pub(super) async fn ask_own_agents(
    session: &Session,
    client: &Client,
    facts: &mut Facts,
    nodes: &BTreeSet<String>,
    filter: &str,
) -> Result<(), Failure> {
    if nodes.is_empty() {
        return Ok(());
    }
    let found = session.agents(client, Some(nodes)).await?;
    let present: BTreeSet<&str> =
        found.agents.iter().map(|a| a.node.as_str()).chain(found.silent.iter().map(|s| s.node.as_str())).collect();
    let missing = nodes.iter().filter(|node| !present.contains(node.as_str()));
    let missing: Vec<SilentAgent> =
        missing.map(|node| SilentAgent::new(node, "none", &no_agent(node, session))).collect();
    let filter = filter.to_owned();
    let ask = move |agent: Agent| {
        let filter = filter.clone();
        async move { ask_agent(&agent.client, &filter).await }
    };
    let mut answers = fan_out(found.agents, session.global.concurrency, Progress::new(), ask).await;
    answers.silent.extend(found.silent);
    answers.silent.extend(missing);
    if answers.got.is_empty() {
        return Err(match answers.silent.as_slice() {
            [only] if only.agent == "none" => Failure::new(&only.why, ""),
            all => none_answered(all),
        });
    }
    let mut rows: BTreeMap<(String, String), PodRow> = BTreeMap::new();
    for (_, answer) in answers.got {
        rows.extend(answer.pods.into_iter().map(|row| ((row.namespace.clone(), row.name.clone()), row)));
        facts.edges.extend(answer.edges);
        facts.hints.extend(answer.hints);
        facts.agents.push(answer.info);
    }
    for pod in &mut facts.pods {
        pod.row = rows.remove(&(pod.namespace.clone(), pod.name.clone()));
    }
    let pods = &facts.pods;
    facts.edges.retain(|e| pods.iter().any(|p| p.namespace == e.subject.namespace && p.name == e.subject.name));
    facts.not_answered.extend(answers.silent);
    Ok(())
}

fn no_agent(node: &str, session: &Session) -> Failure {
    Failure::new(
        format!("no agent on Node {node}: no Pod there has the labels {}", session.global.agent_selector),
        "check the DaemonSet's nodeSelector and tolerations, or pass --agent-selector",
    )
}

/// Adds Services, Nodes and Events. Unreadable objects are listed as unknown.
async fn add_related_objects(
    session: &Session,
    client: &Client,
    facts: &mut Facts,
    nodes: &BTreeSet<String>,
    now_ms: i64,
) {
    let names: Vec<String> = facts.pods.iter().map(|pod| pod.name.clone()).collect();
    match objects::slices(session, client, &facts.namespace, None).await {
        Ok(Some(slices)) => facts.related.extend(objects::services_of(&slices, &names)),
        Ok(None) => {
            facts.unknown.push(Fact::new("Services", "the API server has no EndpointSlices (discovery.k8s.io/v1)"))
        }
        Err(failure) => facts.unknown.push(Fact::new("Services", failure.to_string())),
    }
    for node in nodes.iter().take(3) {
        let api: Api<Node> = Api::all(client.clone());
        match objects::request(session, &format!("Node {node}"), api.get(node)).await {
            Ok(object) => facts.related.push(Fact::new(format!("Node/{node}"), objects::node_line(&object).1)),
            Err(failure) => facts.unknown.push(Fact::new(format!("Node {node}"), failure.to_string())),
        }
    }
    facts.related.extend(peers(&facts.edges));
    let first = facts.pods.iter().find(|pod| pod.info.as_ref().is_some_and(|i| i.is_troubled())).or(facts.pods.first());
    let uid = first.and_then(|pod| pod.info.as_ref()).map(|info| info.uid.clone());
    if let Some(uid) = uid {
        match objects::warnings(session, client, &facts.namespace, &uid, now_ms).await {
            Ok(events) => facts.events = events,
            Err(failure) => facts.unknown.push(Fact::new("Events", failure.to_string())),
        }
    }
}

/// Facts about a Node: its own agent's answer, and the hints of all others about it.
async fn node_facts(session: &Session, client: &Client, name: &str) -> Result<Facts, Failure> {
    let mut facts = Facts { kind: Kind::Node.label().to_owned(), name: name.to_owned(), ..Facts::default() };
    let own: BTreeSet<String> = [name.to_owned()].into();
    let found = session.agents(client, Some(&own)).await?;
    match found.agents.first() {
        None => {
            let silent = found.silent.first().map(|silent| Failure::new(&silent.why, ""));
            return Err(silent.unwrap_or_else(|| no_agent(name, session)));
        }
        Some(agent) => {
            let answer = ask_agent(&agent.client, "").await;
            let answer = answer.map_err(|failure| failure.at(format!("the agent on {name}")))?;
            facts.callees.clone_from(&answer.pods);
            facts.callee_edges.clone_from(&answer.edges);
            facts.pods = (answer.pods.into_iter())
                .map(|row| TargetPod {
                    namespace: row.namespace.clone(),
                    name: row.name.clone(),
                    node: name.to_owned(),
                    info: row.status.clone(),
                    row: Some(row),
                })
                .collect();
            facts.edges = answer.edges;
            facts.hints = answer.hints;
            facts.agents.push(answer.info);
        }
    }
    let ours = name.to_owned();
    let others = session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await?;
    let blaming = others.got.into_iter().filter(|(node, _)| *node != ours).flat_map(|(_, hints)| hints);
    facts.hints.extend(blaming);
    facts.not_answered = others.silent;
    ask_witnesses(session, &mut facts).await;
    let api: Api<Node> = Api::all(client.clone());
    // Of the past, only the agents know something.
    if session.at.is_none()
        && let Ok(object) = objects::request(session, name, api.get(name)).await
    {
        facts.related.push(Fact::new(format!("Node/{name}"), objects::node_line(&object).1));
    }
    facts.related.extend(peers(&facts.edges));
    Ok(facts)
}
