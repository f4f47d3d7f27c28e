//! Finds the agents of a cluster and asks them.

use super::{
    super::{Failure, model::SilentAgent},
    agent::Agent,
    agent_client::AgentClient,
    errors::{from_api, timed_out},
    fan_out::{Answers, Progress, fan_out},
    session::{Connection, Session},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{ListParams, ObjectList},
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

/// The chart's default port.
const PORT: u16 = 9810;
/// Name of the agent's port in its Pod.
const PORT_NAME: &str = "metrics";
/// Objects per page of a list.
const PAGE_SIZE: u32 = 500;
/// Up to this many Nodes, agents are listed per Node instead of all at once.
const FEW_NODES: usize = 8;

/// Agents with a running Pod, and agents without.
#[derive(Default)]
pub(super) struct Found {
    pub(super) agents: Vec<Agent>,
    pub(super) silent: Vec<SilentAgent>,
}

impl Session {
    /// Asks all agents for the same path. Some answers are enough.
    ///
    /// # Errors
    /// When there are no agents, or none answered.
    pub async fn ask_all<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<Answers<T>, Failure> {
        let path = path.to_owned();
        self.ask_each(move |agent| {
            let path = path.clone();
            async move { agent.client.get(&path).await }
        })
        .await
    }

    /// Asks all agents with `ask`.
    ///
    /// # Errors
    /// As [`Self::ask_all`].
    pub async fn ask_each<T, Ask, Fut>(&self, ask: Ask) -> Result<Answers<T>, Failure>
    where
        T: Send + 'static,
        Ask: Fn(Agent) -> Fut,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let found = match &self.connection {
            Connection::Direct(client) => {
                let agent = Agent { node: String::new(), client: client.clone() };
                Found { agents: vec![agent], silent: Vec::new() }
            }
            Connection::Cluster(client) => self.agents(client, None).await?,
        };
        if found.agents.is_empty() && found.silent.is_empty() {
            return Err(self.no_agents());
        }
        let mut answers = fan_out(found.agents, self.global.concurrency, Progress::new(), ask).await;
        answers.silent.extend(found.silent);
        answers.silent.sort();
        if answers.got.is_empty() {
            return Err(none_answered(&answers.silent));
        }
        Ok(answers)
    }

    fn no_agents(&self) -> Failure {
        let place = match &self.global.agent_namespace {
            Some(namespace) => format!("namespace {namespace}"),
            None => "any namespace".to_owned(),
        };
        Failure::new(
            format!("no agents found: no Pod in {place} has the labels {}", self.global.agent_selector),
            "install the chart (README.md) or pass --agent-selector",
        )
    }

    /// The agents of these Nodes; `None`: of all.
    pub(super) async fn agents(&self, client: &Client, nodes: Option<&BTreeSet<String>>) -> Result<Found, Failure> {
        let pods = match nodes {
            Some(nodes) if nodes.len() <= FEW_NODES => {
                let mut pods = Vec::new();
                for node in nodes {
                    pods.extend(self.agent_pods(client, Some(node)).await?);
                }
                pods
            }
            _ => self.agent_pods(client, None).await?,
        };
        Ok(self.one_per_node(client, pods, nodes))
    }

    async fn agent_pods(&self, client: &Client, node: Option<&str>) -> Result<Vec<Pod>, Failure> {
        let global = &self.global;
        let api: Api<Pod> = match &global.agent_namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let mut params = ListParams::default().labels(&global.agent_selector).limit(PAGE_SIZE);
        if let Some(node) = node {
            params = params.fields(&format!("spec.nodeName={node}"));
        }
        let mut out = Vec::new();
        loop {
            let what = "list the agents' Pods";
            let asked = tokio::time::timeout(global.request_timeout, api.list(&params)).await;
            let list: ObjectList<Pod> = asked
                .map_err(|_| timed_out(what, global.request_timeout))?
                .map_err(|error| forbidden(from_api(what, &error), global.agent_namespace.is_none()))?;
            out.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(out),
            }
        }
    }

    /// One agent per Node. A ready Pod is preferred to one that starts or stops.
    fn one_per_node(&self, client: &Client, pods: Vec<Pod>, nodes: Option<&BTreeSet<String>>) -> Found {
        let mut best: BTreeMap<String, Pod> = BTreeMap::new();
        for pod in pods {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
            if nodes.is_some_and(|wanted| !wanted.contains(&node)) {
                continue;
            }
            let better = best.get(&node).is_none_or(|known| rank(&pod) > rank(known));
            if better {
                best.insert(node, pod);
            }
        }
        let mut found = Found::default();
        for (node, pod) in best {
            let namespace = pod.metadata.namespace.clone().unwrap_or_default();
            let name = pod.metadata.name.clone().unwrap_or_default();
            let client =
                AgentClient::via_pod_proxy(client.clone(), &namespace, &name, port(&pod), self.global.request_timeout);
            let agent = Agent { node, client };
            match phase(&pod) {
                "Running" => found.agents.push(agent),
                other => {
                    let remedy = format!("see `kubectl -n {namespace} describe pod {name}`");
                    found.silent.push(agent.silent(&Failure::new(format!("its Pod is {other}"), remedy)));
                }
            }
        }
        found
    }
}

/// No agent answered. Shows the most frequent reason.
pub(super) fn none_answered(silent: &[SilentAgent]) -> Failure {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in silent {
        *reasons.entry(one.why.as_str()).or_default() += 1;
    }
    let (why, n) = reasons.into_iter().max_by_key(|(_, n)| *n).unwrap_or(("", 0));
    match silent {
        [only] if only.node.is_empty() => Failure::new(&only.why, ""),
        [only] => Failure::new(format!("the agent on {} ({}): {}", only.node, only.agent, only.why), ""),
        _ => Failure::new(format!("none of the {} agents answered; {n} of them: {why}", silent.len()), ""),
    }
}

fn forbidden(failure: Failure, everywhere: bool) -> Failure {
    if everywhere && failure.what.contains("forbidden") {
        let remedy = "pass --agent-namespace if you may list Pods in one namespace only";
        return Failure::new(failure.what, remedy);
    }
    failure
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown")
}

fn rank(pod: &Pod) -> (bool, bool, bool) {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    (pod.metadata.deletion_timestamp.is_none(), ready, phase(pod) == "Running")
}

fn port(pod: &Pod) -> u16 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|c| c.ports.iter().flatten());
    let named = ports.find(|port| port.name.as_deref() == Some(PORT_NAME));
    named.and_then(|port| u16::try_from(port.container_port).ok()).unwrap_or(PORT)
}

#[cfg(test)]
mod tests;
