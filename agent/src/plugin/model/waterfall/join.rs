//! Joins a client's view of its requests with the server's.

use super::{pod_name, sane};
use crate::api::{Callee, EdgeRow, PodResponses, PodRow, ProbeState, ResponseTimes};
use serde::Serialize;
use std::collections::BTreeMap;

/// The stage `peer` of a client, as the server's agent measures it: mean per request, s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PeerSplit {
    /// The server's application had not begun to read.
    pub unread_seconds: f64,
    /// The rest of the server's time.
    pub application_seconds: f64,
    /// Between the two measurements: queues on the way, and the client's own wait for a CPU.
    pub between_seconds: f64,
    /// The requests that the server's agent measured.
    pub of: SplitOf,
}

/// Requests of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitOf {
    /// Those of this client.
    ThisClient,
    /// Those of all its clients: the server does not see who asks, as behind a masquerade.
    AllClients,
}

/// Answers of agents about Pods.
pub(in crate::plugin::model) struct Known<'a> {
    pods: BTreeMap<String, &'a PodRow>,
    /// Edges of servers.
    servers: BTreeMap<String, Vec<&'a EdgeRow>>,
}

impl<'a> Known<'a> {
    pub(in crate::plugin::model) fn new(targets: &[&'a PodRow], others: &'a [PodRow], edges: &[&'a EdgeRow]) -> Self {
        let mut servers: BTreeMap<String, Vec<&EdgeRow>> = BTreeMap::new();
        for edge in edges.iter().filter(|edge| edge.role.as_deref() == Some("server")) {
            let name = format!("{}/{}", edge.subject.namespace, edge.subject.name);
            servers.entry(name).or_default().push(edge);
        }
        let rows = others.iter().chain(targets.iter().copied());
        Self { pods: rows.map(|row| (pod_name(row), row)).collect(), servers }
    }

    /// A Pod and its response times. `None`: not observed.
    pub(in crate::plugin::model) fn responses(&self, pod: &str) -> Option<(&'a PodRow, &'a PodResponses)> {
        let row = self.pods.get(pod)?;
        let responses = row.window.responses.as_ref()?;
        let is_observed = responses.state.is_none_or(ProbeState::is_attached);
        is_observed.then_some((*row, responses))
    }

    /// All clients that were measured, with each of their callees.
    pub(in crate::plugin::model) fn calls(&self) -> impl Iterator<Item = (&'a PodRow, &'a Callee)> {
        let observed = self.pods.keys().filter_map(move |pod| self.responses(pod));
        observed.flat_map(|(row, responses)| responses.callees.iter().map(move |callee| (row, callee)))
    }

    /// Splits the stage `peer` of a client by what the server's agent measured. `None`: it did not.
    pub(super) fn split(&self, client: &PodRow, callee: &Callee) -> Option<PeerSplit> {
        let peer = sane(*callee.times.stage_seconds.get("peer")?);
        let pod = callee.peer_pod.as_ref()?;
        let (times, of) = match self.edge(client, pod, callee.port) {
            Some(times) => (times, SplitOf::ThisClient),
            None => (self.responses(pod)?.1.server.as_ref()?, SplitOf::AllClients),
        };
        let of_stage = |stage: &str| times.stage_seconds.get(stage).copied().map(sane);
        let (unread, application) = (of_stage("unread")?, of_stage("application")?);
        // Not the same requests: windows differ, and busy Nodes observe some connections only.
        let fit = if unread + application > peer { peer / (unread + application) } else { 1.0 };
        let (unread_seconds, application_seconds) = (unread * fit, application * fit);
        let between_seconds = (peer - unread_seconds - application_seconds).max(0.0);
        Some(PeerSplit { unread_seconds, application_seconds, between_seconds, of })
    }

    /// The server's view of a client's requests to one port of a callee, and of nothing else. `None`: it has none, or
    /// several addresses of the client have one each.
    pub(in crate::plugin::model) fn served(&self, client: &PodRow, callee: &Callee) -> Option<&'a ResponseTimes> {
        // Without a port it is the rest of many.
        let mut edges = self.edges(client, callee.peer_pod.as_deref()?, Some(callee.port?));
        let (address, times) = edges.next()?;
        // An edge of a Pod that is target and callee is there twice.
        edges.all(|(other, _)| other == address).then_some(times)
    }

    fn edge(&self, client: &PodRow, server: &str, port: Option<u16>) -> Option<&'a ResponseTimes> {
        self.edges(client, server, port).next().map(|(_, times)| times)
    }

    /// The server's edges to this client on which requests ended, by the client's address.
    fn edges(
        &self,
        client: &PodRow,
        server: &str,
        port: Option<u16>,
    ) -> impl Iterator<Item = (&'a str, &'a ResponseTimes)> {
        let name = pod_name(client);
        // Others have the Node's address too.
        let own = client.status.iter().filter(|status| !status.host_network);
        let addresses: Vec<String> = own.flat_map(|status| &status.addresses).map(ToString::to_string).collect();
        let is_client = move |edge: &EdgeRow| edge.peer_pod.as_ref() == Some(&name) || addresses.contains(&edge.peer);
        let edges = self.servers.get(server).into_iter().flatten().copied();
        edges.filter(move |edge| edge.port == port && is_client(edge)).filter_map(|edge: &'a EdgeRow| {
            let times = edge.responses.as_ref().filter(|times| times.requests > 0)?;
            Some((edge.peer.as_str(), times))
        })
    }
}
