//! Asks all agents for their edges, and the API server for the names of the addresses in them.

use super::{
    super::{
        Failure,
        model::{
            health::Fact,
            map::{KnownPod, KnownService, MapFacts, Names},
        },
    },
    agent::Agent,
    objects,
    session::{Connection, Session},
};
use crate::{
    api::{EdgeRow, Hint, PodInfo, PodRow},
    pods::pod_info,
};
use futures::future::join_all;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Api, Client, api::ListParams};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// Most Pods of other namespaces to look up, those with most traffic.
const MAX_LOOKUPS: usize = 32;
/// Lookups at the same time.
const AT_ONCE: usize = 8;
/// Longest name of a Pod or namespace.
const MAX_NAME: usize = 253;

/// Everything for a map.
///
/// # Errors
/// When no agent answers. Names that can't be read are listed in the answer.
pub async fn map(session: &Session) -> Result<MapFacts, Failure> {
    let namespace = session.namespace.as_ref().map(|namespace| format!("?namespace={namespace}")).unwrap_or_default();
    let edges_path = format!("/api/v1/edges{namespace}");
    let answers = session
        .ask_each(move |agent: Agent| {
            let path = edges_path.clone();
            async move {
                // All hints: those of other namespaces may blame Pods of this one.
                let hints: Vec<Hint> = agent.client.get("/api/v1/hints?state=firing").await?;
                let edges: Vec<EdgeRow> = agent.client.get(&path).await?;
                let edges: Vec<EdgeRow> = edges.into_iter().map(slim).collect();
                agent.client.keep_only(edges.iter().map(weight).sum::<usize>() + hints.len() * size_of::<Hint>() * 4);
                Ok((edges, hints))
            }
        })
        .await?;
    let mut facts = MapFacts {
        namespace: session.namespace.clone(),
        agents: answers.got.len(),
        not_answered: answers.silent,
        ..MapFacts::default()
    };
    for (_, (edges, hints)) in answers.got {
        facts.edges.extend(edges);
        facts.hints.extend(hints);
    }
    match &session.connection {
        Connection::Cluster(client) => name_objects(session, client, &mut facts).await,
        Connection::Direct(_) => name_own_pods(session, &namespace, &mut facts).await,
    }
    Ok(facts)
}

/// Without what a map does not show.
fn slim(mut row: EdgeRow) -> EdgeRow {
    row.retransmitted_segments.clear();
    if let Some(times) = &mut row.responses {
        times.stage_seconds.clear();
        if let Some(normal) = &mut times.normally {
            normal.stage_seconds.clear();
        }
    }
    row
}

/// Its memory, bytes.
fn weight(row: &EdgeRow) -> usize {
    let texts = [&row.subject.namespace, &row.subject.name, &row.subject.workload, &row.subject.node, &row.peer];
    let texts = texts.into_iter().chain(&row.peer_dns_name);
    let reasons = row.connects.len() + row.connect_failures.len();
    size_of::<EdgeRow>() + texts.map(String::len).sum::<usize>() + 48 * (reasons + 8)
}

/// One agent knows the addresses of its own Pods.
async fn name_own_pods(session: &Session, filter: &str, facts: &mut MapFacts) {
    match session.ask_all::<Vec<PodRow>>(&format!("/api/v1/pods{filter}")).await {
        Ok(answers) => {
            let rows = answers.got.into_iter().flat_map(|(_, rows)| rows);
            let pods: Vec<KnownPod> = rows.filter_map(|row| known(row.status.as_deref()?)).collect();
            facts.names = Names::new(&pods, &[]);
        }
        Err(failure) => facts.unknown.push(Fact::new("names of its Pods", failure.to_string())),
    }
}

/// The Pods and Services of the user's namespaces, then those of others that are peers.
async fn name_objects(session: &Session, client: &Client, facts: &mut MapFacts) {
    let (pods, services) = tokio::join!(objects::pods(session, client), services(session, client, true));
    let mut known_pods: Vec<KnownPod> = Vec::new();
    match pods {
        Ok(pods) => known_pods.extend(pods.iter().filter_map(known_pod)),
        Err(failure) => facts.unknown.push(Fact::new("names of Pods", failure.to_string())),
    }
    let mut known_services: Vec<KnownService> = Vec::new();
    match services {
        Ok(services) => known_services.extend(services.iter().filter_map(known_service)),
        Err(failure) => facts.unknown.push(Fact::new("names of Services", failure.to_string())),
    }
    facts.names = Names::new(&known_pods, &known_services);
    if session.namespace.is_none() {
        return;
    }
    let of_services = facts.edges.iter().any(|row| row.peer_kind == "service" && !facts.names.knows_address(&row.peer));
    if of_services {
        match services_elsewhere(session, client).await {
            Ok(more) => known_services.extend(more),
            Err(failure) => facts.unknown.push(Fact::new("Services of other namespaces", failure.to_string())),
        }
    }
    let (found, failure) = look_up(session, client, &unnamed(facts)).await;
    if let Some(failure) = failure {
        facts.unknown.push(Fact::new("Pods of other namespaces", failure.to_string()));
    }
    known_pods.extend(found);
    facts.names = Names::new(&known_pods, &known_services);
}

async fn services(session: &Session, client: &Client, own: bool) -> Result<Vec<Service>, Failure> {
    let (api, place): (Api<Service>, _) = match session.namespace.as_ref().filter(|_| own) {
        Some(namespace) => (Api::namespaced(client.clone(), namespace), format!("of namespace {namespace}")),
        None => (Api::all(client.clone()), "of all namespaces".to_owned()),
    };
    objects::list_all(session, &format!("list the Services {place}"), &api, ListParams::default()).await
}

/// Without their selectors: the Pods behind them are not known.
async fn services_elsewhere(session: &Session, client: &Client) -> Result<Vec<KnownService>, Failure> {
    let all = services(session, client, false).await?;
    let others = all.iter().filter(|service| service.metadata.namespace != session.namespace);
    Ok(others.filter_map(known_service).collect())
}

/// A Pod to look up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unnamed {
    Address(IpAddr),
    Pod { namespace: String, name: String },
}

/// Peers that may be Pods and whose workload is not known, those with most traffic first.
fn unnamed(facts: &MapFacts) -> Vec<Unnamed> {
    let subjects: BTreeSet<String> =
        facts.edges.iter().map(|row| format!("{}/{}", row.subject.namespace, row.subject.name)).collect();
    let mut weight: BTreeMap<Unnamed, u64> = BTreeMap::new();
    for row in facts.edges.iter().filter(|row| row.class != "external") {
        let wanted = match (&row.peer_pod, row.peer_kind.as_str()) {
            (Some(pod), _) => {
                let Some((namespace, name)) = pod.split_once('/') else { continue };
                // They go into queries, and come from an agent.
                if facts.names.knows_pod(pod) || subjects.contains(pod) || !(is_name(namespace) && is_name(name)) {
                    continue;
                }
                Unnamed::Pod { namespace: namespace.to_owned(), name: name.to_owned() }
            }
            (None, "service" | "node_or_masqueraded") => continue,
            (None, _) if facts.names.knows_address(&row.peer) => continue,
            (None, _) => match row.peer.parse() {
                Ok(address) => Unnamed::Address(address),
                Err(_) => continue,
            },
        };
        let traffic = row.bytes_sent.saturating_add(row.bytes_received);
        let sum = weight.entry(wanted).or_default();
        *sum = sum.saturating_add(traffic);
    }
    let mut all: Vec<(Unnamed, u64)> = weight.into_iter().collect();
    all.sort_by_key(|(_, traffic)| std::cmp::Reverse(*traffic));
    all.into_iter().take(MAX_LOOKUPS).map(|(wanted, _)| wanted).collect()
}

/// Whether a text may be the name of a Pod or namespace.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(allowed)
}

/// Asks the API server for these Pods. Its first failure ends it.
async fn look_up(session: &Session, client: &Client, wanted: &[Unnamed]) -> (Vec<KnownPod>, Option<Failure>) {
    let mut pods = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        for answer in join_all(some.iter().map(|one| look_up_one(session, client, one))).await {
            match answer {
                Ok(found) => pods.extend(found.iter().filter_map(known_pod)),
                Err(failure) => return (pods, Some(failure)),
            }
        }
    }
    (pods, None)
}

async fn look_up_one(session: &Session, client: &Client, wanted: &Unnamed) -> Result<Vec<Pod>, Failure> {
    match wanted {
        Unnamed::Address(address) => {
            let api: Api<Pod> = Api::all(client.clone());
            let params = ListParams::default().fields(&format!("status.podIP={address}"));
            objects::list_all(session, "look up peers' addresses", &api, params).await
        }
        Unnamed::Pod { namespace, name } => {
            let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
            let found = objects::request_optional(session, &format!("Pod {namespace}/{name}"), api.get(name)).await?;
            Ok(found.into_iter().collect())
        }
    }
}

fn known_pod(pod: &Pod) -> Option<KnownPod> {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    Some(KnownPod { labels, ..known(&pod_info(pod)?)? })
}

/// `None`: it ended, and others may have its address.
fn known(pod: &PodInfo) -> Option<KnownPod> {
    if matches!(pod.phase.as_str(), "Succeeded" | "Failed") {
        return None;
    }
    Some(KnownPod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        workload: pod.workload.clone(),
        addresses: if pod.host_network { Vec::new() } else { pod.addresses.clone() },
        labels: BTreeMap::new(),
    })
}

fn known_service(service: &Service) -> Option<KnownService> {
    let spec = service.spec.as_ref()?;
    let addresses = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
    Some(KnownService {
        namespace: service.metadata.namespace.clone()?,
        name: service.metadata.name.clone()?,
        // "None" for a headless Service.
        addresses: addresses.filter_map(|address| address.parse().ok()).collect(),
        selector: spec.selector.clone().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests;
