//! The Pods behind the Services that a target calls.

use crate::{
    api::EdgeRow,
    plugin::{
        Failure,
        fetch::{objects, session::Session},
        model::{
            health::Fact,
            why::{Endpoint, Facts, ServiceEnds},
        },
    },
};
use futures::future::join_all;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, Client, api::ListParams};
use netwhy_abi::Role;
use std::{collections::BTreeSet, net::IpAddr};

/// Most Services whose endpoints are asked for.
const MAX_SERVICES: usize = 8;

/// Adds the Services that the target calls by an address of which the agents know no Pod, with their endpoints.
pub(super) async fn add(session: &Session, client: &Client, facts: &mut Facts) {
    let called = called(&facts.edges);
    if called.is_empty() {
        return;
    }
    match find(session, client, &called).await {
        Ok(services) => facts.services = services,
        Err(failure) => facts.unknown.push(Fact::new("Pods behind Services", failure.to_string())),
    }
}

/// Addresses of Services behind which no Pod is known.
fn called(edges: &[EdgeRow]) -> BTreeSet<IpAddr> {
    let is_called = |edge: &&EdgeRow| {
        edge.peer_kind == "service"
            && edge.peer_pod.is_none()
            && edge.role.as_deref() == Some(Role::Client.label())
            && !edge.redirected
    };
    edges.iter().filter(is_called).filter_map(|edge| edge.peer.parse().ok()).collect()
}

async fn find(session: &Session, client: &Client, called: &BTreeSet<IpAddr>) -> Result<Vec<ServiceEnds>, Failure> {
    let api: Api<Service> = Api::all(client.clone());
    let all = objects::list_all(session, "list the Services of all namespaces", &api, ListParams::default()).await?;
    let known: Vec<Known> = all.iter().filter_map(|service| Known::of(service, called)).take(MAX_SERVICES).collect();
    let slices = known.iter().map(|one| objects::slices(session, client, &one.namespace, Some(one.name.as_str())));
    let slices = join_all(slices).await;
    let mut out = Vec::new();
    for (Known { namespace, name, addresses }, slices) in known.into_iter().zip(slices) {
        let endpoints = endpoints(&slices?.unwrap_or_default());
        out.push(ServiceEnds { name: format!("{namespace}/{name}"), addresses, endpoints });
    }
    Ok(out)
}

/// A Service that is called.
struct Known {
    namespace: String,
    name: String,
    addresses: Vec<IpAddr>,
}

impl Known {
    /// `None`: it has none of the addresses.
    fn of(service: &Service, called: &BTreeSet<IpAddr>) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        // "None" for a headless Service.
        let all = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
        let addresses: Vec<IpAddr> = all.filter_map(|address| address.parse().ok()).collect();
        if !addresses.iter().any(|address| called.contains(address)) {
            return None;
        }
        Some(Self { namespace: service.metadata.namespace.clone()?, name: service.metadata.name.clone()?, addresses })
    }
}

/// The Pods that get new connections.
fn endpoints(slices: &[EndpointSlice]) -> Vec<Endpoint> {
    let mut out = BTreeSet::new();
    for endpoint in slices.iter().flat_map(|slice| &slice.endpoints) {
        let is_ready = endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true);
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
        let pod = target.and_then(|target| Some(format!("{}/{}", target.namespace.as_ref()?, target.name.as_ref()?)));
        if let (true, Some(pod), Some(node)) = (is_ready, pod, endpoint.node_name.clone()) {
            out.insert(Endpoint { pod, node });
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests;
