//! Everything that `why` wants to know.

use super::{
    super::{
        Trouble,
        model::{
            Kind, Silent, Target,
            case::{Facts, OnePod},
            health::Fact,
        },
    },
    agents::{Agent, nobody},
    door::Door,
    fan::{Progress, fan},
    objects,
    session::{Reach, Session},
};
use crate::{
    api::{BlameKind, Hint},
    http::json::{EdgeRow, PodRow},
    metrics::AgentStats,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of peers that are asked at most.
const PEERS: usize = 16;
/// Addresses that are looked up at most.
const NAMES: usize = 8;

/// Asks for all that is known of the target.
///
/// # Errors
/// When the target is unknown, or no agent that could know it answers.
pub async fn why(session: &Session, target: &Target, now_ms: i64) -> Result<Facts, Trouble> {
    match &session.reach {
        Reach::Direct(door) => direct(session, door, target).await,
        Reach::Cluster(client) => in_cluster(session, client, target, now_ms).await,
    }
}

/// What one agent says.
struct Told {
    info: AgentStats,
    hints: Vec<Hint>,
    pods: Vec<PodRow>,
    edges: Vec<EdgeRow>,
}

async fn told(door: &Door, filter: &str) -> Result<Told, Trouble> {
    // First, because it tells of another version by itself.
    let info: AgentStats = door.get("/api/v1/info").await?;
    let (pods, edges) = (format!("/api/v1/pods{filter}"), format!("/api/v1/edges{filter}"));
    let (hints, pods, edges) = tokio::join!(door.get("/api/v1/hints"), door.get(&pods), door.get(&edges));
    Ok(Told { info, hints: hints?, pods: pods?, edges: edges? })
}

async fn direct(session: &Session, door: &Door, target: &Target) -> Result<Facts, Trouble> {
    if target.kind == Some(Kind::Service) {
        let remedy = "ask without --agent, or name a Pod";
        return Err(Trouble::new("a single agent doesn't know Services", remedy));
    }
    let told = told(door, "").await?;
    let in_namespace = |namespace: &str| session.namespace.as_ref().is_none_or(|wanted| wanted == namespace);
    let is_node = target.kind == Some(Kind::Node) || (target.kind.is_none() && target.name == told.info.node);
    let workload =
        target.kind.filter(|kind| *kind != Kind::Pod).map(|kind| format!("{}/{}", kind.label(), target.name));
    let asked = |row: &&PodRow| {
        in_namespace(&row.namespace)
            && match (&workload, target.kind) {
                (Some(workload), _) => row.workload == *workload,
                (None, Some(_)) => row.name == target.name,
                (None, None) => row.name == target.name || row.workload.ends_with(&format!("/{}", target.name)),
            }
    };
    if is_node && target.name != told.info.node {
        let what = format!("this agent is on Node {:?}, not {:?}", told.info.node, target.name);
        return Err(Trouble::new(what, "ask the agent of that Node, or without --agent"));
    }
    let rows: Vec<&PodRow> =
        if is_node { told.pods.iter().collect() } else { told.pods.iter().filter(asked).collect() };
    if rows.is_empty() && !is_node {
        let names: Vec<String> = told.pods.iter().map(|row| row.name.clone()).collect();
        let close = names.iter().filter(|name| name.contains(&target.name)).take(3).cloned().collect::<Vec<_>>();
        let remedy = match close.as_slice() {
            [] => "see /api/v1/pods of the agent for those it knows".to_owned(),
            close => format!("did you mean {}?", close.join(", ")),
        };
        return Err(Trouble::new(format!("the agent on {} knows no {target}", told.info.node), remedy));
    }
    let one = |row: &PodRow| OnePod {
        namespace: row.namespace.clone(),
        name: row.name.clone(),
        node: row.node.clone(),
        info: row.status.clone(),
        row: Some(row.clone()),
    };
    let pods: Vec<OnePod> = rows.iter().map(|row| one(row)).collect();
    let ours =
        |edge: &EdgeRow| pods.iter().any(|p| p.namespace == edge.subject.namespace && p.name == edge.subject.name);
    let kind = match (is_node, target.kind, rows.first()) {
        (true, ..) => "Node",
        (_, Some(kind), _) if kind != Kind::Pod => kind.label(),
        (_, _, Some(row)) => &row.kind,
        _ => "Pod",
    };
    let edges: Vec<EdgeRow> = told.edges.iter().filter(|edge| ours(edge)).cloned().collect();
    Ok(Facts {
        kind: kind.to_owned(),
        namespace: if is_node { String::new() } else { pods.first().map(|p| p.namespace.clone()).unwrap_or_default() },
        name: target.name.clone(),
        around: peers(&edges),
        unknown: not_asked(&edges, &told.info.node),
        edges,
        pods,
        hints: told.hints,
        agents: vec![told.info],
        ..Facts::default()
    })
}

/// With one agent only, other Nodes' views are missing.
fn not_asked(edges: &[EdgeRow], own: &str) -> Vec<Fact> {
    let others: BTreeSet<&str> =
        edges.iter().filter_map(|e| e.peer_node.as_deref()).filter(|node| *node != own).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = others.into_iter().collect();
    vec![Fact::new("what the peers' Nodes see", format!("not asked because of --agent: {}", names.join(", ")))]
}

async fn in_cluster(session: &Session, client: &Client, target: &Target, now_ms: i64) -> Result<Facts, Trouble> {
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let resolved = objects::resolve(session, client, &namespace, target).await?;
    if resolved.kind == Kind::Node {
        return of_node(session, client, &resolved.name).await;
    }
    let known: Vec<_> = resolved.pods.iter().filter_map(objects::known).collect();
    let mut facts = Facts {
        kind: resolved.kind.label().to_owned(),
        namespace: namespace.clone(),
        name: resolved.name,
        ..Facts::default()
    };
    for (node, info) in &known {
        let (namespace, name) = (info.namespace.clone(), info.name.clone());
        facts.pods.push(OnePod { namespace, name, node: node.clone(), info: Some(info.clone()), row: None });
    }
    let nodes: BTreeSet<String> = known.iter().map(|(node, _)| node.clone()).filter(|node| !node.is_empty()).collect();
    let mut filter = format!("?namespace={namespace}");
    if let [only] = facts.pods.as_slice() {
        filter.push_str(&format!("&pod={}", only.name));
    }
    ask_own(session, client, &mut facts, &nodes, &filter).await?;
    // Status causes of Pods that no agent told of: without a Node, or not seen yet.
    let unseen: Vec<_> =
        known.iter().filter(|(node, _)| !facts.agents.iter().any(|a| a.node == *node)).cloned().collect();
    facts.hints.extend(super::super::model::status::judge(&unseen, now_ms));
    name_peers(session, client, &mut facts).await;
    ask_peers(session, client, &mut facts, &nodes).await;
    surroundings(session, client, &mut facts, &nodes, now_ms).await;
    Ok(facts)
}

/// The agents of the Pods' own Nodes. Of a single Pod's Node the agent must answer.
async fn ask_own(
    session: &Session,
    client: &Client,
    facts: &mut Facts,
    nodes: &BTreeSet<String>,
    filter: &str,
) -> Result<(), Trouble> {
    if nodes.is_empty() {
        return Ok(());
    }
    let found = session.agents(client, Some(nodes)).await?;
    let present: BTreeSet<&str> =
        found.agents.iter().map(|a| a.node.as_str()).chain(found.silent.iter().map(|s| s.node.as_str())).collect();
    let missing = nodes.iter().filter(|node| !present.contains(node.as_str()));
    let missing: Vec<Silent> = missing.map(|node| Silent::new(node, "none", &no_agent(node, session))).collect();
    let filter = filter.to_owned();
    let ask = move |agent: Agent| {
        let filter = filter.clone();
        async move { told(&agent.door, &filter).await }
    };
    let mut answers = fan(found.agents, session.global.concurrency, Progress::new(), ask).await;
    answers.silent.extend(found.silent);
    answers.silent.extend(missing);
    if answers.got.is_empty() {
        return Err(match answers.silent.as_slice() {
            [only] if only.agent == "none" => Trouble::new(&only.why, ""),
            all => nobody(all),
        });
    }
    let mut rows: BTreeMap<(String, String), PodRow> = BTreeMap::new();
    for (_, told) in answers.got {
        rows.extend(told.pods.into_iter().map(|row| ((row.namespace.clone(), row.name.clone()), row)));
        facts.edges.extend(told.edges);
        facts.hints.extend(told.hints);
        facts.agents.push(told.info);
    }
    for pod in &mut facts.pods {
        pod.row = rows.remove(&(pod.namespace.clone(), pod.name.clone()));
    }
    let pods = &facts.pods;
    facts.edges.retain(|e| pods.iter().any(|p| p.namespace == e.subject.namespace && p.name == e.subject.name));
    facts.not_answered.extend(answers.silent);
    Ok(())
}

fn no_agent(node: &str, session: &Session) -> Trouble {
    Trouble::new(
        format!("there is no agent on Node {node}: no Pod there has the labels {}", session.global.agent_selector),
        "see the DaemonSet's nodeSelector and tolerations, or --agent-selector",
    )
}

/// Pods and Nodes of peers that the agents know by address only: where the CNI doesn't number Pods by Node, the API server
/// can be asked.
async fn name_peers(session: &Session, client: &Client, facts: &mut Facts) {
    let mut weight: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for edge in facts.edges.iter().filter(|edge| edge.peer_pod.is_none()) {
        let entry = weight.entry(edge.peer.clone()).or_default();
        entry.0 += edge.loss_episodes + edge.connect_failures.values().sum::<u64>();
        entry.1 += edge.segments_sent;
    }
    let mut addresses: Vec<(String, (u64, u64))> = weight.into_iter().collect();
    addresses.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    addresses.truncate(NAMES);
    let found = join_all(addresses.iter().map(|(address, _)| objects::pod_at(session, client, address))).await;
    for ((address, _), found) in addresses.iter().zip(found) {
        match found {
            Ok(Some((pod, node))) => named(facts, address, &pod, &node),
            Ok(None) => {}
            Err(trouble) => return facts.unknown.push(Fact::new("names of peers", trouble.to_string())),
        }
    }
}

/// Puts a peer's name where its address stood.
fn named(facts: &mut Facts, address: &str, pod: &str, node: &str) {
    for edge in facts.edges.iter_mut().filter(|edge| edge.peer == address) {
        edge.peer_pod = Some(pod.to_owned());
        edge.peer_node.get_or_insert_with(|| node.to_owned());
    }
    for hint in facts.hints.iter_mut().filter(|hint| hint.blame.name == address) {
        match hint.blame.kind {
            BlameKind::PeerPod => hint.blame.name = pod.to_owned(),
            BlameKind::PeerNode if !node.is_empty() => hint.blame.name = node.to_owned(),
            _ => {}
        }
    }
}

/// The agents of the Nodes at the other end; who does not answer makes the answer partial.
async fn ask_peers(session: &Session, client: &Client, facts: &mut Facts, own: &BTreeSet<String>) {
    let mut weight: BTreeMap<String, (bool, u64, u64)> = BTreeMap::new();
    for edge in &facts.edges {
        let Some(node) = &edge.peer_node else { continue };
        let entry = weight.entry(node.clone()).or_default();
        entry.1 += edge.loss_episodes + edge.connect_failures.values().sum::<u64>();
        entry.2 += edge.segments_sent;
    }
    for hint in &facts.hints {
        let named = std::iter::once(&hint.blame.name).chain(&hint.blame.alternatives);
        if hint.blame.kind == BlameKind::PeerNode || hint.blame.kind == BlameKind::NodePair {
            for node in named.filter(|name| weight.contains_key(*name)).cloned().collect::<Vec<_>>() {
                weight.entry(node).or_default().0 = true;
            }
        }
    }
    weight.retain(|node, _| !own.contains(node));
    let mut peers: Vec<(String, (bool, u64, u64))> = weight.into_iter().collect();
    peers.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    if peers.len() > PEERS {
        let text = format!("the {PEERS} with most trouble and traffic of {} were asked", peers.len());
        facts.unknown.push(Fact::new("other peers' Nodes", text));
        peers.truncate(PEERS);
    }
    let nodes: BTreeSet<String> = peers.into_iter().map(|(node, _)| node).collect();
    if nodes.is_empty() {
        return;
    }
    let found = match session.agents(client, Some(&nodes)).await {
        Ok(found) => found,
        Err(trouble) => return facts.unknown.push(Fact::new("what the peers' Nodes see", trouble.to_string())),
    };
    let ask = |agent: Agent| async move { agent.door.get::<Vec<Hint>>("/api/v1/hints").await };
    let answers = fan(found.agents, session.global.concurrency, Progress::new(), ask).await;
    facts.hints.extend(answers.got.into_iter().flat_map(|(_, hints)| hints));
    facts.not_answered.extend(answers.silent);
    facts.not_answered.extend(found.silent);
}

/// Peers for the screen: those with trouble first, then by traffic.
fn peers(edges: &[EdgeRow]) -> Vec<Fact> {
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
        sum.failures += edge.connect_failures.values().sum::<u64>();
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

/// Owners, Services, Nodes, Events. What can't be read is said, and no failure.
async fn surroundings(session: &Session, client: &Client, facts: &mut Facts, nodes: &BTreeSet<String>, now_ms: i64) {
    let names: Vec<String> = facts.pods.iter().map(|pod| pod.name.clone()).collect();
    match objects::slices(session, client, &facts.namespace, None).await {
        Ok(Some(slices)) => facts.around.extend(objects::services_of(&slices, &names)),
        Ok(None) => facts.unknown.push(Fact::new("Services", "this API server has no discovery.k8s.io/v1")),
        Err(trouble) => facts.unknown.push(Fact::new("Services", trouble.to_string())),
    }
    for node in nodes.iter().take(3) {
        let api: Api<Node> = Api::all(client.clone());
        match objects::within(session, &format!("Node {node}"), api.get(node)).await {
            Ok(object) => facts.around.push(Fact::new(format!("Node/{node}"), objects::node_line(&object).1)),
            Err(trouble) => facts.unknown.push(Fact::new(format!("Node {node}"), trouble.to_string())),
        }
    }
    facts.around.extend(peers(&facts.edges));
    let first = facts.pods.iter().find(|pod| pod.info.as_ref().is_some_and(|i| i.is_troubled())).or(facts.pods.first());
    let uid = first.and_then(|pod| pod.info.as_ref()).map(|info| info.uid.clone());
    if let Some(uid) = uid {
        match objects::warnings(session, client, &facts.namespace, &uid, now_ms).await {
            Ok(events) => facts.events = events,
            Err(trouble) => facts.unknown.push(Fact::new("Events", trouble.to_string())),
        }
    }
}

/// A Node: its own agent, and what all others say of it.
async fn of_node(session: &Session, client: &Client, name: &str) -> Result<Facts, Trouble> {
    let mut facts = Facts { kind: Kind::Node.label().to_owned(), name: name.to_owned(), ..Facts::default() };
    let own: BTreeSet<String> = [name.to_owned()].into();
    let found = session.agents(client, Some(&own)).await?;
    match found.agents.first() {
        None => {
            let silent = found.silent.first().map(|silent| Trouble::new(&silent.why, ""));
            return Err(silent.unwrap_or_else(|| no_agent(name, session)));
        }
        Some(agent) => {
            let told = told(&agent.door, "").await.map_err(|trouble| trouble.at(format!("the agent on {name}")))?;
            facts.pods = (told.pods.into_iter())
                .map(|row| OnePod {
                    namespace: row.namespace.clone(),
                    name: row.name.clone(),
                    node: name.to_owned(),
                    info: row.status.clone(),
                    row: Some(row),
                })
                .collect();
            facts.edges = told.edges;
            facts.hints = told.hints;
            facts.agents.push(told.info);
        }
    }
    let ours = name.to_owned();
    let others = session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await?;
    let blaming = others.got.into_iter().filter(|(node, _)| *node != ours).flat_map(|(_, hints)| hints);
    facts.hints.extend(blaming);
    facts.not_answered = others.silent;
    let api: Api<Node> = Api::all(client.clone());
    if let Ok(object) = objects::within(session, name, api.get(name)).await {
        facts.around.push(Fact::new(format!("Node/{name}"), objects::node_line(&object).1));
    }
    facts.around.extend(peers(&facts.edges));
    Ok(facts)
}
