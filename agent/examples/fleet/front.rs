//! The stand-in for the API server: lists, single objects, the Pod proxy and port-forward.

use crate::{forward, views};
use axum::{
    Router,
    extract::{Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use std::{collections::HashMap, net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Namespace of the agents.
const AGENTS: &str = "netwhy";

/// Labels of the agents' objects.
fn labels() -> Value {
    json!({"app.kubernetes.io/name": "netwhy", "app.kubernetes.io/component": "agent"})
}

/// One agent.
pub(crate) struct Member {
    pub(crate) node: String,
    pub(crate) address: SocketAddr,
}

/// All of them.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
    /// Pods per Node.
    pub(crate) pods: usize,
    /// Whether the agents' Pods have the API on loopback, as by the chart's default.
    pub(crate) is_loopback: bool,
}

pub(crate) fn router(fleet: Arc<Fleet>) -> Router {
    Router::new().fallback(answer).with_state(fleet)
}

async fn answer(
    State(fleet): State<Arc<Fleet>>,
    Query(query): Query<HashMap<String, String>>,
    mut request: Request,
) -> Response {
    let uri = request.uri().clone();
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match parts.as_slice() {
        // No Pod but the agents' has labels here.
        ["api", "v1", "pods"] if query.get("labelSelector").is_some_and(|l| !l.contains("netwhy")) => {
            object(list("v1", "Pod", &[]))
        }
        ["api", "v1", "pods"] => object(fleet.list(&query)),
        ["apis", "apps", "v1", "daemonsets"] if query.get("labelSelector").is_some_and(|l| !l.contains("netwhy")) => {
            object(list("apps/v1", "DaemonSet", &[]))
        }
        ["apis", "apps", "v1", "daemonsets"] => object(list("apps/v1", "DaemonSet", &[daemon_set()])),
        ["api", "v1", "namespaces", "shop", "pods"] => object(fleet.pods()),
        ["api", "v1", "namespaces", "shop", "services", "app"] => object(service()),
        ["api", "v1", "namespaces", AGENTS, "pods", pod, "proxy", path @ ..] => {
            fleet.proxy(pod, &path.join("/"), uri.query()).await
        }
        ["api", "v1", "namespaces", AGENTS, "pods", pod, "portforward"] => match fleet.member(pod) {
            Some(member) => {
                let port = query.get("ports").and_then(|ports| ports.parse().ok()).unwrap_or(0);
                forward::response(&mut request, member.address, port)
            }
            None => absent(pod),
        },
        ["api", "v1", "namespaces", "shop", "pods", pod] => fleet.pod(pod).map_or_else(|| absent(pod), object),
        ["api", "v1", "nodes"] => {
            let nodes: Vec<Value> = fleet.members.iter().map(|member| node(&member.node)).collect();
            object(list("v1", "Node", &nodes))
        }
        ["api", "v1", "nodes", name] if fleet.members.iter().any(|member| member.node == *name) => object(node(name)),
        [.., "events"] => object(list("v1", "Event", &[])),
        [.., "endpointslices"] => object(list("discovery.k8s.io/v1", "EndpointSlice", &[fleet.slice()])),
        [.., name] => absent(name),
        [] => absent(""),
    }
}

fn object(value: Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn absent(name: &str) -> Response {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "reason": "NotFound", "code": 404, "message": format!("{name:?} not found")
    });
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], status.to_string()).into_response()
}

fn list(version: &str, kind: &str, items: &[Value]) -> Value {
    json!({"apiVersion": version, "kind": format!("{kind}List"), "metadata": {}, "items": items})
}

/// The agents' DaemonSet.
fn daemon_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "netwhy", "namespace": AGENTS, "uid": "uid-netwhy", "labels": labels()},
        "spec": {"selector": {}, "template": {"spec": {"containers": [], "serviceAccountName": "netwhy"}}}
    })
}

/// A Node. The first one is in a pool of its own.
fn node(name: &str) -> Value {
    let pool = if name == views::node(0) { "canary" } else { "general" };
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "pool": pool}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "app", "namespace": "shop"},
        "spec": {"clusterIP": "10.96.0.7", "selector": {"app": "app"}, "ports": [{"port": 80, "targetPort": 8080}]}
    })
}

impl Fleet {
    /// The first Pods of the shop.
    fn pods(&self) -> Value {
        let names = (0..self.members.len().min(3)).filter_map(|node| self.pod(&views::pod(node, 0)));
        list("v1", "Pod", &names.collect::<Vec<_>>())
    }

    /// The Service's EndpointSlice.
    fn slice(&self) -> Value {
        let endpoints: Vec<Value> = (0..self.members.len().min(2))
            .map(|node| json!({
                "addresses": [format!("10.0.{node}.1")], "conditions": {"ready": true}, "nodeName": views::node(node),
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": views::pod(node, 0)}
            }))
            .collect();
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "app-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "app"}},
            "endpoints": endpoints
        })
    }

    /// Agents' Pods, in chunks as the real one does it.
    fn list(&self, query: &HashMap<String, String>) -> Value {
        let number = |key: &str| query.get(key).and_then(|text| text.parse::<usize>().ok());
        let node = query.get("fieldSelector").and_then(|text| text.strip_prefix("spec.nodeName="));
        let (from, limit) = (number("continue").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
        let all: Vec<(usize, &Member)> =
            self.members.iter().enumerate().filter(|(_, m)| node.is_none_or(|node| m.node == node)).collect();
        let page: Vec<Value> = all.iter().skip(from).take(limit).map(|(i, member)| self.agent(*i, member)).collect();
        let next = from + page.len();
        let token = if next < all.len() { next.to_string() } else { String::new() };
        json!({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1", "continue": token}, "items": page})
    }

    fn pod(&self, name: &str) -> Option<Value> {
        let (node, number) = name.strip_prefix("app-")?.split_once('-')?;
        let (node, number) = (node.parse::<usize>().ok()?, number.parse::<usize>().ok()?);
        let known = number < self.pods && node < self.members.len() && name == views::pod(node, number);
        known.then(|| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
                    "ownerReferences": [
                        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app", "uid": "uid-app", "controller": true}
                    ]
                },
                "spec": {"nodeName": views::node(node), "containers": [{"name": "app", "image": "app"}]},
                "status": running("app")
            })
        })
    }

    /// An agent's Pod, about as large as a real one.
    fn agent(&self, number: usize, member: &Member) -> Value {
        let name = format!("netwhy-{number}");
        let mut ports = vec![
            json!({"name": "metrics", "containerPort": 9810, "protocol": "TCP"}),
            json!({"name": "probes", "containerPort": 9811, "protocol": "TCP"}),
        ];
        if self.is_loopback {
            ports.push(json!({"name": "api", "containerPort": 9812, "protocol": "TCP"}));
        }
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": AGENTS, "uid": format!("uid-{name}"), "labels": labels(),
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "netwhy", "uid": "uid-netwhy",
                    "controller": true
                }]
            },
            "spec": {
                "nodeName": member.node,
                "serviceAccountName": "netwhy",
                "tolerations": [{"operator": "Exists"}],
                "containers": [{
                    "name": "agent", "image": "netwhy-agent", "ports": ports,
                    "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
                }]
            },
            "status": running("agent")
        })
    }

    /// The agent whose Pod has this name, perhaps with a port.
    fn member(&self, pod: &str) -> Option<&Member> {
        let number = pod.strip_prefix("netwhy-").and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
        number.and_then(|number| self.members.get(number))
    }

    /// Passes a request on, over TCP, as the API server does.
    async fn proxy(&self, pod: &str, path: &str, query: Option<&str>) -> Response {
        let Some(member) = self.member(pod) else { return absent(pod) };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        match passed_on(member.address, &format!("/{path}{query}")).await {
            Ok(response) => response,
            Err(error) => {
                (StatusCode::SERVICE_UNAVAILABLE, format!("Error trying to reach service: {error}")).into_response()
            }
        }
    }
}

async fn passed_on(address: SocketAddr, path: &str) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").ok_or(std::io::ErrorKind::InvalidData)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(502);
    let server = head.lines().find_map(|line| line.strip_prefix("server: ")).unwrap_or_default().to_owned();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let head = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::SERVER, server)];
    Ok((status, head, bytes.split_off(end + 4)).into_response())
}

fn running(container: &str) -> Value {
    json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{
            "name": container, "ready": true, "started": true, "restartCount": 0, "image": "i", "imageID": "i",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        }]
    })
}
