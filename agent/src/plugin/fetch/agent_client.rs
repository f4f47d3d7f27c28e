//! HTTP client for one agent, directly or through the API server's Pod proxy.

use super::super::Failure;
use crate::kube::one_line;
use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, StatusCode, header};
use kube::{Client, Config, client::Body};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Largest accepted answer, bytes. No agent sends more.
const MAX_BODY: usize = 256 << 20;
/// Attempts while the API server answers 429, and the first pause between them.
const RETRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// A connection attempt to an agent fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);
/// Version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// HTTP client for one agent.
#[derive(Clone)]
pub struct AgentClient {
    client: Client,
    /// Prefix of every path.
    prefix: String,
    timeout: Duration,
    /// Name in messages.
    name: String,
    /// True for requests through the API server's Pod proxy.
    proxied: bool,
}

impl AgentClient {
    /// A client for the agent at this URL.
    ///
    /// # Errors
    /// When the text is not an HTTP URL.
    pub fn direct(url: &str, timeout: Duration) -> Result<Self, Failure> {
        let remedy = "write it as http://HOST:9810";
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: hyper::Uri = full.parse().map_err(|error| Failure::new(format!("--agent {url}: {error}"), remedy))?;
        if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Failure::new(format!("--agent {url}: not an HTTP URL"), remedy));
        }
        let mut config = Config::new(uri);
        config.connect_timeout = Some(timeout.min(CONNECT));
        config.read_timeout = None;
        let client = Client::try_from(config).map_err(|error| Failure::new(one_line(&error), remedy))?;
        Ok(Self { client, prefix: String::new(), timeout, name: full.trim_end_matches('/').to_owned(), proxied: false })
    }

    /// A client through the API server's Pod proxy.
    pub fn via_pod_proxy(client: Client, namespace: &str, pod: &str, port: u16, timeout: Duration) -> Self {
        let prefix = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy");
        Self { client, prefix, timeout, name: format!("{namespace}/{pod}"), proxied: true }
    }

    /// Name of the agent in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON answer to GET `path`.
    ///
    /// # Errors
    /// On a timeout, an answer that is not an agent's, or an incompatible version.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let answer = tokio::time::timeout(self.timeout, self.bytes(path)).await;
        let bytes = answer.map_err(|_| {
            let what = format!("no answer within {} s", self.timeout.as_secs_f64());
            Failure::new(what, "raise --request-timeout, or check its Node")
        })??;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!("this version ({VERSION}) can't read the answer: {error}");
            Failure::new(what, "use the plugin of the agents' version")
        })
    }

    async fn bytes(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let mut pause = PAUSE;
        for _ in 0..RETRIES {
            match self.attempt(path).await {
                Err(None) => tokio::time::sleep(pause).await,
                Err(Some(failure)) => return Err(failure),
                Ok(bytes) => return Ok(bytes),
            }
            pause *= 2;
        }
        Err(Failure::new("the API server is overloaded (429)", "lower --concurrency or try again"))
    }

    /// One attempt. `Err(None)`: try again.
    async fn attempt(&self, path: &str) -> Result<Vec<u8>, Option<Failure>> {
        let request = Request::get(format!("{}{path}", self.prefix)).header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(|error| Some(Failure::new(error.to_string(), "")))?;
        let answer = self.client.send(request).await.map_err(|error| Some(self.unreachable(&error)))?;
        let (head, body) = answer.into_parts();
        let server = head.headers.get(header::SERVER).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let body = Limited::new(body, MAX_BODY).collect().await;
        let bytes =
            body.map_err(|error| Some(Failure::new(format!("the answer is incomplete: {error}"), "try again")))?;
        if head.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(None);
        }
        let agent = server.as_deref().and_then(|name| name.strip_prefix("netwhy-agent/"));
        if let Some(version) = agent.filter(|version| !compatible(version, VERSION)) {
            let what = format!("the agent has version {version}, the plugin {VERSION}");
            return Err(Some(Failure::new(what, "use the plugin of the agents' version")));
        }
        if head.status.is_success() {
            return Ok(bytes.to_bytes().to_vec());
        }
        Err(Some(self.refused(head.status, &String::from_utf8_lossy(&bytes.to_bytes()), agent.is_some())))
    }

    fn unreachable(&self, error: &kube::Error) -> Failure {
        let why = one_line(error);
        if self.proxied {
            return Failure::new(
                format!("the API server does not answer: {why}"),
                "check --context, the network and VPN",
            );
        }
        Failure::new(
            format!("no agent answers at {}: {why}", self.name),
            "check that it runs and that the port is right",
        )
    }

    fn refused(&self, status: StatusCode, body: &str, agent: bool) -> Failure {
        let message = message(body);
        let code = status.as_u16();
        match code {
            401 => Failure::new("the API server rejects the credentials", "log in again"),
            403 => {
                let remedy = "you need `get` on pods/proxy in the agents' namespace";
                Failure::new(format!("forbidden: {message}"), remedy)
            }
            404 if self.proxied && !agent => Failure::new("the agent's Pod is gone", "try again"),
            _ if agent => Failure::new(format!("the agent answers {code}: {message}"), "use the plugin of its version"),
            _ if self.proxied => {
                let remedy = "check its log; a NetworkPolicy must allow the API server";
                Failure::new(format!("the API server can't reach it ({code}): {message}"), remedy)
            }
            _ => Failure::new(format!("{} answers {code}: {message}", self.name), "check that this is netwhy's port"),
        }
    }
}

/// The message of an error: `message` of a Kubernetes Status, `error` of an agent, else the text itself.
pub(crate) fn message(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let found = json.as_ref().and_then(|v| v["message"].as_str().or_else(|| v["error"].as_str()));
    let text: String = found.unwrap_or(body).chars().take(300).collect();
    if text.trim().is_empty() { "no reason given".to_owned() } else { text.trim().to_owned() }
}

/// Compatible versions have the same major version; before 1.0 also the same minor version.
fn compatible(a: &str, b: &str) -> bool {
    fn series(version: &str) -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse::<u64>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some((major, if major == 0 { minor } else { 0 }))
    }
    series(a).is_some() && series(a) == series(b)
}

#[cfg(test)]
mod tests;
