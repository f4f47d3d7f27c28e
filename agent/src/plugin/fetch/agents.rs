//! Finds the agents of a cluster and asks them.

use super::{
    super::{Failure, model::SilentAgent},
    agent::Agent,
    agent_client::AgentClient,
    errors::{from_api, timed_out},
    fan_out::{Answers, Progress, fan_out},
    genuine,
    room::Room,
    session::{Connection, Session},
    way::Way,
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{apps::v1::DaemonSet, core::v1::Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, ObjectList},
};
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    future::Future,
    sync::Arc,
    time::Duration,
};

/// Name of the main listener's port in an agent's Pod.
const MAIN_PORT: &str = "metrics";
/// Name of the API's port on loopback. A Pod without it answers by its main listener.
const API_PORT: &str = "api";
/// Impostors that are shown by name.
const MAX_IMPOSTORS: usize = 8;
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
                let agent = Agent { node: String::new(), client: client.again().at(self.at) };
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

    /// The Nodes of all agents that run.
    ///
    /// # Errors
    /// When the API server refuses the list, or there is no API server.
    pub async fn agent_nodes(&self) -> Result<Vec<String>, Failure> {
        match &self.connection {
            Connection::Direct(_) => Err(Failure::new("a single agent knows only its own Node", "omit --agent")),
            Connection::Cluster(client) => {
                Ok(self.agents(client, None).await?.agents.into_iter().map(|agent| agent.node).collect())
            }
        }
    }

    /// The namespace of the agents. `None`: there are none.
    pub(super) async fn agents_namespace(&self, client: &Client) -> Result<Option<String>, Failure> {
        let sets: Vec<DaemonSet> = self.list(client, None, "list the agents' DaemonSets").await?;
        genuine::namespace(&sets)
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

    /// The agents of these Nodes; `None`: of all. They share one room for large answers.
    pub(super) async fn agents(&self, client: &Client, nodes: Option<&BTreeSet<String>>) -> Result<Found, Failure> {
        let sets: Vec<DaemonSet> = self.list(client, None, "list the agents' DaemonSets").await?;
        let mut pods = Vec::new();
        match nodes {
            Some(nodes) if nodes.len() <= FEW_NODES => {
                for node in nodes {
                    let node = format!("spec.nodeName={node}");
                    pods.extend(self.list(client, Some(&node), "list the agents' Pods").await?);
                }
            }
            _ => pods.extend(self.list(client, None, "list the agents' Pods").await?),
        }
        pods.retain(|pod| nodes.is_none_or(|wanted| wanted.contains(node_name(pod))));
        let checked = genuine::check(pods, &sets)?;
        let room = Room::new(self.global.room_bytes());
        let reach = Reach { client, timeout: self.global.request_timeout, room, at: self.at };
        let mut found = reach.one_per_node(checked.genuine);
        found.silent.extend(reach.impostors(&checked.impostors));
        Ok(found)
    }

    /// All objects with the agents' labels and these fields, page by page.
    async fn list<K>(&self, client: &Client, fields: Option<&str>, what: &str) -> Result<Vec<K>, Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let global = &self.global;
        let api: Api<K> = match &global.agent_namespace {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        let mut params = ListParams::default().labels(&global.agent_selector).limit(PAGE_SIZE);
        params.field_selector = fields.map(str::to_owned);
        let mut out = Vec::new();
        loop {
            let asked = tokio::time::timeout(global.request_timeout, api.list(&params)).await;
            let list: ObjectList<K> = asked
                .map_err(|_| timed_out(what, global.request_timeout))?
                .map_err(|error| forbidden(from_api(what, &error), global.agent_namespace.is_none()))?;
            out.extend(list.items);
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(out),
            }
        }
    }
}

/// Everything that the agents of a look-up share.
struct Reach<'a> {
    client: &'a Client,
    timeout: Duration,
    room: Arc<Room>,
    /// The moment that they are asked about. `None`: now.
    at: Option<jiff::Timestamp>,
}

impl Reach<'_> {
    fn agent(&self, pod: &Pod) -> Agent {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let proxy = |port| Way::proxy(self.client.clone(), &namespace, &name, port);
        let forward = |port| Way::forward(self.client.clone(), &namespace, &name, port);
        let main = port(pod, MAIN_PORT).unwrap_or(9810);
        let ways = match port(pod, API_PORT) {
            Some(api) => vec![forward(api), proxy(main)],
            // Its main listener answers, or the port on loopback has no name.
            None => vec![proxy(main), forward(main), forward(9812)],
        };
        let client =
            AgentClient::new(ways, format!("{namespace}/{name}"), self.timeout, self.room.account()).at(self.at);
        Agent { node: node_name(pod).to_owned(), client }
    }

    /// One agent per Node. A ready Pod is preferred to one that starts or stops. A second one that runs is reported.
    fn one_per_node(&self, pods: Vec<Pod>) -> Found {
        let mut by_node: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
        for pod in pods {
            by_node.entry(node_name(&pod).to_owned()).or_default().push(pod);
        }
        let mut found = Found::default();
        for mut pods in by_node.into_values() {
            pods.sort_by_key(|pod| std::cmp::Reverse(rank(pod)));
            let mut pods = pods.iter();
            if let Some(first) = pods.next() {
                self.add(first, &mut found);
            }
            // A Pod that is being replaced is no second agent.
            let is_second = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && phase(pod) == "Running";
            for pod in pods.filter(is_second) {
                let failure = Failure::new("not asked, because its Node has two agents", "keep one DaemonSet per Node");
                found.silent.push(self.agent(pod).silent(&failure));
            }
        }
        found
    }

    fn add(&self, pod: &Pod, found: &mut Found) {
        let agent = self.agent(pod);
        match phase(pod) {
            "Running" => found.agents.push(agent),
            other => {
                let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
                let remedy = format!("see `kubectl -n {namespace} describe pod {name}`");
                found.silent.push(agent.silent(&Failure::new(format!("its Pod is {other}"), remedy)));
            }
        }
    }

    /// Pods that only have the agents' labels, the first by name and the number of the others.
    fn impostors(&self, pods: &[(Pod, Failure)]) -> Vec<SilentAgent> {
        let (shown, others) = pods.split_at(pods.len().min(MAX_IMPOSTORS));
        let mut out: Vec<SilentAgent> = shown.iter().map(|(pod, why)| self.agent(pod).silent(why)).collect();
        if !others.is_empty() {
            let why = Failure::new("not asked: they only have the agents' labels", "find out who created these Pods");
            out.push(SilentAgent::new("other Nodes", &format!("{} more Pods", others.len()), &why));
        }
        out
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
        let remedy = "pass --agent-namespace if you may list DaemonSets and Pods in one namespace only";
        return Failure::new(failure.what, remedy);
    }
    failure
}

fn node_name(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Unknown")
}

fn rank(pod: &Pod) -> (bool, bool, bool) {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    (pod.metadata.deletion_timestamp.is_none(), ready, phase(pod) == "Running")
}

/// The port of this name.
fn port(pod: &Pod, name: &str) -> Option<u16> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let mut ports = containers.flat_map(|c| c.ports.iter().flatten());
    let named = ports.find(|port| port.name.as_deref() == Some(name))?;
    u16::try_from(named.container_port).ok()
}

#[cfg(test)]
mod tests;
