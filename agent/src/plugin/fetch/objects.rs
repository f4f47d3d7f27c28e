//! Objects of the API server: lookups, lists, and one-line summaries.

use super::{
    super::{
        Failure,
        model::{Kind, Target, health::Fact},
    },
    errors::{from_api, is_absent, timed_out},
    session::Session,
};
use crate::{
    api::PodInfo,
    pods::{pod_event, pod_info},
};
use k8s_openapi::{
    api::{
        core::v1::{Event, Node, Pod, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client,
    api::{ListParams, ObjectList},
};
use serde::de::DeserializeOwned;
use std::{future::Future, sync::Arc};

/// Objects per page of a list.
const PAGE_SIZE: u32 = 500;
/// Most warnings to show.
const MAX_WARNINGS: usize = 5;
/// Label of a slice that names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A request with the user's timeout. A missing object is an error.
pub(super) async fn request<T>(
    session: &Session,
    what: &str,
    asked: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Failure> {
    request_optional(session, what, asked).await?.ok_or_else(|| Failure::new(format!("{what}: not found"), ""))
}

/// A request with the user's timeout. `None`: the API server has no such object.
pub(super) async fn request_optional<T>(
    session: &Session,
    what: &str,
    asked: impl Future<Output = Result<T, kube::Error>>,
) -> Result<Option<T>, Failure> {
    let limit = session.global.request_timeout;
    match tokio::time::timeout(limit, asked).await {
        Err(_) => Err(timed_out(what, limit)),
        Ok(Ok(answer)) => Ok(Some(answer)),
        Ok(Err(error)) if is_absent(&error) => Ok(None),
        Ok(Err(error)) => Err(from_api(what, &error)),
    }
}

/// All objects of a list, page by page.
pub(super) async fn list_all<K>(
    session: &Session,
    what: &str,
    api: &Api<K>,
    mut params: ListParams,
) -> Result<Vec<K>, Failure>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    params = params.limit(PAGE_SIZE);
    let mut out = Vec::new();
    loop {
        let list: ObjectList<K> = request(session, what, api.list(&params)).await?;
        out.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(out),
        }
    }
}

/// The Pods of the user's namespaces.
///
/// # Errors
/// When the API server refuses the list.
pub(crate) async fn pods(session: &Session, client: &Client) -> Result<Vec<Pod>, Failure> {
    let (api, place): (Api<Pod>, _) = match &session.namespace {
        Some(namespace) => (Api::namespaced(client.clone(), namespace), format!("of namespace {namespace}")),
        None => (Api::all(client.clone()), "of all namespaces".to_owned()),
    };
    list_all(session, &format!("list the Pods {place}"), &api, ListParams::default()).await
}

/// Node and status of a Pod.
pub(super) fn pod_with_node(pod: &Pod) -> Option<(String, Arc<PodInfo>)> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    Some((node, Arc::new(pod_info(pod)?)))
}

/// The object behind a target, and its Pods.
pub(super) struct Resolved {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) pods: Vec<Pod>,
}

/// Finds the target and its Pods.
pub(super) async fn resolve(
    session: &Session,
    client: &Client,
    namespace: &str,
    target: &Target,
) -> Result<Resolved, Failure> {
    let kinds: &[Kind] = match &target.kind {
        Some(kind) => std::slice::from_ref(kind),
        None => &[Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::Service, Kind::Node],
    };
    for kind in kinds {
        let found = match kind {
            Kind::Pod => {
                let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
                let what = format!("Pod {namespace}/{}", target.name);
                request_optional(session, &what, api.get(&target.name)).await?.map(|pod| vec![pod])
            }
            Kind::Node => {
                let api: Api<Node> = Api::all(client.clone());
                let what = format!("Node {}", target.name);
                request_optional(session, &what, api.get(&target.name)).await?.map(|_| Vec::new())
            }
            kind => match selector(session, client, namespace, *kind, &target.name).await? {
                None => None,
                Some(selector) => Some(selected(session, client, namespace, &selector).await?),
            },
        };
        if let Some(pods) = found {
            return Ok(Resolved { kind: *kind, name: target.name.clone(), pods });
        }
    }
    Err(unknown_target(session, client, namespace, target).await)
}

/// The error for an unknown target, with similar names.
async fn unknown_target(session: &Session, client: &Client, namespace: &str, target: &Target) -> Failure {
    let what = match target.kind {
        Some(Kind::Node) => format!("no Node is named {:?}", target.name),
        Some(kind) => format!("no {} in namespace {namespace} is named {:?}", kind.label(), target.name),
        None => format!("no Pod, workload, Service or Node is named {:?} (namespace {namespace})", target.name),
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pods = list_all(session, "list Pods", &api, ListParams::default()).await.unwrap_or_default();
    let names: Vec<String> = pods.into_iter().filter_map(|pod| pod.metadata.name).collect();
    Failure::new(what, similar(&target.name, &names, namespace))
}

/// A remedy with similar names.
pub(super) fn similar(name: &str, names: &[String], namespace: &str) -> String {
    let mut close: Vec<&str> =
        names.iter().map(String::as_str).filter(|n| n.starts_with(name) || n.contains(name)).take(3).collect();
    close.sort_unstable();
    if close.is_empty() {
        return format!("see `kubectl -n {namespace} get pods`, or pass another namespace with -n");
    }
    format!("did you mean {}?", close.join(", "))
}

/// Label selector of a workload or Service. `None`: no such object.
async fn selector(
    session: &Session,
    client: &Client,
    namespace: &str,
    kind: Kind,
    name: &str,
) -> Result<Option<String>, Failure> {
    let (plural, version) = kind.api();
    let what = format!("{} {namespace}/{name}", kind.label());
    if kind == Kind::Service {
        let api: Api<Service> = Api::namespaced(client.clone(), namespace);
        let Some(service) = request_optional(session, &what, api.get(name)).await? else { return Ok(None) };
        let labels = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
        if labels.is_empty() {
            return Err(Failure::new(format!("{what} has no selector"), "name its Pods one by one"));
        }
        return Ok(Some(labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")));
    }
    let path = format!("/apis/{version}/namespaces/{namespace}/{plural}/{name}");
    let request = hyper::Request::get(path).body(Vec::new()).map_err(|error| Failure::new(error.to_string(), ""))?;
    let found: Option<serde_json::Value> = request_optional(session, &what, client.request(request)).await?;
    let Some(object) = found else { return Ok(None) };
    let selector: LabelSelector = serde_json::from_value(object["spec"]["selector"].clone()).unwrap_or_default();
    Ok(Some(selector_text(&selector)))
}

/// A label selector in the syntax of a list request.
pub(super) fn selector_text(selector: &LabelSelector) -> String {
    let equal = selector.match_labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let more = selector.match_expressions.iter().flatten().map(|e| {
        let values = e.values.as_deref().unwrap_or_default().join(",");
        match e.operator.as_str() {
            "In" => format!("{} in ({values})", e.key),
            "NotIn" => format!("{} notin ({values})", e.key),
            "DoesNotExist" => format!("!{}", e.key),
            _ => e.key.clone(),
        }
    });
    equal.chain(more).collect::<Vec<_>>().join(",")
}

async fn selected(session: &Session, client: &Client, namespace: &str, selector: &str) -> Result<Vec<Pod>, Failure> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    list_all(session, &format!("list the Pods of namespace {namespace}"), &api, ListParams::default().labels(selector))
        .await
}

/// `namespace/name` and Node of the Pod with this address. `None`: no Pod, several Pods, or a Node's address.
pub(super) async fn pod_by_address(
    session: &Session,
    client: &Client,
    address: &str,
) -> Result<Option<(String, String)>, Failure> {
    let api: Api<Pod> = Api::all(client.clone());
    let params = ListParams::default().fields(&format!("status.podIP={address}"));
    let pods = list_all(session, "look up peers' addresses", &api, params).await?;
    let own = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let shared = pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
        !shared && !matches!(phase, Some("Succeeded" | "Failed"))
    };
    let pods: Vec<&Pod> = pods.iter().filter(own).collect();
    // Several Pods with one address: none of them is certain.
    let [only] = pods.as_slice() else { return Ok(None) };
    let (namespace, name) = (only.metadata.namespace.clone(), only.metadata.name.clone());
    let node = only.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap_or_default();
    Ok(Some((format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default()), node)))
}

/// The newest warnings about an object.
pub(super) async fn warnings(
    session: &Session,
    client: &Client,
    namespace: &str,
    uid: &str,
    now_ms: i64,
) -> Result<Vec<Fact>, Failure> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("involvedObject.uid={uid},type=Warning"));
    let mut events: Vec<_> = list_all(session, "list Events", &api, params).await?.iter().map(pod_event).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
    let text = |event: &crate::api::PodEvent| {
        let age = event.at_ms.map(|at| format!(", {} ago", super::super::render::age(now_ms - at))).unwrap_or_default();
        let times = if event.count == 1 { "once".to_owned() } else { format!("{} times", event.count) };
        Fact::new(&event.why.reason, format!("{times}{age}: {}", event.why.message))
    };
    Ok(events.iter().take(MAX_WARNINGS).map(text).collect())
}

/// Slices of one Service, or of a namespace. `None`: the API server has no EndpointSlices.
pub(super) async fn slices(
    session: &Session,
    client: &Client,
    namespace: &str,
    service: Option<&str>,
) -> Result<Option<Vec<EndpointSlice>>, Failure> {
    let api: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let mut params = ListParams::default();
    if let Some(service) = service {
        params = params.labels(&format!("{SERVICE_NAME}={service}"));
    }
    request_optional(session, "list EndpointSlices", api.list(&params)).await.map(|list| list.map(|list| list.items))
}

/// Services with one of these Pods as endpoint, and their ready endpoints.
pub(super) fn services_of(slices: &[EndpointSlice], pods: &[String]) -> Vec<Fact> {
    let mut found: std::collections::BTreeMap<&str, (usize, usize, bool)> = std::collections::BTreeMap::new();
    for slice in slices {
        let labels = slice.metadata.labels.as_ref();
        let Some(service) = labels.and_then(|labels| labels.get(SERVICE_NAME)) else { continue };
        let entry = found.entry(service).or_default();
        for endpoint in &slice.endpoints {
            let ready = endpoint.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
            entry.0 += usize::from(ready);
            entry.1 += 1;
            let name = endpoint.target_ref.as_ref().and_then(|target| target.name.as_ref());
            entry.2 |= name.is_some_and(|name| pods.contains(name));
        }
    }
    let ours = found.into_iter().filter(|(_, (.., ours))| *ours);
    ours.map(|(service, (ready, all, _))| {
        Fact::new(format!("Service/{service}"), format!("{ready} of {all} endpoints ready"))
    })
    .collect()
}

/// Whether a Node is healthy, and its conditions in one line.
pub(super) fn node_line(node: &Node) -> (bool, String) {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().find(|c| c.type_ == "Ready");
    let mut words = Vec::new();
    let healthy = match ready {
        Some(c) if c.status == "True" => {
            words.push("Ready".to_owned());
            true
        }
        Some(c) => {
            words.push(format!("NotReady: {}", c.message.clone().or(c.reason.clone()).unwrap_or_default()));
            false
        }
        None => {
            words.push("no Ready condition".to_owned());
            false
        }
    };
    let bad = conditions.iter().filter(|c| c.type_ != "Ready" && c.status == "True");
    let bad: Vec<String> = bad.map(|c| c.type_.clone()).collect();
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    let healthy = healthy && bad.is_empty();
    words.extend(bad);
    if cordoned {
        words.push("cordoned".to_owned());
    }
    (healthy, words.join(", "))
}

#[cfg(test)]
mod tests;
