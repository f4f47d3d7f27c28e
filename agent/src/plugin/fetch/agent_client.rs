//! HTTP client for one agent. It finds out which way to the agent is open.

use super::{
    super::Failure,
    answer::Answer,
    room::{Account, Room},
    way::{Reply, Trouble, Way, refusal},
};
use crate::kube::one_line;
use hyper::header;
use jiff::Timestamp;
use kube::{Client, Config};
use serde::de::DeserializeOwned;
use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Attempts while the API server answers 429, or other answers need the room, and the first pause between them.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
/// A connection attempt to an agent fails after this long, whatever the request's own limit.
const CONNECT: Duration = Duration::from_secs(10);
/// Shortest timeout of a request about the past.
const REPLAY: Duration = Duration::from_secs(30);
/// What an agent says of itself.
pub(super) const INFO: &str = "/api/v1/info";
/// Version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// HTTP client for one agent.
#[derive(Clone)]
pub struct AgentClient {
    /// The likeliest first.
    ways: Arc<[Way]>,
    /// Ways before this one are closed.
    open: Arc<AtomicUsize>,
    account: Arc<Account>,
    timeout: Duration,
    /// Name in messages.
    name: String,
    /// The moment that answers are of. `None`: now.
    at: Option<Timestamp>,
}

impl AgentClient {
    /// A client for the agent at this URL. `memory`: room for its large answers, bytes.
    ///
    /// # Errors
    /// When the text is not an HTTP URL.
    pub fn direct(url: &str, timeout: Duration, memory: u64) -> Result<Self, Failure> {
        let remedy = "write it as http://HOST:9812";
        let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: hyper::Uri = full.parse().map_err(|error| Failure::new(format!("--agent {url}: {error}"), remedy))?;
        if uri.host().is_none_or(str::is_empty) || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(Failure::new(format!("--agent {url}: not an HTTP URL"), remedy));
        }
        let mut config = Config::new(uri);
        config.connect_timeout = Some(timeout.min(CONNECT));
        config.read_timeout = None;
        let client = Client::try_from(config).map_err(|error| Failure::new(one_line(&error), remedy))?;
        let name = full.trim_end_matches('/').to_owned();
        Ok(Self::new(vec![Way::Direct(client, name.clone())], name, timeout, Room::new(memory).account()))
    }

    /// A client for an agent that can be reached in these ways.
    pub(super) fn new(ways: Vec<Way>, name: String, timeout: Duration, account: Arc<Account>) -> Self {
        Self { ways: ways.into(), open: Arc::default(), account, timeout, name, at: None }
    }

    /// The same client for another look-up, with its room free again.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { account: self.account.room().again(), ..self.clone() }
    }

    /// The same client for answers of this moment. `None`: of now. A replay takes its time.
    #[must_use]
    pub fn at(self, at: Option<Timestamp>) -> Self {
        let timeout = if at.is_some() { self.timeout.max(REPLAY) } else { self.timeout };
        Self { at, timeout, ..self }
    }

    /// Name of the agent in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts only this much memory for its answers: a summary of `bytes` replaced them.
    pub fn keep_only(&self, bytes: usize) {
        self.account.keep_only(bytes as u64);
    }

    /// The JSON answer to GET `path`. Its memory is counted for the rest of the look-up.
    ///
    /// # Errors
    /// On a timeout, an answer that is not an agent's or too large, or an incompatible version.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let path = self.path(path);
        let answer = tokio::time::timeout(self.timeout, self.answer(&path)).await;
        let answer = answer.map_err(|_| {
            let what = format!("no answer within {} s", self.timeout.as_secs_f64());
            Failure::new(what, "raise --request-timeout, or check its Node")
        })??;
        answer.parse().map_err(|error| {
            let what = format!("this version ({VERSION}) can't read the answer: {error}");
            Failure::new(what, "use the plugin of the agents' version")
        })
    }

    /// The path with the moment. What the agent says of itself is of now.
    fn path<'p>(&self, path: &'p str) -> Cow<'p, str> {
        match self.at {
            Some(at) if path != INFO => {
                let mark = if path.contains('?') { '&' } else { '?' };
                format!("{path}{mark}at={at}").into()
            }
            _ => path.into(),
        }
    }

    async fn answer(&self, path: &str) -> Result<Answer, Failure> {
        let mut pause = PAUSE;
        let mut attempt = 1;
        loop {
            match self.by_open_way(path).await {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Busy(_)) if attempt < ATTEMPTS => tokio::time::sleep(pause).await,
                Err(Trouble::Busy(failure) | Trouble::Closed(failure) | Trouble::Failed(failure)) => {
                    return Err(failure);
                }
            }
            pause *= 2;
            attempt += 1;
        }
    }

    /// The answer by the first way that is open. When all are closed: the reason of the first.
    async fn by_open_way(&self, path: &str) -> Result<Answer, Trouble> {
        let mut closed = None;
        for (at, way) in self.ways.iter().enumerate().skip(self.open.load(Ordering::Relaxed)) {
            match self.ask(way, path).await {
                Err(Trouble::Closed(failure)) => drop(closed.get_or_insert(failure)),
                other => {
                    self.open.store(at, Ordering::Relaxed);
                    return other;
                }
            }
        }
        Err(Trouble::Closed(closed.unwrap_or_else(|| Failure::new("no way to the agent is open", ""))))
    }

    async fn ask(&self, way: &Way, path: &str) -> Result<Answer, Trouble> {
        let Reply { head, body } = way.get(path, &self.account).await?;
        let server = head.headers.get(header::SERVER).and_then(|value| value.to_str().ok());
        let agent = server.and_then(|name| name.strip_prefix("netwhy-agent/"));
        if let Some(version) = agent.filter(|version| !compatible(version, VERSION)) {
            let what = format!("the agent has version {version}, the plugin {VERSION}");
            return Err(Trouble::Failed(Failure::new(what, "use the plugin of the agents' version")));
        }
        body.map_err(|text| refusal(way, head.status, &message(&text), agent.is_some()))
    }
}

/// The message of an error: `message` of a Kubernetes Status, `error` of an agent, else the text itself.
pub(crate) fn message(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let found = json.as_ref().and_then(|v| v["message"].as_str().or_else(|| v["error"].as_str()));
    let text: String = found.unwrap_or(body).chars().take(300).collect();
    if text.trim().is_empty() { "no reason given".to_owned() } else { text.trim().to_owned() }
}

/// Compatible versions have the same major version. Before 1.0 their minor versions are neighbours at most, so that an
/// upgrade is explained while agents of both versions run.
fn compatible(a: &str, b: &str) -> bool {
    fn series(version: &str) -> Option<(u64, u64)> {
        let mut parts = version.split(['.', '-', '+']).map(str::parse::<u64>);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some((major, if major == 0 { minor } else { 0 }))
    }
    match (series(a), series(b)) {
        (Some((a, a_minor)), Some((b, b_minor))) => a == b && a_minor.abs_diff(b_minor) <= 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
