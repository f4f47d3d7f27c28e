//! The peers of a target: their names, and what the agents on their Nodes and on all others know.

use crate::{
    api::{BlameKind, EdgeRow, Hint, Suspect},
    plugin::{
        fetch::{
            agent::Agent,
            callees,
            fan_out::{Progress, fan_out},
            objects,
            session::Session,
            witnesses::witnesses,
        },
        model::{
            health::{Fact, seconds},
            settle::{add_voices, wants_rows, wants_voices},
            why::Facts,
        },
    },
};
use futures::future::join_all;
use kube::Client;
use std::collections::{BTreeMap, BTreeSet};

/// Most peer Nodes to ask.
const MAX_PEER_NODES: usize = 16;
/// Most peer addresses to look up.
const MAX_LOOKUPS: usize = 8;

/// Asks the API server for the Pods and Nodes of peers that the agents know only by address.
pub(super) async fn name_peers(session: &Session, client: &Client, facts: &mut Facts) {
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
pub(in crate::plugin::fetch) async fn ask_peer_agents(
    session: &Session,
    client: &Client,
    facts: &mut Facts,
    asked: &BTreeSet<String>,
) {
    let mut weight: BTreeMap<String, (bool, u64, u64)> = BTreeMap::new();
    for edge in &facts.edges {
        let Some(node) = &edge.peer_node else { continue };
        let entry = weight.entry(node.clone()).or_default();
        entry.1 += edge.loss_episodes + edge.failed_attempts();
        entry.2 += edge.segments_sent;
    }
    for service in &facts.services {
        let is_blamed = |one: Suspect| one.kind == BlameKind::Service && service.has(&one.name);
        let is_blamed = facts.hints.iter().any(|hint| hint.blame.candidates().any(is_blamed));
        for endpoint in &service.endpoints {
            weight.entry(endpoint.node.clone()).or_default().0 |= is_blamed;
        }
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
        facts.unasked.extend(peers.split_off(MAX_PEER_NODES).into_iter().map(|(node, _)| node));
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

/// Asks all agents for their hints if these may decide what one agent can't: others that meet the same culprit need not
/// be peers of the target.
pub(in crate::plugin::fetch) async fn ask_voices(session: &Session, facts: &mut Facts) {
    if !facts.hints.iter().any(wants_voices) {
        return;
    }
    match session.ask_all::<Vec<Hint>>("/api/v1/hints?state=firing").await {
        Ok(answers) => {
            add_voices(&mut facts.hints, answers.got.into_iter().flat_map(|(_, hints)| hints).collect());
            facts.add_silent(answers.silent);
        }
        Err(failure) => facts.unknown.push(Fact::new("hints of other Nodes", failure.to_string())),
    }
}

/// Asks all agents for their rows if they may decide what one agent can't.
pub(in crate::plugin::fetch) async fn ask_witnesses(session: &Session, facts: &mut Facts) {
    if !facts.hints.iter().any(wants_rows) {
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
pub(in crate::plugin::fetch) fn peers(edges: &[EdgeRow]) -> Vec<Fact> {
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
        let rtt = min_rtt_seconds.map(|s| format!(", path {}", seconds(s)));
        format!("{segments} segments, {episodes} loss episodes{failed}{}", rtt.unwrap_or_default())
    };
    all.into_iter().take(5).map(|(who, sum)| Fact::new(format!("peer {who}"), text(sum))).collect()
}
