//! A Prometheus that scrapes the agents: found, and asked for series.
//!
//! ```text
//! find ─► Prometheus ─► answer                      which one and how it is reached; its answers, within bounds
//!             └─► hints, figures, accept_queues     what is asked
//! ```
//! Its answers are foreign text like those of agents: bounded in bytes and series, read into plain structs, and shown
//! only escaped.

mod accept_queues;
mod answer;
mod figures;
mod find;
mod hints;

pub use find::find;
pub use hints::Fired;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use hints::firings;

pub(super) use answer::{Labels, Series};

use super::{
    super::Failure,
    agent_client::message,
    errors::{no_answer, timed_out},
};
use answer::Wanted;
use hyper::{Request, StatusCode, header};
use jiff::Timestamp;
use kube::{Client, client::Body};
use std::{fmt::Write as _, time::Duration};

/// Shortest timeout: a query over days takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// One Prometheus.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    /// Before the path of every request.
    prefix: String,
    /// URL without a password, or `namespace/service`.
    name: String,
    /// By the API server's Service proxy.
    is_proxied: bool,
    timeout: Duration,
}

impl Prometheus {
    fn new(client: Client, (prefix, name): (String, String), is_proxied: bool, timeout: Duration) -> Self {
        Self { client, prefix, name, is_proxied, timeout: timeout.max(PATIENCE) }
    }

    /// Its name in reports: URL, or `namespace/service`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The series of a query at one moment, each with one sample.
    ///
    /// # Errors
    /// When it does not answer, refuses the query, or the answer is too large or no answer of a Prometheus.
    pub(super) async fn instant(&self, query: &str, at: Timestamp) -> Result<Vec<Series>, Failure> {
        let path = format!("/api/v1/query?query={}&time={}", encoded(query), seconds(at));
        self.get(&path, Wanted::Vector).await
    }

    /// The series of a query between two moments, a sample each `step`.
    ///
    /// # Errors
    /// As [`Self::instant`].
    pub(super) async fn range(
        &self,
        query: &str,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
    ) -> Result<Vec<Series>, Failure> {
        let (query, start, end) = (encoded(query), seconds(from), seconds(to));
        let path = format!("/api/v1/query_range?query={query}&start={start}&end={end}&step={}", step.as_secs());
        self.get(&path, Wanted::Matrix).await
    }

    async fn get(&self, path: &str, wanted: Wanted) -> Result<Vec<Series>, Failure> {
        let answer = tokio::time::timeout(self.timeout, self.ask(path, wanted)).await;
        let answer = answer.unwrap_or_else(|_| Err(timed_out("the query", self.timeout)));
        answer.map_err(|failure| failure.at(format!("Prometheus {}", self.name)))
    }

    async fn ask(&self, path: &str, wanted: Wanted) -> Result<Vec<Series>, Failure> {
        let request = Request::get(format!("{}{path}", self.prefix)).header(header::ACCEPT, "application/json");
        let request = request.body(Body::empty()).map_err(|error| Failure::new(error.to_string(), ""))?;
        let response = self.client.send(request).await.map_err(|error| match self.is_proxied {
            true => no_answer(&error),
            false => Failure::new(
                format!("it does not answer: {}", crate::kube::one_line(&error)),
                "check --prometheus and the network",
            ),
        })?;
        let (head, body) = response.into_parts();
        if head.status.is_success() {
            return answer::read(body, wanted).await;
        }
        let text = super::answer::error_text(body).await.unwrap_or_default();
        Err(self.refusal(head.status, &message(&text)))
    }

    fn refusal(&self, status: StatusCode, message: &str) -> Failure {
        let code = status.as_u16();
        match status {
            StatusCode::FORBIDDEN if self.is_proxied => Failure::new(
                format!("forbidden: {message}"),
                "you need `get` on services/proxy in its namespace, or pass --prometheus URL",
            ),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::new(
                format!("it rejects the request ({code}): {message}"),
                "write --prometheus as https://USER:PASSWORD@HOST, or pass one without a login",
            ),
            StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE if self.is_proxied => {
                Failure::new(format!("the API server can't reach it ({code}): {message}"), "pass --prometheus URL")
            }
            StatusCode::NOT_FOUND => {
                Failure::new(format!("it answers 404: {message}"), "check the path of --prometheus")
            }
            _ => Failure::new(format!("it answers {code}: {message}"), ""),
        }
    }
}

/// Seconds since the Unix epoch, with milliseconds.
fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// Percent-encoded for a query of a URL (RFC 3986).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a String can't fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

/// A label's value as a string of PromQL. Go's escapes are those of Rust but for Unicode, so names alone are allowed.
///
/// # Errors
/// When the text can be no name of Kubernetes.
pub(super) fn quoted(text: &str) -> Result<String, Failure> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/');
    if text.chars().all(is_name) {
        return Ok(format!("\"{text}\""));
    }
    Err(Failure::new(format!("{text:?} can't be a name"), "check the name"))
}

#[cfg(test)]
mod tests;
