//! Which Prometheus: that of `--prometheus` or `$PROMETHEUS_URL`, else a Service of a usual name in the cluster.

use super::{
    super::{
        errors::{from_api, timed_out},
        session::{Connection, Session},
    },
    Prometheus,
};
use crate::{kube::one_line, plugin::Failure};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Service, ServicePort};
use kube::{Api, Client, Config, ResourceExt as _, api::ListParams};
use std::time::Duration;

/// Names that the usual charts and operators give its Service, the likeliest first.
const NAMES: [&str; 6] = [
    "prometheus-operated",
    "kube-prometheus-stack-prometheus",
    "prometheus-k8s",
    "prometheus-server",
    "prometheus-kube-prometheus-prometheus",
    "prometheus",
];
/// Names of its port, the likeliest first; else 9090, else the first port.
const PORTS: [&str; 4] = ["http-web", "web", "http", "https"];
/// Services of one name that are read.
const MAX_SERVICES: u32 = 10;
/// A connection attempt fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);
/// Turns the search off.
const OFF: &str = "off";

/// The Prometheus to ask. `None`: the flag turns it off, or there is none of a usual name.
///
/// # Errors
/// When the flag names none that can be asked, the API server refuses the search, or several may be meant.
pub async fn find(session: &Session) -> Result<Option<Prometheus>, Failure> {
    let timeout = session.global.request_timeout;
    let given = session.global.prometheus.as_deref().map(str::trim).filter(|given| !given.is_empty());
    match (given, &session.connection) {
        (Some(OFF), _) => Ok(None),
        (Some(url), _) if url.contains("://") => {
            if session.context.is_some() {
                let remedy = "pass --context, or --prometheus NAMESPACE/SERVICE, which each cluster has";
                return Err(Failure::new("--prometheus URL is of one cluster, and there are several contexts", remedy));
            }
            direct(url, timeout).map(Some)
        }
        (Some(service), Connection::Cluster(client)) => named(client, service, timeout).await.map(Some),
        (Some(other), Connection::Direct(_)) => Err(wrong(other)),
        (None, Connection::Direct(_)) => Ok(None),
        (None, Connection::Cluster(client)) => search(client, timeout).await,
    }
}

fn wrong(given: &str) -> Failure {
    let remedy = "write http://HOST:9090, or NAMESPACE/SERVICE[:PORT] to go through the API server, or off";
    Failure::new(format!("--prometheus {given:?}: not a URL"), remedy)
}

/// By its URL. A user and a password in it are sent as a login, and shown nowhere.
fn direct(url: &str, timeout: Duration) -> Result<Prometheus, Failure> {
    // The text may have a password, so messages do not repeat it.
    let bad = |why: &str| Failure::new(format!("--prometheus: {why}"), "write it as http://HOST:9090");
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (login, host) = authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
    if !matches!(scheme, "http" | "https") || host.is_empty() || path.contains(['?', '#']) {
        return Err(bad("not an HTTP URL"));
    }
    let name = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
    let uri: hyper::Uri = name.parse().map_err(|error| bad(&format!("not a URL: {error}")))?;
    let mut config = Config::new(uri);
    config.connect_timeout = Some(timeout.min(CONNECT));
    config.read_timeout = None;
    if let Some(login) = login {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        config.auth_info.username = Some(decoded(user));
        config.auth_info.password = Some(decoded(password).into());
    }
    let client = Client::try_from(config).map_err(|error| bad(&one_line(&error)))?;
    Ok(Prometheus::new(client, (String::new(), name), false, timeout))
}

/// Percent-encoded text.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let pair = others.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &others[2..];
            }
            None => {
                out.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A Service as `NAMESPACE/SERVICE[:PORT]`.
async fn named(client: &Client, text: &str, timeout: Duration) -> Result<Prometheus, Failure> {
    let (namespace, rest) = text.split_once('/').ok_or_else(|| wrong(text))?;
    let (name, port) = rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port)));
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    if !is_name(namespace) || !is_name(name) || !port.is_none_or(is_name) {
        return Err(wrong(text));
    }
    if let Some(port) = port {
        return Ok(proxied(client, (namespace, name), &format!("{name}:{port}"), timeout));
    }
    let api: Api<Service> = Api::namespaced(client.clone(), namespace);
    let what = format!("read the Service {namespace}/{name}");
    let asked = tokio::time::timeout(limit(timeout), api.get(name)).await;
    let service = asked.map_err(|_| timed_out(&what, timeout))?.map_err(|error| from_api(&what, &error))?;
    Ok(of_service(client, &service, timeout))
}

/// Services of the usual names in all namespaces.
async fn search(client: &Client, timeout: Duration) -> Result<Option<Prometheus>, Failure> {
    let api: Api<Service> = Api::all(client.clone());
    let api = &api;
    let lists = NAMES.iter().map(|name| async move {
        let what = format!("look for a Service {name}");
        let params = ListParams::default().fields(&format!("metadata.name={name}")).limit(MAX_SERVICES);
        let asked = tokio::time::timeout(limit(timeout), api.list(&params)).await;
        let list = asked.map_err(|_| timed_out(&what, timeout))?.map_err(|error| from_api(&what, &error))?;
        Ok::<Vec<Service>, Failure>(list.items)
    });
    let found = try_join_all(lists).await?;
    let Some(services) = found.into_iter().find(|services| !services.is_empty()) else { return Ok(None) };
    if let [only] = services.as_slice() {
        return Ok(Some(of_service(client, only, timeout)));
    }
    // Anybody may give a Service that name.
    let names: Vec<String> = services.iter().map(full_name).collect();
    let what = format!("several Services may be the Prometheus: {}", names.join(", "));
    Err(Failure::new(what, "pass --prometheus NAMESPACE/SERVICE with the genuine one"))
}

fn limit(timeout: Duration) -> Duration {
    timeout.max(Duration::from_secs(1))
}

fn full_name(service: &Service) -> String {
    format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any())
}

fn of_service(client: &Client, service: &Service, timeout: Duration) -> Prometheus {
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let ports: Vec<&ServicePort> = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).collect();
    let port = port(&ports);
    let number = port.map_or(9090, |port| port.port).to_string();
    let is_tls = port.is_some_and(|port| port.name.as_deref() == Some("https"));
    let scheme = if is_tls { "https:" } else { "" };
    proxied(client, (&namespace, &name), &format!("{scheme}{name}:{number}"), timeout)
}

/// The port that answers queries.
fn port<'p>(ports: &[&'p ServicePort]) -> Option<&'p ServicePort> {
    let named = |name: &&str| ports.iter().find(|port| port.name.as_deref() == Some(*name));
    let by_name = PORTS.iter().find_map(named);
    by_name.or_else(|| ports.iter().find(|port| port.port == 9090)).or(ports.first()).copied()
}

/// By the API server's Service proxy. The API server keeps the caller's credentials to itself.
/// `target`: `[https:]NAME:PORT`.
fn proxied(client: &Client, (namespace, name): (&str, &str), target: &str, timeout: Duration) -> Prometheus {
    let prefix = format!("/api/v1/namespaces/{namespace}/services/{target}/proxy");
    Prometheus::new(client.clone(), (prefix, format!("{namespace}/{name}")), true, timeout)
}

#[cfg(test)]
mod tests;
