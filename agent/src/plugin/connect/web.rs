//! Requests to other HTTP servers than API servers: one connection each, by the same proxies, TLS and time limits.

use super::{
    super::Failure,
    dial::Dialer,
    proxy::{self, ProxyKind},
    tls,
};
use crate::kube::one_line;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, client::conn::http1, header};
use kube::config::Cluster;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// A connection attempt fails after this long.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest answer, bytes.
const MAX_ANSWER: usize = 1 << 20;

/// One server.
#[derive(Clone)]
pub(in super::super) struct Web {
    dialer: Dialer,
    server: Uri,
}

/// A request.
pub(in super::super) struct Asked<'a> {
    pub(in super::super) method: Method,
    /// Path and query.
    pub(in super::super) path: &'a str,
    /// Type of the body.
    pub(in super::super) kind: &'a str,
    pub(in super::super) body: String,
}

/// An answer.
pub(in super::super) struct Reply {
    pub(in super::super) status: StatusCode,
    /// `Retry-After` in seconds.
    pub(in super::super) retry_after: Option<Duration>,
    pub(in super::super) body: Bytes,
}

impl Web {
    /// The server of this URL. `authorities`: file with those that may sign its certificate. `None`: this machine's.
    ///
    /// # Errors
    /// A URL that is none of HTTP or has a password, or authorities that can't be read. Messages do not have the URL,
    /// which may be a secret.
    pub(in super::super) fn new(
        url: &str,
        authorities: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let bad = |why: &str| Failure::new(format!("not an HTTP URL: {why}"), "write it as https://HOST/PATH");
        let server: Uri = url.parse().map_err(|error| bad(&format!("{error}")))?;
        let is_http = matches!(server.scheme_str(), Some("http" | "https"));
        if !is_http || server.host().is_none_or(str::is_empty) {
            return Err(bad("it has no http:// or https://, or no host"));
        }
        if server.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("it has a user"));
        }
        let proxy = proxy::choose(None, &server, env)?;
        let is_plain = server.scheme_str() == Some("http");
        let encrypts = !is_plain || proxy.as_ref().is_some_and(|proxy| proxy.kind == ProxyKind::Https);
        let cluster = Cluster {
            // Where nothing is encrypted, no authorities are read: an image may have none.
            certificate_authority: authorities.filter(|_| encrypts).map(|file| file.to_string_lossy().into_owned()),
            insecure_skip_tls_verify: Some(!encrypts),
            ..Cluster::default()
        };
        let settings = tls::settings(&cluster, &server, None)
            .map_err(|failure| Failure::new(failure.what, "pass --ca-file with certificates in PEM"))?;
        Ok(Self { dialer: Dialer { proxy, tls: Arc::new(settings), server_name: None, limit: CONNECT }, server })
    }

    /// Host and port, for messages.
    pub(in super::super) fn place(&self) -> &str {
        self.server.authority().map_or("", hyper::http::uri::Authority::as_str)
    }

    /// Path and query of the URL.
    pub(in super::super) fn path(&self) -> &str {
        self.server.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str)
    }

    /// The answer to a request, within this time.
    ///
    /// # Errors
    /// The reason on one line, without the path.
    pub(in super::super) async fn ask(&self, asked: Asked<'_>, limit: Duration) -> Result<Reply, String> {
        let answer = tokio::time::timeout(limit, self.answer(asked)).await;
        answer.unwrap_or_else(|_| Err(format!("{}: no answer within {} s", self.place(), limit.as_secs())))
    }

    async fn answer(&self, asked: Asked<'_>) -> Result<Reply, String> {
        let failed = |error: &(dyn std::error::Error + 'static)| format!("{}: {}", self.place(), one_line(error));
        let wire = self.dialer.clone().dial(self.server.clone()).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) = http1::handshake(wire).await.map_err(|error| failed(&error))?;
        // Ends with this request.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header(header::HOST, self.place())
            .header(header::USER_AGENT, concat!("kubectl-netwhy/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, asked.kind)
            .header(header::ACCEPT, "*/*")
            .body(Full::new(Bytes::from(asked.body)))
            .map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let seconds = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| format!("{}: {error}", self.place()))?.to_bytes();
        Ok(Reply { status: head.status, retry_after: seconds.map(Duration::from_secs), body })
    }
}

impl Reply {
    /// Why it is no success: the status, and the begin of the answer.
    pub(in super::super) fn refusal(&self, place: &str) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(200).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("{place}: {}{}{text}", self.status, if text.is_empty() { "" } else { ": " })
    }
}

#[cfg(test)]
mod tests;
