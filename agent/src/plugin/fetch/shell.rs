//! Requests of `shell`: the container, the cluster's rules, the caller's name, `pods/exec`, and Events on the Pod.

use super::{
    super::{
        Failure,
        model::{Kind, Target},
    },
    errors::{from_api, timed_out},
    objects::{pod_with_node, request, request_optional},
    session::{Connection, Session},
};
use crate::api::{ContainerKind, ContainerState, PodInfo};
use hyper::{
    header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        authentication::v1::SelfSubjectReview,
        core::v1::{ConfigMap, Event, EventSource, ObjectReference, Pod},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{AttachParams, PostParams},
    client::{Body, Connection as WebSocket},
    core::Request,
};
use tokio::time::timeout;
use tower::service_fn;

/// Annotation that names the container for commands without one.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// API servers pass on the end of stdin from this minor version on.
const ENDS_INPUT_FROM: u32 = 30;
/// The protocol that can (`k8s.io/apimachinery/pkg/util/remotecommand/constants.go`).
const ENDS_INPUT: &str = "v5.channel.k8s.io";
/// kube's reason of an error whose answer has no `Status`.
const NO_STATUS: &str = "Failed to parse error data";
/// Most containers that an error names.
const MAX_NAMED: usize = 8;

/// A container to run a command in.
#[derive(Clone, Debug)]
pub struct Place {
    /// Namespace of its Pod.
    pub namespace: String,
    /// Name of its Pod.
    pub pod: String,
    /// UID of its Pod.
    pub uid: String,
    /// Node of its Pod.
    pub node: String,
    /// Its name.
    pub container: String,
    /// True: the user named it.
    pub is_named: bool,
    /// Number of containers of the Pod.
    pub containers: usize,
}

/// The rules of a cluster as they are written.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Namespace and name of the ConfigMap.
    pub place: String,
    /// Its text. `None`: the key is missing.
    pub text: Option<String>,
}

/// Streams that a command gets.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    /// stdin.
    pub stdin: bool,
    /// A terminal instead of stdout and stderr.
    pub tty: bool,
}

fn client(session: &Session) -> Result<&Client, Failure> {
    match &session.connection {
        Connection::Cluster(client) => Ok(client),
        Connection::Direct(_) => {
            Err(Failure::new("the API server runs commands in Pods, an agent runs none", "omit --agent"))
        }
    }
}

/// Finds the container.
///
/// # Errors
/// When the target is no Pod, or the container does not run.
pub async fn place(session: &Session, target: &Target, container: Option<&str>) -> Result<Place, Failure> {
    let client = client(session)?;
    if !matches!(target.kind, None | Some(Kind::Pod)) {
        return Err(Failure::new(format!("{target} is no Pod"), "name one Pod: pod/NAME"));
    }
    let Some(namespace) = &session.namespace else {
        return Err(Failure::new("shell needs one namespace", "pass -n NAMESPACE instead of -A"));
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let what = format!("get Pod {namespace}/{}", target.name);
    let pod = request(session, &what, api.get(&target.name)).await?;
    let (node, info) = pod_with_node(&pod).ok_or_else(|| Failure::new(format!("{what}: it has no UID"), ""))?;
    let default = pod.annotations().get(DEFAULT_CONTAINER).map(String::as_str);
    let chosen = choose(&info, container, default)?;
    Ok(Place {
        namespace: namespace.clone(),
        pod: target.name.clone(),
        uid: info.uid.clone(),
        node,
        container: chosen,
        is_named: container.is_some(),
        containers: info.containers.len(),
    })
}

/// The container to use: that which was named, the Pod's default, or its first.
fn choose(pod: &PodInfo, named: Option<&str>, default: Option<&str>) -> Result<String, Failure> {
    let find = |name: &str| pod.containers.iter().find(|container| container.name == name);
    let first = || pod.containers.iter().find(|container| container.kind == ContainerKind::Main);
    let found = match named {
        Some(name) => find(name),
        None => default.and_then(find).or_else(first),
    };
    let place = format!("Pod {}/{}", pod.namespace, pod.name);
    let Some(container) = found else {
        let names: Vec<&str> = pod.containers.iter().take(MAX_NAMED).map(|one| one.name.as_str()).collect();
        let what = format!("{place} has no container {:?}", named.unwrap_or_default());
        return Err(Failure::new(what, format!("it has: {}", names.join(", "))));
    };
    let state = match &container.state {
        ContainerState::Running { .. } => return Ok(container.name.clone()),
        ContainerState::Waiting(why) => format!("waits: {}", why.reason),
        ContainerState::Ended(ended) => format!("has ended: {}, exit code {}", ended.why.reason, ended.exit_code),
        ContainerState::Unknown => "is not known to its kubelet yet".to_owned(),
    };
    let remedy = format!("see `kubectl netwhy logs pod/{} -p`, or name another container with -c", pod.name);
    Err(Failure::new(format!("container {} of {place} {state}", container.name), remedy))
}

/// The rules of the cluster: the key of a ConfigMap in the agents' namespace. `None`: it has none.
///
/// # Errors
/// When they can't be read: they might forbid the session.
pub async fn rules(session: &Session, name: &str, key: &str) -> Result<Option<Rules>, Failure> {
    let client = client(session)?;
    let found =
        session.agents_namespace(client).await.map_err(|failure| failure.at("the cluster's rules for shells"))?;
    let Some(namespace) = found else {
        return match &session.global.agent_namespace {
            // No agents, no rules.
            None => Ok(None),
            Some(named) => Err(Failure::new(
                format!("the cluster's rules for shells are unknown: namespace {named} has no agents"),
                "correct --agent-namespace, or omit it",
            )),
        };
    };
    let place = format!("{namespace}/{name}");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let what = format!("get ConfigMap {place}, which may forbid shells");
    let asked = request_optional(session, &what, api.get(name)).await.map_err(|failure| {
        let remedy = "ask for the right to get this ConfigMap: docs/shell.md has it";
        if failure.what.contains("forbidden") { Failure::new(failure.what, remedy) } else { failure }
    });
    Ok(asked?.map(|map| Rules { place, text: map.data.and_then(|mut data| data.remove(key)) }))
}

/// Name and groups of the caller, as the API server sees them.
///
/// # Errors
/// When it does not tell: before Kubernetes 1.28 it can't.
pub async fn user(session: &Session) -> Result<(String, Vec<String>), Failure> {
    let api: Api<SelfSubjectReview> = Api::all(client(session)?.clone());
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let answer = request(session, "ask who I am", api.create(&params, &review)).await?;
    let info = answer.status.and_then(|status| status.user_info).unwrap_or_default();
    match info.username.filter(|name| !name.is_empty()) {
        Some(name) => Ok((name, info.groups.unwrap_or_default())),
        None => Err(Failure::new("ask who I am: the answer has no name", "")),
    }
}

/// Whether the API server may pass on the end of stdin: false from a version that says it can't. Builds without a
/// version say none, so only the protocol that it agrees to tells for sure.
///
/// # Errors
/// When there is no API server.
pub async fn may_end_input(session: &Session) -> Result<bool, Failure> {
    let asked = request(session, "ask for the version", client(session)?.apiserver_version()).await;
    Ok(asked.map_or(true, |version| version.major != "1" || minor(&version.minor) >= ENDS_INPUT_FROM))
}

/// A minor version such as `29+`.
fn minor(text: &str) -> u32 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(u32::MAX)
}

/// Runs a command. Returns the connection, and whether it can pass on the end of stdin.
///
/// # Errors
/// When the API server or the kubelet refuses.
pub async fn exec(
    session: &Session,
    place: &Place,
    command: &[String],
    streams: Streams,
) -> Result<(TokioIo<Upgraded>, bool), Failure> {
    let opened = open(session, client(session)?, place, command, streams).await?;
    let socket = opened.map_err(|error| from_api(&running(place), &error))?;
    let ends_input = socket.supports_stream_close();
    Ok((socket.into_stream().into_inner(), ends_input))
}

/// Runs a command whose stdin ends, without a terminal, by a protocol that can pass on the end. `None`: the server has
/// no such protocol, and did not run the command.
///
/// # Errors
/// When the API server or the kubelet refuses for another reason.
pub async fn exec_with_end(
    session: &Session,
    place: &Place,
    command: &[String],
) -> Result<Option<TokioIo<Upgraded>>, Failure> {
    let client = with_end_only(client(session)?);
    let streams = Streams { stdin: true, tty: false };
    match open(session, &client, place, command, streams).await? {
        Ok(socket) if socket.supports_stream_close() => Ok(Some(socket.into_stream().into_inner())),
        Ok(_) => {
            let what = format!("{}: the server chose a protocol that it was not offered", running(place));
            Err(Failure::new(what, "use `kubectl exec -i`"))
        }
        Err(error) if lacks_protocol(&error) => Ok(None),
        Err(error) => Err(from_api(&running(place), &error)),
    }
}

/// The request, in words.
fn running(place: &Place) -> String {
    let Place { namespace, pod, container, .. } = place;
    format!("run a command in container {container} of {namespace}/{pod}")
}

/// Asks for the WebSocket. The server runs the command once it agrees. The outer error is a timeout.
async fn open(
    session: &Session,
    client: &Client,
    place: &Place,
    command: &[String],
    streams: Streams,
) -> Result<Result<WebSocket, kube::Error>, Failure> {
    let Place { namespace, pod, container, .. } = place;
    let params = AttachParams::default().container(container).stdin(streams.stdin).tty(streams.tty);
    let params = params.stderr(!streams.tty);
    let request = Request::new(format!("/api/v1/namespaces/{namespace}/pods"));
    let request = request
        .exec(pod, command, &params)
        .map_err(|error| Failure::new(format!("{}: {error}", running(place)), ""))?;
    let limit = session.global.request_timeout;
    timeout(limit, client.connect(request)).await.map_err(|_| timed_out(&running(place), limit))
}

/// The same client, whose WebSockets offer v5 of the protocol alone. By itself it offers v4 too, and a server that
/// takes v4 has started the command before anybody knows.
fn with_end_only(client: &Client) -> Client {
    let inner = client.clone();
    let service = service_fn(move |mut request: hyper::Request<Body>| {
        let inner = inner.clone();
        async move {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(ENDS_INPUT));
            inner.send(request).await
        }
    });
    Client::new(service, client.default_namespace())
}

/// True if a server refuses because it has none of the protocols: without a `Status`, because the WebSocket's library
/// writes that answer (`golang.org/x/net/websocket/hybi.go`: 403 from a handshake that fails).
fn lacks_protocol(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if [400, 403].contains(&status.code) && status.reason == NO_STATUS)
}

/// Writes an Event on the Pod.
///
/// # Errors
/// When the caller may not create Events there.
pub async fn announce(session: &Session, place: &Place, reason: &str, message: &str) -> Result<(), Failure> {
    let Place { namespace, pod, uid, container, .. } = place;
    let now = Time(Timestamp::now());
    let component = "kubectl-netwhy".to_owned();
    let event = Event {
        metadata: ObjectMeta {
            generate_name: Some("netwhy-shell-".to_owned()),
            namespace: Some(namespace.clone()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(namespace.clone()),
            name: Some(pod.clone()),
            uid: Some(uid.clone()),
            field_path: Some(format!("spec.containers{{{container}}}")),
            ..ObjectReference::default()
        },
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        type_: Some("Normal".to_owned()),
        count: Some(1),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        source: Some(EventSource { component: Some(component), host: None }),
        ..Event::default()
    };
    let api: Api<Event> = Api::namespaced(client(session)?.clone(), namespace);
    let what = format!("create an Event in namespace {namespace}");
    request(session, &what, api.create(&PostParams::default(), &event)).await.map(drop)
}

#[cfg(test)]
mod tests;
