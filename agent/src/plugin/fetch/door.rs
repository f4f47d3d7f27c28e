//! One agent's HTTP API, directly or through the API server.

use super::super::Trouble;
use crate::pods::one_line;
use http_body_util::{BodyExt as _, Limited};
use hyper::{Request, StatusCode, header};
use kube::{Client, Config, client::Body};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Answers larger than this are refused: no agent makes them.
const MAX_BODY: usize = 256 << 20;
/// Tries when the API server says that it has too much to do, and the wait before the first of them.
const RETRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// A connection attempt to an agent fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);
/// Version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The way to one agent.
#[derive(Clone)]
pub struct Door {
    client: Client,
    /// Path before the agent's own.
    prefix: String,
    timeout: Duration,
    /// How messages name it.
    name: String,
    /// Namespace and Pod whose proxy is asked. `None`: asked directly.
    proxied: bool,
}

impl Door {
    /// To the agent at this URL.
    ///
    /// # Errors
    /// When it is none.
    pub fn direct(url: &str, timeout: Duration) -> Result<Self, Trouble> {
        let remedy = "write it as http://HOST:9810";
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: hyper::Uri = full.parse().map_err(|error| Trouble::new(format!("--agent {url}: {error}"), remedy))?;
        if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Trouble::new(format!("--agent {url}: not an HTTP URL"), remedy));
        }
        let mut config = Config::new(uri);
        config.connect_timeout = Some(timeout.min(CONNECT));
        config.read_timeout = None;
        let client = Client::try_from(config).map_err(|error| Trouble::new(one_line(&error), remedy))?;
        Ok(Self { client, prefix: String::new(), timeout, name: full.trim_end_matches('/').to_owned(), proxied: false })
    }

    /// Through the API server's proxy of a Pod.
    pub fn of_pod(client: Client, namespace: &str, pod: &str, port: u16, timeout: Duration) -> Self {
        let prefix = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy");
        Self { client, prefix, timeout, name: format!("{namespace}/{pod}"), proxied: true }
    }

    /// How messages name the agent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON answer to GET `path`.
    ///
    /// # Errors
    /// No answer in time, an answer that is none of an agent's, or an agent of another version.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let answer = tokio::time::timeout(self.timeout, self.bytes(path)).await;
        let bytes = answer.map_err(|_| {
            let what = format!("no answer within {} s", self.timeout.as_secs_f64());
            Trouble::new(what, "wait longer with --request-timeout, or look whether its Node is well")
        })??;
        serde_json::from_slice(&bytes).map_err(|error| {
            let what = format!("answers in a form that this version ({VERSION}) can't read: {error}");
            Trouble::new(what, "use the plugin of the agents' version")
        })
    }

    async fn bytes(&self, path: &str) -> Result<Vec<u8>, Trouble> {
        let mut pause = PAUSE;
        for _ in 0..RETRIES {
            match self.once(path).await {
                Err(None) => tokio::time::sleep(pause).await,
                Err(Some(trouble)) => return Err(trouble),
                Ok(bytes) => return Ok(bytes),
            }
            pause *= 2;
        }
        Err(Trouble::new("the API server has too much to do (429)", "lower --concurrency, or try again"))
    }

    /// One try; `Err(None)`: try again.
    async fn once(&self, path: &str) -> Result<Vec<u8>, Option<Trouble>> {
        let request = Request::get(format!("{}{path}", self.prefix)).header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(|error| Some(Trouble::new(error.to_string(), "")))?;
        let answer = self.client.send(request).await.map_err(|error| Some(self.unreachable(&error)))?;
        let (head, body) = answer.into_parts();
        let server = head.headers.get(header::SERVER).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let body = Limited::new(body, MAX_BODY).collect().await;
        let bytes = body.map_err(|error| Some(Trouble::new(format!("the answer broke off: {error}"), "try again")))?;
        if head.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(None);
        }
        let agent = server.as_deref().and_then(|name| name.strip_prefix("netwhy-agent/"));
        if let Some(version) = agent.filter(|version| !compatible(version, VERSION)) {
            let what = format!("the agent is of version {version}, this is {VERSION}");
            return Err(Some(Trouble::new(what, "use the plugin of the agents' version")));
        }
        if head.status.is_success() {
            return Ok(bytes.to_bytes().to_vec());
        }
        Err(Some(self.refused(head.status, &String::from_utf8_lossy(&bytes.to_bytes()), agent.is_some())))
    }

    fn unreachable(&self, error: &kube::Error) -> Trouble {
        let why = one_line(error);
        if self.proxied {
            return Trouble::new(
                format!("the API server doesn't answer: {why}"),
                "check --context, the network and VPN",
            );
        }
        Trouble::new(format!("no agent answers at {}: {why}", self.name), "is it running, and is the port right?")
    }

    fn refused(&self, status: StatusCode, body: &str, agent: bool) -> Trouble {
        let message = message(body);
        let code = status.as_u16();
        match code {
            401 => Trouble::new("the API server doesn't accept the credentials", "log in again"),
            403 => {
                let remedy = "you need the right to `get` pods/proxy in the agents' namespace";
                Trouble::new(format!("forbidden: {message}"), remedy)
            }
            404 if self.proxied && !agent => Trouble::new("the agent's Pod is gone", "ask again"),
            _ if agent => Trouble::new(format!("the agent answers {code}: {message}"), "use the plugin of its version"),
            _ if self.proxied => {
                let remedy = "look at its log; a NetworkPolicy must let the API server in";
                Trouble::new(format!("not reached through the API server ({code}): {message}"), remedy)
            }
            _ => Trouble::new(format!("{} answers {code}: {message}", self.name), "is that netwhy's port?"),
        }
    }
}

/// What an error says: `message` of a Kubernetes Status, `error` of an agent, else the text itself.
fn message(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let said = json.as_ref().and_then(|v| v["message"].as_str().or_else(|| v["error"].as_str()));
    let text: String = said.unwrap_or(body).chars().take(300).collect();
    if text.trim().is_empty() { "no reason given".to_owned() } else { text.trim().to_owned() }
}

/// Versions that understand each other: the same major one; before 1.0, the same minor one too.
fn compatible(a: &str, b: &str) -> bool {
    fn family(version: &str) -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse::<u64>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some((major, if major == 0 { minor } else { 0 }))
    }
    family(a).is_some() && family(a) == family(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_family_understand_each_other() {
        for (a, b, same) in [
            ("0.1.0", "0.1.9", true),
            ("0.1.0", "0.2.0", false),
            ("1.2.0", "1.9.3", true),
            ("1.0.0", "2.0.0", false),
            ("", "0.1.0", false),
        ] {
            assert_eq!(compatible(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn messages_are_found_in_whatever_form_they_come() {
        assert_eq!(message(r#"{"kind":"Status","message":"pods is forbidden"}"#), "pods is forbidden");
        assert_eq!(message(r#"{"error":"no such path"}"#), "no such path");
        assert_eq!(message("Error trying to reach service\n"), "Error trying to reach service");
        assert_eq!(message(" "), "no reason given");
    }

    #[tokio::test]
    async fn a_bad_url_is_told_with_the_right_form() {
        for bad in ["ftp://x", "http://", "http://a b"] {
            let trouble = Door::direct(bad, Duration::from_secs(1)).err().unwrap();
            assert!(trouble.to_string().contains("http://HOST:9810"), "{trouble}");
        }
        assert_eq!(Door::direct("localhost:9810", Duration::from_secs(1)).unwrap().name(), "http://localhost:9810");
    }
}
