//! Reads a Service with its EndpointSlices, Pods, owners and Nodes.

use super::{
    super::{
        Failure,
        model::{
            Kind, Target,
            health::status_line,
            topology::{Step, StepHealth, Topology, share},
        },
    },
    objects::{self, node_line, pod_with_node, request, request_optional},
    session::{Connection, Session},
};
use crate::api::Hint;
use k8s_openapi::{
    api::{
        core::v1::{Node, Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};

/// Most owners of a Pod, from ReplicaSet upwards.
const MAX_OWNERS: usize = 4;

/// Reads a Service with everything behind it.
///
/// # Errors
/// When the Service can't be read. Other unreadable objects are listed in the answer.
pub async fn topology(session: &Session, target: &Target) -> Result<Topology, Failure> {
    let Connection::Cluster(client) = &session.connection else {
        return Err(Failure::new("a single agent does not know Services", "omit --agent"));
    };
    if !matches!(target.kind, None | Some(Kind::Service)) {
        return Err(Failure::new(format!("{target} is not a Service"), "write svc/NAME"));
    }
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Api<Service> = Api::namespaced(client.clone(), &namespace);
    let what = format!("Service {namespace}/{}", target.name);
    let service = request_optional(session, &what, api.get(&target.name)).await?.ok_or_else(|| {
        let what = format!("no Service in namespace {namespace} is named {:?}", target.name);
        Failure::new(what, format!("see `kubectl -n {namespace} get services`, or pass another namespace with -n"))
    })?;
    let mut out = Topology::default();
    let slices = objects::slices(session, client, &namespace, Some(&target.name)).await?;
    let Some(slices) = slices else {
        let remedy = "topology needs Kubernetes 1.21 or later";
        return Err(Failure::new("this API server has no EndpointSlices (discovery.k8s.io/v1)", remedy));
    };
    let (ready, all) = slices.iter().map(counts).fold((0, 0), |sum, (r, a, _)| (sum.0 + r, sum.1 + a));
    let mut head = step(0, "Service", &service.metadata, share(ready, all), ports(&service));
    if all == 0 {
        head.summary = format!("{}; no endpoints: {}", head.summary, empty_reason(&service));
    }
    out.steps.push(head);
    let mut backends =
        Backends { session, client, namespace: &namespace, hints: BTreeMap::new(), nodes: BTreeMap::new() };
    backends.ask_agents(&slices, &mut out).await;
    for slice in &slices {
        let (ready, all, terminating) = counts(slice);
        let stopping = if terminating > 0 { format!(", {terminating} terminating") } else { String::new() };
        out.steps.push(step(
            1,
            "EndpointSlice",
            &slice.metadata,
            share(ready, all),
            format!("{ready} of {all} endpoints ready{stopping}"),
        ));
        for endpoint in &slice.endpoints {
            let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
            match target.and_then(|target| target.name.as_deref()) {
                Some(pod) => backends.pod(pod, &mut out).await,
                None => out.steps.push(Step {
                    depth: 2,
                    kind: "address".to_owned(),
                    name: endpoint.addresses.join(","),
                    summary: "not a Pod".to_owned(),
                    ..Step::default()
                }),
            }
        }
    }
    Ok(out)
}

fn step(depth: usize, kind: &str, meta: &ObjectMeta, health: StepHealth, summary: String) -> Step {
    let deleted = meta.deletion_timestamp.is_some();
    let finalizers = meta.finalizers.clone().filter(|_| deleted).unwrap_or_default();
    let name = meta.name.clone().unwrap_or_default();
    Step { depth, kind: kind.to_owned(), name, health, summary, owners: Vec::new(), finalizers }
}

/// Ready endpoints, all, terminating.
fn counts(slice: &EndpointSlice) -> (usize, usize, usize) {
    let of = |want: fn(&k8s_openapi::api::discovery::v1::EndpointConditions) -> bool| {
        slice.endpoints.iter().filter(|e| e.conditions.as_ref().is_some_and(want)).count()
    };
    // The API defines unknown as ready.
    let unready = of(|c| c.ready == Some(false));
    (slice.endpoints.len() - unready, slice.endpoints.len(), of(|c| c.terminating == Some(true)))
}

fn ports(service: &Service) -> String {
    let Some(spec) = &service.spec else { return String::new() };
    let ports: Vec<String> = (spec.ports.iter().flatten())
        .map(|port| {
            let to = port.target_port.as_ref().map(|to| match to {
                k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(n) => n.to_string(),
                k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(name) => name.clone(),
            });
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            format!("{}/{protocol} → {}", port.port, to.unwrap_or_else(|| port.port.to_string()))
        })
        .collect();
    let kind = spec.type_.as_deref().unwrap_or("ClusterIP");
    format!("{kind} {}, port {}", spec.cluster_ip.as_deref().unwrap_or("without address"), ports.join(", "))
}

fn empty_reason(service: &Service) -> String {
    match service.spec.as_ref().and_then(|spec| spec.selector.as_ref()) {
        Some(labels) if !labels.is_empty() => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("no Pod matches {}", labels.join(","))
        }
        _ => "it has no selector".to_owned(),
    }
}

/// Pods, Nodes and owners behind the slices. Each Node is read once.
struct Backends<'a> {
    session: &'a Session,
    client: &'a Client,
    namespace: &'a str,
    /// First firing hint by Pod.
    hints: BTreeMap<String, Hint>,
    nodes: BTreeMap<String, Step>,
}

impl Backends<'_> {
    async fn ask_agents(&mut self, slices: &[EndpointSlice], out: &mut Topology) {
        let nodes = slices.iter().flat_map(|s| &s.endpoints).filter_map(|e| e.node_name.clone());
        let nodes: BTreeSet<String> = nodes.collect();
        let found = match self.session.agents(self.client, Some(&nodes)).await {
            Ok(found) => found,
            Err(failure) => return out.unknown.push(format!("agents: {failure}")),
        };
        let path = format!("/api/v1/hints?state=firing&namespace={}", self.namespace);
        let ask = |agent: super::agent::Agent| {
            let path = path.clone();
            async move { agent.client.get::<Vec<Hint>>(&path).await }
        };
        let answers =
            super::fan_out::fan_out(found.agents, self.session.global.concurrency, super::Progress::new(), ask).await;
        for hint in answers.got.into_iter().flat_map(|(_, hints)| hints) {
            self.hints.entry(hint.subject.name.clone()).or_insert(hint);
        }
        out.not_answered.extend(answers.silent);
        out.not_answered.extend(found.silent);
    }

    async fn pod(&mut self, name: &str, out: &mut Topology) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let pod = match request_optional(self.session, &format!("Pod {name}"), api.get(name)).await {
            Ok(Some(pod)) => pod,
            Ok(None) => {
                return out.steps.push(Step {
                    depth: 2,
                    kind: "Pod".to_owned(),
                    name: name.to_owned(),
                    health: StepHealth::Broken,
                    summary: "deleted, but still listed by the slice".to_owned(),
                    ..Step::default()
                });
            }
            Err(failure) => return out.unknown.push(failure.to_string()),
        };
        let Some((node, info)) = pod_with_node(&pod) else { return };
        let hint = self.hints.get(name);
        let healthy = !info.is_troubled() && info.deleting_ms.is_none() && info.phase == "Running";
        let health = match (healthy, hint) {
            (true, None) => StepHealth::Well,
            (true, Some(_)) => StepHealth::Degraded,
            (false, _) => StepHealth::Broken,
        };
        let mut summary = status_line(&info);
        if let Some(hint) = hint {
            summary = format!("{summary}; {}: {}", hint.cause, hint.summary);
        }
        let mut step = step(2, "Pod", &pod.metadata, health, summary);
        step.owners = self.owners(&pod.metadata, out).await;
        out.steps.push(step);
        if !node.is_empty() {
            let step = self.node(&node, out).await;
            out.steps.extend(step);
        }
    }

    async fn node(&mut self, name: &str, out: &mut Topology) -> Option<Step> {
        if let Some(step) = self.nodes.get(name) {
            return Some(step.clone());
        }
        let api: Api<Node> = Api::all(self.client.clone());
        let step = match request(self.session, &format!("Node {name}"), api.get(name)).await {
            Ok(node) => {
                let (healthy, summary) = node_line(&node);
                step(3, "Node", &node.metadata, if healthy { StepHealth::Well } else { StepHealth::Broken }, summary)
            }
            Err(failure) => {
                out.unknown.push(failure.to_string());
                Step {
                    depth: 3,
                    kind: "Node".to_owned(),
                    name: name.to_owned(),
                    summary: "can't be read".to_owned(),
                    ..Step::default()
                }
            }
        };
        self.nodes.insert(name.to_owned(), step.clone());
        Some(step)
    }

    /// Owners of an object, nearest first.
    async fn owners(&mut self, meta: &ObjectMeta, out: &mut Topology) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = controller(meta.owner_references.as_deref());
        while let Some(owner) = next.take() {
            chain.push(format!("{}/{}", owner.kind, owner.name));
            if chain.len() >= MAX_OWNERS {
                break;
            }
            match self.owner_meta(&owner).await {
                Ok(Some(meta)) => {
                    if meta.deletion_timestamp.is_some()
                        && let Some(finalizers) = meta.finalizers.filter(|all| !all.is_empty())
                    {
                        let name = chain.last().cloned().unwrap_or_default();
                        out.unknown.push(format!("{name} is being deleted; finalizers: {}", finalizers.join(", ")));
                    }
                    next = controller(meta.owner_references.as_deref());
                }
                Ok(None) => break,
                Err(failure) => {
                    let line = failure.to_string();
                    if !out.unknown.contains(&line) {
                        out.unknown.push(line);
                    }
                    break;
                }
            }
        }
        chain
    }

    async fn owner_meta(&self, owner: &OwnerReference) -> Result<Option<ObjectMeta>, Failure> {
        let base = if owner.api_version.contains('/') { "apis" } else { "api" };
        // Owners of Pods have regular plurals.
        let plural = format!("{}s", owner.kind.to_lowercase());
        let path = format!("/{base}/{}/namespaces/{}/{plural}/{}", owner.api_version, self.namespace, owner.name);
        let request = hyper::Request::get(path).body(Vec::new()).map_err(|e| Failure::new(e.to_string(), ""))?;
        let what = format!("{} {}", owner.kind, owner.name);
        let object: Option<serde_json::Value> =
            request_optional(self.session, &what, self.client.request(request)).await?;
        Ok(object.and_then(|object| serde_json::from_value(object["metadata"].clone()).ok()))
    }
}

fn controller(owners: Option<&[OwnerReference]>) -> Option<OwnerReference> {
    owners.unwrap_or_default().iter().find(|owner| owner.controller == Some(true)).cloned()
}
