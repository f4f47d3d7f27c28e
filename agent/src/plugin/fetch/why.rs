//! Collects the facts for `why`.

use super::{
    super::{
        Failure,
        model::{
            Kind, SilentAgent, Target,
            health::Fact,
            settle::needs_others,
            why::{Facts, TargetPod},
        },
    },
    agent::Agent,
    agent_client::{AgentClient, INFO},
    agents::none_answered,
    callees,
    fan_out::{Progress, fan_out},
    objects, past,
    session::{Connection, Session},
    witnesses::witnesses,
};
use crate::api::{AgentStats, BlameKind, EdgeRow, Hint, PodRow, Suspect};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};

/// Most peer Nodes to ask.
const MAX_PEER_NODES: usize = 16;
/// Most peer addresses to look up.
const MAX_LOOKUPS: usize = 8;

/// Collects everything that is known about the target.
///
/// # Errors
/// When the target is unknown, or no agent on its Nodes answers.
pub async fn why(session: &Session, target: &Target, now_ms: i64) -> Result<Facts, Failure> {
    let facts = match &session.connection {
        Connection::Direct(client) => from_one_agent(session, &client.again().at(session.at), target).await,
        Connection::Cluster(client) if session.at.is_some() && target.kind != Some(Kind::Node) => {
            past::from_agents(session, client, target).await
        }
        Connection::Cluster(client) => from_cluster(session, client, target, now_ms).await,
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

async fn from_one_agent(session: &Session, client: &AgentClient, target: &Target) -> Result<Facts, Failure> {
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
    name_peers(session, client, &mut facts).await;
    let mut asked = callees::ask(session, client, &mut facts).await;
    asked.extend(nodes.iter().cloned());
    ask_peer_agents(session, client, &mut facts, &asked).await;
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

/// Asks the API server for the Pods and Nodes of peers that the agents know only by address.
async fn name_peers(session: &Session, client: &Client, facts: &mut Facts) {
    let mut weight: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for edge in facts.edges.iter().filter(|edge| edge.peer_pod.is_none() && !edge.redirected) {
        let entry = weight.entry(edge.peer.clone()).or_default();
        entry.0 += edge.loss_episodes + edge.failed_attempts();
        entry.1 += edge.segments_sent;
    }
    let mut addresses: Vec<(String, (u64, u64))> = weight.into_iter().collect();
    addresses.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    addresses.truncate(MAX_LOOKUPS);
    let found = join_all(addresses.iter().map(|(address, _)| objects::pod_by_address(session, client, address))).await;
    for ((address, _), found) in addresses.iter().zip(found) {
        match found {
            Ok(Some((pod, node))) => named(facts, address, &pod, &node),
            Ok(None) => {}
            Err(failure) => return facts.unknown.push(Fact::new("names of peers", failure.to_string())),
        }
    }
}

/// Replaces the address of a peer by its name.
fn named(facts: &mut Facts, address: &str, pod: &str, node: &str) {
    for edge in facts.edges.iter_mut().filter(|edge| edge.peer == address && !edge.redirected) {
        edge.peer_pod = Some(pod.to_owned());
        edge.peer_node.get_or_insert_with(|| node.to_owned());
    }
    for row in facts.pods.iter_mut().filter_map(|pod| pod.row.as_mut()) {
        callees::name(row, address, pod, node);
    }
    let renamed = |kind: BlameKind, name: &mut String| match kind {
        BlameKind::PeerPod if name == address => pod.clone_into(name),
        BlameKind::PeerNode if name == address && !node.is_empty() => node.clone_into(name),
        _ => {}
    };
    for blame in facts.hints.iter_mut().map(|hint| &mut hint.blame) {
        renamed(blame.kind, &mut blame.name);
        blame.alternatives.iter_mut().for_each(|other| renamed(other.kind, &mut other.name));
    }
}

/// Asks the agents on the peers' Nodes, except those that were asked. Missing answers make the result partial.
pub(super) async fn ask_peer_agents(session: &Session, client: &Client, facts: &mut Facts, asked: &BTreeSet<String>) {
    let mut weight: BTreeMap<String, (bool, u64, u64)> = BTreeMap::new();
    for edge in &facts.edges {
        let Some(node) = &edge.peer_node else { continue };
        let entry = weight.entry(node.clone()).or_default();
        entry.1 += edge.loss_episodes + edge.failed_attempts();
        entry.2 += edge.segments_sent;
    }
    for hint in &facts.hints {
        for Suspect { kind, name, .. } in hint.blame.candidates() {
            let node = matches!(kind, BlameKind::PeerNode | BlameKind::NodePair);
            if let Some(entry) = weight.get_mut(&name).filter(|_| node) {
                entry.0 = true;
            }
        }
    }
    weight.retain(|node, _| !asked.contains(node));
    let mut peers: Vec<(String, (bool, u64, u64))> = weight.into_iter().collect();
    peers.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    if peers.len() > MAX_PEER_NODES {
        let text = format!("asked {MAX_PEER_NODES} of {}, those with most loss and traffic", peers.len());
        facts.unknown.push(Fact::new("other peers' Nodes", text));
        peers.truncate(MAX_PEER_NODES);
    }
    let nodes: BTreeSet<String> = peers.into_iter().map(|(node, _)| node).collect();
    if nodes.is_empty() {
        return;
    }
    let found = match session.agents(client, Some(&nodes)).await {
        Ok(found) => found,
        Err(failure) => return facts.unknown.push(Fact::new("view of the peers' Nodes", failure.to_string())),
    };
    let ask = |agent: Agent| async move { agent.client.get::<Vec<Hint>>("/api/v1/hints").await };
    let answers = fan_out(found.agents, session.global.concurrency, Progress::new(), ask).await;
    facts.hints.extend(answers.got.into_iter().flat_map(|(_, hints)| hints));
    facts.add_silent(answers.silent.into_iter().chain(found.silent));
}

/// Asks all agents for their rows if they may decide what one agent can't.
pub(super) async fn ask_witnesses(session: &Session, facts: &mut Facts) {
    if !facts.hints.iter().any(needs_others) {
        return;
    }
    let edges = &facts.edges;
    let address = |pod: &str| {
        let of_pod = edges.iter().find(|edge| edge.peer_pod.as_deref() == Some(pod) && !edge.redirected)?;
        Some(of_pod.peer.as_str())
    };
    match witnesses(session, &facts.hints, address).await {
        Ok(rows) => {
            facts.peer_rows = rows.got.into_iter().flat_map(|(_, rows)| rows).collect();
            facts.add_silent(rows.silent);
        }
        Err(failure) => facts.unknown.push(Fact::new("view of other Nodes", failure.to_string())),
    }
}

/// The peers to show: those with failures or loss first, then by traffic.
pub(super) fn peers(edges: &[EdgeRow]) -> Vec<Fact> {
    #[derive(Default)]
    struct Sum {
        failures: u64,
        episodes: u64,
        segments: u64,
        min_rtt_seconds: Option<f64>,
    }
    let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
    for edge in edges {
        let who = edge.peer_pod.clone().unwrap_or_else(|| edge.peer.clone());
        let node = edge.peer_node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
        let sum = sums.entry(format!("{who}{node}")).or_default();
        sum.failures += edge.failed_attempts();
        sum.episodes += edge.loss_episodes;
        sum.segments += edge.segments_sent;
        sum.min_rtt_seconds = [sum.min_rtt_seconds, edge.min_rtt_seconds].into_iter().flatten().min_by(f64::total_cmp);
    }
    let mut all: Vec<(String, Sum)> = sums.into_iter().collect();
    all.sort_by_key(|(_, sum)| std::cmp::Reverse((sum.failures, sum.episodes, sum.segments)));
    let text = |Sum { failures, episodes, segments, min_rtt_seconds }: Sum| {
        let failed = if failures > 0 { format!(", {failures} connects failed") } else { String::new() };
        let rtt = min_rtt_seconds.map(|s| format!(", path {}", super::super::model::health::seconds(s)));
        format!("{segments} segments, {episodes} loss episodes{failed}{}", rtt.unwrap_or_default())
    };
    all.into_iter().take(5).map(|(who, sum)| Fact::new(format!("peer {who}"), text(sum))).collect()
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
