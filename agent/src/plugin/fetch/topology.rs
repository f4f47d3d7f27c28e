//! Service → EndpointSlice → Pod → Node.

use super::{
    super::{
        Trouble,
        model::{
            Kind, Target,
            health::status_line,
            topology::{Step, StepHealth, Topology, share},
        },
    },
    objects::{self, known, node_line, optional, within},
    session::{Reach, Session},
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

/// Owners that are followed upwards at most.
const OWNERS: usize = 4;

/// Asks for a Service and everything behind it.
///
/// # Errors
/// When the Service can't be read. What else can't be is part of the answer.
pub async fn topology(session: &Session, target: &Target) -> Result<Topology, Trouble> {
    let Reach::Cluster(client) = &session.reach else {
        return Err(Trouble::new("a single agent doesn't know Services", "ask without --agent"));
    };
    if !matches!(target.kind, None | Some(Kind::Service)) {
        return Err(Trouble::new(format!("{target} is no Service"), "write svc/NAME"));
    }
    let namespace = session.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let api: Api<Service> = Api::namespaced(client.clone(), &namespace);
    let what = format!("Service {namespace}/{}", target.name);
    let service = optional(session, &what, api.get(&target.name)).await?.ok_or_else(|| {
        let what = format!("no Service in namespace {namespace} is named {:?}", target.name);
        Trouble::new(what, format!("see `kubectl -n {namespace} get services`, or pass another namespace with -n"))
    })?;
    let mut out = Topology::default();
    let slices = objects::slices(session, client, &namespace, Some(&target.name)).await?;
    let Some(slices) = slices else {
        let remedy = "it needs Kubernetes 1.21 or later";
        return Err(Trouble::new("this API server has no EndpointSlices (discovery.k8s.io/v1)", remedy));
    };
    let (ready, all) = slices.iter().map(counts).fold((0, 0), |sum, (r, a, _)| (sum.0 + r, sum.1 + a));
    let mut head = step(0, "Service", &service.metadata, share(ready, all), ports(&service));
    if all == 0 {
        head.says = format!("{}; no endpoints: {}", head.says, nothing_matches(&service));
    }
    out.steps.push(head);
    let mut behind = Behind { session, client, namespace: &namespace, hints: BTreeMap::new(), nodes: BTreeMap::new() };
    behind.ask_agents(&slices, &mut out).await;
    for slice in &slices {
        let (ready, all, terminating) = counts(slice);
        let leaving = if terminating > 0 { format!(", {terminating} terminating") } else { String::new() };
        out.steps.push(step(
            1,
            "EndpointSlice",
            &slice.metadata,
            share(ready, all),
            format!("{ready} of {all} endpoints ready{leaving}"),
        ));
        for endpoint in &slice.endpoints {
            let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
            match target.and_then(|target| target.name.as_deref()) {
                Some(pod) => behind.pod(pod, &mut out).await,
                None => out.steps.push(Step {
                    depth: 2,
                    kind: "address".to_owned(),
                    name: endpoint.addresses.join(","),
                    says: "no Pod: nothing more is known".to_owned(),
                    ..Step::default()
                }),
            }
        }
    }
    Ok(out)
}

fn step(depth: usize, kind: &str, meta: &ObjectMeta, health: StepHealth, says: String) -> Step {
    let deleted = meta.deletion_timestamp.is_some();
    let held_by = meta.finalizers.clone().filter(|_| deleted).unwrap_or_default();
    let name = meta.name.clone().unwrap_or_default();
    Step { depth, kind: kind.to_owned(), name, health, says, owners: Vec::new(), held_by }
}

/// Ready endpoints, all, terminating.
fn counts(slice: &EndpointSlice) -> (usize, usize, usize) {
    let of = |want: fn(&k8s_openapi::api::discovery::v1::EndpointConditions) -> bool| {
        slice.endpoints.iter().filter(|e| e.conditions.as_ref().is_some_and(want)).count()
    };
    // Unknown means ready, says the API.
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

fn nothing_matches(service: &Service) -> String {
    match service.spec.as_ref().and_then(|spec| spec.selector.as_ref()) {
        Some(labels) if !labels.is_empty() => {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("no Pod matches {}", labels.join(","))
        }
        _ => "it has no selector".to_owned(),
    }
}

/// What lies behind the slices; Nodes and owners are asked for once.
struct Behind<'a> {
    session: &'a Session,
    client: &'a Client,
    namespace: &'a str,
    /// First firing hint by Pod.
    hints: BTreeMap<String, Hint>,
    nodes: BTreeMap<String, Step>,
}

impl Behind<'_> {
    async fn ask_agents(&mut self, slices: &[EndpointSlice], out: &mut Topology) {
        let nodes = slices.iter().flat_map(|s| &s.endpoints).filter_map(|e| e.node_name.clone());
        let nodes: BTreeSet<String> = nodes.collect();
        let found = match self.session.agents(self.client, Some(&nodes)).await {
            Ok(found) => found,
            Err(trouble) => return out.unknown.push(format!("agents: {trouble}")),
        };
        let path = format!("/api/v1/hints?state=firing&namespace={}", self.namespace);
        let ask = |agent: super::agents::Agent| {
            let path = path.clone();
            async move { agent.door.get::<Vec<Hint>>(&path).await }
        };
        let answers = super::fan::fan(found.agents, self.session.global.concurrency, super::Progress::new(), ask).await;
        for hint in answers.got.into_iter().flat_map(|(_, hints)| hints) {
            self.hints.entry(hint.subject.name.clone()).or_insert(hint);
        }
        out.not_answered.extend(answers.silent);
        out.not_answered.extend(found.silent);
    }

    async fn pod(&mut self, name: &str, out: &mut Topology) {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let pod = match optional(self.session, &format!("Pod {name}"), api.get(name)).await {
            Ok(Some(pod)) => pod,
            Ok(None) => {
                return out.steps.push(Step {
                    depth: 2,
                    kind: "Pod".to_owned(),
                    name: name.to_owned(),
                    health: StepHealth::Broken,
                    says: "gone: the slice still lists it".to_owned(),
                    ..Step::default()
                });
            }
            Err(trouble) => return out.unknown.push(trouble.to_string()),
        };
        let Some((node, info)) = known(&pod) else { return };
        let hint = self.hints.get(name);
        let well = !info.is_troubled() && info.deleting_ms.is_none() && info.phase == "Running";
        let health = match (well, hint) {
            (true, None) => StepHealth::Well,
            (true, Some(_)) => StepHealth::Degraded,
            (false, _) => StepHealth::Broken,
        };
        let mut says = status_line(&info);
        if let Some(hint) = hint {
            says = format!("{says}; {}: {}", hint.cause, hint.summary);
        }
        let mut step = step(2, "Pod", &pod.metadata, health, says);
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
        let made = match within(self.session, &format!("Node {name}"), api.get(name)).await {
            Ok(node) => {
                let (well, says) = node_line(&node);
                step(3, "Node", &node.metadata, if well { StepHealth::Well } else { StepHealth::Broken }, says)
            }
            Err(trouble) => {
                out.unknown.push(trouble.to_string());
                Step {
                    depth: 3,
                    kind: "Node".to_owned(),
                    name: name.to_owned(),
                    says: "not readable".to_owned(),
                    ..Step::default()
                }
            }
        };
        self.nodes.insert(name.to_owned(), made.clone());
        Some(made)
    }

    /// Controllers upwards.
    async fn owners(&mut self, meta: &ObjectMeta, out: &mut Topology) -> Vec<String> {
        let mut chain = Vec::new();
        let mut next = controller(meta.owner_references.as_deref());
        while let Some(owner) = next.take() {
            chain.push(format!("{}/{}", owner.kind, owner.name));
            if chain.len() >= OWNERS {
                break;
            }
            match self.owner_meta(&owner).await {
                Ok(Some(meta)) => {
                    if meta.deletion_timestamp.is_some()
                        && let Some(finalizers) = meta.finalizers.filter(|all| !all.is_empty())
                    {
                        let name = chain.last().cloned().unwrap_or_default();
                        out.unknown.push(format!("{name} is being deleted, held by {}", finalizers.join(", ")));
                    }
                    next = controller(meta.owner_references.as_deref());
                }
                Ok(None) => break,
                Err(trouble) => {
                    let line = trouble.to_string();
                    if !out.unknown.contains(&line) {
                        out.unknown.push(line);
                    }
                    break;
                }
            }
        }
        chain
    }

    async fn owner_meta(&self, owner: &OwnerReference) -> Result<Option<ObjectMeta>, Trouble> {
        let base = if owner.api_version.contains('/') { "apis" } else { "api" };
        // Regular plurals only: what owns Pods has one.
        let plural = format!("{}s", owner.kind.to_lowercase());
        let path = format!("/{base}/{}/namespaces/{}/{plural}/{}", owner.api_version, self.namespace, owner.name);
        let request = hyper::Request::get(path).body(Vec::new()).map_err(|e| Trouble::new(e.to_string(), ""))?;
        let what = format!("{} {}", owner.kind, owner.name);
        let object: Option<serde_json::Value> = optional(self.session, &what, self.client.request(request)).await?;
        Ok(object.and_then(|object| serde_json::from_value(object["metadata"].clone()).ok()))
    }
}

fn controller(owners: Option<&[OwnerReference]>) -> Option<OwnerReference> {
    owners.unwrap_or_default().iter().find(|owner| owner.controller == Some(true)).cloned()
}
