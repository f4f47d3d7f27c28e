//! Who may ask: requests with a loopback Host and the token of this run. All else gets 403 and nothing more.

use super::token::Token;
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
        header::{self, CONTENT_SECURITY_POLICY, HOST},
        uri::Authority,
    },
    response::{IntoResponse as _, Response},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tower::ServiceExt as _;

/// The first URL works for so long.
const LAUNCH: Duration = Duration::from_secs(120);

/// Only files of this server, no inline script or style, no frames, and no text that becomes HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// Headers of every response, refusals included.
static HEADERS: [(HeaderName, &str); 8] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The URL for the browser's first request. It leads to the page once, and for a while.
pub(super) struct Launch {
    token: Token,
    /// `None`: used.
    until: Mutex<Option<Instant>>,
}

impl Launch {
    pub(super) fn new(token: Token) -> Self {
        Self { token, until: Mutex::new(Instant::now().checked_add(LAUNCH)) }
    }

    /// Uses it up.
    fn take(&self, token: &str, now: Instant) -> bool {
        self.token.is(token)
            && self.until.lock().unwrap_or_else(PoisonError::into_inner).take().is_some_and(|until| now < until)
    }
}

/// The check in front of the page.
pub(super) struct Door {
    token: Token,
    launch: Launch,
    inside: Router,
}

impl Door {
    /// `inside`: answers paths without the token.
    pub(super) fn new(token: Token, launch: Launch, inside: Router) -> Self {
        Self { token, launch, inside }
    }

    async fn answer(&self, request: Request) -> Response {
        let (token, rest) = split(request.uri().path());
        if !is_local(request.headers()) || is_foreign(request.headers()) {
            return refused();
        }
        if rest == "/" && self.launch.take(token, Instant::now()) {
            let page = format!("/{}/", self.token.as_str());
            return (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response();
        }
        if !self.token.is(token) {
            return refused();
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "only GET and HEAD\n")
                .into_response();
        }
        if rest.is_empty() {
            // Without the slash the page's relative URLs would lack the token.
            return (StatusCode::SEE_OTHER, [(header::LOCATION, format!("/{}/", self.token.as_str()))]).into_response();
        }
        let Some(uri) = inner(request.uri(), rest) else { return refused() };
        let (mut parts, _) = request.into_parts();
        parts.uri = uri;
        let answer = self.inside.clone().oneshot(Request::from_parts(parts, Body::empty())).await;
        answer.unwrap_or_else(|never| match never {})
    }
}

/// All paths, checked.
pub(super) fn router(door: Door) -> Router {
    let door = Arc::new(door);
    Router::new().fallback(move |request: Request| {
        let door = Arc::clone(&door);
        async move {
            let mut response = door.answer(request).await;
            for (name, value) in &HEADERS {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
    })
}

/// The first part of a path, and what follows it.
fn split(path: &str) -> (&str, &str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// The URI without the token.
fn inner(uri: &Uri, rest: &str) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{rest}{query}").parse().ok()
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "open the URL that `kubectl netwhy ui` printed\n").into_response()
}

/// Exactly one Host header, which names loopback. DNS rebinding would bring another name.
fn is_local(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(HOST).iter();
    let (Some(host), None) = (all.next(), all.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether another site's page sent it. Following a link is no harm: the page tells nothing to the site.
fn is_foreign(headers: &HeaderMap) -> bool {
    let of = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let is_navigation = of("sec-fetch-mode") == Some(b"navigate");
    !is_navigation && of("sec-fetch-site").is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}

#[cfg(test)]
mod tests;
